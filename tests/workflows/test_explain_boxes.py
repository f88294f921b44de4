"""Why a box is found. In: a model whose boxes are as certain as a colour is bright. Out: heat with the box, or why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from tellapart.bundle import Manifest
from tellapart.cli.explain import command
from tellapart.errors import SettingsError, TellapartError
from tests.answers.made_detector import CLASSES, detector_bytes, detector_manifest, draw_things
from tests.serving.conftest import PLACES, _colour_finder, box_manifest


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tiny_manifest: Manifest) -> Path:
    path = tmp_path_factory.mktemp("boxes") / "model.onnx"
    path.write_bytes(_colour_finder(box_manifest(tiny_manifest)))
    return path


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Blue and green, each told; 64 x 48 pixels, in the middle of a square of 64."""
    path = tmp_path / "a.png"
    Image.new("RGB", (64, 48), (10, 200, 250)).save(path)
    return path


def explain(*arguments: object) -> Any:
    result = CliRunner().invoke(command, [*map(str, arguments), "--json", "--quiet"])
    if isinstance(result.exception, TellapartError):
        raise result.exception
    return json.loads(result.output)


@pytest.mark.parametrize(("which", "label"), [(None, "blue"), (1, "blue"), (2, "green")])
def test_heat_of_one_box_is_drawn_with_it(
    model: Path, picture: Path, tmp_path: Path, which: int | None, label: str
) -> None:
    out = tmp_path / "out"
    (found,) = explain(model, picture, "--out", out, *([] if which is None else ["--box", which]))["pictures"]
    assert (found["class"], found["which"]) == (label, which or 1)
    assert set(found["named"]) == {"blue", "green"}
    left, top, right, bottom = (share * 64 for share in PLACES[label])
    assert found["box"] == pytest.approx([left, top - 8, right, bottom - 8], abs=0.06)
    (heat,) = found["heatmaps"]
    array = np.load(heat["array"])
    assert (array.dtype, array.min() >= 0, array.max()) == (np.float32, True, 1)
    assert 0 <= heat["deletion"] <= 1
    with Image.open(heat["overlay"]) as laid:
        assert laid.size == (448, 336)
        pixels = np.asarray(laid.convert("RGB")).astype(int)
    # The line of the box runs inside its edge, in the colour of its class.
    colour = {"blue": (0, 114, 178), "green": (230, 159, 0)}[label]
    x, y = round((left + right) / 2 * 7), round((bottom - 8) * 7)
    assert (np.abs(pixels[y - 6 : y + 1, x] - colour).sum(axis=1) < 12).any()
    assert Path(found["sheet"]).is_file()


def test_a_class_is_asked_for(model: Path, picture: Path, tmp_path: Path) -> None:
    (found,) = explain(model, picture, "--out", tmp_path / "out", "--class", "green")["pictures"]
    assert (found["class"], found["which"]) == ("green", 1)
    (found,) = explain(model, picture, "--out", tmp_path / "o", "--class", "红色")["pictures"]
    assert found["error"] == "nothing of class 红色 is found in it, so there is no box to explain"


def test_a_box_that_is_not_there_is_told(model: Path, picture: Path, tmp_path: Path) -> None:
    (found,) = explain(model, picture, "--out", tmp_path / "out", "--box", 7)["pictures"]
    assert found["error"] == "2 things are found in it, so there is no box 7"
    Image.new("RGB", (64, 48)).save(picture)
    (found,) = explain(model, picture, "--out", tmp_path / "out")["pictures"]
    assert found["error"] == "nothing is found in it, so there is no box to explain"


def test_what_is_for_whole_pictures_is_refused(model: Path, picture: Path, tmp_path: Path, tiny_bytes: bytes) -> None:
    with pytest.raises(
        SettingsError, match=r"^--method gradcam explains what a model says of a whole picture, and this"
    ):
        explain(model, picture, "--method", "gradcam")
    with pytest.raises(SettingsError, match=r"^--layer blocks is given, but random masks look at no layer\."):
        explain(model, picture, "--layer", "blocks")
    whole = tmp_path / "whole.onnx"
    whole.write_bytes(tiny_bytes)
    with pytest.raises(SettingsError, match=r"^--box 2 is given, but this model finds no boxes\. Leave --box out\.$"):
        explain(whole, picture, "--box", 2)


def test_words_for_a_person(model: Path, picture: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [str(model), str(picture), "--out", str(tmp_path / "out"), "--quiet"])
    lines = result.output.splitlines()
    assert lines[0] == f"{picture}: box 1 of 2, blue 73.5 %"
    assert "how surely the box is found while the hottest pixels go" in result.output


def test_a_picture_without_boxes_is_no_unreadable_one(model: Path, picture: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(picture)
    result = CliRunner().invoke(command, [str(model), str(picture), "--out", str(tmp_path / "out"), "--quiet"])
    assert result.output.startswith(f"{picture}  (nothing is found in it, so there is no box to explain)")
    assert "1 picture, 1 not explained" in result.stderr


def test_of_a_picture_in_tiles_a_box_is_explained_where_it_is(tmp_path: Path) -> None:
    """In a tile around it: no tile of the answer has it in the middle, and one that is cut there would show half of it."""
    model = tmp_path / "model.onnx"
    model.write_bytes(detector_bytes(detector_manifest((0.5, 0.5), fit="tile", overlap=16)))
    things = [(CLASSES[1], 300, 200, 312, 212), (CLASSES[1], 40, 50, 52, 62), (CLASSES[0], 316, 204, 324, 210)]
    picture = draw_things(tmp_path / "a.png", (400, 300), things)
    seen = {
        tuple(found["box"]): found
        for which in (1, 2, 3)
        for found in explain(model, picture, "--out", tmp_path / f"{which}", "--box", which)["pictures"]
    }
    assert set(seen) == {thing[1:] for thing in things}
    for (left, top, right, bottom), found in seen.items():
        (heat,) = found["heatmaps"]
        array = np.load(heat["array"])
        with Image.open(heat["overlay"]) as laid:
            assert laid.size == (448, 448)
        # The tile of 64 pixels begins so that the box is in its middle; where it is hot, the box is.
        across, down = (max((one + other - 64) / 2, 0) for one, other in ((left, right), (top, bottom)))
        scale = len(array) / 64
        box = [
            round((one - begin) * scale)
            for one, begin in ((left, across), (top, down), (right, across), (bottom, down))
        ]
        inside = array[box[1] : box[3], box[0] : box[2]]
        assert inside.mean() > 2 * array.mean()
