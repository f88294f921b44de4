"""How long a search may be. In: a budget, what trials took. Out: whether another fits, when it must end. Next: watching.py.

The last part of the budget is the winner's: it is trained once more, tested and written. The first trial plans its epochs for a
quarter of the rest, so that there is room for others, which train as long as it does. What takes longer than planned is ended only
where it could not be trained once more.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from statistics import median

from tellapart.errors import SettingsError
from tellapart.reporter import duration
from tellapart.training.planning import report_seconds

_MARGIN = 1.1  # of what the winner's training takes beside its trial
_WITH_TEST = 1.3  # of what the features of the other pictures take
_FITS = 3.0  # fits of the classifier that a search of it takes at least: to prepare, the usual settings, the winner
_AUDIT, _AUDIT_AGAIN = 5.0, 0.3  # seconds of an audit that are spent again; of a longer one the share
_AFTERWARDS = 4.0  # seconds for opening, testing and writing the winner, beside its training
_FIRST_SHARE = 0.25  # of the budget for the first trial, as long as nobody knows what one takes


class BudgetTooShort(SettingsError):
    """Nothing that is worth its name fits into the budget of a search."""


def finish_seconds(audit: float, *, pictures: int, report: bool) -> float:
    """What the winner takes beside its training: another audit, of which most is known, testing, writing, the report."""
    again = max(min(audit, _AUDIT), min(30.0, _AUDIT_AGAIN * audit))
    return _AFTERWARDS + again + (report_seconds(pictures) if report else 0.0)


class SearchClock:
    """The time that a search has; without a budget there is no end."""

    def __init__(
        self, seconds: float | None, *, started: float, finish: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        """`started` is a time of `now`; `finish` the seconds that testing, writing and the report take after the last training."""
        self._end = None if seconds is None else started + seconds
        self._started, self._finish, self._now, self._whole = started, finish, now, seconds

    @property
    def left(self) -> float | None:
        """Seconds up to the end of the budget; None where there is none."""
        return None if self._end is None else self._end - self._now()

    def has_room(self, took: Sequence[float]) -> bool:
        """Whether another trial fits, where earlier ones took these seconds; the first one always does."""
        if self._end is None or not took:
            return True
        return self._now() + median(took) + self._reserved(took) <= self._end

    def first_end(self) -> float | None:
        """By when a trial plans to end before which nobody knows what one takes, a time of `now`: two others shall fit."""
        return None if self._end is None else self._now() + _FIRST_SHARE * self._room(self._end)

    def trial_end(self, took: Sequence[float]) -> float | None:
        """When a later trial must be at its end, so that it may win; a time of `now`; None where there is no end."""
        if self._end is None:
            return None
        once_more = self._now() + self._room(self._end) / (1 + _MARGIN)
        return min(once_more, self._end - self._reserved(took)) if took else once_more

    def features_end(self) -> float | None:
        """When what all trials share must be computed, a time of `now`; None where there is no end."""
        return None if self._end is None else self._end - self._finish

    def reserve(self, seconds: float) -> None:
        """So much more is needed after the last training."""
        self._finish += seconds

    def no_features(self, features: float, *, began: float) -> BudgetTooShort:
        """What to say where the features, which were begun then, take so many seconds, and others must be computed to test."""
        least = began - self._started + _WITH_TEST * features + self._finish
        return BudgetTooShort(
            f"the budget is {duration(self._whole or 0.0)}; the features of the pictures take about {duration(features)} to "
            f"compute here, once, and trials and the test come after that. Give --budget {_said(least)} or more: what is computed "
            "is kept."
        )

    def check_fit(self, seconds: float) -> None:
        """Raises: BudgetTooShort where no time is left for classifiers that take so many seconds to fit."""
        if self._end is not None and _FITS * seconds > self._room(self._end):
            least = self._now() - self._started + self._finish + _FITS * seconds
            raise BudgetTooShort(
                f"the budget is {duration(self._whole or 0.0)}; a classifier takes about {duration(seconds)} to fit here, and is "
                f"for the usual settings and for what wins. Give --budget {_said(least)} or more."
            )

    def too_long_a_look(self, audit: float) -> BudgetTooShort:
        """What to say where looking at the pictures takes `audit` seconds or more, and there are not so many."""
        return BudgetTooShort(
            f"the budget is {duration(self._whole or 0.0)}; looking at the pictures takes about {duration(audit)} or more here, "
            f"which leaves no time for a trial. Give --budget {_said(2 * (audit + self._finish))} or more."
        )

    def check(self, looked: str) -> None:
        """Raises: BudgetTooShort where no time is left for a trial once what was `looked` at is known."""
        if self._end is not None and self._room(self._end) <= 0:
            used = self._now() - self._started
            raise BudgetTooShort(
                f"the budget is {duration(self._whole or 0.0)}; {looked} took {duration(used)}, and testing and writing what wins "
                f"takes about {duration(self._finish)}, which leaves no time for a trial. Give --budget "
                f"{_said(2 * (used + self._finish))} or more."
            )

    def too_short(self, trial: float, *, began: float) -> BudgetTooShort:
        """What to say where a first trial that `began` then, a time of `now`, takes `trial` seconds, and has not so many."""
        least = began - self._started + self._finish + (2 + _MARGIN) * trial
        return BudgetTooShort(
            f"the budget is {duration(self._whole or 0.0)}; a trial takes at least {duration(trial)} here, and a search needs time "
            f"for three and for testing what wins. Give --budget {_said(least)} or more, or what trains quicker."
        )

    def _room(self, end: float) -> float:
        """Seconds for trials and for training what wins."""
        return max(0.0, end - self._finish - self._now())

    def _reserved(self, took: Sequence[float]) -> float:
        return self._finish + _MARGIN * max(took)


def _said(seconds: float) -> str:
    """Rounded up, as --budget takes it: 90s, 12m."""
    return f"{10 * math.ceil(seconds / 10 - 1e-6)}s" if seconds <= 300 else f"{math.ceil(seconds / 60)}m"
