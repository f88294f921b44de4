"""Which of several networks is worth its cost. In: scores picture by picture, costs. Out: Picked. Next: choosing.py.

The cheapest that is no worse than the best by more than one standard error, after the rule of Breiman et al. 1984 (Classification
and Regression Trees, section 3.4.3). Since all are scored on the same pictures, the error is that of the difference, picture by
picture, with copies counted together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.intervals import wilson

_ROUNDING = 1e-9  # of a difference of means


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedNetwork:
    """One network among several, by cross-validation on the training pictures."""

    name: str
    value: float  # mean score, in [0, 1]
    low: float  # its 95 % interval
    high: float
    behind: float  # how much less than the best one has
    error: float  # standard error of that difference
    milliseconds: float  # a picture through the network alone, one at a time
    seconds: float  # that its features took here; next to nothing where they were cached


@dataclass(frozen=True, slots=True, kw_only=True)
class PickedNetwork:
    """The networks that were compared, and the one that is taken."""

    networks: Sequence[ComparedNetwork]  # by cost, the cheapest first
    picked: str
    best: str
    figure: str  # what was compared, such as accuracy
    n: int  # pictures
    skipped: Mapping[str, str]  # networks that could not be tried, and why

    @property
    def reason(self) -> str:
        """Why that one, in a sentence."""
        of = {one.name: one for one in self.networks}
        taken, best = of[self.picked], of[self.best]
        cost = f"{taken.milliseconds:.1f} ms a picture"
        shown = self.figure.replace("_", " ")
        on = f"by cross-validation over {self.n:,} training pictures"
        if taken is best:
            return (
                f"Took {taken.name}: none has a higher {shown}, {100 * taken.value:.1f} % {on}, and no cheaper network comes "
                f"within one standard error of it ({cost})."
            )
        return (
            f"Took {taken.name}: {cost} instead of the {best.milliseconds:.1f} of {best.name}, and within one standard error of "
            f"it ({shown} {100 * taken.value:.1f} % against {100 * best.value:.1f} % {on}; the difference is "
            f"{100 * taken.behind:.1f} ± {100 * taken.error:.1f} points)."
        )

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        names = ComparedNetwork.__dataclass_fields__
        return {
            "picked": self.picked,
            "best": self.best,
            "reason": self.reason,
            "figure": self.figure,
            "n": self.n,
            "networks": [{name: getattr(one, name) for name in names} for one in self.networks],
            "skipped": dict(self.skipped),
        }


def pick_network(
    scores: Mapping[str, NDArray[np.floating]],
    milliseconds: Mapping[str, float],
    seconds: Mapping[str, float],
    *,
    groups: NDArray[np.integer],
    figure: str,
    skipped: Mapping[str, str],
) -> PickedNetwork:
    """Compare networks by their scores [n] in [0, 1] of the same n pictures, whose groups are [n]."""
    means = {name: float(one.mean()) for name, one in scores.items()}
    best = max(means, key=lambda name: (means[name], -milliseconds[name]))
    networks = []
    for name in sorted(scores, key=milliseconds.__getitem__):
        low, high = _interval(scores[name], groups)
        networks.append(
            ComparedNetwork(
                name=name,
                value=means[name],
                low=low,
                high=high,
                behind=means[best] - means[name],
                error=clustered_error(scores[best] - scores[name], groups),
                milliseconds=milliseconds[name],
                seconds=seconds[name],
            )
        )
    taken = next(
        one for one in networks if one.behind <= one.error + _ROUNDING
    )  # the best one is behind itself by nothing
    return PickedNetwork(
        networks=networks, picked=taken.name, best=best, figure=figure, n=len(groups), skipped=dict(skipped)
    )


def _interval(values: NDArray[np.floating], groups: NDArray[np.integer]) -> tuple[float, float]:
    """Wilson's 95 % interval of the mean of values [n] in [0, 1], of as many independent pictures as vary as much."""
    mean, error = float(values.mean()), clustered_error(values, groups)
    count = mean * (1 - mean) / error**2 if error and 0 < mean < 1 else float(len(np.unique(groups)))
    return wilson(mean * count, count)


def clustered_error(values: NDArray[np.floating], groups: NDArray[np.integer]) -> float:
    """Standard error of the mean of values [n] whose groups [n] vary together; 0 for one group."""
    _, numbers = np.unique(groups, return_inverse=True)
    sums = np.bincount(numbers, weights=values - values.mean())
    count = len(sums)
    return float(np.sqrt(np.square(sums).sum() * count / max(1, count - 1)) / len(values)) if count > 1 else 0.0
