"""Which pictures a person should label next. In: embeddings, probabilities. Out: rows in order. Next: workflows/next_pictures.py.

Shapes: N pictures without a label, M with one, D embedding, K classes. Embeddings have length 1 here, so that a distance is one of
angles. Every strategy is a plain function, and gives the rows of at most `count` pictures, the first to label first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

_BLOCK = 4_096  # pictures compared at once
_NEAREST = 20  # TypiClust's neighbours
_MOST_CLUSTERS = 500  # TypiClust's bound
_SMALLEST = 5  # pictures of a cluster that TypiClust still draws from
_MOST_EXACT = 20_000  # pictures up to which k-means looks at all of them in every step


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pool:
    """The pictures to choose from, and those that are known."""

    embeddings: NDArray[np.float32]  # [N, D]
    known: NDArray[np.float32]  # [M, D], of the pictures that have a label
    probabilities: NDArray[np.float64] | None = None  # [N, K]; None where the answers are none of classes
    sets: bool = False  # whether a picture may have several classes, each with a probability of its own


Strategy: TypeAlias = Callable[[Pool, int, np.random.Generator], NDArray[np.int64]]


def margin(pool: Pool, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """The smallest lead of the first class over the second. Source: Scheffer et al. 2001.

    Of a set of classes: the class nearest to a probability of one half.
    """
    figures = _probabilities(pool)
    if pool.sets:
        lead = np.abs(2 * figures - 1).min(axis=1)
    else:
        ordered = np.sort(figures, axis=1)
        lead = ordered[:, -1] - ordered[:, -2]
    return _lowest(lead, count)


def entropy(pool: Pool, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """The largest entropy of the probabilities; of a set of classes the sum over them. Source: Shannon 1948."""
    figures = _probabilities(pool)
    found = -_times_log(figures)
    if pool.sets:
        found -= _times_log(1 - figures)
    return _lowest(-found.sum(axis=1), count)


def coreset(pool: Pool, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Always the picture that is farthest from all that are known or chosen.

    Source: the greedy k-centre of Sener and Savarese 2018, arXiv 1708.00489, algorithm 1.
    """
    vectors = _unit(pool.embeddings)
    apart = _squares_to(vectors, _unit(pool.known))
    chosen: list[int] = []
    for _ in range(min(count, len(vectors))):
        row = int(np.argmax(apart)) if np.isfinite(apart).all() else _most_central(vectors)
        chosen.append(row)
        apart = np.minimum(apart, _squares(vectors, vectors[row]))
        apart[chosen] = -1.0
    return np.array(chosen, dtype=np.int64)


