"""Make each class's probability mean what it says. In: logits, targets [n, K]. Out: MultilabelCalibration. Next: thresholds.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

FEWEST = 5  # validation pictures with a class, and as many without; with fewer its logits stay as they are
LOWEST_SCALE, HIGHEST_SCALE = 0.05, 20.0

_SCALE_DEVIATION = 0.5  # of the natural logarithm of a scale
_OFFSET_DEVIATION = 1.0  # of an offset


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MultilabelCalibration:
    """A scale and an offset a class: calibrated logit = scale x logit + offset."""

    scales: Doubles  # [K], above 0
    offsets: Doubles  # [K]
    untouched: tuple[int, ...]  # classes with too few validation pictures: scale 1, offset 0

    def logits(self, logits: NDArray[np.floating]) -> Doubles:
        """Calibrated logits [n, K]."""
        return np.asarray(logits.astype(np.float64) * self.scales + self.offsets)

    def probabilities(self, logits: NDArray[np.floating]) -> NDArray[np.float32]:
        """Calibrated probabilities [n, K] of logits [n, K]."""
        return sigmoid(self.logits(logits)).astype(np.float32)

    def warning(self, classes: Sequence[str]) -> str:
        """What a person should know; empty where all is well."""
        if not self.untouched:
            return ""
        names = ", ".join(repr(classes[number]) for number in self.untouched[:5])
        return (
            f"{len(self.untouched)} of {len(classes)} classes have fewer than {FEWEST} validation pictures with or without "
            f"them: {names}{' ...' if len(self.untouched) > 5 else ''}. Their probabilities are not calibrated. Add pictures."
        )


def fit_calibration(logits: NDArray[np.floating], targets: NDArray[np.floating]) -> MultilabelCalibration:
    """The scale and offset of each class under which pictures not trained on are most probable.

    `logits` is [n, K], `targets` [n, K] in {0, 1, NaN}; NaN, not known, counts neither way. Platt 1999 (Advances in Large
    Margin Classifiers, 61-74), with a prior in the place of his smoothed targets: the scale's logarithm is normal around 0
    with a deviation of 0.5, the offset with 1, once a class, not per picture. So ten pictures that are all told apart do
    not drive a class to 0 and 1, while an offset that a positive weight of 10 put there is found from thirty. On collages
    with 10 to 300 validation pictures no wider prior was better, without one ten pictures gave ten times the loss.
    A class that fewer than 5 pictures have, or fewer than 5 lack, keeps its logits.
    """
    classes = logits.shape[1]
    scales, offsets, untouched = np.ones(classes), np.zeros(classes), []
    for number in range(classes):
        known = ~np.isnan(targets[:, number])
        present = targets[known, number] == 1
        if min(int(present.sum()), int((~present).sum())) < FEWEST:
            untouched.append(number)
            continue
        scales[number], offsets[number] = _fit(logits[known, number].astype(np.float64), present)
    return MultilabelCalibration(scales=scales, offsets=offsets, untouched=tuple(untouched))


def sigmoid(logits: NDArray[np.floating]) -> Doubles:
    """1 / (1 + exp(-logits)) in [0, 1], float64, of finite logits [...] of any shape."""
    small = np.exp(-np.abs(logits.astype(np.float64)))
    return np.asarray(np.where(logits >= 0, 1.0, small) / (1 + small))


def log_losses(logits: NDArray[np.floating], targets: NDArray[np.floating]) -> Doubles:
    """Log loss in nats of each cell, float64 [n, K]; NaN where `targets` [n, K] is."""
    margins = (2 * targets.astype(np.float64) - 1) * logits
    return np.asarray(np.maximum(-margins, 0) + np.log1p(np.exp(-np.abs(margins))))


def calibration_error(probabilities: NDArray[np.floating], targets: NDArray[np.floating], bins: int = 15) -> float:
    """Expected calibration error in [0, 1] over all known cells, in bins of equal width, open below.

    `probabilities` and `targets` are [N, K]. Source: Guo et al. 2017, arXiv 1706.04599, eq. 3, of the class's own probability.
    """
    known = np.isfinite(targets)
    said, true = probabilities[known].astype(np.float64), targets[known].astype(np.float64)
    bin_of = np.digitize(said, np.linspace(0.0, 1.0, bins + 1)[1:-1], right=True)
    gaps = np.bincount(bin_of, weights=true - said, minlength=bins)
    return float(np.abs(gaps).sum() / len(said))


def _fit(logits: Doubles, present: NDArray[np.bool_]) -> tuple[float, float]:
    """Scale and offset of one class, of logits [n] that were not trained on."""
    from scipy.optimize import minimize

    targets = present.astype(np.float64)

    def negative_log_posterior(parameters: Doubles) -> tuple[float, Doubles]:
        scale, offset = np.exp(parameters[0]), parameters[1]
        calibrated = scale * logits + offset
        excess = sigmoid(calibrated) - targets
        prior = 0.5 * ((parameters[0] / _SCALE_DEVIATION) ** 2 + (offset / _OFFSET_DEVIATION) ** 2)
        gradient = np.array(
            [
                scale * float(excess @ logits) + parameters[0] / _SCALE_DEVIATION**2,
                float(excess.sum()) + offset / _OFFSET_DEVIATION**2,
            ]
        )
        return float(log_losses(calibrated, targets).sum()) + prior, gradient

    limits = [(np.log(LOWEST_SCALE), np.log(HIGHEST_SCALE)), (None, None)]
    found = minimize(
        negative_log_posterior, np.zeros(2), jac=True, method="L-BFGS-B", bounds=limits, options={"ftol": 1e-14}
    )
    return float(np.exp(found.x[0])), float(found.x[1])
