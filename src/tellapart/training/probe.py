"""Fit the classifier on frozen features. In: vectors [N, D], labels [N]. Out: Probe. Next: softmax_regression.py.

Multinomial logistic regression with an L2 penalty, its strength chosen by cross-validation inside the given vectors.

The strength lambda is relative to the mean loss: scikit-learn's C = 1 / (N x lambda), and 2 / (N x lambda) for two
classes, whose two rows share the penalty here. Which are tried is in strengths.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError
from tellapart.training.softmax_regression import Doubles, Floats, Integers, SoftmaxRegression
from tellapart.training.strengths import (
    DEFAULT_STRENGTH,
    SEARCH_FOLDS,
    SEARCH_OUTPUTS,
    SEARCH_ROWS,
    SEARCH_TOLERANCE,
    STRENGTHS,
    best_strength,
    try_strengths,
)
from tellapart.training.strips import worker_threads

_RARE = 20  # so many pictures of each class are among those that choose the strength
_FINAL_TOLERANCE = 1e-6  # nats; see SoftmaxRegression.minimise


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Probe:
    """A fitted linear classifier: logits = vectors @ weight.T + bias, on raw, not standardised, vectors."""

    weight: Floats  # [K, D]
    bias: Floats  # [K]
    strength: float  # lambda: the fit minimised mean log loss + lambda / 2 x sum of squared standardised weights
    trials: Mapping[float, float]  # strength -> mean held-out log loss in nats; empty where nothing was held out
    held_out: (
        Floats | None
    )  # [N, K], logits of fits at `strength` without the picture or its group; NaN, None: not held out
    folds: int  # how many folds were held out in turn
    converged: bool
    iterations: int  # of the last fit, on all vectors


def fit_probe(
    vectors: Floats,
    labels: NDArray[np.integer],
    *,
    groups: Sequence[str] | NDArray[np.integer],
    class_count: int,
    class_weights: Literal["none", "balanced"] = "none",
    strengths: Sequence[float] = STRENGTHS,
    folds: int = 5,
    seed: int,
    advance: Callable[[int], None] | None = None,
) -> Probe:
    """Fit softmax regression to convergence on standardised features and fold the scaling into its weights.

    `vectors` is float32 [N, D], `labels` [N] in 0..class_count-1; `groups` [N]: no group is held out and trained on at
    once ("" is no group). "balanced" weighs each picture by N / (K x pictures of its class), in held-out loss too.
    The one of `strengths` with the least held-out log loss is taken; one strength alone is taken untried. Features that
    never vary get weight 0, and those that vary less than the median feature are stretched no more than it. The same
    input gives the same result on any number of threads. `advance(1)` follows each trial and the last fit.
    Raises: DataError when a class has no picture or a vector holds a value that is not finite.
    """
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    targets: Integers = np.asarray(labels, dtype=np.int64)
    check_vectors(vectors, targets, class_count)
    weights = picture_weights(targets, class_count, class_weights)
    report = advance or _ignore
    rows, held_out = _hold_out(targets, number_groups(groups, len(targets)), class_count, folds, seed)
    path = sorted(set(strengths), reverse=True)
    with worker_threads() as threads:
        search = _Search(class_count=class_count, threads=threads, advance=report)
        if len(held_out) and len(path) > 1:
            chosen = vectors if len(rows) == len(targets) else vectors[rows]
            search.run(chosen, targets[rows], weights[rows], held_out, path)
        strength = path[0] if len(path) == 1 else DEFAULT_STRENGTH
        if search.trials:
            strength = best_strength(search.trials, searched=len(rows), fitted=len(targets))
        regression = SoftmaxRegression(
            vectors, targets, weights[None], class_count=class_count, threads=threads, covariance=search.covariance
        )
        solution = regression.minimise(strength, tolerance=_FINAL_TOLERANCE, start=search.best)
        report(1)
    weight, bias = regression.raw(solution.parameters)
    return Probe(
        weight=weight[0],
        bias=bias[0],
        strength=strength,
        trials=search.trials,
        held_out=_among_all(search.held_out, rows, len(targets)),
        folds=len(held_out) if search.trials else 0,
        converged=solution.converged,
        iterations=solution.iterations,
    )


class _Search:
    """Tries strengths on held-out folds and keeps the best one's weights as a start for the last fit."""

    def __init__(self, *, class_count: int, threads: ThreadPoolExecutor, advance: Callable[[int], None]) -> None:
        self._class_count, self._threads, self._advance = class_count, threads, advance
        self.trials: dict[float, float] = {}
        self.best: Doubles | None = None  # [1, K, D + 1], the mean over the folds
        self.held_out: Floats | None = (
            None  # [N, K], logits by the best one's fits; NaN where no fold held a picture out
        )
        self.covariance: Floats | None = None

    def run(
        self,
        vectors: Floats,
        labels: Integers,
        weights: Floats,
        held_out: NDArray[np.bool_],
        path: Sequence[float],
    ) -> None:
        """Try the strengths of `path`, from strong to weak, and beyond."""
        regression = SoftmaxRegression(
            vectors, labels, weights * ~held_out, class_count=self._class_count, threads=self._threads
        )
        self.covariance = regression.covariance
        scored, least = weights * held_out, np.inf
        parameters: Doubles | None = None
        kept: Doubles | None = None  # the best one's

        def held_out_loss(strength: float, cold: bool) -> float:
            nonlocal least, parameters, kept
            start = None if cold else parameters
            parameters = regression.minimise(strength, tolerance=SEARCH_TOLERANCE, start=start).parameters
            loss = regression.mean_loss(parameters, scored)
            if loss < least:
                least, self.best = loss, parameters.mean(axis=0, keepdims=True)
                kept = parameters
            return loss

        self.trials = try_strengths(held_out_loss, path, self._advance)
        if kept is not None:
            self.held_out = np.full((len(labels), self._class_count), np.nan, dtype=np.float32)
            for out, slopes, offsets in zip(held_out, *regression.raw(kept), strict=True):
                self.held_out[out] = vectors[out] @ slopes.T + offsets


