"""`tellapart predict` with a model that finds boxes. In: a detector by hand. Out: rows, annotations, pictures, refusals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tellapart
from tellapart.answers.detection import Detection
from tellapart.cli.main import execute
from tellapart.data.targets import Boxes
from tellapart.drawing.lettering import lacking
from tellapart.features.caching import open_cache
from tellapart.reporter import Silent
from tellapart.workflows.learning.examine import examine
from tellapart.workflows.predict import BoxOutputs, BoxWriter
from tests.answers.made_detector import CLASSES, Thing, detector_bytes, draw_things

BLUE, RED = CLASSES
WIDE: tuple[Thing, ...] = ((BLUE, 64, 2, 100, 50), (RED, 10, 20, 60, 40))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(detector_bytes())
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two pictures with things, one of them turned by EXIF; one with nothing; one that cannot be read."""
    folder = tmp_path / "pictures"
    draw_things(folder / "wide.png", (128, 64), WIDE)
    draw_things(folder / "sub" / "turned.jpg", (64, 128), [(BLUE, 8, 16, 40, 100)], orientation=6)
    draw_things(folder / "sub" / "wide.png", (64, 64), [])
    (folder / "broken.png").write_bytes((folder / "wide.png").read_bytes()[:60])
    return folder


def run(*arguments: object) -> int:
    return execute(["predict", *map(str, arguments)])


def boxes_of(folder: Path) -> dict[str, list[tuple[str, float, float, float, float]]]:
    """What our own reader finds in a folder, in pixels of the upright pictures."""
    with open_cache() as cache:
        examined = examine(folder, cache=cache, reporter=Silent())
    found = {}
    for entry in examined.listing.entries:
        assert isinstance(entry.target, Boxes)
        found[str(entry.path.relative_to(folder))] = [
            (box.label, box.left, box.top, box.right, box.bottom) for box in entry.target.boxes
        ]
    return found


def said_of(model: Path, pictures: Path, threshold: float) -> dict[str, list[tuple[str, float, float, float, float]]]:
    found = tellapart.load(model, thresholds=threshold).predict(str(pictures))
    return {
        str(Path(path).relative_to(pictures)): [
            (label, *map(float, sides)) for label, sides in zip(labels, boxes, strict=True)
        ]
        for path, labels, boxes, error in zip(found.paths, found.labels, found.boxes, found.errors, strict=True)
        if not error
    }


def assert_same(
    found: dict[str, list[tuple[str, float, float, float, float]]],
    wanted: dict[str, list[tuple[str, float, float, float, float]]],
) -> None:
    assert {name: [box[0] for box in boxes] for name, boxes in found.items()} == {
        name: [box[0] for box in boxes] for name, boxes in wanted.items()
    }
    for name, boxes in wanted.items():
        sides = np.array([box[1:] for box in found[name]], dtype=float)
        np.testing.assert_allclose(sides, np.array([box[1:] for box in boxes], dtype=float), atol=0.01)


