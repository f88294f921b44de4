"""How unlike the training pictures a picture is. In: training embeddings, labels. Out: Novelty. Next: leading.py.

The score is the distance to the nearest class in units of how far the training pictures of a class lie apart: Lee et al.
2018, arXiv 1807.03888, eq. 2 (Mahalanobis, one covariance for all classes), with embeddings scaled to length one and the
covariance reduced to its leading directions and one variance for all others, as in probabilistic principal components
(Tipping and Bishop 1999, JRSS B 61:611-622, eq. 8). What it was chosen against is in docs/results.md.

Shapes: N pictures, D length of an embedding, R leading directions, K classes that have training pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.leading import leading_eigenvectors
from tellapart.threads import one_thread_a_product

FIT_PICTURES = 2_000  # more change nothing that can be seen, and a network that was just trained must embed them first
_DIRECTIONS = 64
_PICTURES_A_DIRECTION = 3  # with fewer a direction fits the training pictures alone
# A network that maps its classes to single points leaves no variance to measure by; then rounding to 32 bits would pass
# for a distance.
_LEAST_SHARE = 0.1  # of the mean variance
_LEAST_TOTAL = 1e-3  # of the variances along all directions, of vectors of length one
_LEAST_LENGTH = 1e-6  # of an embedding; one of zeros stays zeros

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Novelty:
    """The fitted score. Typical pictures score about 1 or less; there is no upper limit."""

    centre: Floats  # [D], mean of the scaled embeddings
    directions: Floats  # [D, R], orthonormal columns
    scales: Floats  # [R], one over the deviation within classes along each direction, divided by the root of D
    means: Floats  # [K, R], of the classes, along the directions and scaled like them
    residual_scale: float  # one over the variance along all other directions, divided by D

    def score(self, embeddings: NDArray[np.floating]) -> Floats:
        """The novelty [N] of embeddings [N, D], as model.onnx computes it; of longer ones, their last D numbers'."""
        embeddings = embeddings[:, embeddings.shape[1] - len(self.centre) :]
        lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
        centred_ND = (embeddings / np.maximum(lengths, _LEAST_LENGTH)).astype(np.float32) - self.centre
        along_NR = centred_ND @ self.directions
        beside_N = np.maximum(np.square(centred_ND).sum(axis=1) - np.square(along_NR).sum(axis=1), 0)
        scaled_NR = along_NR * self.scales
        to_means_NK = np.square(self.means).sum(axis=1) - 2 * (scaled_NR @ self.means.T)
        distances_N = np.maximum(np.square(scaled_NR).sum(axis=1) + to_means_NK.min(axis=1), 0)
        return np.asarray(distances_N + self.residual_scale * beside_N, dtype=np.float32)

    def arrays(self) -> Mapping[str, Floats]:
        """What the graph of model.onnx needs, by name: the arrays above, and the two numbers as [1]."""
        return {
            "least_length": np.array([_LEAST_LENGTH], dtype=np.float32),
            "centre": self.centre,
            "directions": self.directions,
            "scales": self.scales,
            "means": self.means,
            "residual_scale": np.array([self.residual_scale], dtype=np.float32),
        }


def choose_pictures(labels: NDArray[np.integer], *, most: int = FIT_PICTURES, seed: int) -> NDArray[np.int64]:
    """Positions in `labels` [N] of at most `most` pictures to fit on, in order, as evenly over classes as can be."""
    if len(labels) <= most:
        return np.arange(len(labels))
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    counts = np.bincount(labels)
    turn = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)  # how many of its class come before
    return np.sort(by_class[np.argsort(turn, kind="stable")[:most]])


def fit_novelty(embeddings: NDArray[np.floating], labels: NDArray[np.integer]) -> Novelty:
    """Fit the score on training pictures: `embeddings` [N, D], `labels` [N]; N must not be 0."""
    with one_thread_a_product():
        return _fit(np.asarray(embeddings, dtype=np.float64), labels)


def _fit(exact: NDArray[np.float64], labels: NDArray[np.integer]) -> Novelty:
    scaled = exact / np.maximum(np.linalg.norm(exact, axis=1, keepdims=True), _LEAST_LENGTH)
    count, length = scaled.shape
    centre = scaled.mean(axis=0)
    centred = scaled - centre
    total = float(np.square(centred).sum()) / max(count - 1, 1)
    wanted = directions_for(count, length)
    directions, variances = _leading(centred, wanted)
    left = total - float(variances.sum())
    beside = max(left / max(length - wanted, 1), _LEAST_SHARE * total / length, _LEAST_TOTAL / length)
    turned, within, means = _within_classes(centred @ directions, labels)
    deviations = np.sqrt(np.maximum(within, beside) * length)
    return Novelty(
        centre=centre.astype(np.float32),
        directions=(directions @ turned).astype(np.float32),
        scales=(1 / deviations).astype(np.float32),
        means=(means / deviations).astype(np.float32),
        residual_scale=1 / (beside * length),
    )


def directions_for(pictures: int, length: int) -> int:
    """How many directions are told apart in embeddings of `length` numbers, from so many pictures."""
    return max(1, min(_DIRECTIONS, length - 1, pictures // _PICTURES_A_DIRECTION))


def _leading(centred: NDArray[np.float64], wanted: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The `wanted` directions [D, R] along which rows [N, D] spread most, and their variances [R], the least first."""
    count, length = centred.shape
    freedom = max(count - 1, 1)
    if length <= count:
        values, vectors = leading_eigenvectors(centred.T @ centred, wanted)
        return vectors, np.maximum(values, 0) / freedom
    # Fewer pictures than entries: the products of pictures have the same largest eigenvalues, and are a smaller matrix.
    values, vectors = leading_eigenvectors(centred @ centred.T, wanted)
    return np.linalg.qr(centred.T @ vectors)[0], np.maximum(values, 0) / freedom


def _within_classes(
    along: NDArray[np.float64], labels: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Turn coordinates [N, R] so that they do not correlate within classes: the turn [R, R], variances [R], means [K, R]."""
    names, numbers = np.unique(labels, return_inverse=True)
    means = np.zeros((len(names), along.shape[1]))
    np.add.at(means, numbers, along)
    means /= np.bincount(numbers)[:, None]
    within = along - means[numbers]
    variances, turned = np.linalg.eigh(within.T @ within / max(len(along) - len(names), 1))
    return turned, variances, means @ turned
