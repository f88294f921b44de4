"""Where a mask is uncertain and why a part is told. In: a network by hand. Out: maps, heat, a sheet, or why not."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from tellapart.cli.explain import command
from tellapart.errors import SettingsError, TellapartError
from tests.answers.made_masker import CLASSES, TILE, masker_bytes

SHOTS = os.environ.get("TELLAPART_SCREENSHOTS")  # a folder, for people who want to look


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("masks") / "model.onnx"
    path.write_bytes(masker_bytes())
    return path


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A large blue thing at the right, a small one at the left, a dim red one; 150 x 100 pixels."""
    pixels = np.zeros((100, 150, 3), dtype=np.uint8)
    pixels[30:70, 100:140, 2] = 255
    pixels[10:20, 5:15, 2] = 255
    pixels[80:90, 20:30, 0] = 140
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    return path


def explain(*arguments: object) -> Any:
    result = CliRunner().invoke(command, [*map(str, arguments), "--json", "--quiet"])
    if isinstance(result.exception, TellapartError):
        raise result.exception
    return json.loads(result.output)


def test_the_largest_part_is_explained_where_it_lies(model: Path, picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (found,) = explain(model, picture, "--out", out)["pictures"]
    assert (found["class"], found["which"]) == (CLASSES[1], 1)
    assert found["class_probability"] > 0.9
    left, top, right, bottom = found["box"]
    assert (right - left, bottom - top) == (TILE, TILE)
    assert (left, top) == (86, 18)  # its middle in the middle of the tile, as far as the picture goes
    (heat,) = found["heatmaps"]
    assert heat["method"] == "occlusion"
    array = np.load(heat["array"])
    ys, xs = np.nonzero(array > 0.5)
    assert 12 / TILE <= ys.mean() / len(array) <= 52 / TILE
    assert 14 / TILE <= xs.mean() / len(array) <= 54 / TILE
    assert heat["insertion"] > found["chance"]["insertion"]
    uncertain = np.load(out / "a.uncertainty.npy")
    assert uncertain.shape == (100, 150)
    assert uncertain[85, 25] > uncertain[50, 120] == 0
    for name in ("a.png", "a.occlusion.png", "a.uncertainty.png"):
        assert (out / name).is_file()
    if SHOTS:
        shutil.copy(out / "a.png", Path(SHOTS, "explain-masks.png"))


def test_another_part_and_another_class(model: Path, picture: Path, tmp_path: Path) -> None:
    (second,) = explain(model, picture, "--box", 2, "--out", tmp_path / "a")["pictures"]
    assert (second["class"], second["which"]) == (CLASSES[1], 2)
    (red,) = explain(model, picture, "--class", "red", "--out", tmp_path / "b")["pictures"]
    assert red["class"] == "red"
    assert 0.9 < red["class_probability"] < second["class_probability"]
    result = CliRunner().invoke(
        command, [str(model), str(picture), "--class", "red", "--box", "2", "--out", str(tmp_path / "c")]
    )
    assert "1 part of class red is told in it, so there is no part 2" in result.output


def test_a_picture_with_nothing_still_has_its_uncertainty(model: Path, tmp_path: Path) -> None:
    Image.new("RGB", (20, 12)).save(tmp_path / "dark.png")
    result = CliRunner().invoke(command, [str(model), str(tmp_path / "dark.png"), "--out", str(tmp_path / "out")])
    assert "nothing is told in it, so there is no part to explain; uncertainty is drawn all the same" in result.output
    assert np.load(tmp_path / "out" / "dark.uncertainty.npy").shape == (12, 20)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ("--method", "scorecam"),
            "--method scorecam explains what a model says of a whole picture, and this one makes masks",
        ),
        (("--method", "gradcam"), "--method gradcam needs the weights of the run"),
        (
            ("--layer", "blocks.4"),
            "--layer blocks.4 is given, but a mask's part is explained at the encoder's last map",
        ),
        (("--class", "green"), "green"),
    ],
)
def test_what_cannot_be_had_is_said(
    model: Path, picture: Path, tmp_path: Path, flags: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        explain(model, picture, *flags, "--out", tmp_path / "out")
    assert message in str(raised.value)


def test_lines_for_a_person(model: Path, picture: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [str(model), str(picture), "--out", str(tmp_path / "out")])
    assert result.exit_code == 0
    assert f"part 1 of 3, {CLASSES[1]} " in result.output
    assert "the class's mean probability" in result.output
