"""Heat for one box. In: detectors by hand that look at a known part of the picture. Out: heat there, and not elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.answers.answering import Placement
from tellapart.explanation.masking import BoxTarget, found_again, masked_heat, random_masks

SIDE = 64
TARGET = BoxTarget(sides=(0.25, 0.25, 0.5, 0.5), label=1)


def image() -> NDArray[np.uint8]:
    return np.full((SIDE, SIDE, 3), 255, dtype=np.uint8)


def looks_at(rows: slice, columns: slice) -> Any:
    """A detector of two boxes at one place, whose scores are how bright a part of the picture is; one of another class."""

    def find(images: NDArray[np.uint8]) -> Mapping[str, NDArray[Any]]:
        bright = images[:, rows, columns].mean(axis=(1, 2, 3)) / 255
        boxes = np.tile(np.array([[0.25, 0.25, 0.5, 0.5], [0.25, 0.25, 0.5, 0.5]]), (len(images), 1, 1))
        scores = np.stack([np.full(len(images), 0.99), bright], axis=1)
        return {"boxes": boxes, "scores": scores, "labels": np.tile([0, 1], (len(images), 1))}

    return find


@pytest.mark.parametrize("corner", [(16, 16), (40, 8)])
def test_heat_lies_where_the_detector_looks(corner: tuple[int, int]) -> None:
    top, left = corner
    find = looks_at(slice(top, top + 16), slice(left, left + 16))
    heat = masked_heat(image(), TARGET, find=find, background=np.zeros(3, np.uint8), masks=400)
    assert (heat.shape, heat.dtype, heat.min(), heat.max()) == ((SIDE, SIDE), np.float32, 0, 1)
    inside = np.zeros((SIDE, SIDE), dtype=np.bool_)
    inside[top : top + 16, left : left + 16] = True
    assert heat[inside].mean() > 0.55
    far = np.ones((SIDE, SIDE), dtype=np.bool_)
    far[max(0, top - 12) : top + 28, max(0, left - 12) : left + 28] = False
    assert heat[far].mean() < 0.2


def test_heat_is_the_same_each_time_and_none_where_nothing_matters() -> None:
    find = looks_at(slice(16, 32), slice(16, 32))
    given: dict[str, Any] = {"find": find, "background": np.zeros(3, np.uint8), "masks": 40}
    np.testing.assert_array_equal(masked_heat(image(), TARGET, **given), masked_heat(image(), TARGET, **given))
    blind = {**given, "find": lambda images: looks_at(slice(0, 1), slice(0, 1))(np.zeros_like(images))}
    assert not masked_heat(image(), TARGET, **blind).any()


def test_masks_end_when_it_is_enough_and_large_pictures_come_few_at_a_time() -> None:
    asked: list[int] = []

    def find(images: NDArray[np.uint8]) -> Mapping[str, NDArray[Any]]:
        asked.append(len(images))
        return looks_at(slice(16, 32), slice(16, 32))(images)

    given: dict[str, Any] = {"find": find, "background": np.zeros(3, np.uint8), "masks": 150}
    masked_heat(image(), TARGET, **given)
    assert asked == [64, 64, 22]
    part = masked_heat(image(), TARGET, **given, enough=lambda: len(asked) == 4)
    assert asked[3:] == [64]
    np.testing.assert_array_equal(part, masked_heat(image(), TARGET, **{**given, "masks": 64}))
    asked.clear()
    large = np.full((640, 640, 3), 255, dtype=np.uint8)
    masked_heat(large, TARGET, **{**given, "masks": 20})
    assert asked == [16, 4]


def test_a_box_of_the_source_lies_where_the_network_sees_it() -> None:
    # 80 x 40 pixels, padded to a square of 80: 20 pixels above and below.
    place = Placement(width=80, height=40, left=0, top=-20, right=80, bottom=60)
    target = BoxTarget.of_source((20, 0, 60, 40), place, 2)
    assert (target.sides, target.label) == ((0.25, 0.25, 0.75, 0.75), 2)
    corners = np.array(target.sides).reshape(1, 2, 2)
    np.testing.assert_allclose(place.to_source(corners).reshape(-1), (20, 0, 60, 40))


def test_a_box_is_found_again_by_its_class_and_place() -> None:
    boxes = np.array([[[0.25, 0.25, 0.5, 0.5], [0.25, 0.25, 0.5, 1.0]], [[0.6, 0.6, 0.9, 0.9], [0, 0, 0, 0]]])
    scores = np.array([[0.4, 0.9], [1.0, 0.0]])
    labels = np.array([[1, 1], [1, 0]])
    # The first by itself 0.4; the second covers three times as much: 0.9 / 3. Of the other picture nothing touches it.
    np.testing.assert_allclose(found_again({"boxes": boxes, "scores": scores, "labels": labels}, TARGET), [0.4, 0])
    np.testing.assert_allclose(found_again({"boxes": boxes, "scores": scores, "labels": 1 - labels}, TARGET), [0, 0])
    # Without suppression: a score for each class at each place.
    every = np.stack([np.zeros_like(scores), scores], axis=2)
    np.testing.assert_allclose(found_again({"boxes": boxes, "scores": every}, TARGET), [0.4, 0])
    nothing = {"boxes": np.zeros((2, 0, 4)), "scores": np.zeros((2, 0)), "labels": np.zeros((2, 0))}
    assert found_again(nothing, TARGET).tolist() == [0, 0]


def test_masks_show_half_and_are_finer_for_smaller_boxes() -> None:
    masks = np.stack(list(random_masks(200, 50, 7, seed=0)))
    assert masks.shape == (200, 50, 50)
    assert 0 <= masks.min() < 0.01 < 0.99 < masks.max() <= 1
    assert masks.mean() == pytest.approx(0.5, abs=0.02)
    sizes = [BoxTarget(sides=(0, 0, share, share / 2), label=0).cells for share in (1.0, 0.2, 0.01)]
    assert sizes == [5, 10, 16]
