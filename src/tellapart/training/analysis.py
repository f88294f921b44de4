"""Means of classes and covariances, and the linear classifiers they give. In: vectors [N, D]. Out: scores. Next: discriminant.py.

Shapes: N pictures, of which n are counted, D features, K classes.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.half_rows import Rows
from tellapart.training.standardising import standardisation
from tellapart.training.strips import sum_over_rows

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

Covariance = Literal["within", "total"]  # within the classes, or of all pictures


class Analysis:
    """Means and covariances of labelled vectors, each covariance turned so that it is a diagonal."""

    def __init__(
        self,
        vectors: Rows,
        labels: Integers,
        weights: Floats,
        rows: Integers,
        class_count: int,
        threads: ThreadPoolExecutor,
    ) -> None:
        """`vectors` [N, D], of which a block or a class is read at a time, `labels` [N], `rows` [n]: those that count, at least
        one of each class.

        `weights` [N] >= 0 say how frequent the classes are, and nothing else.
        """
        counted = np.zeros((1, len(vectors)), dtype=np.bool_)
        counted[0, rows] = True
        mean, scale = (row[0] for row in standardisation(vectors, counted, threads))
        self.class_count = class_count
        self._mean, self._scale = mean.astype(np.float32), scale.astype(np.float32)
        self._means = self._class_means(vectors, labels, rows)  # [K, D], standardised
        freedom = len(rows) - class_count  # pictures beside the one of each class that makes its mean
        self.covariances: tuple[Covariance, ...] = ("total", "within") if freedom >= class_count else ("total",)
        self._turned = {kind: self._turn(kind, vectors, labels, rows, threads) for kind in self.covariances}
        shares = np.bincount(labels[rows], weights=weights[rows], minlength=class_count)
        self.logarithms: Floats = np.log(shares / shares.sum()).astype(np.float32)  # of the classes' frequencies, [K]

    def scores(self, vectors: Floats, covariance: Covariance, shrinkage: float, threads: ThreadPoolExecutor) -> Floats:
        """Logits [n, K] of raw vectors [n, D], before they are scaled, without the frequencies of the classes."""
        directions, along, shrunk = self._shrunk(covariance, shrinkage)
        slopes, offsets = (along / shrunk).T, 0.5 * (np.square(along) / shrunk).sum(axis=1)
        scores = np.empty((len(vectors), self.class_count), dtype=np.float32)

        def piece(rows: slice) -> tuple[Floats, ...]:
            scores[rows] = (self._standardised(vectors[rows]) @ directions) @ slopes - offsets
            return ()

        sum_over_rows(threads, len(vectors), piece)
        return scores

    def solve(self, covariance: Covariance, shrinkage: float, scale: float) -> tuple[Floats, Floats]:
        """The classifier on raw vectors, with the frequencies of the classes: weight [K, D] and bias [K]."""
        directions, along, shrunk = self._shrunk(covariance, shrinkage)
        slopes = along / shrunk
        offsets = self.logarithms - 0.5 * scale * (slopes * along).sum(axis=1)
        weight = (np.float32(scale) * (slopes @ directions.T)) * self._scale
        return weight, (offsets - weight @ self._mean).astype(np.float32)

    def _standardised(self, vectors: Floats) -> Floats:
        standardised: Floats = (vectors - self._mean) * self._scale
        return standardised

    def _class_means(self, vectors: Rows, labels: Integers, rows: Integers) -> Floats:
        """One class after another, so that no copy of all vectors is made."""
        ordered = rows[np.argsort(labels[rows], kind="stable")]
        edges = np.cumsum(np.bincount(labels[rows], minlength=self.class_count))[:-1]
        return self._standardised(np.stack([vectors[own].mean(axis=0) for own in np.split(ordered, edges)]))

    def _turn(
        self, kind: Covariance, vectors: Rows, labels: Integers, rows: Integers, threads: ThreadPoolExecutor
    ) -> tuple[Floats, Floats, Floats]:
        """Variances [D] and directions [D, D] of a covariance, and the means along these [K, D]."""

        def products(part: slice) -> tuple[Floats, ...]:
            apart = self._standardised(vectors[rows[part]])
            if kind == "within":
                apart -= self._means[labels[rows[part]]]
            return (apart.T @ apart,)

        (scatter,) = sum_over_rows(threads, len(rows), products)
        freedom = len(rows) - (self.class_count if kind == "within" else 1)
        variances, directions = np.linalg.eigh((scatter / freedom).astype(np.float32))
        return np.maximum(variances, 0), directions, self._means @ directions

    def _shrunk(self, covariance: Covariance, shrinkage: float) -> tuple[Floats, Floats, Floats]:
        """Directions [D, D], the means along them [K, D], and the shrunk variances [D]."""
        variances, directions, along = self._turned[covariance]
        level = float(variances.mean()) or 1.0  # of pictures that are all alike
        shrunk: Floats = variances + np.float32(shrinkage * level)
        return directions, along, shrunk
