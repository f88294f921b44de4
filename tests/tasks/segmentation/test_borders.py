"""Borders of classes. In: made masks. Out: the same as by looking at every pair of pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.tasks.segmentation.borders import border_of, match_borders
from tests.tasks.segmentation.made_masks import discs, spoiled


def slow_border(mask: NDArray[np.uint8], label: int) -> list[tuple[int, int]]:
    height, width = mask.shape
    found = []
    for y in range(height):
        for x in range(width):
            around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            values = [int(mask[at]) for at in around if 0 <= at[0] < height and 0 <= at[1] < width]
            if mask[y, x] == label and any(value not in (label, 255) for value in values):
                found.append((y, x))
    return found


def test_borders_by_hand() -> None:
    mask = np.array([[1, 1, 0, 2], [1, 1, 255, 2], [1, 1, 255, 2]], dtype=np.uint8)
    # Neither the picture's edge nor what does not count is a border.
    assert np.argwhere(border_of(mask, 1)).tolist() == [[0, 1]]
    assert np.argwhere(border_of(mask, 2)).tolist() == [[0, 3]]
    assert np.argwhere(border_of(mask, 0)).tolist() == [[0, 2]]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("tolerance", [0, 1, 2, 3.5])
def test_borders_agree_as_every_pair_of_pixels_says(seed: int, tolerance: float) -> None:
    true = discs(seed, size=24)
    told = spoiled(true, seed + 50)
    true[:3, :5] = 255
    told[true == 255] = 255
    for label in range(3):
        found = match_borders(true, told, label, tolerance=tolerance)
        ours, theirs = slow_border(told, label), slow_border(true, label)
        away = [min((math.dist(one, other) for other in theirs), default=math.inf) for one in ours]
        missed = [min((math.dist(one, other) for other in ours), default=math.inf) for one in theirs]
        assert (found.told, found.true) == (len(ours), len(theirs))
        assert found.right == sum(one <= tolerance for one in away)
        assert found.found == sum(one <= tolerance for one in missed)
        if ours and theirs:
            assert found.distance == pytest.approx(max(np.percentile(away, 95), np.percentile(missed, 95)))
        else:
            assert math.isnan(found.distance)


def test_what_is_the_same_has_no_distance_and_what_is_moved_has_its_way() -> None:
    true = np.zeros((40, 40), dtype=np.uint8)
    true[10:20, 10:20] = 1
    same = match_borders(true, true, 1)
    assert (same.right, same.found, same.distance) == (36, 36, 0.0)
    moved = match_borders(true, np.roll(true, 3, axis=1), 1)
    assert moved.distance == 3.0
    assert moved.right < 36
    nothing = match_borders(true, np.zeros_like(true), 1)
    assert (nothing.told, nothing.true, nothing.found) == (0, 36, 0)
    assert math.isnan(nothing.distance)
