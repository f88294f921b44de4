"""Make each class's probability mean what it says. In: logits, targets [n, K]. Out: MultilabelCalibration. Next: calibrating.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.chance import BINS, expected_error
from tellapart.evaluation.platt import NEAR, USUAL, fit_scale_and_offset, sigmoid

Doubles = NDArray[np.float64]

FEWEST = 5  # validation pictures with a class, and as many without; with fewer its logits stay as they are


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


def fit_calibration(
    logits: NDArray[np.floating], targets: NDArray[np.floating], *, known: MultilabelCalibration | None = None
) -> MultilabelCalibration:
    """The scale and offset of each class under which pictures not trained on are most probable.

    `logits` is [n, K], `targets` [n, K] in {0, 1, NaN}; NaN, not known, counts neither way. Each class for itself, see
    evaluation/platt.py. On collages with 10 to 300 validation pictures no wider prior was better, without one ten pictures gave
    ten times the loss.
    A class that fewer than 5 pictures have, or fewer than 5 lack, keeps its logits. Where nearly these logits had scales and
    offsets that are `known`, what is found is near them.
    """
    if known is not None:
        near = _fitted(known.logits(logits), targets, NEAR)
        return MultilabelCalibration(
            scales=known.scales * near.scales,
            offsets=known.offsets * near.scales + near.offsets,
            untouched=near.untouched,
        )
    return _fitted(logits, targets, USUAL)


def _fitted(
    logits: NDArray[np.floating], targets: NDArray[np.floating], deviations: tuple[float, float]
) -> MultilabelCalibration:
    classes = logits.shape[1]
    scales, offsets, untouched = np.ones(classes), np.zeros(classes), []
    for number in range(classes):
        known = ~np.isnan(targets[:, number])
        present = targets[known, number] == 1
        if min(int(present.sum()), int((~present).sum())) < FEWEST:
            untouched.append(number)
            continue
        scales[number], offsets[number] = fit_scale_and_offset(
            logits[known, number].astype(np.float64), present, deviations=deviations
        )
    return MultilabelCalibration(scales=scales, offsets=offsets, untouched=tuple(untouched))


def no_calibration(classes: int) -> MultilabelCalibration:
    """The logits as they are."""
    return MultilabelCalibration(scales=np.ones(classes), offsets=np.zeros(classes), untouched=())


def calibration_error(probabilities: NDArray[np.floating], targets: NDArray[np.floating], bins: int = BINS) -> float:
    """Expected calibration error in [0, 1] over all known cells, of each class's own probability; see evaluation/chance.py.

    `probabilities` and `targets` are [N, K].
    """
    known = np.isfinite(targets)
    return expected_error(probabilities[known], targets[known], bins)
