"""Fit a yes or no for each class on frozen features. In: vectors [N, D], targets [N, K]. Out: MultilabelProbe. Next: strengths.py.

One logistic regression with an L2 penalty a class, all with one strength, which cross-validation inside the given vectors
chooses by the mean log loss over all known cells. A strength for each class costs no more, but is no better: on collages
of five classes its log loss on others was 0.6 % lower with 1,400 pictures, and 1 to 3 % higher with 100 to 200.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError
from tellapart.training.folds import number_groups
from tellapart.training.logistic_regression import (
    Basis,
    Doubles,
    Floats,
    LogisticRegressions,
    find_basis,
    sum_of_losses,
)
from tellapart.training.multilabel_folds import deal_label_sets, sides
from tellapart.training.probe import check_finite
from tellapart.training.strengths import (
    DEFAULT_STRENGTH,
    SEARCH_FOLDS,
    SEARCH_OUTPUTS,
    SEARCH_ROWS,
    STRENGTHS,
    best_strength,
    try_strengths,
)
from tellapart.training.strips import worker_threads
from tellapart.training.weighing import (
    FEW_ROWS,
    POWERS,
    WEIGHINGS,
    Layers,
    Weighed,
    Weighing,
    choose_weighing,
    turned,
    weakest,
)

_SEARCH_TOLERANCE = 1e-5  # nats; at ten times as much the held-out loss is off by up to a third of a percent
_FINAL_TOLERANCE = 1e-14  # nats; see LogisticRegressions.minimise. The probabilities are then right to a millionth
_CELLS_AT_ONCE = 20_000_000  # problems x pictures that are solved together; 80 MB an array
_SEARCH_CELLS, _FEWEST_ROWS = (
    400_000,
    2_000,
)  # pictures x classes that choose the strength; of 80 classes 5,000 pictures
_RARE = 20  # so many pictures with and without each class are among those that choose the strength


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MultilabelProbe:
    """A fitted classifier: logits = vectors @ weight.T + bias, on raw vectors; a class is likely where its own is above 0."""

    weight: Floats  # [K, D]
    bias: Floats  # [K]
    strength: float  # lambda: each fit minimised mean log loss + lambda / 2 x sum of squared standardised weights
    trials: Mapping[float, float]  # strength -> mean held-out log loss of a cell; empty where nothing was held out
    held_out: (
        Floats | None
    )  # [N, K], logits of fits at `strength` without the picture or its group; NaN, None: not held out
    folds: int  # how many folds were held out in turn
    weighed: Weighed  # how much each stage of the network counts
    converged: bool


def fit_multilabel_probe(
    vectors: Floats,
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

    `vectors` is float32 [N, D], `targets` [N, K] in {0, 1, NaN}; NaN, not known, counts neither way. `groups` [N]: no
    group is held out and trained on at once ("" is no group). `positive_weights` [K] says how often a picture with the
    class counts for each that lacks it, in held-out loss too. The one of `strengths` with the least held-out log loss is
    taken; one strength alone is taken untried. So is the one of `weighings` before, where the vectors begin with as many numbers
    of each stage as `stages` says. A class that a fold's other pictures cannot teach is not scored there.
    The same input gives the same result on any number of threads. `advance(1)` follows each trial and the last fit.
    Raises: DataError that names the classes all of whose known cells are alike; or when a vector is not finite.
    """
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    check_targets(targets, classes)
    check_finite(vectors)
    signed = sign(targets, positive_weights)
    report = advance or _ignore
    generator = np.random.default_rng(seed)
    rows = choose_rows(targets, generator)
    fold_count = folds if len(rows) == len(targets) else SEARCH_FOLDS
    fold_of = deal_label_sets(targets[rows], number_groups(groups, len(targets))[rows], fold_count, generator)
    held_out = (fold_of == np.unique(fold_of)[:, None])[: max(1, SEARCH_OUTPUTS // (len(rows) * len(classes)))]
    path = sorted(set(strengths), reverse=True)
    layers = Layers((*stages, vectors.shape[1] - sum(stages)))
    weighed = Weighed(weighing=weighings[0] if stages else "last", path=tuple(path), trials={})
    with worker_threads() as threads:
        if stages and len(weighings) > 1 and len(path) > 1:
            weighed = _weigh(vectors[rows], targets[rows], signed[:, rows], held_out, layers, weighings, path, threads)
        weighing = weighed.weighing
        vectors = layers.chosen(vectors, weighing)
        basis = find_basis(vectors, threads, blocks=layers.counted(weighing), power=POWERS[weighing])
        coordinates = basis.coordinates(vectors, threads)
        taught = sides(targets[rows], ~held_out)
        search = _LabelsSearch(coordinates[rows], signed[:, rows], held_out, taught, threads)
        trials: dict[float, float] = {}
        strength = path[0] if len(path) == 1 else DEFAULT_STRENGTH
        if len(path) > 1 and search.possible:
            trials = try_strengths(search.held_out_loss, weighed.path, report, weakest=weakest(weighing))
            strength = best_strength(trials, searched=len(rows), fitted=len(targets))
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


def _weigh(
    vectors: Floats,
    targets: NDArray[np.floating],
    signed: Floats,
    held_out: NDArray[np.bool_],
    layers: Layers,
    weighings: Sequence[Weighing],
    path: Sequence[float],
    threads: ThreadPoolExecutor,
) -> Weighed:
    """Choose among `weighings` by at most 1,000 of the pictures, evenly spread."""
    rows = np.linspace(0, len(vectors) - 1, min(len(vectors), FEW_ROWS)).astype(np.int64)
    taught = sides(targets[rows], ~held_out[:, rows])
    first = Weighed(weighing=weighings[0], path=tuple(path), trials={})

    def try_one(weighing: Weighing, strengths: Sequence[float]) -> Mapping[float, Doubles]:
        numbers = turned(vectors[rows], layers, weighing, threads)
        coordinates = np.hstack([numbers, np.ones((len(rows), 1), dtype=np.float32)])
        search = _LabelsSearch(coordinates, signed[:, rows], held_out[:, rows], taught, threads)
        losses: dict[float, Doubles] = {}

        def held_out_loss(strength: float, cold: bool) -> float:
            loss = search.held_out_loss(strength, cold)
            losses[strength] = search.losses
            return loss

        try_strengths(held_out_loss, strengths, _ignore, weakest=weakest(weighing))
        return losses

    return choose_weighing(try_one, weighings, path) if taught.any() else first


def solve(
    basis: Basis,
    coordinates: Floats,
    signed: Floats,
    strength: float,
    threads: ThreadPoolExecutor,
    *,
    tolerance: float = _FINAL_TOLERANCE,
) -> tuple[Doubles, Doubles, bool]:
    """Weights [P, D] and biases [P] of the problems `signed` [P, N] on raw vectors, and whether all of them converged."""
    parts, converged = [], True
    for problems in _shares(len(signed), signed.shape[1]):
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


class _LabelsSearch:
    """Fits all classes on the rest of each fold and scores them on the fold, one strength after the other."""

    def __init__(
        self,
        coordinates: Floats,
        signed: Floats,
        held_out: NDArray[np.bool_],
        taught: NDArray[np.bool_],
        threads: ThreadPoolExecutor,
    ) -> None:
        """`signed` [K, N], `held_out` [F, N]; a problem is a fold and a class that its rest can teach, `taught` [F, K]."""
        self._coordinates, self._signed, self._held_out, self._threads = coordinates, signed, held_out, threads
        self._folds, self._classes = np.nonzero(taught)
        known = np.abs(signed)[self._classes] * held_out[self._folds]
        self._weight = float(known.sum(dtype=np.float64))
        self._parameters: Doubles | None = None
        self.losses: Doubles = np.zeros(0)  # of each problem, as the last trial left them
        self._least, self._best = np.inf, np.zeros((len(self._folds), coordinates.shape[1]))

    @property
    def possible(self) -> bool:
        """Whether there is anything to score."""
        return self._weight > 0

    def held_out_loss(self, strength: float, cold: bool) -> float:
        """Mean log loss of a held-out cell in nats; the fit starts from the last one, unless it is `cold`."""
        before, parts, losses = None if cold else self._parameters, [], []
        for problems in _shares(len(self._folds), len(self._coordinates)):
            signed, held_out = self._signed[self._classes[problems]], self._held_out[self._folds[problems]]
            solution = LogisticRegressions(self._coordinates, signed * ~held_out, self._threads).minimise(
                np.full(len(signed), strength),
                tolerance=_SEARCH_TOLERANCE,
                start=None if before is None else before[problems],
            )
            parts.append(solution.parameters)
            scored = sum_of_losses(self._coordinates, signed * held_out, solution.parameters, self._threads)
            losses.append(scored)
        self._parameters = np.concatenate(parts)
        self.losses = np.concatenate(losses) * (len(self._folds) / self._weight)  # their mean is what is returned
        loss = float(self.losses.mean())
        if loss < self._least:
            self._least, self._best = loss, self._parameters
        return loss

    def logits(self, rows: NDArray[np.int64], count: int) -> Floats:
        """What the best strength's fits say of what they were not fitted on, [count, K]; these pictures are `rows` [N] of all.

        NaN for other pictures, for those that no fold held out, and for a class that a fold's rest cannot teach.
        """
        found = np.full((count, len(self._signed)), np.nan, dtype=np.float32)
        for fold, number, parameters in zip(self._folds, self._classes, self._best, strict=True):
            out = self._held_out[fold]
            found[rows[out], number] = self._coordinates[out] @ parameters
        return found


def _shares(problems: int, pictures: int) -> Iterator[slice]:
    """As many problems at a time as memory should hold."""
    step = max(1, _CELLS_AT_ONCE // pictures)
    for start in range(0, problems, step):
        yield slice(start, min(start + step, problems))


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
