"""Many logistic regressions over the same pictures, solved together. In: vectors, signs. Out: weights. Next: multilabel_probe.py.

Each problem is one class that a picture has or has not: mean log loss with an L2 penalty, as scikit-learn's
LogisticRegression minimises; the tests compare with it. The problems do not touch each other, so that each has its own steps
and its own end, but one matrix product serves all of them: of 80 classes over 10,000 pictures that is what makes it seconds.

Shapes: N pictures, D features, P problems, A of them not yet solved, R directions in which the pictures differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from tellapart.half_rows import HalfRows, Rows, WholeRows
from tellapart.training.standardising import standardisation
from tellapart.training.strips import sum_over_rows

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Turned: TypeAlias = Floats | WholeRows  # [N, R + 1] in memory, or on disk

_MOST_ROUNDS = 100  # of Newton's method; ten are many
_MOST_PRODUCTS = 500  # of conjugate gradients in a round
_LOOSEST, _TIGHTEST = 0.1, 1e-3  # how far a round solves its linear equations; the products are in single precision
_SUFFICIENT = 1e-4  # of the decrease that the slope promises (Armijo)
_HALVINGS = 40
_ROUNDING = 1e-13  # of a loss in double precision
_NULL = 1e-12  # of the largest variance; along less the pictures do not differ


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogisticSolution:
    """Where the minimisations ended."""

    parameters: Doubles  # [P, R + 1], along the basis' directions; the last one is the bias
    converged: NDArray[np.bool_]  # [P]
    rounds: int  # of Newton's method, of the problem that took most


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Basis:
    """Standardised features, turned so that they do not correlate: the solver's steps then need hardly any correction.

    A turn changes no length, so that the penalty means the same. All problems share one standardisation, over all
    pictures: with one for each the products could not be shared. It knows no target.
    """

    mean: Doubles  # [D]
    scale: Doubles  # [D], 1 / deviation; 0 for features that never vary
    directions: Doubles  # [D, R], orthonormal columns

    @overload
    def coordinates(self, vectors: Floats, threads: ThreadPoolExecutor) -> Floats: ...
    @overload
    def coordinates(self, vectors: Rows, threads: ThreadPoolExecutor) -> Turned: ...
    def coordinates(self, vectors: Rows, threads: ThreadPoolExecutor) -> Turned:
        """Vectors [N, D] along the directions, float32 [N, R + 1], on disk where they are; the last column is 1, for the bias.

        Raises: StorageError where the disk has no room for them.
        """
        shape = len(vectors), self.directions.shape[1] + 1
        turned: Turned = WholeRows(*shape) if isinstance(vectors, HalfRows) else np.empty(shape, dtype=np.float32)

        def piece(rows: slice) -> tuple[Floats, ...]:
            some = np.ones((rows.stop - rows.start, shape[1]), dtype=np.float32)
            some[:, :-1] = ((vectors[rows] - self.mean) * self.scale) @ self.directions
            turned[rows] = some
            return ()

        sum_over_rows(threads, len(vectors), piece)
        return turned

    def raw(self, parameters: Doubles) -> tuple[Doubles, Doubles]:
        """The same functions on raw vectors: weights [P, D] and biases [P]."""
        slopes = (parameters[:, :-1] @ self.directions.T) * self.scale
        return slopes, parameters[:, -1] - slopes @ self.mean


def sum_of_losses(coordinates: Turned, signed: Floats, parameters: Doubles, threads: ThreadPoolExecutor) -> Doubles:
    """Log loss in nats of each problem, summed by |signed| [P, N] over the pictures, [P]; `parameters` [P, R + 1]."""

    def piece(rows: slice) -> tuple[Doubles, ...]:
        weights = signed[:, rows]
        margins = (parameters @ coordinates[rows].astype(np.float64).T) * np.sign(weights)
        losses = np.maximum(-margins, 0) + np.log1p(np.exp(-np.abs(margins)))
        return ((np.abs(weights) * losses).sum(axis=1),)

    return sum_over_rows(threads, len(coordinates), piece)[0]


def find_basis(vectors: Rows, threads: ThreadPoolExecutor, *, blocks: Sequence[int] = (), power: float = 0.0) -> Basis:
    """The basis of vectors [N, D]; `blocks` and `power` weigh the layers that the features are of, see standardising.py."""
    count, length = vectors.shape
    mean, scale = (
        row[0]
        for row in standardisation(vectors, np.ones((1, count), dtype=np.bool_), threads, blocks=blocks, power=power)
    )

    def standardised(rows: slice) -> Doubles:
        return np.asarray((vectors[rows] - mean) * scale)

    def products(rows: slice) -> tuple[Floats, ...]:
        some = standardised(rows).astype(np.float32)
        return (some.T @ some,)

    if count > length:
        # Any orthonormal directions serve, so that single precision is enough here.
        (covariance,) = sum_over_rows(threads, count, products)
        return Basis(mean=mean, scale=scale, directions=np.linalg.eigh(covariance)[1])
    # Fewer pictures than features: they lie in the space that they span themselves.
    span, mixture = np.linalg.qr(standardised(slice(None)).T)
    variances, turned = np.linalg.eigh(mixture @ mixture.T)
    kept = variances > _NULL * max(float(variances[-1]), np.finfo(np.float64).tiny)
    return Basis(mean=mean, scale=scale, directions=span @ turned[:, kept])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _State:
    """Where the problems that are not yet solved stand; the arrays are written to."""

    numbers: NDArray[np.int64]  # [A], which problems these are
    signed: Floats  # [A, N]
    penalties: Doubles  # [A, R + 1], 0 for the bias
    points: Doubles  # [A, R + 1]
    losses: Doubles  # [A], with the penalty
    gradients: Doubles  # [A, R + 1]
    diagonals: Doubles  # [A, R + 1], of the Hessian
    curvatures: Floats  # [A, N], of each picture's loss

    def some(self, chosen: NDArray[np.bool_]) -> _State:
        """The problems that are `chosen` [A]."""
        return _State(**{name: getattr(self, name)[chosen] for name in _State.__slots__})

    def distances(self) -> Doubles:
        """How far from the minimum each is, in nats, as the diagonal tells, [A]."""
        return np.asarray(0.5 * (np.square(self.gradients) / self.diagonals).sum(axis=1))


class LogisticRegressions:
    """P problems over the same pictures that differ in what each picture is and how much it counts."""

    def __init__(self, coordinates: Turned, signed: Floats, threads: ThreadPoolExecutor) -> None:
        """`coordinates` [N, R + 1] as a Basis gives; `signed` [P, N]: how much each picture counts, below 0 against.

        0 is a picture that counts neither way. Every problem needs pictures on both sides.
        """
        self._coordinates, self._threads = coordinates, threads
        totals = np.abs(signed).sum(axis=1, keepdims=True, dtype=np.float64)
        self._signed: Floats = (signed / totals).astype(np.float32)

    def minimise(self, strengths: Doubles, *, tolerance: float, start: Doubles | None = None) -> LogisticSolution:
        """Minimise weighted mean log loss + strength / 2 x sum of squared weights, each problem for itself.

        `strengths` is [P]; the bias is not penalised. Newton's method with conjugate gradients (Dembo and Steihaug 1983,
        Mathematical Programming 26:190-212), preconditioned by the Hessian's diagonal; losses and gradients in double,
        the products with the Hessian in single precision. A problem ends when half its squared gradient in these units
        is at most `tolerance`: an estimate of the distance to the minimum in nats.
        """
        points = self._start() if start is None else start.copy()
        penalties = np.repeat(strengths[:, None], points.shape[1], axis=1)
        penalties[:, -1] = 0.0
        state = self._evaluate(np.arange(len(points)), points, self._signed, penalties)
        converged = np.zeros(len(points), dtype=np.bool_)
        for rounds in range(_MOST_ROUNDS + 1):
            distances = state.distances()
            converged[state.numbers] = distances <= tolerance
            if (distances <= tolerance).any():
                state, distances = state.some(distances > tolerance), distances[distances > tolerance]
            if not len(distances) or rounds == _MOST_ROUNDS:
                break
            steps = self._solve(state, np.clip(np.sqrt(distances), _TIGHTEST, _LOOSEST), tolerance)
            moved = self._search(state, steps)
            points[state.numbers] = state.points
            state = state if moved.all() else state.some(moved)
        return LogisticSolution(parameters=points, converged=converged, rounds=rounds)

    def _start(self) -> Doubles:
        """No weights, and the bias that gives the share of pictures that count for."""
        points = np.zeros((len(self._signed), self._coordinates.shape[1]))
        shares = np.maximum(self._signed, 0).sum(axis=1, dtype=np.float64)
        points[:, -1] = np.log(shares / (1 - shares))
        return points

    def _evaluate(self, numbers: NDArray[np.int64], points: Doubles, signed: Floats, penalties: Doubles) -> _State:
        """Loss, gradient and curvature of some problems at `points` [A, R + 1]."""
        curvatures = np.empty_like(signed)

        def piece(rows: slice) -> tuple[NDArray[np.floating[Any]], ...]:
            single = self._coordinates[rows]
            some = single.astype(np.float64)
            weights = signed[:, rows]
            margins = (points @ some.T) * np.sign(weights)
            small = np.exp(-np.abs(margins))
            losses = np.abs(weights) * (np.maximum(-margins, 0) + np.log1p(small))
            wrong = np.where(margins < 0, 1.0, small) / (1 + small)  # the probability of what the picture is not
            curvatures[:, rows] = np.abs(weights) * wrong * (1 - wrong)
            slopes = -(weights * wrong) @ some
            return losses.sum(axis=1), slopes, curvatures[:, rows] @ np.square(single)

        losses, gradients, diagonals = sum_over_rows(self._threads, len(self._coordinates), piece)
        return _State(
            numbers=numbers,
            signed=signed,
            penalties=penalties,
            points=points.copy(),
            losses=losses + 0.5 * (penalties * np.square(points)).sum(axis=1),
            gradients=gradients + penalties * points,
            # Where all pictures are told apart for sure, the curvature of the bias could vanish.
            diagonals=np.maximum(diagonals + penalties, np.finfo(np.float64).tiny),
            curvatures=curvatures,
        )

    def _solve(self, state: _State, looseness: Doubles, tolerance: float) -> Doubles:
        """Newton's steps [A, R + 1]: their equations solved until the residual is `looseness` [A] of the gradient.

        Or until it is what would be left of the gradient at half the tolerance, were the loss a parabola.
        """
        steps = np.zeros_like(state.gradients)
        residual, diagonals = -state.gradients, state.diagonals
        curvatures, penalties, numbers = state.curvatures, state.penalties, np.arange(len(steps))
        search = residual / diagonals
        size = (residual * search).sum(axis=1)
        target = np.maximum(np.square(looseness) * size, tolerance)
        for _ in range(_MOST_PRODUCTS):
            curved = self._times_hessian(search, curvatures) + penalties * search
            length = size / (search * curved).sum(axis=1)
            steps[numbers] += length[:, None] * search
            residual = residual - length[:, None] * curved
            left = residual / diagonals
            after = (residual * left).sum(axis=1)
            search = left + (after / size)[:, None] * search
            size, wanting = after, after > target
            if not wanting.all():
                numbers, residual, search, diagonals = (
                    numbers[wanting],
                    residual[wanting],
                    search[wanting],
                    diagonals[wanting],
                )
                size, target, curvatures, penalties = (
                    size[wanting],
                    target[wanting],
                    curvatures[wanting],
                    penalties[wanting],
                )
            if not len(numbers):
                break
        return steps

    def _times_hessian(self, vectors: Doubles, curvatures: Floats) -> Doubles:
        """The Hessians of the log losses times `vectors` [A, R + 1]."""
        rounded = vectors.astype(np.float32)

        def piece(rows: slice) -> tuple[NDArray[np.floating[Any]], ...]:
            some = self._coordinates[rows]
            along = rounded @ some.T
            along *= curvatures[:, rows]
            return (along @ some,)

        return sum_over_rows(self._threads, len(self._coordinates), piece)[0]

    def _search(self, state: _State, steps: Doubles) -> NDArray[np.bool_]:
        """Go as far along `steps` as the loss falls, halving; writes to `state` and says which moved, [A]."""
        before, slopes = state.points.copy(), (state.gradients * steps).sum(axis=1)
        allowed, waiting, length = state.losses.copy(), np.arange(len(steps)), 1.0
        for _ in range(_HALVINGS):
            tried = self._evaluate(
                state.numbers[waiting],
                before[waiting] + length * steps[waiting],
                state.signed[waiting],
                state.penalties[waiting],
            )
            fine = tried.losses <= allowed[waiting] + _SUFFICIENT * length * slopes[waiting] + _ROUNDING
            for name in ("points", "losses", "gradients", "diagonals", "curvatures"):
                getattr(state, name)[waiting[fine]] = getattr(tried, name)[fine]
            waiting, length = waiting[~fine], length / 2
            if not len(waiting):
                break
        moved = np.ones(len(steps), dtype=np.bool_)
        moved[waiting] = False
        return moved
