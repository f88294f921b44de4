"""What classifiers say of pictures they have not seen. In: vectors, targets. Out: chances. Next: evaluation/multilabel_labels.py.

Each fold is judged by classifiers fitted on the other folds, with one strength for all.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.half_rows import Rows, as_rows, in_blocks, part
from tellapart.training.folds import number_groups
from tellapart.training.logistic_regression import Floats, find_basis
from tellapart.training.multilabel_folds import deal_label_sets, sides
from tellapart.training.multilabel_probe import check_targets, fit_multilabel_probe, sign, solve
from tellapart.training.probe import check_finite
from tellapart.training.strips import worker_threads

_TOLERANCE = 1e-6  # nats; see LogisticRegressions.minimise


def multilabel_out_of_fold(
    vectors: Rows,
    targets: NDArray[np.floating],
    groups: Sequence[str] | NDArray[np.integer],
    *,
    classes: Sequence[str],
    strength: float | None = None,
    folds: int = 5,
    seed: int,
    positive_weights: NDArray[np.floating] | None = None,
    advance: Callable[[int], None] | None = None,
) -> NDArray[np.float32]:
    """Probabilities float32 [N, K] of each picture from classifiers that saw neither it nor its group ("" is no group).

    `vectors` is float32 [N, D], or rows on disk, `targets` [N, K] in {0, 1, NaN}. `strength` is lambda as in MultilabelProbe; None
    finds it by cross-validation first. A cell is NaN where the other folds cannot teach the class: they have no picture with it, or
    none without; a cell that is not known is judged like any other. The same input gives the same result on any number of
    threads. `advance(1)` follows each fold. Raises: DataError as fit_multilabel_probe.
    """
    vectors = as_rows(vectors)
    check_targets(targets, classes)
    check_finite(vectors)
    if strength is None:
        strength = fit_multilabel_probe(
            vectors, targets, groups, folds, seed, positive_weights, classes=classes
        ).strength
    numbers = number_groups(groups, len(targets))
    fold_of = deal_label_sets(targets, numbers, folds, np.random.default_rng(seed))
    held_out = fold_of == np.unique(fold_of)[:, None]
    signed = sign(targets, positive_weights)
    probabilities = np.full(targets.shape, np.nan, dtype=np.float32)
    with worker_threads() as threads:
        basis = find_basis(vectors, threads)
        coordinates = basis.coordinates(vectors, threads)
        for rows, taught in zip(held_out, sides(targets, ~held_out), strict=True):
            usable = np.flatnonzero(taught)
            if len(usable):
                weight, bias, _ = solve(
                    basis, coordinates, signed[usable] * ~rows, strength, threads, tolerance=_TOLERANCE
                )
                chances = functools.partial(_chances, slopes=weight, offsets=bias)
                probabilities[np.ix_(rows, usable)] = in_blocks(part(vectors, rows), chances)
            if advance is not None:
                advance(1)
    return probabilities


def _chances(vectors: Floats, *, slopes: NDArray[np.floating], offsets: NDArray[np.floating]) -> NDArray[np.floating]:
    """Probabilities [n, A] of vectors [n, D]."""
    return np.asarray(1 / (1 + np.exp(-(vectors @ slopes.T + offsets))))
