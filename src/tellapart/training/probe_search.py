"""Tries strengths and weighings on pictures that are held out. In: ProbeFolds. Out: losses, fits. Next: softmax_regression.py.

N pictures, F folds, K classes, D numbers that count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.half_rows import Rows, from_column
from tellapart.training.folds import choose_rows
from tellapart.training.softmax_regression import Doubles, Floats, Integers, SoftmaxRegression
from tellapart.training.strengths import SEARCH_TOLERANCE, try_strengths
from tellapart.training.weighing import (
    FEW_ROWS,
    POWERS,
    WEAKEST,
    Layers,
    Weighed,
    Weighing,
    choose_weighing,
    losses_by_strength,
    turned,
    weakest,
)


@dataclass(frozen=True, slots=True, eq=False)
class ProbeFolds:
    """Pictures that choose, and which of them each fold holds out."""

    vectors: Rows  # [N, D] of all layers
    labels: Integers  # [N] in 0..K-1
    weights: Floats  # [N], how much each counts
    held_out: NDArray[np.bool_]  # [F, N]

    def of(self, rows: NDArray[np.integer]) -> ProbeFolds:
        """The pictures `rows` [n], in the same folds."""
        return ProbeFolds(self.vectors[rows], self.labels[rows], self.weights[rows], self.held_out[:, rows])

    @property
    def fitted(self) -> Floats:
        """How much each picture counts in each fold's fit, [F, N]."""
        return self.weights * ~self.held_out

    @property
    def scored(self) -> Floats:
        """How much each picture counts where its fold is scored, [F, N]."""
        return self.weights * self.held_out


class _Fits:
    """The classifiers of all folds' rests, of one strength after the other."""

    def __init__(self, regression: SoftmaxRegression, scored: Floats) -> None:
        self._regression, self._scored = regression, scored
        self._parameters: Doubles | None = None
        self._least = np.inf
        self.best: Doubles | None = None  # [F, K, D + 1], of the strength with the least mean loss

    def _fit(self, strength: float, cold: bool) -> Doubles:
        """The weights [F, K, D + 1]; the fit starts from the last one, unless it is `cold`."""
        start = None if cold else self._parameters
        solution = self._regression.minimise(strength, tolerance=SEARCH_TOLERANCE, start=start)
        self._parameters = solution.parameters
        return solution.parameters

    def mean_loss(self, strength: float, cold: bool) -> float:
        """Mean log loss of the held-out pictures in nats."""
        parameters = self._fit(strength, cold)
        loss = self._regression.mean_loss(parameters, self._scored)
        if loss < self._least:
            self._least, self.best = loss, parameters
        return loss

    def losses(self, strength: float, cold: bool) -> Doubles:
        """Log loss in nats of each picture [N], few of them, as its fold's fit scores it."""
        return self._regression.losses(self._fit(strength, cold), self._scored)


class ProbeSearch:
    """Tries strengths on held-out folds and keeps the best one's weights as a start for the last fit."""

    def __init__(
        self, *, class_count: int, threads: ThreadPoolExecutor, layers: Layers, advance: Callable[[int], None]
    ) -> None:
        self._class_count, self._threads, self._layers, self._advance = class_count, threads, layers, advance
        self.trials: dict[float, float] = {}
        self.best: Doubles | None = None  # [1, K, D + 1], the mean over the folds
        # [N, K], logits by the best one's fits; NaN where no fold held a picture out
        self.held_out: Floats | None = None
        self.covariance: Floats | None = None

    def run(self, pictures: ProbeFolds, weighed: Weighed) -> None:
        """Try the strengths of `weighed`, from strong to weak, and beyond."""
        regression = self.regression(pictures.vectors, pictures.labels, pictures.fitted, weighed.weighing)
        self.covariance = regression.covariance
        fits = _Fits(regression, pictures.scored)
        self.trials = try_strengths(fits.mean_loss, weighed.path, self._advance, weakest=weakest(weighed.weighing))
        if fits.best is None:
            return
        self.best = fits.best.mean(axis=0, keepdims=True)
        counted = from_column(pictures.vectors, self._layers.first(weighed.weighing))
        self.held_out = np.full((len(pictures.labels), self._class_count), np.nan, dtype=np.float32)
        for out, slopes, offsets in zip(pictures.held_out, *regression.raw(fits.best), strict=True):
            self.held_out[out] = counted[out] @ slopes.T + offsets

    def weigh(self, pictures: ProbeFolds, path: Sequence[float], weighings: Sequence[Weighing]) -> Weighed:
        """Choose among `weighings` by some of the pictures."""
        few = pictures.of(choose_rows(pictures.labels, self._class_count, np.random.default_rng(0), most=FEW_ROWS))

        def try_one(weighing: Weighing, strengths: Sequence[float]) -> Mapping[float, Doubles]:
            regression = SoftmaxRegression(
                turned(np.asarray(few.vectors), self._layers, weighing, self._threads),
                few.labels,
                few.fitted,
                class_count=self._class_count,
                threads=self._threads,
                standard=True,
            )
            return losses_by_strength(_Fits(regression, few.scored).losses, strengths, self._advance, weakest=WEAKEST)

        return choose_weighing(try_one, weighings, path)

    def regression(self, vectors: Rows, labels: Integers, weights: Floats, weighing: Weighing) -> SoftmaxRegression:
        """The problems of some pictures, `weights` [F, N], on the numbers that count."""
        return SoftmaxRegression(
            self._layers.chosen(vectors, weighing),
            labels,
            weights,
            class_count=self._class_count,
            threads=self._threads,
            covariance=self.covariance,
            blocks=self._layers.counted(weighing),
            power=POWERS[weighing],
        )
