"""Make probabilities mean what they say. In: logits [N, K], labels [N]. Out: temperature. Next: calibrating.py."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError
from tellapart.evaluation.chance import BINS, expected_error
from tellapart.evaluation.exact import parts
from tellapart.evaluation.newton import Local, lowest_between, minimise

LOWEST_TEMPERATURE = 0.05
HIGHEST_TEMPERATURE = 20.0

USUAL = 1.0  # deviation of the natural logarithm of the temperature
NEAR = 0.1  # the same, of logits that are calibrated already and have hardly changed since
_BIAS_DEVIATION = 0.5  # of a class's bias, in calibrated logits


class Surest(NamedTuple):
    """The most probable class of each of N pictures."""

    chances: NDArray[np.float32]  # [N]
    classes: NDArray[np.int64]  # [N]


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Logits [..., K] to probabilities [..., K] that sum to 1 over the last axis; safe for any finite logits."""
    exponentials = np.exp(_shifted(logits))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


def apply_temperature(logits: NDArray[np.floating], temperature: float) -> NDArray[np.float32]:
    """Probabilities softmax(logits / temperature), [..., K]. Source: Guo et al. 2017, arXiv 1706.04599, eq. 9."""
    rows = np.reshape(logits, (-1, np.shape(logits)[-1]))
    found = np.empty(rows.shape, dtype=np.float32)
    _apply(rows, temperature, found)
    return found.reshape(np.shape(logits))


def apply_in_place(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """The same of logits [N, K] where they lie: of very many classes there is no room for both."""
    _apply(logits, temperature, logits)
    return logits


def surest_of(logits: NDArray[np.floating], biases: NDArray[np.float64]) -> Surest:
    """What softmax(logits - biases) names, of logits [N, K] and biases [K]."""
    chances, classes = np.empty(len(logits), dtype=np.float32), np.empty(len(logits), dtype=np.int64)
    for part in parts(*logits.shape):
        probabilities = apply_temperature(logits[part] - biases, 1.0)
        chances[part], classes[part] = probabilities.max(axis=1), probabilities.argmax(axis=1)
    return Surest(chances, classes)


def _apply(rows: NDArray[np.floating], temperature: float, found: NDArray[np.float32]) -> None:
    # In parts, as of very many classes the exact numbers are six times the result.
    for part in parts(*rows.shape):
        found[part] = softmax(np.asarray(rows[part], dtype=np.float64) / temperature)


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.integer], *, deviation: float = USUAL) -> float:
    """The temperature in [0.05, 20] under which pictures not trained on are most probable.

    `logits` is [N, K] and `labels` [N] in 0..K-1. Minimises the negative log likelihood as Guo et al. 2017 (arXiv
    1706.04599, section 4.2) do, plus (log(temperature) / `deviation`)^2 / 2 once, not per picture: a log-normal prior around
    1. Without it, ten pictures that are all classified right would drive the temperature to its lower bound and every later
    probability to 0 or 1; with a thousand pictures it changes the third digit.
    Raises: DataError without pictures.
    """
    check_some(labels)
    shifted = _shifted(logits)
    margins = shifted - shifted[np.arange(len(labels)), labels][:, None]

    def negative_log_posterior(log_temperature: float) -> tuple[float, float, float]:
        scale = math.exp(-log_temperature)
        chances = margins * scale
        highest = chances.max(axis=1)
        np.exp(chances - highest[:, None], out=chances)
        sums = chances.sum(axis=1)
        loss = float((highest + np.log(sums)).sum())
        means = np.einsum("nk,nk->n", chances, margins) / sums
        variances = np.einsum("nk,nk,nk->n", chances, margins, margins) / sums - means**2
        slope = -scale * float(means.sum())
        return (
            loss + 0.5 * (log_temperature / deviation) ** 2,
            slope + log_temperature / deviation**2,
            scale**2 * float(variances.sum()) - slope + 1 / deviation**2,
        )

    found = lowest_between(negative_log_posterior, math.log(LOWEST_TEMPERATURE), math.log(HIGHEST_TEMPERATURE))
    return min(max(math.exp(found), LOWEST_TEMPERATURE), HIGHEST_TEMPERATURE)


