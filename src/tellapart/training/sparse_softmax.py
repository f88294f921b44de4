"""Softmax regression on sparse features. In: a sparse matrix, labels. Out: weights. Next: ngram_probe.py.

Each class may see every feature on a scale of its own: logit k of text n is sum over d of x[n, d] scale[k, d] v[k, d] + bias[k],
and the penalty is on v. With scales of 1 this is what scikit-learn's LogisticRegression minimises, and the tests compare with it.
Shapes: N texts, D features, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.training.quasi_newton import minimise

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

_MOST_STEPS = 300
_MOST_TWICE = 30_000_000  # numbers of a matrix that are kept twice, 8 bytes each


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SparseSolution:
    """Where a minimisation ended."""

    parameters: Doubles  # [K, D + 1], the v; the last one is the bias
    weight: Floats  # [K, D], scale x v
    bias: Floats  # [K]
    steps: int

    def logits(self, matrix: Any) -> Floats:
        """Of a sparse matrix [n, D], [n, K]."""
        return np.asarray(matrix @ self.weight.T + self.bias, dtype=np.float32)


class SparseSoftmax:
    """The function to minimise, over some rows of a sparse matrix."""

    def __init__(self, matrix: Any, labels: NDArray[np.int64], weights: Floats, scales: Floats | None, *, classes: int):
        """`matrix` is SciPy's CSR, float32 [N, D]; `labels` [N]; `weights` [N] >= 0, how much each counts; `scales` [K, D]."""
        # Turned it is read in order, which is quicker; of very many numbers there is no room for both.
        self._matrix, self._turned = matrix, matrix.T.tocsr() if matrix.nnz <= _MOST_TWICE else matrix.T
        self._labels, self._classes = labels, classes
        self._weights = (weights / weights.sum()).astype(np.float32)
        self._scales = scales

    def minimise(
        self, strength: float, *, tolerance: float, most_steps: int = _MOST_STEPS, start: Doubles | None = None
    ) -> SparseSolution:
        """Mean log loss + strength / 2 x sum of squared v. The bias is not penalised.

        Ends when the largest element of the gradient is at most `tolerance`, or after so many steps of L-BFGS.
        """
        shape = (self._classes, self._matrix.shape[1] + 1)

        def loss_and_gradient(point: Doubles) -> tuple[float, Doubles]:
            loss, gradient = self._loss_and_gradient(point.reshape(shape), strength)
            return loss, gradient.reshape(-1)

        found = minimise(
            loss_and_gradient,
            (np.zeros(shape) if start is None else start).reshape(-1),
            enough=lambda gradient: float(np.abs(gradient).max()) <= tolerance,
            most_steps=most_steps,
        )
        parameters = found.point.reshape(shape)
        return SparseSolution(
            parameters=parameters,
            weight=self._weight(parameters),
            bias=parameters[:, -1].astype(np.float32),
            steps=found.steps,
        )

    def _weight(self, parameters: Doubles) -> Floats:
        weight = parameters[:, :-1].astype(np.float32)
        return weight if self._scales is None else weight * self._scales

    def _loss_and_gradient(self, parameters: Doubles, strength: float) -> tuple[float, Doubles]:
        scores = np.asarray(self._matrix @ np.ascontiguousarray(self._weight(parameters).T))
        scores += parameters[:, -1].astype(np.float32)
        scores -= scores.max(axis=1, keepdims=True)
        rows = np.arange(len(scores))
        chosen = scores[rows, self._labels]
        np.exp(scores, out=scores)
        total = scores.sum(axis=1)
        loss = float(self._weights @ (np.log(total) - chosen))
        scores /= total[:, None]
        scores[rows, self._labels] -= 1
        scores *= self._weights[:, None]
        gradient = np.empty_like(parameters)
        slopes = np.asarray(self._turned @ scores).T
        gradient[:, :-1] = slopes if self._scales is None else slopes * self._scales
        gradient[:, -1] = scores.sum(axis=0)
        gradient[:, :-1] += strength * parameters[:, :-1]
        return loss + 0.5 * strength * float(np.square(parameters[:, :-1]).sum()), gradient