def badge(pool: Pool, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Large and different gradients of the last layer, drawn as k-means++ draws its centres.

    The gradient for the class that is told now is an outer product of what the probabilities are off by and the embedding; its
    distances follow from theirs. Source: Ash et al. 2020, arXiv 1906.03671, algorithm 1.
    """
    figures = _probabilities(pool)
    vectors = _unit(pool.embeddings)
    told = figures >= 0.5 if pool.sets else np.arange(figures.shape[1]) == figures.argmax(axis=1)[:, None]
    off = (figures - told).astype(np.float32)
    sizes = (off**2).sum(axis=1)
    chosen = [int(np.argmax(sizes))] if len(sizes) and count else []
    apart = np.full(len(vectors), np.inf)
    while 0 < len(chosen) < min(count, len(vectors)):
        row = chosen[-1]
        products = (off @ off[row]) * (vectors @ vectors[row])
        apart = np.minimum(apart, np.maximum(0.0, sizes + sizes[row] - 2 * products))
        apart[chosen] = 0.0
        total = apart.sum(dtype=np.float64)
        if total <= 0:  # all that are left are as one of those chosen
            rest = np.setdiff1d(np.arange(len(vectors)), chosen)
            chosen += generator.permutation(rest)[: count - len(chosen)].tolist()
            break
        chosen.append(int(generator.choice(len(vectors), p=apart / total)))
    return np.array(chosen, dtype=np.int64)


def typiclust(pool: Pool, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """The most typical pictures of the largest groups in which nothing is known yet.

    Typical is who is near to its 20 nearest in its group. Source: Hacohen et al. 2022, arXiv 2202.02794, algorithm 1.
    """
    vectors, known = _unit(pool.embeddings), _unit(pool.known)
    clusters = min(len(known) + count, _MOST_CLUSTERS, len(vectors) + len(known))
    if not count or not len(vectors):
        return np.zeros(0, dtype=np.int64)
    member = _cluster(np.concatenate([vectors, known]), clusters, seed=int(generator.integers(2**31)))
    held = np.bincount(member[len(vectors) :], minlength=clusters)
    rows_of = [np.flatnonzero(member[: len(vectors)] == number) for number in range(clusters)]
    order_of = [rows[_by_typicality(vectors[rows])].tolist() for rows in rows_of]
    sizes = np.array([len(rows) for rows in rows_of])
    chosen: list[int] = []
    while len(chosen) < min(count, len(vectors)):
        # Groups that hold fewer known pictures come first, the larger before the smaller; tiny ones when no other is left.
        left = [number for number in range(clusters) if order_of[number]]
        number = min(left, key=lambda one: (sizes[one] < _SMALLEST, held[one], -sizes[one], one))
        chosen.append(order_of[number].pop(0))
        held[number] += 1
    return np.array(chosen, dtype=np.int64)


def by_chance(pool: Pool, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Any of them, as a person would who just begins: what the others must be better than."""
    return generator.permutation(len(pool.embeddings))[:count].astype(np.int64)


STRATEGIES: Mapping[str, Strategy] = MappingProxyType(
    {
        "margin": margin,
        "entropy": entropy,
        "coreset": coreset,
        "badge": badge,
        "typiclust": typiclust,
        "random": by_chance,
    }
)
OF_PROBABILITIES = ("margin", "entropy", "badge")  # those that cannot do without


def _probabilities(pool: Pool) -> NDArray[np.float64]:
    if pool.probabilities is None:
        raise ValueError("this strategy needs probabilities of classes")
    return pool.probabilities


def _lowest(values: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    return np.argsort(values, kind="stable")[:count]


def _times_log(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values * np.log(np.maximum(values, 1e-300))


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return unit


def _squares(vectors: NDArray[np.float32], one: NDArray[np.float32]) -> NDArray[np.float64]:
    """Squared distances [N] of unit vectors [N, D] from one of them [D]."""
    return np.maximum(0.0, 2.0 - 2.0 * (vectors @ one).astype(np.float64))


def _squares_to(vectors: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of each vector [N, D] the squared distance from the nearest of the others [M, D]; infinity where there are none."""
    found = np.full(len(vectors), np.inf)
    for start in range(0, len(others), _BLOCK):
        products = vectors @ others[start : start + _BLOCK].T
        found = np.minimum(found, np.maximum(0.0, 2.0 - 2.0 * products.max(axis=1).astype(np.float64)))
    return found


def _most_central(vectors: NDArray[np.float32]) -> int:
    return int(np.argmax(vectors @ vectors.mean(axis=0)))


def _cluster(vectors: NDArray[np.float32], clusters: int, *, seed: int) -> NDArray[np.int64]:
    """Which of so many groups each vector [n, D] is in, by k-means."""
    from sklearn.cluster import KMeans, MiniBatchKMeans

    kind = KMeans if len(vectors) <= _MOST_EXACT else MiniBatchKMeans
    found: NDArray[np.int64] = kind(n_clusters=clusters, n_init=1, random_state=seed).fit_predict(vectors)
    return found


def _by_typicality(vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    """The rows of one group [n, D], the most typical first."""
    if len(vectors) < 3:
        return np.arange(len(vectors))
    from sklearn.neighbors import NearestNeighbors

    nearest = NearestNeighbors(n_neighbors=min(_NEAREST, len(vectors) - 1)).fit(vectors)
    distances, _ = nearest.kneighbors()  # of each row from the others
    return np.argsort(distances.mean(axis=1), kind="stable")
