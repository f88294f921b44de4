"""What a detector's scores mean, and where the line is. In: found and true boxes. Out: scales, thresholds. Next: test_export.py."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.answers.boxes import FoundBoxes
from tellapart.errors import SettingsError
from tellapart.evaluation.platt import sigmoid
from tellapart.tasks.detection.deciding import decide, logits
from tellapart.tasks.detection.judging import match_found
from tellapart.tasks.detection.matching import ClassMatches

NAN = float("nan")
BOX = (0.0, 0.0, 10.0, 10.0)
OTHER = (50.0, 50.0, 60.0, 60.0)


def matched(
    rows: list[tuple[int, float, bool]], *, missed: int = 0, difficult: int = 0, classes: int = 2
) -> list[ClassMatches]:
    """A picture for each (class, score, right); then `missed` pictures with a box of class 0 that nobody found, and `difficult`
    ones with such a box that was found with a score of 0.99."""
    count = len(rows) + missed + difficult
    truth = np.full((count, 1, 6), NAN, dtype=np.float32)
    found = []
    for number in range(count):
        hard = number >= len(rows) + missed
        label, score, right = rows[number] if number < len(rows) else (0, 0.99, hard)
        truth[number, 0] = (label, *BOX, hard) if right or number >= len(rows) else (NAN,) * 6
        there = 0 if len(rows) <= number < len(rows) + missed else 1
        found.append(
            FoundBoxes(
                boxes=np.array([BOX if right else OTHER], dtype=np.float32)[:there],
                scores=np.array([score], dtype=np.float32)[:there],
                labels=np.array([label], dtype=np.int64)[:there],
            )
        )
    return match_found(found, truth, classes)


def drawn(count: int, *, scale: float, offset: float) -> list[tuple[int, float, bool]]:
    """Scores of class 1, right as often as sigmoid(scale x logit + offset) says."""
    generator = np.random.default_rng(4)
    scores = sigmoid(generator.normal(-0.5, 1.5, count))
    chances = sigmoid(scale * logits(scores) + offset)
    return [
        (1, float(score), bool(right)) for score, right in zip(scores, generator.random(count) < chances, strict=True)
    ]


def test_scores_become_how_often_they_are_right() -> None:
    decided = decide(matched(drawn(3000, scale=1.6, offset=0.8)))
    assert decided.scales[1] == pytest.approx(1.6, rel=0.15)
    assert decided.offsets[1] == pytest.approx(0.8, abs=0.15)
    told = decided.scores(np.array([0.5], np.float32), np.array([1]))
    assert told.tolist() == pytest.approx([float(sigmoid(np.array([0.8]))[0])], abs=0.05)


def _f1(rows: list[tuple[int, float, bool]], line: float, missed: int, scores: NDArray[np.float32]) -> float:
    said = scores >= line
    right = np.array([one[2] for one in rows])
    return 2 * float((said & right).sum()) / (float(said.sum()) + float(right.sum()) + missed)


@pytest.mark.parametrize("missed", [0, 40])
def test_the_line_has_the_best_f1_of_all_lines_missed_boxes_counted(missed: int) -> None:
    rows = [(0, score, right) for _, score, right in drawn(60, scale=1.0, offset=0.0)]
    decided = decide(matched(rows, missed=missed))
    scores = decided.scores(np.array([one[1] for one in rows]), np.zeros(60, dtype=np.int64))
    best = max(_f1(rows, line, missed, scores) for line in [0.0, *scores.tolist()])
    assert _f1(rows, float(decided.thresholds[0]), missed, scores) == pytest.approx(best)
    assert decided.rule == "f1"


def test_boxes_that_nobody_found_lower_the_line() -> None:
    rows = [(0, 0.9, True), (0, 0.8, False), (0, 0.7, False), (0, 0.6, False), (0, 0.5, True)]
    # Two boxes: above 0.85 F1 is 2 / 3, above 0.25 it is 4 / 7. Twelve boxes: 2 / 13, and 4 / 17.
    assert decide(matched(rows)).thresholds[0] == pytest.approx(0.85, abs=1e-6)
    assert decide(matched(rows, missed=10)).thresholds[0] == pytest.approx(0.25, abs=1e-6)


def test_with_a_precision_it_is_the_lowest_line_that_has_it() -> None:
    rows = [(0, 0.9, True), (0, 0.8, True), (0, 0.7, False), (0, 0.6, True), (0, 0.5, False), (0, 0.4, False)]
    decided = decide(matched(rows), precision=0.75)
    assert decided.thresholds[0] == pytest.approx(0.55, abs=1e-6)
    assert decided.uncalibrated == (0, 1)
    assert decided.rule == "precision 0.75"
    out_of_reach = decide(matched([(0, 0.9, False), (0, 0.8, True)]), precision=0.9)
    assert out_of_reach.short == (0,)
    assert out_of_reach.thresholds[0] == pytest.approx(0.4, abs=1e-6)
    assert any(
        "A precision 0.9 is reached at no threshold on validation for 'a'." in one
        for one in out_of_reach.warnings("ab")
    )


def test_difficult_boxes_count_neither_way() -> None:
    rows = [(0, score, right) for _, score, right in drawn(60, scale=1.0, offset=0.0)]
    plain, beside = decide(matched(rows)), decide(matched(rows, difficult=30))
    assert beside.thresholds.tolist() == plain.thresholds.tolist()
    assert beside.scales.tolist() == plain.scales.tolist()


def test_where_validation_tells_nothing_the_line_is_in_the_middle_and_it_is_said() -> None:
    decided = decide(matched([(0, 0.9, False)], missed=2))
    assert decided.untold == (0, 1)
    assert decided.thresholds.tolist() == [0.5, 0.5]
    assert decided.scales.tolist() == [1, 1]
    first, second = decided.warnings(("cat", "dog"))
    assert first.startswith("Fewer than 5 boxes of 'cat', 'dog' are right or wrong on validation, too few to calibrate")
    assert second.startswith("No validation picture tells where to draw the line for 'cat', 'dog': none shows it, or")
    assert second.endswith("The threshold is 0.5. Add validation pictures that show it.")


@pytest.mark.parametrize("wrong", [0.0, -1.0, 1.5])
def test_a_precision_that_there_is_not_is_refused(wrong: float) -> None:
    with pytest.raises(
        SettingsError, match=rf"^the precision is {wrong:g}; it must be above 0 and at most 1\. Give one such as"
    ):
        decide([], precision=wrong)
