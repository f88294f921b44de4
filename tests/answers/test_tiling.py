"""Pictures that are answered in tiles. In: a detector by hand. Out: one answer a picture, few tiles at a time."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

import tellapart
from tellapart.answers.answering import Placement
from tellapart.answers.table import ANSWERINGS
from tellapart.answers.tiling import cut_picture, merged, merging_of, ready_tile
from tellapart.errors import PictureError
from tellapart.preprocessing import Preprocessing
from tests.answers.made_detector import CLASSES, SIZE, detector_bytes, detector_manifest, draw_things
from tests.answers.test_pictures import encoded

BLUE, RED = CLASSES
TILED = Preprocessing(size=SIZE, fit="tile", overlap=16)


@pytest.fixture(scope="module")
def tiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that finds one thing of each colour in a tile of 64 pixels."""
    path = tmp_path_factory.mktemp("tiled") / "model.onnx"
    path.write_bytes(detector_bytes(detector_manifest((0.5, 0.5), fit="tile", overlap=16)))
    return path


class Counting:
    """A Merging that keeps what it was given."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.places: list[Placement] = []

    def add(self, arrays: Mapping[str, NDArray[Any]], places: Sequence[Placement]) -> None:
        self.rows += arrays["first"].tolist()
        self.places += places

    def finish(self) -> Mapping[str, NDArray[Any]]:
        return {"sum": np.array([sum(self.rows)])}


def test_each_thing_of_a_large_picture_is_told_once_where_it_is(tiled: Path, tmp_path: Path) -> None:
    """In the middle of a tile, over a seam, over a corner where four meet, at the picture's edge; JPEG and turned files too."""
    things = [(RED, 300, 200, 312, 212), (BLUE, 105, 90, 117, 102), (RED, 10, 47, 22, 59), (BLUE, 388, 288, 400, 300)]
    model = tellapart.load(tiled)
    for name in ("a.png", "a.jpg"):
        found = model.predict(draw_things(tmp_path / name, (400, 300), things))
        told = {(label, *np.round(box).tolist()) for label, box in zip(found.labels[0], found.boxes[0], strict=True)}
        assert told == set(things)
    turned = model.predict(draw_things(tmp_path / "turned.png", (400, 300), [(RED, 300, 200, 312, 206)], orientation=6))
    np.testing.assert_allclose(turned.boxes[0], [[300 - 206, 300, 300 - 200, 312]])


def test_pictures_are_answered_in_their_order_and_unreadable_ones_are_told(tiled: Path, tmp_path: Path) -> None:
    pictures = [
        np.asarray(
            Image.open(draw_things(tmp_path / f"{n}.png", (100 + 40 * n, 90), [(RED, 10 * n, 5, 10 * n + 8, 15)]))
        )
        for n in range(9)
    ]
    found = tellapart.load(tiled).predict([*pictures[:4], b"nothing", *pictures[4:]])
    assert found.errors == ("",) * 4 + ("not a picture in a known format",) + ("",) * 5
    lefts = [boxes[0, 0] for boxes, error in zip(found.boxes, found.errors, strict=True) if not error]
    np.testing.assert_allclose(lefts, 10 * np.arange(9), atol=1e-3)


def test_a_reader_that_has_seen_enough_ends_the_work(tiled: Path) -> None:
    from tellapart.answers.given import gather
    from tellapart.answers.predictor import load_predictor

    model = load_predictor(tiled)
    answers = model.stream(gather([np.zeros((900, 900, 3), dtype=np.uint8)] * 20))
    assert next(answers).error == ""
    answers.close()
    assert not [one for one in threading.enumerate() if one.name.startswith(("predict", "tiles"))]


