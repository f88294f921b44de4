"""What scores mean as probabilities, by two numbers. In: logits, what came true. Out: a scale, an offset. Next: chance.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.newton import Local, minimise

Doubles = NDArray[np.float64]

LOWEST_SCALE, HIGHEST_SCALE = 0.05, 20.0

USUAL = (0.5, 1.0)  # deviations of the natural logarithm of a scale, and of an offset
NEAR = (0.1, 0.1)  # the same, of logits that are calibrated already and have hardly changed since


def sigmoid(logits: NDArray[np.floating]) -> Doubles:
    """1 / (1 + exp(-logits)) in [0, 1], float64, of finite logits [...] of any shape."""
    small = np.exp(-np.abs(logits.astype(np.float64)))
    return np.asarray(np.where(logits >= 0, 1.0, small) / (1 + small))


def log_losses(logits: NDArray[np.floating], targets: NDArray[np.floating]) -> Doubles:
    """Log loss in nats of each cell, float64 [n, K]; NaN where `targets` [n, K] is."""
    margins = (2 * targets.astype(np.float64) - 1) * logits
    return np.asarray(np.maximum(-margins, 0) + np.log1p(np.exp(-np.abs(margins))))


def fit_scale_and_offset(
    logits: Doubles, present: NDArray[np.bool_], *, deviations: tuple[float, float] = USUAL
) -> tuple[float, float]:
    """Under which scale x logit + offset what is `present` [n] is most probable, of logits [n] that were not trained on.

    Platt 1999 (Advances in Large Margin Classifiers, 61-74), with a prior in the place of his smoothed targets: the scale's
    logarithm and the offset are normal around 0 with these `deviations`. So ten examples that are all told apart do not drive a
    class to 0 and 1, while an offset that a positive weight of 10 put there is found from thirty.
    """
    targets = present.astype(np.float64)
    precisions = np.array(deviations) ** -2

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
