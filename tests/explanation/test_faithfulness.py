"""Deletion and insertion. Reference: areas worked by hand for a classifier that only counts one square's brightness."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.explanation.faithfulness import Faithfulness, blurred, chance, faithfulness

SIDE, SQUARE = 40, slice(0, 10)  # the square is a sixteenth of the picture
BACKGROUND = np.zeros(3, dtype=np.uint8)


def square_is_bright(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The probability of class 1 is the share of the square at the upper left that is bright."""
    share = (images[:, SQUARE, SQUARE].mean(axis=(1, 2, 3)) / 255).astype(np.float32)
    return np.stack([1 - share, share], axis=1)


@pytest.fixture
def bright_square() -> NDArray[np.uint8]:
    image = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    image[SQUARE, SQUARE] = 255
    return image


def heat(place: slice) -> NDArray[np.float32]:
    heatmap = np.zeros((SIDE, SIDE), dtype=np.float32)
    heatmap[place, place] = 1
    return heatmap


def test_areas_are_those_worked_by_hand(bright_square: NDArray[np.uint8]) -> None:
    def measure(place: slice) -> Faithfulness:
        return faithfulness(
            bright_square, heat(place), 1, predict=square_is_bright, background=BACKGROUND, steps=16, seed=0
        )

    right, wrong = measure(SQUARE), measure(slice(30, 40))
    # Of 16 steps the first takes the whole square: the probability falls from 1 to 0 within it, half a step's area.
    assert right.deletion == pytest.approx(0.5 / 16, abs=0.002)
    # It comes back within the first step: 0.5 of a step from the blurred picture's value, then 1 for 15 steps.
    start = float(square_is_bright(blurred(bright_square)[None])[0, 1])
    assert right.insertion == pytest.approx((15 + (1 + start) / 2) / 16, abs=0.002)
    # The wrong square goes first, the right one with all the rest in random order: a straight fall over 15 steps.
    assert wrong.deletion == pytest.approx((1 + 15 / 2) / 16, abs=0.03)
    assert right.score > 0.9 > wrong.score


def test_the_other_class_is_measured_too(bright_square: NDArray[np.uint8]) -> None:
    right = faithfulness(bright_square, heat(SQUARE), 0, predict=square_is_bright, background=BACKGROUND, steps=16)
    assert right.deletion == pytest.approx(1 - 0.5 / 16, abs=0.002)


def test_chance_is_between_right_and_wrong(bright_square: NDArray[np.uint8]) -> None:
    random = chance(bright_square, 1, predict=square_is_bright, background=BACKGROUND)
    assert 0.2 < random.deletion < 0.8
    again = chance(bright_square, 1, predict=square_is_bright, background=BACKGROUND)
    assert random == again
    best = faithfulness(bright_square, heat(SQUARE), 1, predict=square_is_bright, background=BACKGROUND)
    assert best.score > random.score
    assert best.beats(random)
    assert not random.beats(random)


def test_what_is_as_good_as_chance_to_a_hundredth_is_no_better() -> None:
    """A class that is in every picture stays as probable whatever is hidden: 0.99 and 0.99, for random heatmaps too."""
    random = Faithfulness(deletion=0.994, insertion=0.992)
    assert not Faithfulness(deletion=0.991, insertion=0.993).beats(random)
    assert Faithfulness(deletion=0.974, insertion=0.993).beats(random)


def test_a_heatmap_of_nothing_takes_pixels_at_random(bright_square: NDArray[np.uint8]) -> None:
    found = faithfulness(bright_square, np.zeros((4, 4)), 1, predict=square_is_bright, background=BACKGROUND, steps=16)
    assert found.deletion == pytest.approx(0.5, abs=0.03)  # by index it would be far less: the square comes early


def test_blurring_leaves_little(photograph: NDArray[np.uint8]) -> None:
    square = photograph[:400, :400]
    soft = blurred(square)
    assert soft.shape == square.shape
    edges = np.abs(np.diff(square.astype(float), axis=1)).mean()
    assert np.abs(np.diff(soft.astype(float), axis=1)).mean() < 0.25 * edges
