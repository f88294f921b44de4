"""How long a search may be. In: a budget, what trials took. Out: whether another fits, when it must end. Next: finding.py.

The last part of the budget is the winner's: it is trained once more, tested and written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median

_MARGIN = 1.1  # of what the winner's training takes beside its trial
_FIRST_SHARE = 0.45  # of the budget for the first trial, as long as nobody knows what one takes


class SearchClock:
    """The time that a search has; without a budget there is no end."""

    def __init__(
        self, seconds: float | None, *, started: float, finish: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        """`started` is a time of `now`; `finish` the seconds that testing, writing and the report take after the last training."""
        self._end = None if seconds is None else started + seconds
        self._finish, self._now, self._whole = finish, now, seconds

    @property
    def left(self) -> float | None:
        """Seconds up to the end of the budget; None where there is none."""
        return None if self._end is None else self._end - self._now()

    def has_room(self, took: Sequence[float]) -> bool:
        """Whether another trial fits, where earlier ones took these seconds; the first one always does."""
        if self._end is None or not took:
            return True
        return self._now() + median(took) + self._reserved(took) <= self._end

    def trial_end(self, took: Sequence[float]) -> float | None:
        """When a trial must be at its end, a time of `now`; None where there is no end."""
        if self._end is None or self._whole is None:
            return None
        if not took:
            return self._now() + _FIRST_SHARE * max(0.0, self._end - self._finish - self._now())
        return self._end - self._reserved(took)

    def _reserved(self, took: Sequence[float]) -> float:
        return self._finish + _MARGIN * max(took)
