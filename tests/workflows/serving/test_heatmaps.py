"""Heat of one box, drawn for the server. In: a model of boxes, pictures. Out: what `tellapart explain` draws, in bounded time."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from tellapart.bundle import Manifest
from tellapart.cli.explain import command
from tellapart.errors import PictureError
from tellapart.explanation.masking import MASKS
from tellapart.runtime import BATCH
from tellapart.serving.opened import Version, open_version
from tellapart.serving.service import ToExplain
from tellapart.serving.versions import Found
from tellapart.workflows.serving.heatmaps import MOST_SECONDS, make_explainer
from tests.answers.made_detector import CLASSES, detector_bytes, detector_manifest, draw_things
from tests.serving.conftest import PLACES, _colour_finder, box_manifest, png


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tiny_manifest: Manifest) -> Path:
    path = tmp_path_factory.mktemp("boxes") / "model.onnx"
    path.write_bytes(_colour_finder(box_manifest(tiny_manifest)))
    return path


@pytest.fixture
def version(model: Path) -> Version:
    found = Found(number=1, file=model, stamp=(0, 0, 0))
    return open_version("finds", found, max_pixels=1_000_000, say=print)


def green(width: int, height: int) -> ToExplain:
    """The box of the class green in a picture that lies in the middle of its square."""
    side = max(width, height)
    left, top = (side - width) / 2, (side - height) / 2
    sides = [share * side - margin for share, margin in zip(PLACES["green"], (left, top) * 2, strict=True)]
    return ToExplain(label=1, sides=(sides[0], sides[1], sides[2], sides[3]), score=200 / 255)


def test_the_server_draws_what_explain_draws(version: Version, model: Path, tmp_path: Path) -> None:
    # Half of the picture is of another colour, so that the masks make a difference of their own at each place.
    pixels = np.full((48, 64, 3), (10, 180, 10), dtype=np.uint8)
    pixels[:, 32:] = (10, 60, 10)
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    arguments = [str(model), str(path), "--class", "green", "--out", str(tmp_path / "out"), "--json", "--quiet"]
    result = CliRunner().invoke(command, arguments)
    (told,) = json.loads(result.output)["pictures"]
    (heat,) = told["heatmaps"]
    shown = ToExplain(label=1, sides=green(64, 48).sides, score=told["class_probability"])
    drawn = make_explainer()(version, path.read_bytes(), shown)
    with Image.open(io.BytesIO(drawn)) as mine, Image.open(heat["overlay"]) as wanted:
        assert mine.size == (448, 336)
        np.testing.assert_array_equal(np.asarray(mine.convert("RGB")), np.asarray(wanted.convert("RGB")))


def test_of_a_picture_in_tiles_too(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(detector_bytes(detector_manifest((0.5, 0.5), fit="tile", overlap=16)))
    picture = draw_things(tmp_path / "a.png", (400, 300), [(CLASSES[1], 300, 200, 312, 212)])
    arguments = [str(model), str(picture), "--out", str(tmp_path / "out"), "--json", "--quiet"]
    (told,) = json.loads(CliRunner().invoke(command, arguments).output)["pictures"]
    opened = open_version("tiles", Found(number=1, file=model, stamp=(0, 0, 0)), max_pixels=1_000_000, say=print)
    shown = ToExplain(label=1, sides=tuple(told["box"]), score=told["class_probability"])
    drawn = make_explainer()(opened, picture.read_bytes(), shown)
    with Image.open(io.BytesIO(drawn)) as mine, Image.open(told["heatmaps"][0]["overlay"]) as wanted:
        assert mine.size == (448, 448)
        np.testing.assert_array_equal(np.asarray(mine.convert("RGB")), np.asarray(wanted.convert("RGB")))


@pytest.mark.parametrize(
    ("step", "chunks"), [(0.0, MASKS // (8 * BATCH) + 1), (MOST_SECONDS, 1), (MOST_SECONDS / 3, 3)]
)
def test_a_slow_network_tries_fewer_masks(version: Version, step: float, chunks: int) -> None:
    """A clock that moves on by so much whenever it is read: once in the beginning, once after some masks."""
    read = itertools.count()
    drawn = make_explainer(now=lambda: step * next(read))(version, png((10, 200, 10), (64, 48)), green(64, 48))
    assert next(read) == 1 + chunks
    with Image.open(io.BytesIO(drawn)) as picture:
        assert picture.size == (448, 336)


def test_a_picture_that_cannot_be_read(version: Version) -> None:
    explain: Callable[[Version, bytes, ToExplain], bytes] = make_explainer()
    with pytest.raises(PictureError, match="not a picture"):
        explain(version, b"hello", green(64, 48))
