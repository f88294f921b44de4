"""Softmax regression as a function to minimise. In: vectors, labels, weights. Out: a solution. Next: evaluation/calibration.py.

scikit-learn's LogisticRegression minimises the same function, and the tests compare with it. It knows no preconditioner
and so passes over the data hundreds of times where this passes over it tens of times.

Shapes: N pictures, D features, K classes; F problems over the same vectors that differ in which pictures count (the
folds of a cross-validation), solved at once because one matrix product then serves all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.half_rows import Rows
from tellapart.training.quasi_newton import Numbers, minimise
from tellapart.training.standardising import standardisation
from tellapart.training.strips import sum_over_rows
from tellapart.training.triangular import Triangle

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]

_MAX_ITERATIONS = 1000
_ROUNDING = 1e-6  # of the trace, added to the diagonal where the float32 Cholesky factor would fail without it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SoftmaxSolution:
    """Where a minimisation ended."""

    parameters: Doubles  # [F, K, D + 1], on standardised features; the last one is the bias
    converged: bool
    iterations: int


class SoftmaxRegression:
    """F problems of softmax regression over the same vectors, each standardised by the pictures that it counts."""

    def __init__(
        self,
        vectors: Rows,
        labels: Integers,
        weights: Floats,
        *,
        class_count: int,
        threads: ThreadPoolExecutor,
        covariance: Floats | None = None,
        blocks: Sequence[int] = (),
        power: float = 0.0,
        standard: bool = False,
    ) -> None:
        """`vectors` [N, D], of which a block is read at a time, `labels` [N], `weights` [F, N] >= 0: how much each picture
        counts in each problem.

        `blocks` and `power` weigh the layers that the features are of; see standardising.py. `standard`
        features are taken as they are, and there are few of them.

        `covariance` [D, D] of standardised features is found from `vectors` if not given; being close is enough. Of features that
        do not correlate it is the variances, [D].
        """
        self._vectors, self._labels, self._threads = vectors, labels, threads
        self._layers = len(blocks)
        self._weights = weights / weights.sum(axis=1, keepdims=True)
        self._problems, self._classes = len(weights), class_count
        self._rarity = _rarity(self._weights, labels, class_count)
        self._mean = np.zeros((self._problems, vectors.shape[1]))
        self._scale = np.ones_like(self._mean)
        if not standard:
            self._mean, self._scale = standardisation(vectors, weights > 0, threads, blocks=blocks, power=power)
        precondition = covariance is None and (standard or self._worth_a_covariance())
        self.covariance = self._covariance() if precondition else covariance

    def minimise(self, strength: float, *, tolerance: float, start: Doubles | None = None) -> SoftmaxSolution:
        """Minimise the sum over problems of mean log loss + strength / 2 x sum of squared standardised weights.

        The bias is not penalised. L-BFGS in coordinates in which the Hessian at uniform
        predictions, (1 - 1/K) / K x covariance + strength, is the identity. Ends when half the squared gradient in
        these coordinates, each class weighed by how rare it is, is at most `tolerance`: an estimate of the distance to
        the minimum in nats. `start` is [P, K, D + 1] for P problems.
        """
        shape = (self._problems, self._classes, self._vectors.shape[1] + 1)
        coordinates = _Coordinates(shape, self.covariance, strength)

        def loss_and_gradient(point: Numbers) -> tuple[float, Doubles]:
            loss, gradient = self._loss_and_gradient(coordinates.to_parameters(point), strength)
            return loss, coordinates.pull_back(gradient)

        def distance(gradient: Numbers) -> float:
            return 0.5 * float(np.square(gradient.reshape(shape)).sum(axis=2).ravel() @ self._rarity.ravel())

        found = minimise(
            loss_and_gradient,
            coordinates.from_parameters(np.zeros(shape) if start is None else start),
            enough=lambda gradient: distance(gradient) <= tolerance,
            most_steps=_MAX_ITERATIONS,
        )
        # Rounding may end the line search a little before the tolerance is met.
        return SoftmaxSolution(
            parameters=coordinates.to_parameters(found.point),
            converged=distance(found.gradient) <= 10 * tolerance,
            iterations=found.steps,
        )

    def mean_loss(self, parameters: Doubles, weights: Floats) -> float:
        """Log loss in nats, averaged by `weights` [F, N] over the pictures of all problems together."""
        slopes, offsets = self.raw(parameters)

        def piece(rows: slice) -> tuple[Doubles, ...]:
            scores = self._scores(self._vectors[rows], slopes, offsets)
            chosen = scores[:, self._labels[rows], np.arange(scores.shape[2])]
            losses = np.log(np.exp(scores).sum(axis=1)) - chosen
            return ((losses * weights[:, rows]).sum(axis=1, dtype=np.float64),)

        return float(self._sum(piece)[0].sum() / weights.sum(dtype=np.float64))

    def losses(self, parameters: Doubles, weights: Floats) -> Doubles:
        """Log loss in nats of each picture [N], times its `weights` [F, N] and added over the problems; of few pictures."""
        scores = self._scores(self._vectors[:], *self.raw(parameters))
        chosen = scores[:, self._labels, np.arange(scores.shape[2])]
        found = (np.log(np.exp(scores).sum(axis=1)) - chosen) * weights
        return np.asarray(found.sum(axis=0, dtype=np.float64))

    def raw(self, parameters: Doubles) -> tuple[Floats, Floats]:
        """The same functions on raw vectors: weights [F, K, D] and biases [F, K]."""
        slopes = (parameters[:, :, :-1] * self._scale[:, None]).astype(np.float32)
        offsets = parameters[:, :, -1] - np.einsum("fkd,fd->fk", slopes.astype(np.float64), self._mean)
        return slopes, offsets.astype(np.float32)

    def _loss_and_gradient(self, parameters: Doubles, strength: float) -> tuple[float, Doubles]:
        slopes, offsets = self.raw(parameters)

        def piece(rows: slice) -> tuple[Doubles | Floats, ...]:
            vectors = self._vectors[rows]
            residuals = self._scores(vectors, slopes, offsets)
            labels, positions = self._labels[rows], np.arange(residuals.shape[2])
            weights = self._weights[:, rows]
            chosen = residuals[:, labels, positions]
            np.exp(residuals, out=residuals)
            total = residuals.sum(axis=1)
            loss = (weights * (np.log(total) - chosen)).sum(axis=1, dtype=np.float64)
            residuals /= total[:, None]
            residuals[:, labels, positions] -= 1
            residuals *= weights[:, None]
            flat = residuals.reshape(-1, len(labels))
            return loss, flat @ vectors, flat.sum(axis=1)

        losses, by_slope, by_offset = self._sum(piece)
        by_offset = by_offset.reshape(parameters.shape[:2])
        gradient = np.empty_like(parameters)
        gradient[:, :, -1] = by_offset
        by_slope = by_slope.reshape(slopes.shape) - by_offset[:, :, None] * self._mean[:, None]
        gradient[:, :, :-1] = by_slope * self._scale[:, None] + strength * parameters[:, :, :-1]
        return float(losses.sum()) + 0.5 * strength * float(np.square(parameters[:, :, :-1]).sum()), gradient

    def _scores(self, vectors: Floats, slopes: Floats, offsets: Floats) -> Floats:
        """Logits [F, K, n] of vectors [n, D], the highest of each picture moved to 0."""
        features = slopes.shape[2]
        scores: Floats = slopes.reshape(-1, features) @ vectors.T
        scores = scores.reshape(*offsets.shape, -1)
        scores += offsets[:, :, None]
        scores -= scores.max(axis=1, keepdims=True)
        return scores

    def _worth_a_covariance(self) -> bool:
        """Whether the factors cost less than the steps that they save: not with few pictures, where plain steps are cheap."""
        pictures, features = self._vectors.shape
        outputs = self._problems * self._classes
        # Numbers of several layers differ in scale, and plain steps then end far from the minimum.
        many = self._layers > 1 and 4 * pictures > features and pictures * outputs > 5 * features
        return pictures > features or many

    def _covariance(self) -> Floats:
        """Covariance [D, D] of the features as standardised for the first problem, over all pictures."""
        mean, scale = self._mean[0].astype(np.float32), self._scale[0].astype(np.float32)

        def piece(rows: slice) -> tuple[Floats, ...]:
            standardised = (self._vectors[rows] - mean) * scale
            return (standardised.T @ standardised,)

        return (self._sum(piece)[0] / len(self._vectors)).astype(np.float32)

    def _sum(self, piece: Callable[[slice], tuple[NDArray[np.floating], ...]]) -> list[Doubles]:
        return sum_over_rows(self._threads, len(self._vectors), piece)


def _rarity(weights: Floats, labels: Integers, class_count: int) -> Doubles:
    """How much less the function curves for each class than if all were as frequent, [F, K], never below 1.

    Without it a fit would count as converged while a class of one picture in a thousand had hardly moved.
    """
    shares = np.stack([np.bincount(labels, weights=row, minlength=class_count) for row in weights])
    curvature = np.maximum(shares * (1 - shares), 1 / len(labels))
    return np.asarray(np.maximum((1 - 1 / class_count) / class_count / curvature, 1.0))


class _Coordinates:
    """Where the Hessian at uniform predictions is the identity: coordinates = parameters x a Cholesky factor of it."""

    def __init__(self, shape: tuple[int, int, int], covariance: Floats | None, strength: float) -> None:
        """`shape` is that of the parameters, [F, K, D + 1]. Without covariance only the penalty counts."""
        self._shape = shape
        curvature = (1 - 1 / shape[1]) / shape[1]
        self._bias_factor = float(np.sqrt(curvature))
        self._factor: Triangle | Doubles | float = float(np.sqrt(strength))
        if covariance is not None and covariance.ndim == 1:
            self._factor = np.sqrt(covariance.astype(np.float64) * curvature + strength)
        elif covariance is not None:
            self._factor = _factored(covariance * np.float32(curvature), strength)

    def to_parameters(self, coordinates: Numbers) -> Doubles:
        return self._solve(coordinates, transposed=True).reshape(self._shape)

    def from_parameters(self, parameters: Doubles) -> Doubles:
        moved = parameters.copy()
        moved[:, :, -1] *= self._bias_factor
        slopes = parameters[:, :, :-1]
        moved[:, :, :-1] = slopes @ self._factor.lower if isinstance(self._factor, Triangle) else slopes * self._factor
        return moved.reshape(-1)

    def pull_back(self, gradient: Doubles) -> Doubles:
        """The gradient by parameters to that by coordinates."""
        return self._solve(gradient, transposed=False).reshape(-1)

    def _solve(self, values: Numbers, *, transposed: bool) -> Doubles:
        rows = values.reshape(-1, self._shape[2])
        solved = np.empty(rows.shape)
        solved[:, -1] = rows[:, -1] / self._bias_factor
        if isinstance(self._factor, Triangle):
            solved[:, :-1] = self._factor.solve(rows[:, :-1].T.astype(np.float32), transposed=transposed).T
        else:
            solved[:, :-1] = rows[:, :-1] / self._factor
        return solved


def _factored(curvature: Floats, strength: float) -> Triangle:
    """The Cholesky factor of curvature + strength x identity; of a little more where rounding needs it."""
    added = strength
    while True:
        matrix = curvature.copy()
        matrix[np.diag_indices_from(matrix)] += np.float32(added)
        try:
            return Triangle(matrix)
        except np.linalg.LinAlgError:
            added = max(added, _ROUNDING * float(np.trace(curvature))) * 10
