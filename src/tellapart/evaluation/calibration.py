"""Make probabilities mean what they say. In: logits [N, K], labels [N]. Out: temperature. Next: intervals.py."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError

LOWEST_TEMPERATURE = 0.05
HIGHEST_TEMPERATURE = 20.0

_PRIOR_DEVIATION = 1.0  # of the natural logarithm of the temperature
_BIAS_DEVIATION = 0.5  # of a class's bias, in calibrated logits


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Logits [..., K] to probabilities [..., K] that sum to 1 over the last axis; safe for any finite logits."""
    exponentials = np.exp(_shifted(logits))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


def apply_temperature(logits: NDArray[np.floating], temperature: float) -> NDArray[np.float32]:
    """Probabilities softmax(logits / temperature), [..., K]. Source: Guo et al. 2017, arXiv 1706.04599, eq. 9."""
    return softmax(np.asarray(logits, dtype=np.float64) / temperature).astype(np.float32)


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """The temperature in [0.05, 20] under which pictures not trained on are most probable.

    `logits` is [N, K] and `labels` [N] in 0..K-1. Minimises the negative log likelihood as Guo et al. 2017 (arXiv
    1706.04599, section 4.2) do, plus log(temperature)^2 / 2 once, not per picture: a log-normal prior around 1. Without
    it, ten pictures that are all classified right would drive the temperature to its lower bound and every later
    probability to 0 or 1; with a thousand pictures it changes the third digit.
    Raises: DataError without pictures.
    """
    from scipy.optimize import minimize_scalar

    if len(labels) == 0:
        raise DataError(
            "0 validation pictures; the temperature needs at least 1. Add pictures to the validation split."
        )
    shifted = _shifted(logits)
    margins = shifted - shifted[np.arange(len(labels)), labels][:, None]

    def negative_log_posterior(log_temperature: float) -> float:
        scaled = margins * math.exp(-log_temperature)
        highest = scaled.max(axis=1)
        losses = highest + np.log(np.exp(scaled - highest[:, None]).sum(axis=1))
        return float(losses.sum()) + 0.5 * (log_temperature / _PRIOR_DEVIATION) ** 2

    bounds = (math.log(LOWEST_TEMPERATURE), math.log(HIGHEST_TEMPERATURE))
    result = minimize_scalar(negative_log_posterior, bounds=bounds, method="bounded", options={"xatol": 1e-7})
    return float(min(max(math.exp(float(result.x)), LOWEST_TEMPERATURE), HIGHEST_TEMPERATURE))


def fit_class_biases(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> tuple[float, NDArray[np.float64]]:
    """A temperature and a bias for each class [K]: softmax((logits + biases) / temperature) fits pictures not trained on.

    A network that was trained until it knows its training pictures favours the common classes on others. `logits` is
    [N, K], `labels` [N] in 0..K-1, N above 0. Source: bias-corrected temperature scaling, Alexandari et al. 2020, arXiv
    1901.06852, section 3.1; here with the temperature's prior as above, and biases that are normal around 0 with a
    deviation of 0.5 in calibrated logits, so that a class of two or three pictures keeps nearly its own.

    Raises: DataError without pictures.
    """
    from scipy.optimize import minimize

    shifted, every = _shifted(logits), np.arange(len(labels))
    classes = shifted.shape[1]
    counts = np.bincount(labels, minlength=classes).astype(np.float64)

    def negative_log_posterior(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scale, biases = math.exp(-parameters[0]), parameters[1:]
        scores = _shifted(shifted * scale + biases)
        probabilities = np.exp(scores)
        sums = probabilities.sum(axis=1, keepdims=True)
        probabilities /= sums
        loss = float((np.log(sums[:, 0]) - scores[every, labels]).sum())
        prior = 0.5 * ((parameters[0] / _PRIOR_DEVIATION) ** 2 + float((biases**2).sum()) / _BIAS_DEVIATION**2)
        excess = (probabilities * shifted).sum() - shifted[every, labels].sum()
        gradient = np.concatenate(
            [
                [-scale * excess + parameters[0] / _PRIOR_DEVIATION**2],
                probabilities.sum(axis=0) - counts + biases / _BIAS_DEVIATION**2,
            ]
        )
        return loss + prior, gradient

    limits = [(math.log(LOWEST_TEMPERATURE), math.log(HIGHEST_TEMPERATURE)), *[(None, None)] * classes]
    start = np.concatenate([[math.log(fit_temperature(logits, labels))], np.zeros(classes)])
    found = minimize(negative_log_posterior, start, jac=True, method="L-BFGS-B", bounds=limits)
    temperature = math.exp(float(found.x[0]))
    return temperature, np.asarray(found.x[1:] * temperature)


def calibration_error(probabilities: NDArray[np.floating], labels: NDArray[np.integer], bins: int = 15) -> float:
    """Expected calibration error in [0, 1] of the predicted class, over bins of equal width, open below.

    `probabilities` is [N, K]; N must not be 0. Source: Guo et al. 2017, arXiv 1706.04599, eq. 3, with their 15 bins.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == labels
    bin_of = np.digitize(confidence, np.linspace(0.0, 1.0, bins + 1)[1:-1], right=True)
    gaps = np.bincount(bin_of, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def _shifted(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    exact = np.asarray(logits, dtype=np.float64)
    return np.asarray(exact - exact.max(axis=-1, keepdims=True))
