"""How pictures that are not square fit into the network's square, and the way back; all places are worked out by hand."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.answers.pictures import place, prepare_picture
from tellapart.data.motion import into_square
from tellapart.explanation.laying import as_seen, onto
from tellapart.features.extract import tag_of
from tellapart.manifest import PreprocessingRecord
from tellapart.preprocessing import Preprocessing, fitted, load, prepare, shown_part

WHOLE = Preprocessing(size=100, crop=1.0, interpolation="bilinear", mean=(0.2, 0.4, 0.6))
CROP = Preprocessing(size=224)


def wide() -> Image.Image:
    """400 x 100: red at the left end, blue at the right one, white between."""
    image = Image.new("RGB", (400, 100), "white")
    image.paste("red", (0, 0, 80, 100))
    image.paste("blue", (320, 0, 400, 100))
    return image


def test_a_crop_loses_the_ends_and_the_others_do_not() -> None:
    assert (prepare(wide(), WHOLE) == 255).all()
    squashed = prepare(wide(), fitted(WHOLE, "squash", None))
    assert squashed[50, 10].tolist() == [255, 0, 0]  # 40 of 400
    assert squashed[50, 90].tolist() == [0, 0, 255]
    assert squashed[50, 50].tolist() == [255, 255, 255]
    padded = prepare(wide(), fitted(WHOLE, "pad", None))
    assert padded[20, 50].tolist() == padded[80, 50].tolist() == [51, 102, 153], "the network's mean"
    assert padded[50, 10].tolist() == [255, 0, 0]
    assert padded[50, 90].tolist() == [0, 0, 255]
    assert [padded[row, 50].tolist() == [255] * 3 for row in (36, 38, 61, 63)] == [False, True, True, False]


def test_a_square_picture_is_the_same_whole_however_it_fits() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8))
    expected = prepare(image, WHOLE)
    for fit in ("pad", "squash"):
        np.testing.assert_array_equal(prepare(image, fitted(WHOLE, fit, None)), expected)


@pytest.mark.parametrize("width", [1, 9, 10, 11, 12, 13, 40, 41])
@pytest.mark.parametrize("height", [1, 8, 10, 15, 40])
def test_nothing_is_scaled(width: int, height: int) -> None:
    """As TensorFlow 2's resize_with_crop_or_pad crops and pads: halves of what is too much or too little, rounded down."""
    size = 10
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    wanted = image[max(0, (height - size) // 2) :, max(0, (width - size) // 2) :][:size, :size]
    down, across = size - wanted.shape[0], size - wanted.shape[1]
    around = ((down // 2, down - down // 2), (across // 2, across - across // 2))
    planes = [np.pad(wanted[..., one], around, constant_values=value) for one, value in enumerate((51, 102, 153))]
    inputs = fitted(Preprocessing(size=size, crop=0.5, mean=(0.2, 0.4, 0.6)), "crop_or_pad", None)
    np.testing.assert_array_equal(prepare(Image.fromarray(image), inputs), np.stack(planes, axis=-1))
    left, top, right, bottom = shown_part(width, height, inputs)
    assert (right - left, bottom - top) == (size, size)
    assert (left, top) == (int((width - size) / 2), int((height - size) / 2))


def test_a_large_jpeg_is_not_decoded_smaller_where_nothing_is_scaled() -> None:
    buffer = io.BytesIO()
    wide().resize((1600, 400)).save(buffer, "JPEG", quality=95)
    pixels = load(buffer.getvalue(), fitted(WHOLE, "crop_or_pad", None))
    assert pixels.min() > 240, "the middle of the picture is white, and its red end is far"


def test_heat_of_an_unscaled_picture_lies_on_what_is_seen() -> None:
    inputs = fitted(Preprocessing(size=100, crop=1.0), "crop_or_pad", None)
    small = wide().crop((0, 0, 40, 20))
    heat = np.zeros((100, 100), dtype=np.float32)
    heat[40:60, 30:50] = 1  # the left half of the picture, which lies at 30 to 70 and 40 to 60
    assert as_seen(small, inputs, side=200).shape == (100, 200, 3)
    laid = onto(heat, small, inputs)
    assert laid.shape == (20, 40)
    assert laid[10, 5] == pytest.approx(1)
    assert laid[10, 35] == pytest.approx(0)
    assert as_seen(wide(), inputs, side=200).shape == (200, 200, 3)
    assert onto(heat, wide(), inputs).shape == (100, 100)


def test_what_is_shown_and_the_way_back() -> None:
    assert shown_part(400, 100, WHOLE) == (150, 0, 250, 100)
    assert shown_part(400, 100, fitted(WHOLE, "squash", None)) == (0, 0, 400, 100)
    assert shown_part(400, 100, fitted(WHOLE, "pad", None)) == (0, -148, 400, 252)  # 25 rows of 100, 37 above them
    for fit in ("crop", "pad", "squash"):
        inputs = fitted(WHOLE, fit, None)
        corners = np.array([[0.0, 0.0], [400.0, 100.0], [160.0, 25.0]])
        inside = into_square(corners, width=400, height=100, preprocessing=inputs) / inputs.size
        np.testing.assert_allclose(place(400, 100, inputs).to_source(inside), corners, atol=1e-9)
    assert into_square(
        np.array([40.0, 50.0]), width=400, height=100, preprocessing=fitted(WHOLE, "squash", None)
    ).tolist() == [10, 50]


def test_one_pixel_high_is_still_a_picture() -> None:
    for fit in ("crop", "pad", "squash"):
        assert prepare(Image.new("RGB", (20_000, 1), "red"), fitted(WHOLE, fit, None)).shape == (100, 100, 3)


def test_heat_lies_on_the_picture_in_its_own_shape() -> None:
    heat = np.zeros((100, 100), dtype=np.float32)
    heat[:, :20] = 1
    for fit in ("pad", "squash"):
        inputs = fitted(WHOLE, fit, None)
        seen = as_seen(wide(), inputs, side=200)
        assert seen.shape == (50, 200, 3)
        assert seen[25, 20].tolist() == [255, 0, 0]
        laid = onto(heat, wide(), inputs)
        assert laid.shape == ((25, 100) if fit == "pad" else (100, 100))
        assert laid[12, 10] == pytest.approx(1)
        assert laid[12, 60] == pytest.approx(0)
    np.testing.assert_array_equal(as_seen(wide(), WHOLE, side=100), prepare(wide(), WHOLE))
    assert onto(heat, wide(), WHOLE) is heat


def test_keys_of_caches_are_as_they_were_and_tell_what_is_new() -> None:
    assert tag_of(CROP, "abc", "ort", ()) == "6e5f22773a4a6377:", "as before pictures could fit otherwise"
    others = [
        fitted(CROP, "pad", None),
        fitted(CROP, "squash", None),
        fitted(CROP, "crop", (0, 4095)),
        fitted(CROP, "crop", (0, 255)),
        Preprocessing(size=224, colour="stored"),
        Preprocessing(size=224, crop=1.0),
    ]
    assert len({tag_of(one, "abc", "ort", ()) for one in (CROP, *others)}) == 7
    assert tag_of(CROP, "abc", "ort", (16, 24)) != tag_of(CROP, "abc", "ort", ())


def test_a_record_keeps_all_of_it_and_an_old_one_reads_as_it_did() -> None:
    told = fitted(CROP, "pad", (0, 4095))
    assert PreprocessingRecord.of(told).plain() == told
    assert PreprocessingRecord.model_validate_json(PreprocessingRecord.of(told).model_dump_json()).plain() == told
    old = {"size": 224, "crop": 0.875, "interpolation": "bicubic", "mean": (0.5,) * 3, "std": (0.5,) * 3}
    assert PreprocessingRecord.model_validate(old).plain() == Preprocessing(size=224, colour="stored")
    with pytest.raises(ValueError, match="two numbers, the lower first"):
        PreprocessingRecord.model_validate(old | {"value_range": (5, 5)})


def test_a_deep_picture_is_read_by_the_model_s_range_and_what_lies_beyond_is_told(tmp_path: Path) -> None:
    values = np.full((8, 8), 2048, dtype=np.uint16)
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    small = Preprocessing(size=8, crop=1.0)
    image, found = prepare_picture(file.getvalue(), fitted(small, "crop", (0, 4095)))
    assert image[0, 0].tolist() == [128] * 3
    assert found.remark == ""
    assert load(file.getvalue(), small)[0, 0].tolist() == [8] * 3, "a model without a range goes on as it was tested"
    _, found = prepare_picture(file.getvalue(), small)
    assert "more than 8 bits, and the model knows no range for such pictures: 0:65535 was taken" in found.remark
    _, found = prepare_picture(file.getvalue(), fitted(small, "crop", (0, 1000)))
    assert "reach beyond the range 0:1000 and are cut off" in found.remark
    _, found = prepare_picture(np.zeros((8, 8, 3), dtype=np.uint8), fitted(small, "crop", (0, 1000)))
    assert found.remark == ""
