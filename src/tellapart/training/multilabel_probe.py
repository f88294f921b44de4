"""Fit a yes or no for each class on frozen features. In: vectors, targets. Out: MultilabelProbe. Next: multilabel_search.py.

One logistic regression with an L2 penalty a class, all with one strength, which cross-validation inside the given vectors
chooses by the mean log loss over all known cells. A strength for each class costs no more, but is no better: on collages
of five classes its log loss on others was 0.6 % lower with 1,400 pictures, and 1 to 3 % higher with 100 to 200.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError
from tellapart.half_rows import Rows, as_rows
from tellapart.training.folds import number_groups
from tellapart.training.logistic_regression import Basis, Doubles, Floats, LogisticRegressions, Turned, find_basis
from tellapart.training.multilabel_folds import deal_label_sets
from tellapart.training.multilabel_search import LabelFolds, LabelsSearch, shares, weigh_labels
from tellapart.training.probe import check_finite
from tellapart.training.strengths import (
    SEARCH_FOLDS,
    SEARCH_OUTPUTS,
    SEARCH_ROWS,
    STRENGTHS,
    best_strength,
    try_strengths,
)
from tellapart.training.strips import worker_threads
from tellapart.training.weighing import POWERS, WEIGHINGS, Layers, Weighed, Weighing, weakest

_FINAL_TOLERANCE = 1e-14  # nats; see LogisticRegressions.minimise. The probabilities are then right to a millionth
_SEARCH_CELLS = 400_000  # pictures x classes that choose the strength; of 80 classes 5,000 pictures
_FEWEST_ROWS = 2_000
_RARE = 20  # so many pictures with and without each class are among those that choose the strength


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MultilabelProbe:
    """A fitted classifier: logits = vectors @ weight.T + bias, on raw vectors; a class is likely where its own is above 0."""

    weight: Floats  # [K, D]
    bias: Floats  # [K]
    strength: float  # lambda: each fit minimised mean log loss + lambda / 2 x sum of squared standardised weights
    trials: Mapping[float, float]  # strength -> mean held-out log loss of a cell; empty where nothing was held out
    # [N, K], logits of fits at `strength` without the picture or its group; NaN or None where it was not held out.
    held_out: Floats | None
    folds: int  # how many folds were held out in turn
    weighed: Weighed  # how much each stage of the network counts
    converged: bool


def fit_multilabel_probe(
    vectors: Rows,
    targets: NDArray[np.floating],
    groups: Sequence[str] | NDArray[np.integer],
    folds: int = 5,
    seed: int = 0,
    positive_weights: NDArray[np.floating] | None = None,
    *,
    classes: Sequence[str],
    strengths: Sequence[float] = STRENGTHS,
    stages: Sequence[int] = (),
    weighings: Sequence[Weighing] = WEIGHINGS,
    advance: Callable[[int], None] | None = None,
) -> MultilabelProbe:
    """Fit one logistic regression a class to convergence on standardised features and fold the scaling into its weights.

    `vectors` is float32 [N, D], or rows on disk, which are read in blocks, `targets` [N, K] in {0, 1, NaN}; NaN, not known, counts
    neither way. `groups` [N]: no group is held out and trained on at once ("" is no group). `positive_weights` [K] says how often a
    picture with the class counts for each that lacks it, in held-out loss too. The one of `strengths` with the least held-out log
    loss is taken; one strength alone is taken untried. So is the one of `weighings` before, where the vectors begin with as many
    numbers of each stage as `stages` says. A class that a fold's other pictures cannot teach is not scored there.
    The same input gives the same result on any number of threads. `advance(1)` follows each trial and the last fit.
    Raises: DataError that names the classes all of whose known cells are alike; or when a vector is not finite.
    """
    vectors = as_rows(vectors)
    check_targets(targets, classes)
    check_finite(vectors)
    signed = sign(targets, positive_weights)
    report = advance or _ignore
    rows, held_out = hold_out(targets, number_groups(groups, len(targets)), folds, seed)
    chosen = LabelFolds(targets[rows], signed[:, rows], held_out)
    path = tuple(sorted(set(strengths), reverse=True))
    layers = Layers((*stages, vectors.shape[1] - sum(stages)))
    weighed = Weighed(weighing=weighings[0] if stages else "last", path=path, trials={})
    with worker_threads() as threads:
        if stages and len(weighings) > 1 and len(path) > 1:
            weighed = weigh_labels(vectors[rows], chosen, layers, weighings, path, threads)
        weighing = weighed.weighing
        vectors = layers.chosen(vectors, weighing)
        basis = find_basis(vectors, threads, blocks=layers.counted(weighing), power=POWERS[weighing])
        coordinates = basis.coordinates(vectors, threads)
        search = LabelsSearch(coordinates[rows], chosen, threads)
        trials: Mapping[float, float] = {}
        if len(path) > 1 and search.possible:
            trials = try_strengths(search.held_out_loss, weighed.path, report, weakest=weakest(weighing))
        strength = best_strength(trials, path, searched=len(rows), fitted=len(targets))
        weight, bias, converged = solve(basis, coordinates, signed, strength, threads)
        report(1)
    return MultilabelProbe(
        weight=layers.whole(weight, weighing),
        bias=bias.astype(np.float32),
        strength=strength,
        trials=trials,
        held_out=search.logits(rows, len(targets)) if trials else None,
        folds=len(held_out) if trials else 0,
        weighed=weighed,
        converged=converged,
    )


def hold_out(
    targets: NDArray[np.floating], groups: NDArray[np.int64], folds: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Of N pictures the rows [n] to search on, ascending, and which of them each fold holds out, bool [F, n]."""
    generator = np.random.default_rng(seed)
    rows = choose_rows(targets, generator)
    fold_count = folds if len(rows) == len(targets) else SEARCH_FOLDS
    fold_of = deal_label_sets(targets[rows], groups[rows], fold_count, generator)
    held_out = fold_of == np.unique(fold_of)[:, None]
    return rows, held_out[: max(1, SEARCH_OUTPUTS // (len(rows) * targets.shape[1]))]


def solve(
    basis: Basis,
    coordinates: Turned,
    signed: Floats,
    strength: float,
    threads: ThreadPoolExecutor,
    *,
    tolerance: float = _FINAL_TOLERANCE,
) -> tuple[Doubles, Doubles, bool]:
    """Weights [P, D] and biases [P] of the problems `signed` [P, N] on raw vectors, and whether all of them converged."""
    parts, converged = [], True
    for problems in shares(len(signed), signed.shape[1]):
        solution = LogisticRegressions(coordinates, signed[problems], threads).minimise(
            np.full(problems.stop - problems.start, strength), tolerance=tolerance
        )
        parts.append(basis.raw(solution.parameters))
        converged = converged and bool(solution.converged.all())
    weights, biases = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return weights, biases, converged


def sign(targets: NDArray[np.floating], positive_weights: NDArray[np.floating] | None) -> Floats:
    """How much each picture counts for a class, and below 0 against it, float32 [K, N]; 0 where it is not known."""
    weights = np.ones(targets.shape[1]) if positive_weights is None else positive_weights
    signed = np.where(targets == 1, weights, np.where(targets == 0, -1.0, 0.0)).T
    return np.ascontiguousarray(signed, dtype=np.float32)


def check_targets(targets: NDArray[np.floating], classes: Sequence[str]) -> None:
    """Raises: DataError that names the classes of `targets` [N, K] that no known cell has, or that none lacks."""
    there, missing = (targets == 1).any(axis=0), (targets == 0).any(axis=0)
    for wanting, what, remedy in (
        (~there, "no picture with", "with"),
        (there & ~missing, "no picture without", "without"),
    ):
        names = [classes[number] for number in np.flatnonzero(wanting).tolist()]
        if names:
            shown = ", ".join(repr(name) for name in names[:5]) + (" ..." if len(names) > 5 else "")
            raise DataError(
                f"{len(names)} of {len(classes)} classes ha{'s' if len(names) == 1 else 've'} {what} it to train on: {shown}. "
                f"Every class needs at least 1 with and 1 without it. Add pictures {remedy} it or remove the class."
            )


def choose_rows(targets: NDArray[np.floating], generator: np.random.Generator) -> NDArray[np.int64]:
    """Rows of targets [N, K] in {0, 1, NaN}, ascending: at random 10,000, of many classes fewer, with what is rare."""
    count, classes = targets.shape
    most = min(SEARCH_ROWS, max(_FEWEST_ROWS, _SEARCH_CELLS // classes))
    if count <= most:
        return np.arange(count)
    order = generator.permutation(count)
    chosen = np.zeros(count, dtype=np.bool_)
    chosen[order[:most]] = True
    for value in (0, 1):
        found = targets[order] == value
        chosen[order] |= (found & (np.cumsum(found, axis=0) <= _RARE)).any(axis=1)
    return np.flatnonzero(chosen)


def _ignore(_: int) -> None:
    return None
