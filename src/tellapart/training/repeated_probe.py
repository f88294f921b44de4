"""The probe with many settings on the same features. In: vectors [N, D], labels [N]. Out: weights, biases. Next: probe.py.

What does not depend on the settings is done once: the features of each weighing are turned so that they do not correlate, which
changes no answer and makes every step of a fit quick. A fit begins at one with ten times the penalty or less, always the same one,
so that what it gives does not depend on what was asked before.

Shapes: N pictures, D features, K classes, R directions in which the pictures differ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.training.logistic_regression import Basis, find_basis
from tellapart.training.probe import check_vectors, picture_weights
from tellapart.training.softmax_regression import Doubles, Floats, Integers, SoftmaxRegression
from tellapart.training.strips import worker_threads
from tellapart.training.weighing import POWERS, Layers, Weighing

_TOLERANCE = 3e-6  # nats; see SoftmaxRegression.minimise
_FIRST = 0  # of the powers of ten at which fits are kept to begin others from; above it a fit begins at nothing

ClassWeights = Literal["none", "balanced"]


class RepeatedProbe:
    """Softmax regression on the same pictures, over and over."""

    def __init__(
        self, vectors: Floats, labels: NDArray[np.integer], *, class_count: int, stages: Sequence[int] = ()
    ) -> None:
        """`vectors` is float32 [N, D], `labels` [N] in 0..K-1; `stages` as for `fit_probe`. Raises: DataError, as that does."""
        self._vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        self._labels: Integers = np.asarray(labels, dtype=np.int64)
        check_vectors(self._vectors, self._labels, class_count)
        self._layers = Layers((*stages, self._vectors.shape[1] - sum(stages)))
        self._classes, self._staged = class_count, bool(stages)
        self._turned: dict[Weighing, tuple[Basis, Floats]] = {}
        self._kept: dict[tuple[Weighing, ClassWeights, int], Doubles] = {}

    def fit(
        self, *, strength: float, weighing: Weighing = "last", class_weights: ClassWeights = "none"
    ) -> tuple[Floats, Floats]:
        """Weights [K, D] and biases [K] on raw vectors, as `fit_probe` finds them with this strength and weighing alone."""
        weighing = weighing if self._staged else "last"
        with worker_threads() as threads:
            if weighing not in self._turned:
                chosen = self._layers.chosen(self._vectors, weighing)
                basis = find_basis(chosen, threads, blocks=self._layers.counted(weighing), power=POWERS[weighing])
                self._turned[weighing] = basis, np.ascontiguousarray(basis.coordinates(chosen, threads)[:, :-1])
            basis, coordinates = self._turned[weighing]
            regression = SoftmaxRegression(
                coordinates,
                self._labels,
                picture_weights(self._labels, self._classes, class_weights)[None],
                class_count=self._classes,
                threads=threads,
                covariance=np.square(coordinates).mean(axis=0),
                standard=True,
            )
            start = self._start(regression, strength, weighing, class_weights)
            found = regression.minimise(strength, tolerance=_TOLERANCE, start=start).parameters
        slopes, biases = basis.raw(found[0])
        return self._layers.whole(slopes, weighing), biases.astype(np.float32)

    def _start(
        self, regression: SoftmaxRegression, strength: float, weighing: Weighing, class_weights: ClassWeights
    ) -> Doubles | None:
        """Parameters [1, K, R + 1] of the fit at the next power of ten above the strength; None where there is none to begin at."""
        start = None
        for power in range(_FIRST, math.floor(math.log10(strength)), -1):
            key = (weighing, class_weights, power)
            if key not in self._kept:
                self._kept[key] = regression.minimise(10.0**power, tolerance=_TOLERANCE, start=start).parameters
            start = self._kept[key]
        return start
