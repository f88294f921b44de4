"""Tries strengths and weighings on cells that are held out. In: LabelFolds. Out: losses, logits. Next: logistic_regression.py.

N pictures, K classes, F folds; a problem, P of them, is one class on the rest of one fold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.training.logistic_regression import Doubles, Floats, LogisticRegressions, sum_of_losses
from tellapart.training.multilabel_folds import sides
from tellapart.training.weighing import (
    FEW_ROWS,
    Layers,
    Weighed,
    Weighing,
    choose_weighing,
    losses_by_strength,
    turned,
    weakest,
)

_SEARCH_TOLERANCE = 1e-5  # nats; at ten times as much the held-out loss is off by up to a third of a percent
_CELLS_AT_ONCE = 20_000_000  # problems x pictures that are solved together; 80 MB an array


@dataclass(frozen=True, slots=True, eq=False)
class LabelFolds:
    """What is known of the pictures that choose, and which of them each fold holds out."""

    targets: NDArray[np.floating]  # [N, K] in {0, 1, NaN}
    signed: Floats  # [K, N], how much a picture counts for a class, and below 0 against it; 0 where it is not known
    held_out: NDArray[np.bool_]  # [F, N]

    def of(self, rows: NDArray[np.integer]) -> LabelFolds:
        """The pictures `rows` [n], in the same folds."""
        return LabelFolds(self.targets[rows], self.signed[:, rows], self.held_out[:, rows])

    @property
    def taught(self) -> NDArray[np.bool_]:
        """Which classes the rest of each fold can teach, [F, K]."""
        return sides(self.targets, ~self.held_out)


class LabelsSearch:
    """Fits all classes on the rest of each fold and scores them on the fold, one strength after the other."""

    def __init__(self, coordinates: Floats, folds: LabelFolds, threads: ThreadPoolExecutor) -> None:
        """`coordinates` [N, R + 1]; a problem is a fold and a class that its rest can teach."""
        self._coordinates, self._threads = coordinates, threads
        self._signed, self._held_out = folds.signed, folds.held_out
        self._folds, self._classes = np.nonzero(folds.taught)
        known = np.abs(self._signed)[self._classes] * self._held_out[self._folds]
        self._weight = float(known.sum(dtype=np.float64))
        self._parameters: Doubles = np.zeros(0)  # [P, R + 1], as the last trial left them
        self._least, self._best = np.inf, np.zeros((len(self._folds), coordinates.shape[1]))

    @property
    def possible(self) -> bool:
        """Whether there is anything to score."""
        return self._weight > 0

    def held_out_loss(self, strength: float, cold: bool) -> float:
        """Mean log loss of a held-out cell in nats; the best strength's fits are kept."""
        loss = float(self.held_out_losses(strength, cold).mean())
        if loss < self._least:
            self._least, self._best = loss, self._parameters
        return loss

    def held_out_losses(self, strength: float, cold: bool) -> Doubles:
        """What each problem has of that mean, [P], times P; the fit starts from the last one, unless it is `cold`."""
        before, parts, losses = None if cold else self._parameters, [], []
        for problems in shares(len(self._folds), len(self._coordinates)):
            signed, held_out = self._signed[self._classes[problems]], self._held_out[self._folds[problems]]
            solution = LogisticRegressions(self._coordinates, signed * ~held_out, self._threads).minimise(
                np.full(len(signed), strength),
                tolerance=_SEARCH_TOLERANCE,
                start=None if before is None else before[problems],
            )
            parts.append(solution.parameters)
            scored = sum_of_losses(self._coordinates, signed * held_out, solution.parameters, self._threads)
            losses.append(scored)
        self._parameters = np.concatenate(parts)
        return np.asarray(np.concatenate(losses) * (len(self._folds) / self._weight))

    def logits(self, rows: NDArray[np.int64], count: int) -> Floats:
        """What the best strength's fits say of what they were not fitted on, [count, K]; these pictures are `rows` [N] of all.

        NaN for other pictures, for those that no fold held out, and for a class that a fold's rest cannot teach.
        """
        found = np.full((count, len(self._signed)), np.nan, dtype=np.float32)
        for fold, number, parameters in zip(self._folds, self._classes, self._best, strict=True):
            out = self._held_out[fold]
            found[rows[out], number] = self._coordinates[out] @ parameters
        return found


def weigh_labels(
    vectors: Floats,
    folds: LabelFolds,
    layers: Layers,
    weighings: Sequence[Weighing],
    path: Sequence[float],
    threads: ThreadPoolExecutor,
) -> Weighed:
    """Choose among `weighings` by at most 1,000 of the pictures, evenly spread; `vectors` is [N, D] of all layers."""
    rows = np.linspace(0, len(vectors) - 1, min(len(vectors), FEW_ROWS)).astype(np.int64)
    few = folds.of(rows)
    if not few.taught.any():
        return Weighed(weighing=weighings[0], path=tuple(path), trials={})

    def try_one(weighing: Weighing, strengths: Sequence[float]) -> Mapping[float, Doubles]:
        numbers = turned(vectors[rows], layers, weighing, threads)
        coordinates = np.hstack([numbers, np.ones((len(rows), 1), dtype=np.float32)])
        search = LabelsSearch(coordinates, few, threads)
        return losses_by_strength(search.held_out_losses, strengths, _ignore, weakest=weakest(weighing))

    return choose_weighing(try_one, weighings, path)


def shares(problems: int, pictures: int) -> Iterator[slice]:
    """As many problems at a time as memory should hold."""
    step = max(1, _CELLS_AT_ONCE // pictures)
    for start in range(0, problems, step):
        yield slice(start, min(start + step, problems))


def _ignore(_: int) -> None:
    return None