def test_rows_say_the_same_in_every_layout(model: Path, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(model, pictures / "wide.png", "--format", "jsonl", "--threshold", "0.4") == 0
    row = json.loads(capsys.readouterr().out)
    assert row["counts"] == {BLUE: 1, RED: 1}
    assert [one["label"] for one in row["boxes"]] == [BLUE, RED]
    assert (row["boxes"][0]["left"], row["boxes"][0]["bottom"]) == (64, 50)
    assert run(model, pictures) == 0
    shown = capsys.readouterr()
    lines = [line.split("  ")[0] for line in shown.out.splitlines()]
    assert lines == ["unreadable", f"1 {BLUE}", f"1 {BLUE}", "nothing"]
    assert shown.err == "4 pictures, 1 unreadable\n"


@pytest.mark.parametrize("form", ["voc", "coco", "yolo"])
def test_annotations_read_back_as_the_same_boxes(
    form: str, model: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The pictures are copied beside them, and read from there."""
    out = tmp_path / "out"
    assert run(model, pictures, "--format", form, "--out", out, "--threshold", "0.4") == 0
    told = capsys.readouterr().err
    assert "4 pictures, 1 unreadable\n3 boxes in 3 pictures: in " in told
    assert told.endswith(f" in {out}, with 3 pictures copied beside them\n")
    wanted = said_of(model, pictures, 0.4)
    assert [len(boxes) for boxes in wanted.values()] == [2, 1, 0]
    copied = {Path("images", name).as_posix(): boxes for name, boxes in wanted.items()}
    # Two pictures are called alike but for their folders.
    assert set(copied) == {"images/sub/turned.jpg", "images/sub/wide.png", "images/wide.png"}
    assert_same(boxes_of(out), copied)
    assert (out / "images" / "wide.png").read_bytes() == (pictures / "wide.png").read_bytes()


@pytest.mark.parametrize("form", ["voc", "coco", "yolo"])
def test_annotations_beside_the_pictures_copy_none(form: str, model: Path, pictures: Path) -> None:
    wanted = said_of(model, pictures, 0.4)
    before = sorted(path.name for path in pictures.rglob("*") if path.suffix in (".png", ".jpg"))
    assert run(model, pictures, "--format", form, "--out", pictures, "--threshold", "0.4", "--quiet") == 0
    assert_same(boxes_of(pictures), wanted)
    assert sorted(path.name for path in pictures.rglob("*") if path.suffix in (".png", ".jpg")) == before


def test_pictures_are_drawn_and_cut_out(
    model: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn, crops = tmp_path / "drawn", tmp_path / "cut"
    assert run(model, pictures, "--draw", drawn, "--crops", crops, "--threshold", "0.4") == 0
    assert f"3 boxes in 3 pictures: drawn in {drawn}; cut out in {crops}" in capsys.readouterr().err
    files = {path.relative_to(tmp_path).as_posix() for folder in (drawn, crops) for path in folder.rglob("*.*g")}
    assert files == {
        "drawn/sub/turned.jpg",
        "drawn/sub/wide.png",
        "drawn/wide.png",
        f"cut/{BLUE}/sub/turned-1.jpg",
        f"cut/{BLUE}/wide-1.png",
        "cut/red/wide-2.png",
    }
    cut = Image.open(crops / "red" / "wide-2.png")
    assert cut.size == (50, 20)
    assert np.asarray(cut).reshape(-1, 3).min(0).tolist() == [255, 0, 0]
    # The turned one stands upright; its box is where the thing is.
    turned = Image.open(crops / BLUE / "sub" / "turned-1.jpg")
    assert turned.size[0] > turned.size[1]
    assert np.asarray(turned)[5:-5, 5:-5, 2].min() > 200
    plain, shown = Image.open(pictures / "wide.png"), Image.open(drawn / "wide.png")
    assert shown.size == plain.size
    assert (np.asarray(shown) != np.asarray(plain)).any()
    empty = np.asarray(Image.open(drawn / "sub" / "wide.png"))
    np.testing.assert_array_equal(empty, np.asarray(Image.open(pictures / "sub" / "wide.png")))
    # What was drawn is not taken for data that was given; what was cut out may be learned from.
    assert run(model, tmp_path, "--quiet", "--out", tmp_path / "rows.txt") == 0
    assert "drawn" not in (tmp_path / "rows.txt").read_text(encoding="utf-8").replace(tmp_path.name, "")
    assert tellapart.check(crops)["classes"] == [RED, BLUE]


def test_nothing_is_replaced_unasked(
    model: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = pictures / "wide.png"
    for flags in (
        ("--draw", tmp_path / "drawn"),
        ("--crops", tmp_path / "cut"),
        ("--format", "voc", "--out", tmp_path / "voc"),
        ("--format", "csv", "--out", tmp_path / "rows.csv"),
    ):
        assert run(model, picture, *flags) == 0
        written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        capsys.readouterr()
        assert run(model, picture, "--threshold", "0.4", *flags) == 2
        assert "is there already, and nothing is overwritten unasked" in capsys.readouterr().err
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == written
        assert run(model, picture, "--threshold", "0.4", *flags, "--force") == 0
        again = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        assert again != written


def test_names_that_lead_out_stay_inside(tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.answers.made_detector import detector_manifest

    odd = detector_manifest().model_copy(update={"classes": ("../../out", "CON")})
    model = tmp_path / "odd.onnx"
    model.write_bytes(detector_bytes(odd))
    inner = tmp_path / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    (inner / "list.txt").write_text("../pictures/wide.png\n")
    flags = ("--threshold", "0.4", "--quiet", "--draw", "drawn", "--crops", "cut", "--format", "voc", "--out", "voc")
    assert run(model, "--list", "list.txt", *flags) == 0
    there = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*") if path.is_file()}
    assert {name for name in there if name.startswith("inner/")} >= {
        "inner/drawn/pictures/wide.png",
        "inner/cut/_._.._out/pictures/wide-1.png",
        "inner/cut/_CON/pictures/wide-2.png",
        "inner/voc/images/pictures/wide.png",
        "inner/voc/Annotations/pictures/wide.xml",
    }
    assert not {name for name in there if "out" in name.split("/")[0]}


def test_thresholds_that_are_not_the_models_are_told(
    model: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = pictures / "wide.png"
    assert run(model, picture, "--threshold", "red=0.001") == 0
    shown = capsys.readouterr()
    assert shown.out.startswith(f"1 {BLUE}, 1 red")
    assert shown.err == (
        "Thresholds as asked, not the model's: red 0.1 % (its own 60.0 %). The file gives nothing under 1.0 %.\n"
    )
    assert run(model, picture, "--threshold", "red=0.6") == 0
    assert capsys.readouterr().err == ""
    assert run(model, picture, "--threshold", "0.9", "--quiet") == 0
    shown = capsys.readouterr()
    assert (shown.out.split("  ")[0], shown.err) == ("nothing", "")


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (
            ("--format", "coco"),
            "--format coco writes files, and no folder is named for them. Name one with --out FOLDER.",
        ),
        (("--threshold", "2"), "the threshold is 2; it must be from 0 to 1. Give one such as 0.5."),
        (
            ("--threshold", "bird=0.5"),
            f"the threshold is for 'bird', which is none of the model's classes ({BLUE}, red).",
        ),
        (("--threshold", "x"), "--threshold is 'x'; it must be a number, or CLASS=NUMBER. Give one such as 0.5."),
    ],
)
def test_flags_that_cannot_be_are_refused(
    flags: tuple[str, ...], told: str, model: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model, pictures, *flags) == 2
    assert told in " ".join(capsys.readouterr().err.split())


def test_a_server_keeps_its_thresholds(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--server", "http://127.0.0.1:9", "a.png", "--threshold", "0.5") == 2
    assert "--threshold is for a model that is opened here" in " ".join(capsys.readouterr().err.split())


def test_a_classifier_has_no_boxes_to_draw(
    tiny_model: Path, colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "drawn"
    for flags in (("--draw", out), ("--crops", out), ("--format", "yolo", "--out", out)):
        assert run(tiny_model, colours, *flags) == 2
        told = capsys.readouterr().err
        assert (
            "the model finds no boxes, so there are none to write, draw or cut out. Leave out --draw, --crops" in told
        )
    assert run(tiny_model, colours, "--threshold", "0.5") == 2
    assert "the model is of the task 'classification', which decides without thresholds" in capsys.readouterr().err
    assert not out.exists()


def test_a_place_that_is_a_file_is_refused(
    model: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    for flags in (("--draw", tmp_path / "file"), ("--format", "coco", "--out", tmp_path / "file")):
        assert run(model, pictures, *flags) == 2
        assert "a file of that name is in the way. Choose another path" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


def test_two_pictures_with_one_annotation_are_refused(
    model: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_things(pictures / "wide.jpg", (64, 64), [])
    assert run(model, pictures, "--format", "voc", "--out", pictures) == 2
    assert "'wide.jpg' and 'wide.png' would have one annotation, 'Annotations/wide.xml'" in capsys.readouterr().err


def test_a_picture_on_standard_input_and_one_without_an_ending(model: Path, pictures: Path, tmp_path: Path) -> None:
    plain = tmp_path / "photo"
    plain.write_bytes((pictures / "sub" / "turned.jpg").read_bytes())
    code = [sys.executable, "-m", "tellapart", "predict", str(model), "-", str(plain), "--quiet", "--draw", "drawn"]
    answer = subprocess.run(
        [*code, "--format", "coco", "--out", "out"],
        input=(pictures / "wide.png").read_bytes(),
        cwd=tmp_path,
        check=False,
        capture_output=True,
    )
    assert answer.returncode == 0, answer.stderr
    assert sorted(path.name for path in (tmp_path / "out" / "images").iterdir()) == ["-.png", "photo.jpg"]
    assert sorted(path.name for path in (tmp_path / "drawn").glob("*g")) == ["-.png", "photo.jpg"]
    assert set(boxes_of(tmp_path / "out")) == {"images/-.png", "images/photo.jpg"}


def test_what_is_stopped_leaves_whole_files(
    model: Path, tmp_path: Path, until: Callable[[Callable[[], object]], None]
) -> None:
    """Ctrl-C, while a list still grows: what was answered is there, and the JSON names just that."""
    for number in range(80):
        draw_things(tmp_path / "in" / f"{number}.png", (64, 64), [(BLUE, 5, 5, 20 + number % 40, 30)])
    out, drawn = tmp_path / "out", tmp_path / "drawn"
    flags = ["--format", "coco", "--out", "out", "--draw", "drawn"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tellapart", "predict", str(model), "-", *flags],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write("".join(f"in/{number}.png\n" for number in range(80)))
    process.stdin.flush()
    until(lambda: len(list(drawn.rglob("*.png"))) >= 20)
    process.send_signal(signal.SIGINT)
    process.stdin.close()
    told = process.stderr.read()
    process.stderr.close()
    assert process.wait(300) == 130, told
    assert "stopped; " in told
    content = json.loads((out / "annotations.json").read_text(encoding="utf-8"))
    names = {image["file_name"] for image in content["images"]}
    assert len(names) >= 1
    assert names <= {f"images/in/{number}.png" for number in range(80)}
    for path in [*out.rglob("*.png"), *drawn.rglob("*.png")]:
        Image.open(path).load()
    assert not list(tmp_path.rglob("*.part"))


def test_progress_goes_to_standard_error(
    model: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model, pictures, "--format", "jsonl", "--out", tmp_path / "rows.jsonl") == 0
    assert "Predicting: 4 of 4 in " in capsys.readouterr().err
    assert run(model, pictures, "--format", "voc", "--out", tmp_path / "voc", "--quiet") == 0
    assert capsys.readouterr() == ("", "")


def test_names_that_cannot_be_drawn_are_told(
    model: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = BoxOutputs(drawn=tmp_path / "drawn")
    writer = BoxWriter(drawn, Detection(), ("cat", "\ue000", "\ue001"), roots=(), inputs=None)
    assert writer.remark == (
        "no font of this computer has the letters of the class '\\ue000' and 1 more, so that drawn pictures show codes in their "
        "place. Install one, such as the package fonts-noto-cjk for Chinese."
    )
    crops = BoxOutputs(crops=tmp_path / "crops")
    assert BoxWriter(crops, Detection(), ("\ue000",), roots=(), inputs=None).remark == ""
    assert run(model, pictures / "wide.png", "--draw", tmp_path / "out") == 0
    # Whether a font here has Chinese letters depends on the machine.
    assert ("no font of this computer" in capsys.readouterr().err) == bool(lacking(CLASSES))
