"""Tiles that a detector learns from, and pictures that they are judged by. In: pictures drawn here. Out: boxes worked by hand."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.answers.answering import Placement
from tellapart.answers.boxes import FoundBoxes
from tellapart.answers.tiling import tile_places
from tellapart.data.dataset import Dataset
from tellapart.data.examples import Example, PictureFile, Split
from tellapart.data.targets import Box, Boxes, class_boxes
from tellapart.errors import PictureError
from tellapart.preprocessing import Preprocessing, load
from tellapart.tasks.detection import tile_files
from tellapart.tasks.detection.tile_files import TileFile, boxes_seen
from tellapart.tasks.detection.tiled import cut_dataset, merged_score

INPUTS = Preprocessing(size=64, crop=1.0, fit="tile", overlap=16)
CLASSES = ("ant", "bee")
WIDTH, HEIGHT = 200, 150  # four tiles by three


def picture(folder: Path, number: int, boxes: tuple[Box, ...], split: Split) -> tuple[Example, PictureFile]:
    """Noise, but for the pixels of each box, which are of its class's colour."""
    pixels = np.random.default_rng(number).integers(0, 200, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    for box in boxes:
        pixels[int(box.top) : int(box.bottom), int(box.left) : int(box.right)] = 255 if box.label == "ant" else 230
    path = folder / f"{number}.png"
    Image.fromarray(pixels).save(path)
    example = Example(
        path=path,
        target=Boxes(boxes),
        split=split,
        group=str(number),
        content_hash=f"{number:02}",
        width=WIDTH,
        height=HEIGHT,
    )
    return example, PictureFile(path=path, file_hash="", content_hash=f"{number:02}")


def dataset_of(pages: list[tuple[Example, PictureFile]]) -> Dataset:
    return Dataset(
        classes=CLASSES,
        examples=[example for example, _ in pages],
        indices=np.arange(len(pages)),
        targets=class_boxes([example.target for example, _ in pages], CLASSES),
        groups=np.arange(len(pages)),
        splits=np.array([example.split for example, _ in pages]),
        leaked=np.zeros(len(pages), dtype=np.bool_),
        pictures=tuple(file for _, file in pages),
    )


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Six training pictures with one to six things, one without; two of validation, one of test."""
    folder, generator, pages = tmp_path_factory.mktemp("large"), np.random.default_rng(0), []
    for number in range(10):
        corners = generator.integers(0, (WIDTH - 12, HEIGHT - 12), (0 if number == 3 else 1 + number % 6, 2)).tolist()
        boxes = tuple(Box(CLASSES[n % 2], x, y, x + 12, y + 12) for n, (x, y) in enumerate(corners))
        split: Split = "train" if number < 7 else "validation" if number < 9 else "test"
        pages.append(picture(folder, number, boxes, split))
    return dataset_of(pages)


def told(dataset: Dataset) -> list[tuple[str, str]]:
    return [(tile.content_hash, example.target.text) for example, tile in tiles(dataset, "train")]


def tiles(dataset: Dataset, split: Split) -> list[tuple[Example, TileFile]]:
    found = []
    for row in dataset.rows[split].tolist():
        file = dataset.pictures[row]
        assert isinstance(file, TileFile)
        found.append((dataset.examples[row], file))
    return found


def test_boxes_are_cut_at_the_edge_of_a_tile_and_slivers_are_left_out() -> None:
    place = Placement(width=200, height=150, left=40, top=20, right=104, bottom=84)
    boxes = Boxes(
        (
            Box("ant", 50, 30, 70, 40, difficult=True),  # within
            Box("bee", 30, 30, 50, 40),  # half of it
            Box("bee", 20, 30, 44, 40),  # a sixth
            Box("ant", 94, 74, 114, 94),  # a quarter, at the corner
            Box("ant", 110, 30, 120, 40),  # beside it
            Box("bee", 0, 0, 200, 150),  # all around: an eighth is seen
        )
    )
    wanted = (Box("ant", 10, 10, 30, 20, difficult=True), Box("bee", 0, 10, 10, 20), Box("ant", 54, 54, 64, 64))
    assert boxes_seen(boxes, place, INPUTS).boxes == wanted
    # At twice the scale the same tile shows a quarter of that.
    near = replace(place, right=72, bottom=52)
    assert boxes_seen(boxes, near, replace(INPUTS, scale=2.0)).boxes[0] == Box("ant", 20, 20, 60, 40, difficult=True)


def test_a_tile_is_a_file_of_its_own_pixels_and_each_picture_is_decoded_once(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[bytes] = []

    def counting(data: bytes, inputs: Preprocessing) -> object:
        decoded.append(data)
        return usual(data, inputs)

    usual = tile_files.decode_for
    monkeypatch.setattr(tile_files, "decode_for", counting)
    cut = cut_dataset(dataset, INPUTS, seed=0).dataset
    chosen = tiles(cut, "validation")
    squares = [load(tile.read(), INPUTS) for _, tile in chosen]
    assert len(decoded) == 2
    with ThreadPoolExecutor(4) as pool:  # threads share what is decoded as long as one of them is at work on it
        for square, again in zip(squares, pool.map(lambda one: load(one[1].read(), INPUTS), chosen), strict=True):
            np.testing.assert_array_equal(square, again)
    assert len(decoded) < len(chosen)
    for (_, tile), square in zip(chosen, squares, strict=True):
        whole = np.asarray(Image.open(tile.path))
        place = tile.place
        part = whole[int(place.top) : int(place.bottom), int(place.left) : int(place.right)]
        np.testing.assert_array_equal(square, part)


def test_a_picture_that_is_gone_is_a_problem_of_its_tiles(dataset: Dataset) -> None:
    (_, tile), *_ = tiles(cut_dataset(dataset, INPUTS, seed=0).dataset, "train")
    gone = replace(tile, path=tile.path.with_name("gone.png"))
    with pytest.raises(PictureError, match="vanished after the audit"):
        gone.read()
    changed = replace(tile, file_hash="0" * 64)
    with pytest.raises(PictureError, match="changed after the audit"):
        pickle.loads(pickle.dumps(changed)).read()


def test_training_tiles_show_every_box_and_some_show_none(dataset: Dataset) -> None:
    parts = cut_dataset(dataset, INPUTS, seed=0)
    train = tiles(parts.dataset, "train")
    seen = set()
    for example, tile in train:
        assert (example.width, example.height) == (64, 64)
        assert 0 <= tile.place.left <= WIDTH - 64
        assert 0 <= tile.place.top <= HEIGHT - 64
        pixels = load(tile.read(), INPUTS)
        for box in example.target.boxes:  # each box is where its colour is
            inside = pixels[round(box.top) : round(box.bottom), round(box.left) : round(box.right)]
            assert (inside >= 230).all()
            seen.add((tile.whole, box.label, box.left + tile.place.left, box.top + tile.place.top))
    boxes = {
        (example.content_hash, box.label, box.left, box.top)
        for example in dataset.examples
        if example.split == "train"
        for box in example.target.boxes
    }
    assert len(boxes) > 15
    assert boxes <= seen
    empty = [tile.whole for example, tile in train if not example.target.boxes]
    assert len(train) / 5 < len(empty) < len(train) / 2
    assert "03" in empty  # the picture without any teaches what is no thing
    # Of the whole pictures: twelve tiles each.
    assert (parts.validated, parts.tested) == (24, 12)


def test_tiles_are_a_function_of_seed_and_contents(dataset: Dataset) -> None:
    first, again, other = (told(cut_dataset(dataset, INPUTS, seed=seed).dataset) for seed in (0, 0, 1))
    assert first == again != other
    backwards = dataset_of([*zip(dataset.examples, dataset.pictures, strict=True)][::-1])
    assert told(cut_dataset(backwards, INPUTS, seed=0).dataset) == first


def test_there_are_no_more_tiles_than_asked_for(dataset: Dataset) -> None:
    parts = cut_dataset(dataset, INPUTS, seed=0, most_train=9, most_validation=13)
    train = tiles(parts.dataset, "train")
    assert len(train) == 9
    assert 0 < sum(not example.target.boxes for example, _ in train) <= 3
    # One whole picture of validation, since two have 24.
    assert [tile.place for _, tile in tiles(parts.dataset, "validation")] == list(tile_places(WIDTH, HEIGHT, INPUTS))


def test_an_epoch_is_judged_by_whole_pictures(dataset: Dataset) -> None:
    """What is found in every tile that shows it, cut as it is there, is found once; what no tile tells is missed."""
    validation = tiles(cut_dataset(dataset, INPUTS, seed=0).dataset, "validation")
    score = merged_score([tile for _, tile in validation])
    found = [answer(example.target) for example, _ in validation]
    truth = np.full((len(found), 1, 6), np.nan, dtype=np.float32)  # of the tiles, which does not count
    assert score(found, truth, 2) == {"AP": 1.0, "AP50": 1.0, "AP75": 1.0}
    # Bees alone: all ants are missed.
    bees = [
        answer(Boxes(tuple(box for box in example.target.boxes if box.label == "bee"))) for example, _ in validation
    ]
    assert score(bees, truth, 2)["AP"] == 0.5
    assert score([answer(Boxes())] * len(found), truth, 2)["AP"] == 0.0


def answer(boxes: object) -> FoundBoxes:
    assert isinstance(boxes, Boxes)
    return FoundBoxes(
        boxes=np.array([[box.left, box.top, box.right, box.bottom] for box in boxes.boxes], dtype=np.float32).reshape(
            -1, 4
        ),
        scores=np.full(len(boxes.boxes), 0.75, dtype=np.float32),
        labels=np.array([CLASSES.index(box.label) for box in boxes.boxes], dtype=np.int64),
    )


def test_pictures_that_are_not_cut_have_no_tiles(dataset: Dataset) -> None:
    with pytest.raises(ValueError, match="pictures whose fit is pad are not cut"):
        cut_dataset(dataset, Preprocessing(size=64, fit="pad"), seed=0)
