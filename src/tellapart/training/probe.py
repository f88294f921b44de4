"""Fit the classifier on frozen features. In: vectors [N, D], labels [N]. Out: Probe. Next: probe_search.py.

Multinomial logistic regression with an L2 penalty, its strength chosen by cross-validation inside the given vectors.

The strength lambda is relative to the mean loss: scikit-learn's C = 1 / (N x lambda), and 2 / (N x lambda) for two
classes, whose two rows share the penalty here. Which are tried is in strengths.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError
from tellapart.half_rows import Rows, as_rows, in_blocks
from tellapart.training.folds import hold_out, number_groups
from tellapart.training.probe_search import ProbeFolds, ProbeSearch
from tellapart.training.softmax_regression import Floats, Integers
from tellapart.training.strengths import STRENGTHS, best_strength
from tellapart.training.strips import worker_threads
from tellapart.training.weighing import WEIGHINGS, Layers, Weighed, Weighing

_FINAL_TOLERANCE = 1e-6  # nats; see SoftmaxRegression.minimise


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Probe:
    """A fitted linear classifier: logits = vectors @ weight.T + bias, on raw, not standardised, vectors."""

    weight: Floats  # [K, D]
    bias: Floats  # [K]
    strength: float  # lambda: the fit minimised mean log loss + lambda / 2 x sum of squared standardised weights
    trials: Mapping[float, float]  # strength -> mean held-out log loss in nats; empty where nothing was held out
    # Float32 [N, K], logits of fits at `strength` without the picture or its group; NaN or None where it was not held out.
    held_out: Floats | None
    folds: int  # how many folds were held out in turn
    weighed: Weighed  # how much each stage of the network counts
    converged: bool
    iterations: int  # of the last fit, on all vectors


def fit_probe(
    vectors: Rows,
    labels: NDArray[np.integer],
    *,
    groups: Sequence[str] | NDArray[np.integer],
    class_count: int,
    class_weights: Literal["none", "balanced"] = "none",
    strengths: Sequence[float] = STRENGTHS,
    stages: Sequence[int] = (),
    weighings: Sequence[Weighing] = WEIGHINGS,
    folds: int = 5,
    seed: int,
    advance: Callable[[int], None] | None = None,
) -> Probe:
    """Fit softmax regression to convergence on standardised features and fold the scaling into its weights.

    `vectors` is float32 [N, D], or rows on disk, which are read in blocks; `labels` [N] in 0..class_count-1; `groups` [N]: no
    group is held out and trained on at once ("" is no group). "balanced" weighs each picture by N / (K x pictures of its class),
    in held-out loss too.
    The one of `strengths` with the least held-out log loss is taken; one strength alone is taken untried. So is the one of
    `weighings` before, where the vectors begin with as many numbers of each stage as `stages` says. Features that
    never vary get weight 0, and those that vary less than the median feature are stretched no more than it. The same
    input gives the same result on any number of threads. `advance(1)` follows each trial and the last fit.
    Raises: DataError when a class has no picture or a vector holds a value that is not finite.
    """
    vectors = as_rows(vectors)
    targets: Integers = np.asarray(labels, dtype=np.int64)
    check_vectors(vectors, targets, class_count)
    weights = picture_weights(targets, class_count, class_weights)
    report = advance or _ignore
    rows, held_out = hold_out(targets, number_groups(groups, len(targets)), class_count, folds, seed)
    path = tuple(sorted(set(strengths), reverse=True))
    layers = Layers((*stages, vectors.shape[1] - sum(stages)))
    with worker_threads() as threads:
        search = ProbeSearch(class_count=class_count, threads=threads, layers=layers, advance=report)
        weighed = Weighed(weighing=weighings[0] if stages else "last", path=path, trials={})
        if len(held_out) and len(path) > 1:
            chosen = vectors if len(rows) == len(targets) else vectors[rows]
            pictures = ProbeFolds(chosen, targets[rows], weights[rows], held_out)
            if stages and len(weighings) > 1:
                weighed = search.weigh(pictures, path, weighings)
            search.run(pictures, weighed)
        strength = best_strength(search.trials, path, searched=len(rows), fitted=len(targets))
        regression = search.regression(vectors, targets, weights[None], weighed.weighing)
        solution = regression.minimise(strength, tolerance=_FINAL_TOLERANCE, start=search.best)
        report(1)
    weight, bias = regression.raw(solution.parameters)
    return Probe(
        weight=layers.whole(weight[0], weighed.weighing) if stages else weight[0],
        bias=bias[0],
        strength=strength,
        trials=search.trials,
        held_out=_among_all(search.held_out, rows, len(targets)),
        folds=len(held_out) if search.trials else 0,
        weighed=weighed,
        converged=solution.converged,
        iterations=solution.iterations,
    )


def _among_all(found: Floats | None, rows: Integers, count: int) -> Floats | None:
    """What is known of `rows` [n], as rows of all `count` pictures; NaN elsewhere."""
    if found is None or len(rows) == count:
        return found
    all_rows = np.full((count, found.shape[1]), np.nan, dtype=np.float32)
    all_rows[rows] = found
    return all_rows


def _ignore(_: int) -> None:
    return None


def check_vectors(vectors: Rows, labels: Integers, class_count: int) -> None:
    """Of vectors [N, D] and labels [N]. Raises: DataError for a class without a picture, one class, a vector not finite."""
    counts = np.bincount(labels, minlength=class_count)
    if (counts == 0).any():
        number = int(np.argmin(counts))
        raise DataError(
            f"class {number} of {class_count} (counted from 0) has 0 pictures to train on; every class needs "
            "at least 1. Add pictures to it or remove the class."
        )
    if class_count < 2:
        raise DataError(f"{class_count} class to train on; telling apart needs 2. Add a folder of another class.")
    check_finite(vectors)


def check_finite(vectors: Rows) -> None:
    """Raises: DataError when a vector of [N, D] is not finite."""
    # The sum of a row with a NaN or an infinity is not finite either, and needs no copy of the vectors.
    sums = in_blocks(vectors, lambda rows: rows.sum(axis=1))
    if not np.isfinite(sums).all():
        row = int(np.argmin(np.isfinite(sums)))
        raise DataError(
            f"the features of picture {row} (counted from 0) hold a value that is not finite; training needs "
            "finite ones. Clear the cache with `tellapart cache clear`, or try another backbone."
        )


def picture_weights(labels: Integers, class_count: int, class_weights: Literal["none", "balanced"]) -> Floats:
    """How much each picture counts, float32 [N], mean 1: the same, or by how rare its class is."""
    counts = np.bincount(labels, minlength=class_count)
    by_class = len(labels) / (class_count * counts) if class_weights == "balanced" else np.ones(class_count)
    return np.asarray(by_class[labels], dtype=np.float32)
