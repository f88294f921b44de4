"""Connected parts of a mask, against SciPy's. In: made masks. Out: as many, as large, at the same pixels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from tellapart.answers.mask_parts import find_parts


def test_parts_by_hand() -> None:
    mask = np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 2, 1]], dtype=np.uint8)
    parts = find_parts(mask)
    # The ones at the left touch at a corner; those at the right are a line of their own. The zeros hang together at corners.
    assert parts.sizes_of(1) == [3, 2]
    assert parts.sizes_of(0) == [6]
    assert parts.sizes_of(2) == [1]
    assert parts.sizes_of(3) == []
    numbers = parts.numbered(3, 4)
    assert numbers[0, 0] == numbers[1, 1] == 0
    assert numbers[0, 3] == numbers[2, 3] != numbers[0, 0]


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (37, 23), (64, 64)])
@pytest.mark.parametrize("classes", [1, 2, 3])
def test_parts_are_those_of_scipy(shape: tuple[int, int], classes: int) -> None:
    chance = np.random.default_rng(7 * shape[0] + classes)
    for _ in range(5):
        mask = chance.integers(0, classes, shape, dtype=np.uint8)
        mask[chance.random(shape) < 0.4] = 0
        parts = find_parts(mask)
        numbers = parts.numbered(*shape)
        for label in range(classes):
            others, count = ndimage.label(mask == label, structure=np.ones((3, 3)))
            assert parts.sizes_of(label) == sorted(np.bincount(others.reshape(-1))[1:].tolist(), reverse=True)
            pairs = {(one, other) for one, other in zip(numbers[mask == label], others[mask == label], strict=True)}
            assert len(pairs) == count
        assert parts.sizes.sum() == mask.size


def test_a_spiral_and_a_comb_are_one_part() -> None:
    comb = np.zeros((9, 41), dtype=np.uint8)
    comb[:, ::2] = 1
    comb[-1] = 1
    assert find_parts(comb).sizes_of(1) == [int(comb.sum())]
    assert len(find_parts(comb).sizes_of(0)) == 20


def test_no_pixels_no_parts() -> None:
    assert len(find_parts(np.zeros((0, 5), dtype=np.uint8)).sizes) == 0
