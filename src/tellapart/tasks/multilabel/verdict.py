"""Whether a test split of sets is large enough to tell. In: Score, support. Out: a sentence. Next: testing.py."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import Score

FEWEST = 10  # test pictures that show a class, for its figures to tell something
WIDEST = 0.10  # an interval of the headline figure wider than this tells too little


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
        reasons.append(f"it may be no better than the {_percent(baseline)} of guessing")
    few = [(classes[number], int(support[number])) for number in np.flatnonzero(support < FEWEST).tolist()]
    reasons += [
        f"class {name!r} is in {size} test picture{'' if size == 1 else 's'} ({FEWEST - size} more would make {FEWEST})"
        for name, size in few[:3]
    ]
    if len(few) > 3:
        reasons.append(f"{len(few) - 3} more {'class is' if len(few) == 4 else 'classes are'} in fewer than {FEWEST}")
    known = f"the mean average precision is {_percent(figure.value)} (95 %: {_percent(low)} to {_percent(high)})"
    if reasons:
        return True, f"Too small a test to tell: {known}; {'; '.join(reasons)}."
    comparison = "above" if low > baseline else "below"
    return False, f"The test is large enough: {known}, {comparison} the {_percent(baseline)} of guessing."


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