def _among_all(found: Floats | None, rows: Integers, count: int) -> Floats | None:
    """What is known of `rows` [n], as rows of all `count` pictures; NaN elsewhere."""
    if found is None or len(rows) == count:
        return found
    all_rows = np.full((count, found.shape[1]), np.nan, dtype=np.float32)
    all_rows[rows] = found
    return all_rows


def _ignore(_: int) -> None:
    return None


def check_vectors(vectors: Floats, labels: Integers, class_count: int) -> None:
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


def check_finite(vectors: Floats) -> None:
    """Raises: DataError when a vector of [N, D] is not finite."""
    # The sum of a row with a NaN or an infinity is not finite either, and needs no copy of the vectors.
    sums = vectors.sum(axis=1)
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


def number_groups(groups: Sequence[str] | NDArray[np.integer], count: int) -> Integers:
    """Groups as numbers from 0, int64 [N]; each "" is a group of its own."""
    names = np.asarray(groups)
    if names.dtype.kind in "US":
        names = np.where(names == "", np.char.add("\0", np.arange(count).astype(str)), names)
    return np.asarray(np.unique(names, return_inverse=True)[1], dtype=np.int64)


def _choose_rows(labels: Integers, class_count: int, generator: np.random.Generator) -> Integers:
    """At most about 10,000 rows, ascending, with the classes in proportion but for rare ones."""
    if len(labels) <= SEARCH_ROWS:
        return np.arange(len(labels))
    chosen = []
    for number in range(class_count):
        members = np.flatnonzero(labels == number)
        quota = max(round(len(members) * SEARCH_ROWS / len(labels)), min(len(members), _RARE))
        chosen.append(generator.permutation(members)[:quota])
    return np.sort(np.concatenate(chosen))


def _hold_out(
    labels: Integers, groups: Integers, class_count: int, folds: int, seed: int
) -> tuple[Integers, NDArray[np.bool_]]:
    """The rows to search on, ascending, and which of them each fold holds out, bool [F, rows]."""
    generator = np.random.default_rng(seed)
    rows = _choose_rows(labels, class_count, generator)
    fold_count = folds if len(rows) == len(labels) else SEARCH_FOLDS
    held_out = deal_folds(labels[rows], groups[rows], class_count, fold_count, generator)
    return rows, held_out[: max(1, SEARCH_OUTPUTS // (len(rows) * class_count))]


def deal_folds(
    labels: Integers, groups: Integers, class_count: int, folds: int, generator: np.random.Generator
) -> NDArray[np.bool_]:
    """Stratified folds of whole groups: bool [F, N], what each holds out. F is less where a class would be lost."""
    fold_of = deal(labels, groups, class_count, folds, generator)
    filled = np.zeros((int(fold_of.max(initial=0)) + 1, class_count), dtype=np.int64)
    np.add.at(filled, (fold_of, labels), 1)
    usable = (filled.sum(axis=0) - filled > 0).all(axis=1) & (filled.sum(axis=1) > 0)
    return np.asarray(fold_of == np.flatnonzero(usable)[:, None])


def deal(labels: Integers, groups: Integers, class_count: int, folds: int, generator: np.random.Generator) -> Integers:
    """The fold of each picture, int64 [N] in 0..folds-1: whole groups, the classes spread evenly.

    Greedy, like scikit-learn's StratifiedGroupKFold, which takes 0.3 s for 1,000 pictures, a third of the time of
    all the rest; pictures without companions, most of all sets, are dealt class by class.
    """
    _, groups, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    folds = min(folds, len(sizes))
    totals = np.bincount(labels, minlength=class_count)
    filled = np.zeros((folds, class_count))
    fold_of = np.zeros(len(labels), dtype=np.int64)
    members_of = np.split(np.argsort(groups, kind="stable"), np.cumsum(sizes)[:-1])
    shuffled = generator.permutation(len(sizes))
    for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        if sizes[group] == 1:
            break
        members = members_of[group]
        counts = np.bincount(labels[members], minlength=class_count)
        # The share of each class already there, counted as often as the group would add to it.
        fold = np.lexsort((filled.sum(axis=1), filled @ (counts / totals)))[0]
        filled[fold] += counts
        fold_of[members] = fold
    alone = generator.permutation(np.flatnonzero(sizes[groups] == 1))
    for number in range(class_count):
        members = alone[labels[alone] == number]
        order = np.lexsort((filled.sum(axis=1), filled[:, number]))
        fold_of[members] = order[np.arange(len(members)) % folds]
        filled[:, number] += np.bincount(fold_of[members], minlength=folds)
    return fold_of
