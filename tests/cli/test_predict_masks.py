"""`tellapart predict` with a model that makes masks. In: a network by hand. Out: rows, masks, overlays, refusals."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.cli.main import execute
from tests.answers.made_detector import detector_bytes
from tests.answers.made_masker import CLASSES, masker_bytes


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(masker_bytes())
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A wide picture with two blue things and a red one; a small one with nothing; one that cannot be read."""
    folder = tmp_path / "pictures"
    (folder / "sub").mkdir(parents=True)
    pixels = np.zeros((70, 150, 3), dtype=np.uint8)
    pixels[5:25, 5:45, 2] = 255
    pixels[40:60, 90:140, 2] = 255
    pixels[30:34, 60:66, 0] = 255
    Image.fromarray(pixels).save(folder / "wide.png")
    Image.new("RGB", (20, 12)).save(folder / "sub" / "wide.jpg")
    (folder / "broken.png").write_bytes((folder / "wide.png").read_bytes()[:60])
    return folder


def run(*arguments: object) -> int:
    return execute(["predict", *map(str, arguments)])


def test_masks_overlays_and_a_table(
    model: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks, seen, out = tmp_path / "masks", tmp_path / "seen", tmp_path / "areas.csv"
    assert run(model, pictures, "--masks", masks, "--overlays", seen, "--format", "csv", "--out", out) == 0
    said = capsys.readouterr().err
    assert f"masks of 2 pictures: in {masks}; over their pictures in {seen}" in said
    assert sorted(str(path.relative_to(masks)) for path in masks.rglob("*.png")) == ["sub/wide.png", "wide.png"]
    with Image.open(masks / "wide.png") as image:
        assert image.mode == "P"
        values = np.array(image)
    assert np.bincount(values.reshape(-1)).tolist() == [150 * 70 - 800 - 1000 - 24, 1800, 24]
    with Image.open(seen / "wide.png") as drawn:
        overlay = np.array(drawn)
    assert overlay.shape[0] > 70  # with its legend
    assert overlay.shape[1] == 150
    assert (overlay[65, 75] == 0).all()  # the background stays as it is
    assert (overlay[50, 115] != (0, 0, 255)).any()
    assert (seen / "sub" / "wide.jpg").is_file()
    table = csv.DictReader(out.read_text(encoding="utf-8").splitlines())
    rows = {Path(row["path"]).name: row for row in table}
    assert rows["wide.png"]["parts of " + CLASSES[1]] == "2"
    assert json.loads(rows["wide.png"]["sizes of " + CLASSES[1]]) == [1000, 800]
    assert rows["broken.png"]["error"]
    assert run(model, pictures, "--masks", masks) == 2
    assert "is there already, and nothing is overwritten unasked" in capsys.readouterr().err
    assert run(model, pictures, "--masks", masks, "--force", "--quiet") == 0


def test_polygons_in_lines_of_json(model: Path, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(model, pictures / "wide.png", "--format", "jsonl", "--polygons") == 0
    row = json.loads(capsys.readouterr().out)
    assert [(one["label"], one["pixels"]) for one in row["polygons"]] == [
        (CLASSES[1], 1000),
        (CLASSES[1], 800),
        ("red", 24),
    ]
    assert row["polygons"][0]["polygon"] == [[90, 40], [140, 40], [140, 60], [90, 60]]
    assert "mask" not in row
    assert "certainty" not in row
    assert run(model, pictures / "wide.png", "--format", "jsonl") == 0
    assert "polygons" not in json.loads(capsys.readouterr().out)


def test_a_line_for_a_person(model: Path, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(model, pictures / "wide.png") == 0
    assert capsys.readouterr().out.startswith("82.6% background, 17.1% 蓝 blue, 0.2% red")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--masks", "m"), "the model makes no masks, so there are none to write or to lay over pictures"),
        (("--overlays", "m"), "the model makes no masks, so there are none to write or to lay over pictures"),
        (("--format", "jsonl", "--polygons"), "the model makes no masks, so that there are no borders to tell"),
        (("--masks", "m", "--draw", "d"), "--masks and --overlays are for a model that makes masks"),
        (("--polygons",), "--polygons are told in JSON"),
    ],
)
def test_what_does_not_go_together_is_said(
    flags: tuple[str, ...], message: str, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "boxes.onnx").write_bytes(detector_bytes())
    assert run(tmp_path / "boxes.onnx", pictures / "wide.png", *flags) != 0
    assert message in " ".join(capsys.readouterr().err.split())


def test_boxes_are_not_drawn_of_masks(
    model: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model, pictures / "wide.png", "--draw", tmp_path / "d") == 2
    assert "the model finds no boxes" in capsys.readouterr().err