def fit_class_biases(
    logits: NDArray[np.floating], labels: NDArray[np.integer], *, deviation: float = USUAL
) -> tuple[float, NDArray[np.float64]]:
    """A temperature and a bias for each class [K]: softmax((logits + biases) / temperature) fits pictures not trained on.

    A network that was trained until it knows its training pictures favours the common classes on others. `logits` is
    [N, K], `labels` [N] in 0..K-1, N above 0. Source: bias-corrected temperature scaling, Alexandari et al. 2020, arXiv
    1901.06852, section 3.1; here with the temperature's prior as above, and biases that are normal around 0 with a
    deviation of 0.5 in calibrated logits, so that a class of two or three pictures keeps nearly its own.

    Raises: DataError without pictures.
    """
    start = np.concatenate(
        [[math.log(fit_temperature(logits, labels, deviation=deviation))], np.zeros(logits.shape[1])]
    )
    bounds = np.full((2, len(start)), [[-np.inf], [np.inf]])
    bounds[:, 0] = math.log(LOWEST_TEMPERATURE), math.log(HIGHEST_TEMPERATURE)
    posterior = _Posterior(_shifted(logits), labels, deviation)
    found = minimise(posterior.at, start, low=bounds[0], high=bounds[1])
    temperature = math.exp(float(found[0]))
    return temperature, np.asarray(found[1:] * temperature)


class _Posterior:
    """Minus the logarithm of how probable a temperature and biases are: [logarithm of the temperature, biases [K]]."""

    def __init__(self, logits: NDArray[np.float64], labels: NDArray[np.integer], deviation: float) -> None:
        """`logits` [N, K], `labels` [N]; `deviation` of the logarithm of the temperature."""
        self._logits, self._labels = logits, labels
        self._counts = np.bincount(labels, minlength=logits.shape[1]).astype(np.float64)
        self._own = float(logits[np.arange(len(labels)), labels].sum())
        spread = [deviation, *[_BIAS_DEVIATION] * logits.shape[1]]
        self._precisions = np.array(spread, dtype=np.float64) ** -2

    def at(self, point: NDArray[np.float64]) -> Local:
        """The function at a point [K + 1], and its derivatives."""
        scale = math.exp(-point[0])
        scores = _shifted(self._logits * scale + point[1:])
        chances = np.exp(scores)
        sums = chances.sum(axis=1, keepdims=True)
        chances /= sums
        loss = float((np.log(sums[:, 0]) - scores[np.arange(len(scores)), self._labels]).sum())
        totals = chances.sum(axis=0)
        slope = -scale * (float(np.vdot(chances, self._logits)) - self._own)

        def product(vector: NDArray[np.float64]) -> NDArray[np.float64]:
            """Of the Hessian, by how the scores and so the probabilities change along `vector`."""
            moved = self._logits * (-scale * vector[0]) + vector[1:]
            moved = chances * (moved - np.einsum("nk,nk->n", chances, moved)[:, None])
            by_temperature = -scale * float(np.vdot(moved, self._logits)) - slope * vector[0]
            return np.concatenate([[by_temperature], moved.sum(axis=0)]) + self._precisions * vector

        means = np.einsum("nk,nk->n", chances, self._logits)
        variance = scale**2 * float((np.einsum("nk,nk,nk->n", chances, self._logits, self._logits) - means**2).sum())
        return Local(
            value=loss + 0.5 * float(self._precisions @ point**2),
            gradient=np.concatenate([[slope], totals - self._counts]) + self._precisions * point,
            product=product,
            diagonal=np.concatenate([[variance], totals - np.einsum("nk,nk->k", chances, chances)]) + self._precisions,
        )


def check_some(labels: NDArray[np.integer]) -> None:
    """Raises: DataError without pictures; labels [N]."""
    if len(labels) == 0:
        raise DataError(
            "0 validation pictures; the temperature needs at least 1. Add pictures to the validation split."
        )


def calibration_error(probabilities: NDArray[np.floating], labels: NDArray[np.integer], bins: int = BINS) -> float:
    """Expected calibration error in [0, 1] of the predicted class; see chance.py. `probabilities` [N, K]; N must not be 0."""
    return expected_error(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels, bins)


def _shifted(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    exact = np.asarray(logits, dtype=np.float64)
    return np.asarray(exact - exact.max(axis=-1, keepdims=True))
