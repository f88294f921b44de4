"""Whether a test split is large enough to tell. In: Score, support. Out: a sentence. Next: export/assemble.py."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import Score
from tellapart.reporter import percent

WIDEST = 0.10  # an interval of the accuracy wider than this tells too little
FEWEST = 10  # test pictures of a class


def judge(accuracy: Score, support: NDArray[np.integer], classes: Sequence[str]) -> tuple[bool, str]:
    """Whether the test split is too small to tell how good the model is, and a sentence that says so or not.

    `support` [K]: test pictures of each class. The split is too small if the accuracy's interval is wider than 10 points
    or reaches down to what always answering the most common class would give, or if a class has fewer than 10 test
    pictures. How many more are needed follows from an interval's width falling with the square root of their number.
    """
    count, common = int(support.sum()), int(support.argmax())
    baseline = float(support[common] / count)
    low, high = accuracy.low or 0.0, 1.0 if accuracy.high is None else accuracy.high
    always = f"the {percent(baseline)} of always answering {classes[common]!r}"
    reasons = []
    if high - low > WIDEST:
        more = _more(count, (high - low) / WIDEST)
        reasons.append(
            f"the interval is {100 * (high - low):.0f} points wide (about {more} more test pictures would make it 10)"
        )
    if low <= baseline <= high:
        remedy = "better pictures or labels may help more than a larger test split"
        if accuracy.value > baseline:
            remedy = f"about {_more(count, (accuracy.value - low) / (accuracy.value - baseline))} more test pictures would tell"
        reasons.append(f"it may be no better than {always} ({remedy})")
    reasons += rare_classes(support, classes)
    known = f"the accuracy is {percent(accuracy.value)} (95 %: {percent(low)} to {percent(high)})"
    return conclude(known, reasons, f"{'above' if low > baseline else 'below'} {always}")


def rare_classes(
    support: NDArray[np.integer], classes: Sequence[str], *, has: str = "has", have: str = "have"
) -> list[str]:
    """In words, which classes have fewer than `FEWEST` test pictures: of `support` [K] the first three, and how many more."""
    few = [(classes[number], int(support[number])) for number in np.flatnonzero(support < FEWEST).tolist()]
    reasons = [
        f"class {name!r} {has} {size} test picture{'' if size == 1 else 's'} ({FEWEST - size} more would make {FEWEST})"
        for name, size in few[:3]
    ]
    if len(few) > 3:
        more = f"class {has}" if len(few) == 4 else f"classes {have}"
        reasons.append(f"{len(few) - 3} more {more} fewer than {FEWEST}")
    return reasons


def conclude(known: str, reasons: Sequence[str], comparison: str) -> tuple[bool, str]:
    """Whether there are reasons why the test is too small, and the sentence; `comparison` is told where there are none."""
    if reasons:
        return True, f"Too small a test to tell: {known}; {'; '.join(reasons)}."
    return False, f"The test is large enough: {known}, {comparison}."


def _more(count: int, factor: float) -> str:
    """How many more pictures make an interval narrower by `factor`, to two digits."""
    more = max(1, math.ceil(count * (factor * factor - 1)))
    step = 10 ** max(0, len(str(more)) - 2)
    return f"{math.ceil(more / step) * step:,}"
