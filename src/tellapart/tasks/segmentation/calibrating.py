"""What the probabilities of pixels mean. In: logits of validation pixels. Out: PixelCalibration. Next: abstaining.py.

Shapes: n pixels, K classes. Pixels of one picture are alike, so that many of them tell hardly more than a few thousand, evenly
drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.calibration import apply_temperature, calibration_error, fit_temperature

MOST_PIXELS = 200_000  # that are fitted on
_FITTED = 20_000  # at a time: the temperature of more differs in the fourth digit


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelCalibration:
    """Probabilities are softmax(logits / temperature), pixel by pixel."""

    temperature: float
    pixels: int  # of validation pictures, that it was fitted on
    before: float  # expected calibration error of these at a temperature of 1
    after: float

    def as_json(self) -> dict[str, Any]:
        """For metrics.json."""
        return {"temperature": self.temperature, "pixels": self.pixels, "before": self.before, "after": self.after}


def fit_pixels(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> PixelCalibration:
    """The temperature under which pixels of pictures that were not trained on are most probable.

    `logits` is [n, K], `labels` [n] in 0..K-1, of pixels that count. Source: Guo et al. 2017, arXiv 1706.04599, section 4.2.
    Raises: DataError without pixels.
    """
    step = max(1, len(labels) // _FITTED)
    temperature = fit_temperature(logits[::step], labels[::step])
    errors = [
        calibration_error(apply_temperature(logits, one), labels) if len(labels) else 0.0 for one in (1.0, temperature)
    ]
    return PixelCalibration(temperature=temperature, pixels=len(labels), before=errors[0], after=errors[1])


def sampled(counts: NDArray[np.bool_], *, most: int, seed: int) -> NDArray[np.int64]:
    """Places of at most `most` pixels that count, of a picture's flags [H * W], evenly drawn and in order."""
    places = np.flatnonzero(counts)
    if len(places) <= most:
        return places
    return np.sort(np.random.default_rng(seed).choice(places, most, replace=False))
