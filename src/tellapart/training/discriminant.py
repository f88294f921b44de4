"""A classifier of very many classes in closed form. In: vectors [N, D], labels [N]. Out: Discriminant. Next: out_of_fold.py.

Softmax regression passes over all pictures for all classes hundreds of times: of 1,000 classes that takes minutes, of 10,000
hours. Linear discriminant analysis needs the means of the classes and one covariance. With few pictures a class that must be
shrunk towards the identity (Friedman 1989, Regularized Discriminant Analysis, JASA 84:165-175), and the logits come out too
large, since the means were learned from the same few pictures. How much of either, held-out pictures say, and whether the
covariance is the one within the classes or that of all pictures, which is steadier where pictures are few.

Shapes: N pictures, D features, K classes, n pictures held out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.half_rows import Rows, as_rows
from tellapart.training.analysis import Analysis, Covariance
from tellapart.training.folds import deal, number_groups
from tellapart.training.golden_section import lowest
from tellapart.training.probe import check_vectors, picture_weights
from tellapart.training.strips import worker_threads

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

FEWEST_CLASSES = 100  # of fewer, softmax regression takes seconds
FEW_PICTURES = 10  # a class; from more, softmax regression learns more
MOST_OUTPUTS = 2_000_000  # pictures x classes that softmax regression is given
SHRINKAGES: tuple[float, ...] = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)  # of the mean variance
_LEFT = 2  # of a class that pictures are held out of: what suits a class of one picture suits no other
_FEWEST_HELD_OUT = 50
_MOST_SCORES = 5_000_000  # held-out pictures x classes that choose
_EXPONENTS = (-12.0, 2.0)  # of two, the scale of the logits
_MODESTY = 0.002  # nats; logits twice as large must lower the loss by more


class Shrunk(NamedTuple):
    """What held-out pictures choose."""

    covariance: Covariance
    shrinkage: float  # added along every direction, in mean variances
    scale: float  # of the logits


_UNTRIED = Shrunk("total", 0.1, 0.5)  # where too little can be held out; near the best of all sets that we tried


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Discriminant:
    """A linear classifier: logits = vectors @ weight.T + bias, on raw, not standardised, vectors."""

    weight: Floats  # [K, D]
    bias: Floats  # [K]
    chosen: Shrunk
    trials: Mapping[Shrunk, float]  # mean held-out log loss in nats; empty where nothing was held out


def is_for(pictures: int, class_count: int) -> bool:
    """Whether the closed form takes the place of softmax regression; numbers alone decide, not how quick a machine is."""
    few = pictures < FEW_PICTURES * class_count
    return class_count >= FEWEST_CLASSES and (few or pictures * class_count > MOST_OUTPUTS)


def fit_discriminant(
    vectors: Rows,
    labels: NDArray[np.integer],
    *,
    groups: Sequence[str] | NDArray[np.integer],
    class_count: int,
    class_weights: Literal["none", "balanced"] = "none",
    folds: int = 5,
    seed: int,
    chosen: Shrunk | None = None,
    advance: Callable[[int], None] | None = None,
) -> Discriminant:
    """Fit linear discriminant analysis; one fold is held out to choose what is in Shrunk, unless `chosen` is given.

    `vectors` is float32 [N, D], or rows on disk, of which a block or a class is read at a time; `labels` [N] in
    0..class_count-1; `groups` [N]: no group is held out and trained on at once ("" is no group). "balanced" takes all classes for
    equally frequent. The same input gives the same result on any number of threads. `advance(1)` follows each trial and the last
    fit. Raises: DataError when a class has no picture or a vector is not finite.
    """
    whole = as_rows(vectors)
    targets: Integers = np.asarray(labels, dtype=np.int64)
    check_vectors(whole, targets, class_count)
    weights = picture_weights(targets, class_count, class_weights)
    report = advance or _ignore
    trials: dict[Shrunk, float] = {}
    every = np.arange(len(targets))
    with worker_threads() as threads:
        if chosen is None:
            numbers = number_groups(groups, len(targets))
            held_out = hold_out(targets, numbers, class_count, folds, seed, left=_LEFT)[0]
            if held_out.sum() >= _FEWEST_HELD_OUT:
                half = Analysis(whole, targets, weights, every[~held_out], class_count, threads)
                trials = _search(half, whole, targets, every[held_out], threads, report)
        best = chosen or min(trials, key=trials.__getitem__, default=_UNTRIED)
        weight, bias = Analysis(whole, targets, weights, every, class_count, threads).solve(*best)
        report(1)
    return Discriminant(weight=weight, bias=bias, chosen=best, trials=trials)


def hold_out(
    labels: Integers, groups: Integers, class_count: int, folds: int, seed: int, *, left: int = 1
) -> NDArray[np.bool_]:
    """What each fold holds out, bool [F, N], less the groups without which one of their classes would have fewer than `left`."""
    fold_of = deal(labels, groups, class_count, folds, np.random.default_rng(seed))
    held_out: NDArray[np.bool_] = fold_of == np.unique(fold_of)[:, None]
    for rows in held_out:
        lost = np.bincount(labels[~rows], minlength=class_count) < left
        rows &= ~np.isin(groups, groups[rows & lost[labels]])
    return held_out


def _search(
    analysis: Analysis,
    vectors: Rows,
    labels: Integers,
    rows: Integers,
    threads: ThreadPoolExecutor,
    advance: Callable[[int], None],
) -> dict[Shrunk, float]:
    """Of each covariance and shrinkage the best scale, and the log loss on `rows` [n] with it."""
    most = max(1, _MOST_SCORES // analysis.class_count)
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(np.int64)]
    trials = {}
    for covariance in analysis.covariances:
        for shrinkage in SHRINKAGES:
            scores = analysis.scores(vectors[rows], covariance, shrinkage, threads)
            scale, loss = _best_scale(scores, labels[rows], analysis.logarithms)
            trials[Shrunk(covariance, shrinkage, scale)] = loss
            advance(1)
    return trials


def _best_scale(scores: Floats, labels: Integers, logarithms: Floats) -> tuple[float, float]:
    def loss(exponent: float) -> float:
        return mean_loss(scores, labels, logarithms, float(np.exp2(exponent)))

    # Where every picture is right, the loss falls for ever.
    found = lowest(lambda exponent: loss(exponent) + _MODESTY * exponent, *_EXPONENTS, width=0.05)
    return float(np.exp2(found)), loss(found)


def mean_loss(scores: Floats, labels: Integers, logarithms: Floats, scale: float) -> float:
    """Mean log loss in nats of logits [n, K] times `scale`, plus the logarithms [K] of the classes' frequencies."""
    logits = scores * np.float32(scale)
    logits += logarithms
    highest, own = logits.max(axis=1), logits[np.arange(len(labels)), labels]
    logits -= highest[:, None]
    np.exp(logits, out=logits)
    return float((np.log(logits.sum(axis=1, dtype=np.float64)) + highest - own).mean())


def _ignore(_: int) -> None:
    return None
