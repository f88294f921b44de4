"""Make each class's probability mean what it says. In: logits, targets [n, K]. Out: MultilabelCalibration. Next: calibrating.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.chance import BINS, expected_error
from tellapart.evaluation.newton import Local, minimise

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


def no_calibration(classes: int) -> MultilabelCalibration:
    """The logits as they are."""
    return MultilabelCalibration(scales=np.ones(classes), offsets=np.zeros(classes), untouched=())


def sigmoid(logits: NDArray[np.floating]) -> Doubles:
    """1 / (1 + exp(-logits)) in [0, 1], float64, of finite logits [...] of any shape."""
    small = np.exp(-np.abs(logits.astype(np.float64)))
    return np.asarray(np.where(logits >= 0, 1.0, small) / (1 + small))


def log_losses(logits: NDArray[np.floating], targets: NDArray[np.floating]) -> Doubles:
    """Log loss in nats of each cell, float64 [n, K]; NaN where `targets` [n, K] is."""
    margins = (2 * targets.astype(np.float64) - 1) * logits
    return np.asarray(np.maximum(-margins, 0) + np.log1p(np.exp(-np.abs(margins))))


def calibration_error(probabilities: NDArray[np.floating], targets: NDArray[np.floating], bins: int = BINS) -> float:
    """Expected calibration error in [0, 1] over all known cells, of each class's own probability; see evaluation/chance.py.

    `probabilities` and `targets` are [N, K].
    """
    known = np.isfinite(targets)
    return expected_error(probabilities[known], targets[known], bins)


def _fit(logits: Doubles, present: NDArray[np.bool_]) -> tuple[float, float]:
    """Scale and offset of one class, of logits [n] that were not trained on."""
    targets = present.astype(np.float64)
    precisions = np.array([_SCALE_DEVIATION, _OFFSET_DEVIATION]) ** -2

    def negative_log_posterior(parameters: Doubles) -> Local:
        scaled = np.exp(parameters[0]) * logits
        chances = sigmoid(scaled + parameters[1])
        excess, bend = chances - targets, chances * (1 - chances)
        crossed = float(bend @ scaled)
        # By the logarithm of the scale, whose second derivative also has the first.
        hessian = np.array([[float(bend @ scaled**2) + float(excess @ scaled), crossed], [crossed, float(bend.sum())]])
        hessian += np.diag(precisions)
        return Local(
            value=float(log_losses(scaled + parameters[1], targets).sum()) + 0.5 * float(precisions @ parameters**2),
            gradient=np.array([float(excess @ scaled), float(excess.sum())]) + precisions * parameters,
            product=lambda vector: np.asarray(hessian @ vector),
            diagonal=np.array([float(bend @ scaled**2), float(bend.sum())]) + precisions,
        )

    bounds = np.array([[np.log(LOWEST_SCALE), -np.inf], [np.log(HIGHEST_SCALE), np.inf]])
    found = minimise(negative_log_posterior, np.zeros(2), low=bounds[0], high=bounds[1])
    return float(np.exp(found[0])), float(found[1])
