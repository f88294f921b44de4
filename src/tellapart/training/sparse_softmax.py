"""Softmax regression on sparse features. In: a sparse matrix, labels. Out: weights. Next: ngram_probe.py.

Each class may see every feature on a scale of its own: logit k of text n is sum over d of x[n, d] scale[k, d] v[k, d] + bias[k],
and the penalty is on v. With scales of 1 this is what scikit-learn's LogisticRegression minimises, and the tests compare with it.
Shapes: N texts, D features, K classes.
"""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.training.ngram_rows import LANES, CountRows, KeptRows, Mapped, TurnedRows, as_rows, walk
from tellapart.training.quasi_newton import Numbers, minimise

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

_MOST_STEPS = 300
_MANY = 100_000  # numbers to find, from which they are of 32 bits: half of the time, and no answer is another
_MOST_TWICE = 30_000_000  # numbers of a matrix that are kept twice, 8 bytes each


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SparseSolution:
    """Where a minimisation ended."""

    parameters: Numbers  # [D + 1, K], the v; the last row is the bias
    weight: Floats  # [K, D], scale x v
    bias: Floats  # [K]
    steps: int

    def logits(self, matrix: Any) -> Floats:
        """Of a sparse matrix [n, D], [n, K]."""
        return np.asarray(matrix @ self.weight.T + self.bias, dtype=np.float32)


class SparseSoftmax:
    """The function to minimise, over some rows of a sparse matrix."""

    def __init__(
        self,
        rows: CountRows | Any,
        labels: NDArray[np.int64],
        weights: Floats,
        scales: Floats | None,
        *,
        classes: int,
        workers: int = 1,
    ):
        """`rows` are SciPy's CSR, float32 [N, D], or CountRows.

        `labels` [N]; `weights` [N] >= 0, how much each counts; `scales` [K, D].
        It works in so many threads; the result does not hang on how many.
        """
        kept = as_rows(rows)
        matrix = kept.whole() if isinstance(kept, KeptRows) else None
        if matrix is not None and matrix.nnz <= _MOST_TWICE:
            turned = TurnedRows(matrix)
            self._walk, spans = turned.walk, len(turned)
        else:
            self._walk, spans = functools.partial(walk, kept), LANES
        self._features = kept.shape[1]
        self._labels, self._classes, self._workers = labels, classes, min(workers, spans)
        self._weights = (weights / weights.sum()).astype(np.float32)
        self._scales = None if scales is None else np.ascontiguousarray(scales.T)

    def minimise(
        self, strength: float, *, tolerance: float, most_steps: int = _MOST_STEPS, start: Numbers | None = None
    ) -> SparseSolution:
        """Mean log loss + strength / 2 x sum of squared v. The bias is not penalised.

        Ends when the largest element of the gradient is at most `tolerance`, or after so many steps of L-BFGS.
        """
        shape = (self._features + 1, self._classes)
        kind = np.float32 if shape[0] * shape[1] > _MANY else np.float64
        begun: Numbers = np.zeros(shape, dtype=kind) if start is None else start.astype(kind, copy=False)
        with ThreadPoolExecutor(self._workers) as pool:
            mapped: Mapped = map if self._workers == 1 else pool.map

            def loss_and_gradient(point: Numbers) -> tuple[float, Numbers]:
                loss, gradient = self._loss_and_gradient(point.reshape(shape), strength, mapped)
                return loss, gradient.reshape(-1)

            found = minimise(
                loss_and_gradient,
                begun.reshape(-1),
                enough=lambda gradient: max(float(gradient.max()), -float(gradient.min())) <= tolerance,
                most_steps=most_steps,
            )
        parameters = found.point.reshape(shape)
        return SparseSolution(
            parameters=parameters,
            weight=np.ascontiguousarray(self._weight(parameters).T),
            bias=parameters[-1].astype(np.float32),
            steps=found.steps,
        )

    def _weight(self, parameters: Numbers) -> Floats:
        """[D, K]."""
        weight = parameters[:-1].astype(np.float32, copy=False)
        return weight if self._scales is None else weight * self._scales

    def _loss_and_gradient(self, parameters: Numbers, strength: float, mapped: Mapped) -> tuple[float, Numbers]:
        bias = parameters[-1].astype(np.float32)

        def step(first: int, scores: Floats) -> tuple[float, Doubles]:
            scores += bias
            return self._slopes(slice(first, first + len(scores)), scores)

        found = self._walk(self._weight(parameters), step, mapped)
        own, gradient = parameters[:-1], strength * parameters
        gradient[:-1] += found.back if self._scales is None else np.multiply(found.back, self._scales, out=found.back)
        gradient[-1] = found.sums
        penalty = float(np.einsum("d,d->", own.reshape(-1), own.reshape(-1)))
        return found.loss + 0.5 * strength * penalty, gradient

    def _slopes(self, rows: slice, scores: Floats) -> tuple[float, Doubles]:
        """Their loss, and sums of its slopes [K]; `scores` [n, K] of those rows become the slopes."""
        labels, weights, each = self._labels[rows], self._weights[rows], np.arange(len(scores))
        scores -= scores.max(axis=1, keepdims=True)
        chosen = scores[each, labels]
        np.exp(scores, out=scores)
        total = scores.sum(axis=1)
        loss = float(np.einsum("n,n->", weights.astype(np.float64), np.log(total) - chosen))
        scores /= total[:, None]
        scores[each, labels] -= 1
        scores *= weights[:, None]
        return loss, scores.sum(axis=0, dtype=np.float64)
