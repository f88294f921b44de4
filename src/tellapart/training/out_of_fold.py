"""What a classifier says of pictures it has not seen. In: vectors, labels. Out: probabilities. Next: evaluation/labels.py.

Each fold is judged by a classifier fitted on the other folds, with one strength for all.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from tellapart.half_rows import Rows, as_rows, in_blocks, part
from tellapart.training.discriminant import fit_discriminant, hold_out, is_for
from tellapart.training.folds import number_groups
from tellapart.training.probe import check_vectors, fit_probe, picture_weights
from tellapart.training.softmax_regression import Floats, Integers, SoftmaxRegression
from tellapart.training.strips import worker_threads

ClassWeights = Literal["none", "balanced"]


class _Choosing(TypedDict):
    class_weights: ClassWeights
    folds: int
    seed: int


_TOLERANCE = 1e-5  # nats; what the search stops at is too early where a weak penalty's fit does not begin near by
_OUTPUTS_AT_ONCE = 500  # folds x classes; the solver keeps twenty copies of the weights of all folds fitted together


def out_of_fold(
    embeddings: Rows,
    labels: NDArray[np.integer],
    groups: Sequence[str] | NDArray[np.integer],
    *,
    class_count: int,
    strength: float | None = None,
    folds: int = 5,
    seed: int,
    class_weights: ClassWeights = "none",
    advance: Callable[[int], None] | None = None,
) -> NDArray[np.float32]:
    """Probabilities float32 [N, K] of each picture from a classifier that saw neither it nor its group ("" is no group).

    `embeddings` is float32 [N, D], `labels` [N] in 0..class_count-1. `strength` is lambda as in Probe; None finds it by
    cross-validation first. A row is NaN where nothing can be held out: all other pictures of its class are in its group, so
    that the others teach nothing of the class. The same input gives the same result on any number of threads.
    `advance(1)` follows each fold. Raises: DataError when a class has no picture or a vector is not finite.
    """
    vectors = as_rows(embeddings)
    targets: Integers = np.asarray(labels, dtype=np.int64)
    check_vectors(vectors, targets, class_count)
    held_out = hold_out(targets, number_groups(groups, len(targets)), class_count, folds, seed)
    held_out = held_out[held_out.any(axis=1)]
    probabilities = np.full((len(targets), class_count), np.nan, dtype=np.float32)
    if not len(held_out):
        return probabilities
    judged = _Judged(
        vectors=vectors,
        labels=targets,
        groups=np.asarray(groups),
        held_out=held_out,
        class_count=class_count,
        choosing={"class_weights": class_weights, "folds": folds, "seed": seed},
    )
    fitted = _discriminants(judged) if is_for(len(targets), class_count) else _regressions(judged, strength)
    for rows, (slopes, offsets) in zip(held_out, fitted, strict=True):
        out = part(vectors, rows)
        probabilities[rows] = in_blocks(out, functools.partial(_chances, slopes=slopes, offsets=offsets))
        if advance is not None:
            advance(1)
    return probabilities


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Judged:
    """N pictures that are judged in turn, in F folds."""

    vectors: Rows  # [N, D]
    labels: Integers  # [N]
    groups: NDArray[Any]  # [N]
    held_out: NDArray[np.bool_]  # [F, N]
    class_count: int
    choosing: _Choosing  # how what a fit needs is chosen inside the pictures that it sees


def _regressions(judged: _Judged, strength: float | None) -> Iterator[tuple[Floats, Floats]]:
    """Of each fold the classifier of the rest, by softmax regression; the strength is chosen where it is None."""
    vectors, labels, class_count = judged.vectors, judged.labels, judged.class_count
    if strength is None:
        found = fit_probe(vectors, labels, groups=judged.groups, class_count=class_count, **judged.choosing)
        strength = found.strength
    weights = picture_weights(labels, class_count, judged.choosing["class_weights"])
    step = max(1, _OUTPUTS_AT_ONCE // class_count)
    with worker_threads() as threads:
        covariance = None
        for first in range(0, len(judged.held_out), step):
            some = judged.held_out[first : first + step]
            regression = SoftmaxRegression(
                vectors, labels, weights * ~some, class_count=class_count, threads=threads, covariance=covariance
            )
            covariance = regression.covariance
            parameters = regression.minimise(strength, tolerance=_TOLERANCE).parameters
            yield from zip(*regression.raw(parameters), strict=True)


def _discriminants(judged: _Judged) -> Iterator[tuple[Floats, Floats]]:
    """The same in closed form; what shrinks is chosen once."""
    chosen = None
    for out in judged.held_out:
        fitted = fit_discriminant(
            part(judged.vectors, ~out),
            judged.labels[~out],
            groups=judged.groups[~out],
            class_count=judged.class_count,
            chosen=chosen,
            **judged.choosing,
        )
        chosen = fitted.chosen
        yield fitted.weight, fitted.bias


def _chances(vectors: Floats, *, slopes: Floats, offsets: Floats) -> Floats:
    return _softmax(vectors @ slopes.T + offsets)


def _softmax(logits: Floats) -> Floats:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Floats = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities
