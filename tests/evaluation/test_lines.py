"""Where a line is drawn, on cases worked by hand and against scikit-learn's curve. In: probabilities. Out: lines."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve

from tellapart.evaluation.lines import best_f1, precise, ways_to_part


def test_every_line_lies_midway_between_two_things() -> None:
    chances, present = np.array([0.75, 0.25, 0.25, 0.5]), np.array([True, True, False, False])
    lines, right, named = ways_to_part(chances, present)
    assert lines.tolist() == [0.125, 0.375, 0.625]  # the lowest between the least probable one and 0
    assert right.tolist() == [2, 1, 1]
    assert named.tolist() == [4, 2, 1]
    assert {one.dtype for one in (lines, right, named)} == {np.dtype(np.float64)}
    lines, right, named = ways_to_part(np.array([0.25, 0.5, 0.75]), np.array([True, False, False]))
    assert (right.tolist(), named.tolist()) == ([1, 0, 0], [3, 2, 1])


@pytest.mark.parametrize("digits", [1, 3, 12], ids=["many ties", "some ties", "no ties"])
def test_above_each_line_is_what_scikit_learn_counts(digits: int) -> None:
    generator = np.random.default_rng(digits)
    chances = np.round(generator.random(80), digits)
    present = generator.random(80) < chances
    lines, right, named = ways_to_part(chances, present)
    precision, recall, levels = precision_recall_curve(present, chances)
    np.testing.assert_allclose(right / named, precision[:-1])
    np.testing.assert_allclose(right / present.sum(), recall[:-1])
    assert (lines <= levels).all()
    assert (lines[1:] > levels[:-1]).all()
    assert named.tolist() == [int((chances >= line).sum()) for line in lines]
    assert right.tolist() == [int((chances[present] >= line).sum()) for line in lines]


def test_a_line_parts_in_single_precision_or_lies_at_the_upper_thing() -> None:
    """Answers are compared so. Two numbers without one between them are parted by the upper one itself."""
    lower = float(np.float32(0.3))
    upper = float(np.nextafter(np.float32(0.3), np.float32(1)))
    (_, line), _, _ = ways_to_part(np.array([lower, upper]), np.array([False, True]))
    assert line == upper
    lines, _, _ = ways_to_part(np.array([0.1, 0.7]), np.array([False, True]))
    assert lines.tolist() == [float(np.float32(0.05)), float(np.float32(0.4))]
    zero, _, _ = ways_to_part(np.array([0.0, 0.5]), np.array([False, True]))
    assert zero.tolist() == [0.0, 0.25]


def test_of_equal_f1_the_line_nearest_to_half_of_it() -> None:
    lines = np.array([0.1, 0.35, 0.6, 0.9])
    assert best_f1(lines, np.array([0.2, 0.5, 0.8, 0.7])) == 0.6
    # Half of 0.8 is 0.4; what differs by rounding alone is equal.
    assert best_f1(lines, np.array([0.8, 0.8 - 1e-15, 0.8, 0.8])) == 0.35
    assert best_f1(lines, np.array([0.8, 0.8 - 1e-9, 0.8, 0.8])) == 0.6
    # Equally near from both sides: the lower one.
    assert best_f1(np.array([0.25, 0.75]), np.array([1.0, 1.0])) == 0.25


def test_the_lowest_line_that_is_precise_enough() -> None:
    lines = np.array([0.1, 0.3, 0.5, 0.7])
    assert precise(lines, np.array([0.5, 0.9, 0.8, 1.0]), 0.8) == (0.3, True)
    assert precise(lines, np.array([0.5, 0.9 - 1e-15, 0.8, 1.0]), 0.9) == (0.3, True)  # but for the rounding
    assert precise(lines, np.array([0.5, 0.9 - 1e-9, 0.8, 1.0]), 0.9) == (0.7, True)
    assert precise(lines, np.array([0.5, 0.6, 0.8, 0.8]), 0.9) == (0.5, False)
