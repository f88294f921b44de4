"""Pictures and their boxes are varied together. In: a bright box. Out: the boxes where it is. Next: test_learner.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.data.augment import Augment
from tellapart.data.augmentation import Augmentation
from tellapart.data.loading import TrainingBatches, ordered_batches
from tellapart.preprocessing import Preprocessing
from tellapart.tasks.detection.pictures import BoxPictures, box_pictures_at, in_squares

NAN = float("nan")
SIDE = 64
BOX = (20.0, 10.0, 44.0, 30.0)
AUGMENT = Augment(
    augmentation=Augmentation(horizontal_flip=0.5, vertical_flip=0.5, zoom=0.4, shift=0.1, fill="black"), size=SIDE
)


@dataclass
class BoxSquares:
    """Pictures with one bright rectangle."""

    count: int = 6
    problems: dict[int, str] = field(default_factory=lambda: {4: "torn"})
    slots: NDArray[np.int64] = field(default_factory=lambda: np.arange(6) // 2)
    seeds: NDArray[np.uint64] = field(default_factory=lambda: np.array([7, 8, 9], dtype=np.uint64))

    def __len__(self) -> int:
        return self.count

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        pictures = np.zeros((len(rows), SIDE, SIDE, 3), dtype=np.uint8)
        left, top, right, bottom = map(int, BOX)
        pictures[:, top:bottom, left:right] = 255
        return pictures


def source(augment: Augment | None = AUGMENT) -> BoxPictures:
    boxes = np.full((6, 3, 6), NAN, dtype=np.float32)
    boxes[:, 1] = (4, *BOX, 1)
    boxes[:, 0] = (2, 0, 0, 1, 1, 0)
    return BoxPictures(squares=BoxSquares(), boxes=boxes, augment=augment, seed=3)


def test_boxes_are_where_their_things_are_in_every_variant() -> None:
    seen = 0
    for epoch in range(8):
        pictures, boxes = source().get(np.arange(6), epoch)
        for picture, own in zip(pictures, boxes, strict=True):
            (row,) = np.flatnonzero(own[:, 0] == 4)
            rows, columns = np.nonzero(picture[:, :, 0] > 127)
            bright = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            assert own[row, 1:5] == pytest.approx(bright, abs=1.01)
            assert own[row, 5] == 1
            seen += 1
    assert seen == 48


def test_a_variant_is_a_function_of_seed_content_and_epoch() -> None:
    pictures, boxes = source().get(np.array([0, 1, 2]), 0)
    np.testing.assert_array_equal(pictures[0], pictures[1])  # copies
    np.testing.assert_array_equal(boxes[0], boxes[1])
    assert not np.array_equal(boxes[0], boxes[2])
    again = source().get(np.array([2]), 0)
    np.testing.assert_array_equal(again[0][0], pictures[2])
    assert not np.array_equal(source().get(np.array([2]), 1)[1], again[1])


def test_a_box_that_has_left_the_picture_is_left_out() -> None:
    corner = np.concatenate([source().get(np.arange(6), epoch)[1][:, :, 0] for epoch in range(8)])
    assert 0 < (corner == 2).any(axis=1).sum() < len(corner)  # the corner's pixel, where the picture was enlarged
    assert ((corner == 4).sum(axis=1) == 1).all()
    assert np.isnan(corner[:, 2]).all()


def test_validation_sees_pictures_and_boxes_as_they_are() -> None:
    pictures, boxes = source(None).get(np.array([3, 0]), 5)
    np.testing.assert_array_equal(pictures, BoxSquares().read(np.arange(2)))
    np.testing.assert_array_equal(boxes, source().boxes[:2])


def test_batches_carry_both() -> None:
    given = source()
    batches = TrainingBatches(given, given.boxes, batch_size=3, seed=1)
    rows = batches.rows_of(2)
    for batch, wanted in zip(batches.epoch(2), rows, strict=True):
        pictures, boxes = given.get(wanted, 2)
        np.testing.assert_array_equal(batch.inputs[0].numpy(), pictures)
        np.testing.assert_array_equal(batch.inputs[1].numpy(), boxes)
    (plain,) = ordered_batches(source(None), given.boxes, batch_size=6)
    assert [part.inputs[1].shape for part in plain.split(2)] == [(3, 3, 6), (3, 3, 6)]


def test_boxes_of_pictures_as_those_of_their_squares() -> None:
    boxes = np.array([[[0, 0, 0, 100, 50, 0], [NAN] * 6], [[1, 10, 20, 30, 40, 1], [NAN] * 6]], dtype=np.float32)
    found = in_squares(boxes, [(100, 50), (50, 100)], Preprocessing(size=200, crop=1.0, fit="pad"))
    assert found[0, 0].tolist() == [0, 0, 50, 200, 150, 0]
    assert found[1, 0].tolist() == [1, 70, 40, 110, 80, 1]
    assert np.isnan(found[:, 1]).all()
    assert boxes[0, 0, 4] == 50


def test_what_cannot_be_read_is_told_by_the_squares() -> None:
    assert source().problems == {4: "torn"}


def test_mosaics_and_mixtures_are_functions_of_seed_and_epoch_and_shun_what_cannot_be_read() -> None:
    asked: list[int] = []

    @dataclass
    class Noting(BoxSquares):
        slots: NDArray[np.int64] = field(default_factory=lambda: np.arange(6))
        seeds: NDArray[np.uint64] = field(default_factory=lambda: np.arange(6, dtype=np.uint64))

        def read(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
            asked.extend(rows.tolist())
            return super().read(rows)

    mixing = Augment(augmentation=Augmentation(mosaic=1.0, mixup=8.0, fill="black"), size=SIDE)
    given = BoxPictures(squares=Noting(), boxes=source().boxes, augment=mixing, seed=3)
    rows = np.array([0, 1, 2, 3, 5])
    pictures, boxes = given.get(rows, 0)
    assert (pictures.shape, pictures.dtype, boxes.shape) == ((5, SIDE, SIDE, 3), np.uint8, (5, 24, 6))
    assert set(asked) == {0, 1, 2, 3, 5}
    known = ~np.isnan(boxes[:, :, 0])
    assert ((known.sum(1) > 3) & (known.sum(1) <= 24)).all()
    assert (known == np.sort(known, axis=1)[:, ::-1]).all(), "what is known comes first"
    np.testing.assert_array_equal(given.get(rows[1:2], 0)[0][0], pictures[1])
    assert not np.array_equal(given.get(rows, 1)[0], pictures)
    # Each big box of a mosaic is as bright as its share of the mixture.
    for picture, own in zip(pictures, boxes, strict=True):
        for _, left, top, right, bottom, _ in own[own[:, 0] == 4]:
            assert picture[int(top + bottom) // 2, int(left + right) // 2, 0] > 255 * 0.25 - 2


def test_it_is_known_where_in_its_square_a_picture_lies() -> None:
    sizes = [(200, 100), (50, 100), (80, 80)]
    dataset: Any = SimpleNamespace(
        examples=[SimpleNamespace(width=width, height=height) for width, height in sizes],
        indices=np.arange(3),
        targets=np.full((3, 1, 6), NAN),
    )
    squares: Any = SimpleNamespace(preprocessing=Preprocessing(size=SIDE, fit="pad"), pictures=())
    found = box_pictures_at(dataset, np.array([0, 1, 2]), squares, augment=None, seed=0).within
    assert found is not None
    np.testing.assert_allclose(found, [[0, 16, 64, 48], [16, 0, 48, 64], [0, 0, 64, 64]])
