"""A class a pixel: decided, told, read back. In: a network's arrays by hand. Out: answers. Next: test_predictor.py."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tellapart.answers.answering import OtherClasses, Placement
from tellapart.answers.mask_answer import MaskAnswer
from tellapart.answers.mask_files import class_colours, mask_png, read_base64
from tellapart.answers.predictor import load_predictor
from tellapart.answers.segmentation import Segmentation
from tellapart.bundle import ClassificationRecord, Score, SegmentationRecord, open_model
from tellapart.errors import ModelFileError
from tests.answers.made_masker import CLASSES, masker_bytes, masker_manifest, masker_record

OWN = Segmentation()
RECORD = masker_record()
# A picture of 5 x 3 pixels in an input of 8 x 8: three columns of margin at the right, two rows above and three below.
PLACE = Placement(width=5, height=3, left=0, top=-2, right=8, bottom=6, remark="dark")


def probabilities() -> NDArray[np.float32]:
    """Background everywhere, red in the margin, and in the picture a blue corner and two red pixels that do not touch."""
    found = np.full((1, 3, 8, 8), 0.1, dtype=np.float32)
    found[:, 0] = 0.8
    found[:, :, :2] = np.array([0, 0, 1])[None, :, None, None]
    for y, x, values in ((2, 0, (0.25, 0.5, 0.25)), (4, 4, (0.2, 0.2, 0.6)), (2, 3, (0.0, 0.0, 1.0))):
        found[0, :, y, x] = values
    return found


def decided(**others: Any) -> MaskAnswer:
    (found,) = OWN.decide({"probabilities": probabilities(), **others}, [PLACE], RECORD, classes=CLASSES)
    return found


def test_a_mask_is_at_the_size_of_its_picture_without_the_margin() -> None:
    found = decided()
    assert found.mask is not None
    assert found.certainty is not None
    np.testing.assert_array_equal(found.mask, [[1, 0, 0, 2, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 2]])
    assert found.certainty[0].tolist() == [128, 204, 204, 255, 204]
    assert found.areas.tolist() == [12, 1, 2]
    assert found.confidence == pytest.approx((12 * 0.8 + 0.5 + 1 + 0.6) / 15, abs=2e-3)
    assert found.warning == "dark"
    assert found.unknown is None


def test_a_merged_mask_is_told_as_it_is() -> None:
    mask = np.array([[[0, 1], [2, 2]]], dtype=np.uint8)
    certainty = np.full((1, 2, 2), 51, dtype=np.uint8)
    place = Placement(width=2, height=2, left=0, top=0, right=2, bottom=2)
    record = masker_record(novelty_threshold=1.5, known=Score(value=0.9))
    given = {"mask": mask, "certainty": certainty, "novelty": np.array([2.0], dtype=np.float32)}
    (found,) = OWN.decide(given, [place], record, classes=CLASSES)
    assert found.mask is not None
    assert found.mask.tolist() == [[0, 1], [2, 2]]
    assert (found.confidence, found.unknown, found.novelty, found.probabilities) == (
        pytest.approx(0.2),
        True,
        2.0,
        None,
    )


def test_a_row_tells_areas_parts_and_the_mask_and_reads_back() -> None:
    found = decided()
    row = json.loads(json.dumps(OWN.row(found, top=1)))
    assert row["areas"] == [
        {"label": "background", "colour": "#000000", "pixels": 12, "share": 0.8, "parts": None, "sizes": None},
        {
            "label": CLASSES[1],
            "colour": "#0072b2",
            "pixels": 1,
            "share": pytest.approx(1 / 15),
            "parts": 1,
            "sizes": [1],
        },
        {"label": "red", "colour": "#e69f00", "pixels": 2, "share": pytest.approx(2 / 15), "parts": 2, "sizes": [1, 1]},
    ]
    assert (row["width"], row["height"], row["error"], row["warning"]) == (5, 3, None, "dark")
    image = Image.open(io.BytesIO(base64.b64decode(row["mask"])))
    assert image.mode == "P"
    assert image.convert("RGB").getpixel((0, 0)) == RECORD.colours[1]
    again = OWN.read(row, path="a.png", classes=CLASSES, told=RECORD.model_dump())
    assert found.mask is not None
    assert found.certainty is not None
    assert again.mask is not None
    assert again.certainty is not None
    np.testing.assert_array_equal(again.mask, found.mask)
    assert np.abs(again.certainty.astype(int) - found.certainty).max() <= 2
    assert again.confidence == found.confidence
    assert (again.path, again.colours, again.background, again.warning) == ("a.png", RECORD.colours, 0, "dark")
    assert OWN.row(again, top=1)["areas"] == OWN.row(found, top=1)["areas"]


def test_outlines_are_told_where_they_are_asked_for() -> None:
    assert "polygons" not in OWN.row(decided(), top=1)
    polygons = OWN.with_outlines().row(decided(), top=1)["polygons"]
    assert [(one["label"], one["pixels"]) for one in polygons] == [(CLASSES[1], 1), ("red", 1), ("red", 1)]
    assert polygons[2]["polygon"] == [(4, 2), (5, 2), (5, 3), (4, 3)]
    assert OWN.with_outlines().row(OWN.unread("no", classes=CLASSES), top=1)["polygons"] is None


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"areas": []}, OtherClasses),
        ({"mask": "no base64!"}, ValueError),
        ({"mask": base64.b64encode(b"no picture").decode()}, ValueError),
        ({"width": 6}, ValueError),
        ({"confidence": None}, TypeError),
        ({"mask": base64.b64encode(mask_png(np.full((3, 5), 7, np.uint8), RECORD.colours)).decode()}, ValueError),
    ],
)
def test_what_is_no_row_is_refused(change: dict[str, Any], error: type[Exception]) -> None:
    row = OWN.row(decided(), top=1) | change
    with pytest.raises(error):
        OWN.read(row, path="", classes=CLASSES, told=RECORD.model_dump())


def test_a_mask_that_is_a_photo_is_refused() -> None:
    file = io.BytesIO()
    Image.new("RGB", (5, 3)).save(file, "PNG")
    with pytest.raises(ValueError, match="a PNG of 5 x 3 in mode RGB, where a mask was expected"):
        read_base64(base64.b64encode(file.getvalue()).decode())


def test_cells_stand_below_their_columns() -> None:
    columns = OWN.columns(CLASSES, top=3)
    cells = dict(zip(columns, OWN.cells(decided(), top=3), strict=True))
    assert cells["pixels of red"] == "2"
    assert cells["share of red"] == "0.133333"
    assert (cells["parts of red"], cells["sizes of red"]) == ("2", "[1,1]")
    assert (cells["parts of background"], cells["sizes of background"]) == ("", "")
    unread = dict(zip(columns, OWN.cells(OWN.unread("gone", path="b.png", classes=CLASSES), top=3), strict=True))
    assert {name: cell for name, cell in unread.items() if cell} == {"path": "b.png", "error": "gone"}


def test_a_line_names_the_shares() -> None:
    assert OWN.line(decided(), top=1).startswith("80.0% background, 13.3% red, 6.7% 蓝 blue")
    assert OWN.line(decided(), top=1).endswith("(warning: dark)")
    assert OWN.line(OWN.unread("gone", path="b.png", classes=CLASSES), top=1).startswith("unreadable")


def test_tensors_are_those_described() -> None:
    record = masker_record(novelty_threshold=1.5, known=Score(value=0.9))
    given = {"probabilities": probabilities(), "novelty": np.array([2.0], dtype=np.float32)}
    (first,) = OWN.decide(given, [PLACE], record, classes=CLASSES)
    small = Placement(width=2, height=1, left=0, top=0, right=8, bottom=8)
    (second,) = OWN.decide(given, [small], record, classes=CLASSES)
    tensors = OWN.tensors([first, second])
    described = OWN.describe(record, classes=CLASSES, outputs=["probabilities", "novelty"])
    assert [one.name for one in described] == [
        *("mask_bytes", "areas", "shares", "sizes", "confidence", "mask", "certainty", "probabilities"),
        *("novelty", "unknown", "warning"),
    ]
    assert set(tensors) == {one.name for one in described}
    assert len(tensors) == len(described)
    for one in described:
        shape = np.shape(tensors[one.name]) if not isinstance(tensors[one.name], list) else (2,)
        assert len(shape) == len(one.shape)
        assert all(size in (-1, found) for size, found in zip(one.shape, shape, strict=True))
    mask = np.asarray(tensors["mask"])
    assert mask[1].tolist() == [[2, 2, 255, 255, 255], [255] * 5, [255] * 5]
    assert np.asarray(tensors["sizes"]).tolist() == [[3, 5], [1, 2]]
    assert np.asarray(tensors["shares"])[0].tolist() == pytest.approx([0.8, 1 / 15, 2 / 15])
    assert np.asarray(tensors["probabilities"])[0, :, 0, 0].tolist() == [64, 128, 64]
    assert bytes(tensors["mask_bytes"][0]).startswith(b"\x89PNG")


def test_what_is_too_large_is_not_stacked() -> None:
    large = MaskAnswer(classes=CLASSES, mask=np.zeros((2, 2), np.uint8), certainty=np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match="`probabilities` of a picture so large are not kept"):
        OWN.tensors([large])["probabilities"]
    wide, high = (
        MaskAnswer(classes=CLASSES, mask=np.broadcast_to(np.uint8(0), shape)) for shape in ((1, 50_000), (50_000, 1))
    )
    with pytest.raises(ValueError, match="`mask` of 2 pictures would be"):
        OWN.tensors([wide, high])["mask"]


def test_all_together_and_what_is_counted() -> None:
    unread = OWN.unread("gone", path="b.png", classes=CLASSES)
    found = OWN.collect([decided(), unread], classes=CLASSES, told=RECORD.model_dump())
    assert found.areas.tolist() == [[12, 1, 2], [0, 0, 0]]
    assert found.masks[1] is None
    assert np.isnan(found.confidences[1])
    assert found.unknown is None
    assert found.to_rows()[2] == {"path": "", "label": "red", "pixels": 2, "share": pytest.approx(2 / 15)}
    assert len(found.to_rows()) == 3
    assert OWN.tally([decided(), decided()]).names == [CLASSES[1], "red"] * 2
    assert OWN.shown_class(decided()) == 2
    with pytest.raises(ValueError, match="could not be read"):
        OWN.shown_class(unread)
    with pytest.raises(ValueError, match="a form cannot hold a mask"):
        OWN.read_truth({"mask": "x"})


def test_only_probabilities_of_pixels_fit() -> None:
    assert OWN.fits({"probabilities": probabilities()}, CLASSES)
    assert not OWN.fits({"probabilities": probabilities() * 2}, CLASSES)
    assert not OWN.fits({"probabilities": probabilities()}, CLASSES[:2])
    assert not OWN.fits({"probabilities": probabilities()[..., 0]}, CLASSES)


def test_another_tasks_record_is_refused() -> None:
    other = ClassificationRecord(temperature=1.0)
    with pytest.raises(ValueError, match="a record of classification"):
        OWN.decide({"probabilities": probabilities()}, [PLACE], other, classes=CLASSES)
    with pytest.raises(ValueError, match="a record of classification"):
        OWN.describe(other, classes=CLASSES, outputs=[])
    with pytest.raises(ValueError, match="a record of classification"):
        OWN.merging(PLACE, masker_manifest().preprocessing.plain(), other)


@pytest.mark.parametrize("count", [2, 7, 8, 40, 255])
def test_each_class_has_a_colour_of_its_own(count: int) -> None:
    colours = class_colours(count, background=0)
    assert len(set(colours)) == count
    assert colours[0] == (0, 0, 0)
    assert class_colours(count)[: min(count, 7)] == class_colours(7)[:count]
    SegmentationRecord.model_validate(masker_record().model_dump() | {"colours": colours}).check(count)


@pytest.mark.parametrize(
    ("change", "classes", "message"),
    [
        ({}, 1, "there are 1 classes"),
        ({}, 4, "there are 3 colours for 4 classes"),
        ({"colours": ((0, 0, 0), (0, 0, 0), (1, 1, 1))}, 3, "there are 2 colours for 3 classes"),
        ({"colours": ((0, 0, 0), (0, 0, 256), (1, 1, 1))}, 3, "each needs its own, of 0 to 255"),
        ({"background": 3}, 3, "the background is class 3"),
    ],
)
def test_a_record_that_decides_nothing_is_refused(change: dict[str, Any], classes: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        masker_record(**change).check(classes)


def test_a_file_takes_pictures_of_any_size(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(masker_bytes())
    model = open_model(path)
    image = np.zeros((1, 32, 96, 3), dtype=np.uint8)
    image[0, :, 40:60, 2] = 255
    found = model.compute(image, OWN.outputs)
    assert OWN.fits(found, CLASSES)
    place = Placement(width=96, height=32, left=0, top=0, right=96, bottom=32)
    (answer,) = OWN.decide(found, [place], model.manifest.record, classes=CLASSES)
    assert answer.areas.tolist() == [32 * 76, 32 * 20, 0]
    path.write_bytes(masker_bytes(masker_manifest(novelty_threshold=1.0, known=Score(value=0.9))))
    with pytest.raises(ModelFileError, match="gives probabilities and novelty"):
        open_model(path)


def test_info_tells_how_it_decides() -> None:
    assert RECORD.calibrated == {"temperature": "1"}
    assert RECORD.decided(CLASSES) == {"background": "background"}
    assert "unknown" in masker_record(novelty_threshold=1.5, known=Score(value=0.9)).decided(CLASSES)
    assert [step.operator for step in RECORD.ending] == ["Div", "Softmax"]


@pytest.mark.parametrize("size", [(20, 11), (64, 64), (150, 97)])
def test_a_picture_of_any_size_is_answered_in_its_own_pixels(tmp_path: Path, size: tuple[int, int]) -> None:
    """Turned by EXIF, cut into tiles, put together: the mask is that of the upright picture."""
    (tmp_path / "model.onnx").write_bytes(masker_bytes())
    pixels = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    pixels[2:9, 3:17, 2] = 255
    pixels[-2:, :, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    Image.fromarray(pixels).transpose(Image.Transpose.ROTATE_90).save(tmp_path / "a.png", exif=exif)
    found = load_predictor(tmp_path / "model.onnx").predict([str(tmp_path / "a.png"), str(tmp_path / "gone.png")])
    expected = np.zeros(pixels.shape[:2], dtype=np.uint8)
    expected[2:9, 3:17] = 1
    expected[-2:] = 2
    assert found.masks[0] is not None
    np.testing.assert_array_equal(found.masks[0], expected)
    assert found.confidences[0] > 0.9
    assert found.masks[1] is None
    assert "no such file" in found.errors[1].lower()
