"""Whether a test split of sets is large enough to tell. In: Score, support. Out: a sentence. Next: testing.py."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import Score
from tellapart.evaluation.verdict import WIDEST, conclude, rare_classes
from tellapart.reporter import percent


def judge(figure: Score, support: NDArray[np.integer], classes: Sequence[str], baseline: float) -> tuple[bool, str]:
    """Whether the test split is too small to tell how good the model is, and a sentence that says so or not.

    It is if the interval of the mean average precision is wider than 10 points or reaches down to `baseline`, what the same
    answer for every picture would give, or if a class is in fewer than 10 test pictures; `support` is [K].
    """
    low, high = figure.low or 0.0, 1.0 if figure.high is None else figure.high
    reasons = []
    if high - low > WIDEST:
        reasons.append(f"the interval is {100 * (high - low):.0f} points wide")
    if low <= baseline <= high:
        reasons.append(f"it may be no better than the {percent(baseline)} of guessing")
    reasons += rare_classes(support, classes, has="is in", have="are in")
    known = f"the mean average precision is {percent(figure.value)} (95 %: {percent(low)} to {percent(high)})"
    comparison = f"{'above' if low > baseline else 'below'} the {percent(baseline)} of guessing"
    return conclude(known, reasons, comparison)