def test_tiles_come_in_their_order_a_few_at_a_time() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    picture = cut_picture(pixels, TILED)
    seen: list[int] = []

    def run(tiles: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        seen.append(len(tiles))
        return {"first": tiles[:, 0, 0, 0].astype(np.int64)}

    wanted = [int(pixels[int(place.top), int(place.left), 0]) for place in picture.places]
    with ThreadPoolExecutor(3) as pool:
        for own in (None, pool):
            merging = Counting()
            assert merged(picture, run, merging, pool=own)["sum"].tolist() == [sum(wanted)]
            assert merging.rows == wanted
            assert [(place.tile, place.tiles) for place in merging.places] == [(n, 24) for n in range(24)]
    assert set(seen) == {8}
    assert picture.whole == Placement(width=300, height=200, left=0, top=0, right=300, bottom=200)


def test_what_is_not_wanted_any_more_is_not_looked_at() -> None:
    picture, runs = cut_picture(np.zeros((640, 640, 3), dtype=np.uint8), TILED), []

    def run(tiles: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        runs.append(len(tiles))
        return {"first": np.zeros(len(tiles), dtype=np.int64)}

    def check() -> None:
        if len(runs) == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        merged(picture, run, Counting(), check=check)
    assert len(runs) == 3


def test_memory_does_not_grow_with_the_number_of_tiles() -> None:
    """A picture of 12,000 pixels across: 8 tiles at a time are 100 KB, all of its 5,250 would be more than 60 MB."""
    picture = cut_picture(np.zeros((1000, 12_000, 3), dtype=np.uint8), TILED)

    def run(tiles: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        return {"first": tiles[:, 0, 0, 0].astype(np.int64)}

    merging = Counting()
    tracemalloc.start()
    try:
        merged(picture, run, merging)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(merging.rows) == len(picture.places) > 5000
    assert most < 3_000_000  # bytes; the places alone are half a million
    assert len(picture.places) * 3 * SIZE**2 > 60_000_000


def seen(tiles: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """As a detector of stride 8 would: what is bright, and at least five pixels across and down, is a thing."""
    boxes = np.zeros((len(tiles), 60, 4), dtype=np.float32)
    scores, labels = np.zeros((len(tiles), 60), dtype=np.float32), np.zeros((len(tiles), 60), dtype=np.int64)
    for number, tile in enumerate(tiles):
        parts = ndimage.find_objects(ndimage.label(tile[..., 0] > 200)[0])
        large = [
            (down, across) for down, across in parts if min(down.stop - down.start, across.stop - across.start) > 4
        ]
        for place, (down, across) in enumerate(large):
            boxes[number, place] = np.array([across.start, down.start, across.stop, down.stop]) / tile.shape[0]
            scores[number, place] = 0.9
    return {"boxes": boxes, "scores": scores, "labels": labels}


def test_small_things_of_a_large_picture_are_found_in_tiles_alone() -> None:
    """2,000 x 1,500 pixels, 120 things of 12 pixels and two of 60, over all seams of tiles of 320."""
    generator = np.random.default_rng(1)
    places = generator.permutation(99 * 74)[:120]
    corners = np.stack([places % 99 * 20 + 3, places // 99 * 20 + 3], axis=1)
    wanted = {(x, y, x + 12, y + 12) for x, y in corners.tolist()}
    pixels = generator.integers(60, 120, (1500, 2000, 3), dtype=np.uint8)
    for large in ((950, 700, 1010, 760), (300, 235, 360, 295)):  # the second over a corner where four tiles meet
        wanted = {
            box for box in wanted if box[2] < large[0] or box[0] > large[2] or box[3] < large[1] or box[1] > large[3]
        }
        wanted.add(large)
    for left, top, right, bottom in wanted:
        pixels[top:bottom, left:right] = 250
    record = detector_manifest((0.5, 0.5)).record
    inputs, detection = Preprocessing(size=320, fit="tile", overlap=80), ANSWERINGS["detection"]
    picture = cut_picture(pixels, inputs)
    (found,) = detection.decide(
        merged(picture, seen, merging_of(detection).merging(picture.whole, inputs, record)),
        [picture.whole],
        record,
        classes=CLASSES,
    )
    assert len(found.told) == len(wanted) > 100
    assert {tuple(np.round(sides).astype(int).tolist()) for _, _, sides in found.told} == wanted
    # At once the picture is 320 pixels across: things of 12 are two there.
    array, place = detection.prepare(pixels, Preprocessing(size=320, fit="pad", crop=1.0))
    (whole,) = detection.decide(seen(array[None]), [place], record, classes=CLASSES)
    assert len(whole.told) == 2


def test_a_large_jpeg_is_not_decoded_smaller() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1000, 1200, 3), dtype=np.uint8)
    assert cut_picture(encoded(Image.fromarray(pixels), "JPEG"), TILED).image.size == (1200, 1000)


def test_too_many_pixels_are_refused() -> None:
    with pytest.raises(PictureError, match="30 x 20 pixels; the limit is 100 in all"):
        cut_picture(np.zeros((20, 30, 3), dtype=np.uint8), TILED, max_pixels=100)


def test_a_ready_input_is_one_tile() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    picture = ready_tile(pixels, Preprocessing(size=SIZE, fit="tile", overlap=16, scale=0.5))
    assert picture.places == (picture.whole,)
    np.testing.assert_array_equal(picture.tiles(0, 8), pixels[None])


def test_a_task_that_does_not_put_tiles_together_says_so() -> None:
    with pytest.raises(ValueError, match="Classification does not put tiles together"):
        merging_of(ANSWERINGS["classification"])
