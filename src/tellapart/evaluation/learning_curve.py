"""What more pictures would bring. In: errors by number of pictures. Out: PowerLaw. Next: workflows/next_point.py.

Errors fall with the number n of training pictures as floor + scale x n^-power (Cortes et al. 1994, NIPS 6, eq. 2; Hestness et al.
2017, arXiv 1712.00409). Three numbers from a handful of points are never certain, so that all that fit are kept, each with how
well it does, and what is told of other numbers of pictures is a band over them. P numbers of pictures, R repeats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

_POWERS = np.linspace(
    0.05, 1.5, 30
)  # published ones lie between 0.07 and 0.5 for whole networks; a linear layer learns quicker
_FLOORS = 25  # from 0 to the least error
_DRAWS = 4_000
_STRAY = 0.004  # of a mean, beside what the repeats show: the law is no law of nature
_WORTH = 0.005  # of a gain, from which on it is one
_TAIL = 2.5  # per cent at each end of the band


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A figure with its 95 % band."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PowerLaw:
    """Laws that fit, as draws: floors, scales and powers, float64 [4000] each."""

    floors: Doubles
    scales: Doubles
    powers: Doubles
    last: int  # the largest number of pictures that was seen

    def error(self, number: float) -> Band:
        """The error of so many training pictures, in [0, 1]."""
        return _band(self._at(number))

    def gain(self, more: float) -> Band:
        """By how much the error would fall with `more` pictures than the last."""
        return _band(self._at(self.last) - self._at(self.last + more))

    @property
    def worth(self) -> bool:
        """Whether twice as many pictures would surely bring something."""
        gain = self.gain(self.last)
        return gain.value > _WORTH and gain.low > _WORTH / 5

    def _at(self, number: float) -> Doubles:
        return np.clip(self.floors + self.scales * number**-self.powers, 0.0, 1.0)


def fit_power_law(
    sizes: Sequence[int], errors: NDArray[np.floating], *, judged: int | None = None, seed: int
) -> PowerLaw:
    """The laws that fit `errors` [P, R] in [0, 1] of `sizes` [P] training pictures; NaN where a repeat has none.

    `judged` is how many different pictures the errors are of: all of them lie as much too high or too low as these happen to
    be harder or easier than others, which no spread of repeats shows; None: that is left out. Every floor and power of a grid
    gets the scale that fits best by least squares, with its own uncertainty, and is drawn as often as its likelihood says.
    Raises: ValueError for fewer than three sizes.
    """
    numbers = np.asarray(sizes, dtype=np.float64)
    if len(numbers) < 3:
        raise ValueError(f"{len(numbers)} numbers of pictures; a curve needs 3")
    means = np.nanmean(errors, axis=1)
    repeats = np.maximum(1, np.isfinite(errors).sum(axis=1))
    # Repeats share pictures, so that their spread understates: the widest of all sizes counts for each.
    spread = np.nanvar(errors, axis=1).max() / repeats + _STRAY**2
    weights = 1 / spread
    powers = np.repeat(_POWERS, _FLOORS)
    floors = np.tile(np.linspace(0.0, float(means.min()), _FLOORS), len(_POWERS))
    shapes = numbers[None] ** -powers[:, None]  # [G, P]
    precision = (weights * shapes**2).sum(axis=1)
    scales = np.maximum(0.0, (weights * shapes * (means - floors[:, None])).sum(axis=1) / precision)
    misfit = (weights * (means - floors[:, None] - scales[:, None] * shapes) ** 2).sum(axis=1)
    likelihood = np.exp(-(misfit - misfit.min()) / 2)
    random = np.random.default_rng(seed)
    drawn = random.choice(len(powers), _DRAWS, p=likelihood / likelihood.sum())
    moved = scales[drawn] + random.standard_normal(_DRAWS) / np.sqrt(precision[drawn])
    luck = np.ones(_DRAWS)
    if judged is not None:
        share = max(float(means[-1]), 1 / judged)
        luck += np.sqrt((1 - share) / (share * judged)) * random.standard_normal(_DRAWS)
    luck = np.maximum(0.0, luck)
    return PowerLaw(
        floors=luck * floors[drawn],
        scales=luck * np.maximum(0.0, moved),
        powers=powers[drawn],
        last=int(numbers.max()),
    )


def _band(values: Doubles) -> Band:
    low, middle, high = np.percentile(values, [_TAIL, 50, 100 - _TAIL])
    return Band(value=float(middle), low=float(low), high=float(high))
