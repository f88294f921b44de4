"""How far probabilities are from frequencies, and how far by chance alone. In: chances, facts. Out: errors. Next: metrics.py.

An expected calibration error is never 0: in 500 pictures, whose frequencies are rounded to what so few can show, perfect
probabilities have one of 2 to 3 %. So what they would show stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

BINS = 15  # as in Guo et al. 2017
RESAMPLES = 1000
_CONFIDENCE = 0.95
_MOST_EXACT = 20_000  # probabilities that are drawn for one by one; neighbours among more are drawn for together
_RUNS = 1_500  # of such neighbours, in all bins
_DRAWS_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ChanceError:
    """The calibration error of perfect probabilities on as many pictures, which is chance alone."""

    mean: float
    high: float  # 95 of 100 perfect models show at most this

    def as_json(self) -> dict[str, float]:
        """For metrics.json."""
        return asdict(self)


def expected_error(
    said: NDArray[np.floating], true: NDArray[np.floating] | NDArray[np.bool_], bins: int = BINS
) -> float:
    """Expected calibration error in [0, 1] of probabilities `said` [N] of what is `true` [N] or not, N above 0.

    Bins of equal width, open below. Source: Guo et al. 2017, arXiv 1706.04599, eq. 3.
    """
    exact = np.asarray(said, dtype=np.float64)
    gaps = np.bincount(_bin_of(exact, bins), weights=true - exact, minlength=bins)
    return float(np.abs(gaps).sum() / len(exact))


def error_by_chance(said: NDArray[np.floating], *, seed: int, bins: int = BINS) -> ChanceError:
    """What `expected_error` would be if the probabilities `said` [N] were right, N above 0, over 1,000 draws of what is true.

    Consistency resampling: Bröcker and Smith 2007, Weather and Forecasting 22:651-661, here of the error in place of the
    diagram; that the error is biased by as much, see Kumar et al. 2019, arXiv 1909.10155, section 4. Each picture is drawn
    for itself: of pictures that have copies, chance does more. Of more than 20,000 probabilities, neighbours in a bin are
    drawn for together, by their mean.
    """
    generator = np.random.default_rng(seed)
    exact = np.sort(np.asarray(said, dtype=np.float64))
    bin_of = _bin_of(exact, bins)
    draw = _drawn_one_by_one if len(exact) <= _MOST_EXACT else _drawn_in_runs
    errors = draw(exact, bin_of, generator)
    return ChanceError(mean=float(errors.mean()), high=float(np.quantile(errors, _CONFIDENCE)))


def told(error: Mapping[str, Any]) -> str:
    """`calibration_error` of metrics.json in words."""
    chance = error["by_chance"]
    return f"{error['after']:.3f}; perfect probabilities would have {chance['mean']:.3f} by chance, up to {chance['high']:.3f}"


def _bin_of(said: Doubles, bins: int) -> NDArray[np.int64]:
    return np.asarray(np.digitize(said, np.linspace(0.0, 1.0, bins + 1)[1:-1], right=True), dtype=np.int64)


def _drawn_one_by_one(said: Doubles, bin_of: NDArray[np.int64], generator: np.random.Generator) -> Doubles:
    """Errors [1,000] of probabilities in ascending order."""
    starts = np.flatnonzero(np.diff(bin_of, prepend=-1))
    expected = np.add.reduceat(said, starts)
    errors = []
    step = max(1, _DRAWS_AT_ONCE // len(said))
    for first in range(0, RESAMPLES, step):
        count = min(step, RESAMPLES - first)
        drawn = generator.random((count, len(said)), dtype=np.float32) < said
        happened = np.add.reduceat(drawn, starts, axis=1, dtype=np.int64)
        errors.append(np.abs(happened - expected).sum(axis=1) / len(said))
    return np.concatenate(errors)


def _drawn_in_runs(said: Doubles, bin_of: NDArray[np.int64], generator: np.random.Generator) -> Doubles:
    """The same of very many: binomial draws of runs of neighbours."""
    longest = -(-len(said) // _RUNS)
    place = np.arange(len(said))
    begins = np.flatnonzero(np.diff(bin_of, prepend=-1))
    of_bin = place - np.repeat(begins, np.diff(begins, append=len(said)))
    starts = np.flatnonzero(of_bin % longest == 0)
    sizes = np.diff(starts, append=len(said))
    expected = np.add.reduceat(said, starts)
    happened = generator.binomial(sizes, np.minimum(expected / sizes, 1.0), size=(RESAMPLES, len(starts)))
    bins = np.flatnonzero(np.diff(bin_of[starts], prepend=-1))
    return np.asarray(np.abs(np.add.reduceat(happened - expected, bins, axis=1)).sum(axis=1) / len(said))
