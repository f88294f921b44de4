"""How much each stage of a network counts beside its last layer. In: held-out losses. Out: Weighing. Next: probe_search.py.

An embedding may begin with the means of every stage (models/joint.py). Of which use they are depends on the pictures: solar cells
and hand signs are told apart better with them, cats and dogs better without. Every number is standardised, and then each
layer's block divided by its size to some power, which is chosen by cross-validation together with the strength of the penalty:
first a weighing, by at most 1,000 pictures and every other strength; then the strength, near the best of those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from tellapart.half_rows import Rows, as_rows, from_column
from tellapart.runtime import cores
from tellapart.threads import in_order
from tellapart.training.standardising import standardisation
from tellapart.training.strengths import LEAST, try_strengths
from tellapart.training.strips import sum_over_rows

Weighing = Literal["last", "alike", "fourth_root", "square_root"]

# By which power of its size each block is divided; "last" leaves the stages out.
POWERS: Mapping[Weighing, float] = {"last": 0.0, "alike": 0.0, "fourth_root": 0.25, "square_root": 0.5}
WEIGHINGS: tuple[Weighing, ...] = tuple(POWERS)
FEW_ROWS = 1_000  # that choose the weighing
# With many more numbers than pictures a fit with less penalty ends far from its minimum, and another one than was tried is kept.
WEAKEST = 1e-4
_JITTER = 1e-6  # of the mean square of a picture; under single precision's rounding, over a zero


@dataclass(frozen=True, slots=True)
class Layers:
    """Which numbers of an embedding [D] are of which layer."""

    blocks: tuple[int, ...]  # how many numbers each stage has, in order, and the last layer; (D,) without stages

    def first(self, weighing: Weighing) -> int:
        """Where the numbers that count begin."""
        return sum(self.blocks[:-1]) if weighing == "last" else 0

    def counted(self, weighing: Weighing) -> tuple[int, ...]:
        """The blocks of those numbers."""
        return self.blocks[-1:] if weighing == "last" else self.blocks

    @overload
    def chosen(self, vectors: NDArray[np.float32], weighing: Weighing) -> NDArray[np.float32]: ...
    @overload
    def chosen(self, vectors: Rows, weighing: Weighing) -> Rows: ...
    def chosen(self, vectors: Rows, weighing: Weighing) -> Rows:
        """The numbers of vectors [N, D] that count, as a whole array or on disk."""
        return as_rows(from_column(vectors, self.first(weighing)))

    def whole(self, weight: NDArray[np.floating], weighing: Weighing) -> NDArray[np.float32]:
        """Weights [K, d] of the numbers that count as weights [K, D] of all."""
        found = np.zeros((len(weight), sum(self.blocks)), dtype=np.float32)
        found[:, self.first(weighing) :] = weight
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """A weighing that held-out pictures chose, or that was the only one."""

    weighing: Weighing
    path: tuple[float, ...]  # the strengths to try with it, from strong to weak
    trials: Mapping[Weighing, float]  # mean held-out log loss in nats at the best strength; empty where none was tried


def details_of(weighed: Weighed) -> dict[str, Any]:
    """What was chosen among what, for metrics.json; nothing where there was no choice."""
    if not weighed.trials:
        return {}
    trials = [{"weighing": weighing, "log_loss": loss} for weighing, loss in weighed.trials.items()]
    return {"stages": {"weighing": weighed.weighing, "trials": trials}}


def choose_weighing(
    try_one: Callable[[Weighing, Sequence[float]], Mapping[float, NDArray[np.float64]]],
    weighings: Sequence[Weighing],
    path: Sequence[float],
) -> Weighed:
    """The best of `weighings`, two or more, and the strengths around its best.

    `try_one` gives the held-out loss of each picture (or problem) [n] with a weighing by strength; it is given every other
    strength of `path`, which goes from strong to weak, and called from several threads at once. The first weighing stays unless
    another is better by a standard error of the difference, picture by picture.
    """
    coarse = path[::2] if len(path) > 3 else path
    losses: dict[Weighing, NDArray[np.float64]] = {}
    strengths: dict[Weighing, float] = {}
    # Few pictures leave cores idle between two products; the weighings know nothing of each other.
    with closing(in_order(weighings, lambda one: try_one(one, coarse), workers=cores(), name="weigh")) as tried:
        for weighing, found in zip(weighings, tried, strict=True):
            means_of = {strength: loss.mean() for strength, loss in found.items()}
            strengths[weighing] = min(means_of, key=means_of.__getitem__)
            losses[weighing] = found[strengths[weighing]]
    means = {weighing: float(one.mean()) for weighing, one in losses.items()}
    best = min(means, key=means.__getitem__)
    gains = losses[weighings[0]] - losses[best]
    if gains.mean() <= gains.std() / np.sqrt(len(gains)):
        best = weighings[0]
    if best == "last":
        return Weighed(weighing=best, path=tuple(path), trials=means)
    step, found_best = path[0] / path[1], strengths[best]
    # From strong to weak all the same: a fit with hardly any penalty needs a start near by.
    above = tuple(strength for strength in coarse if strength > 1.01 * found_best * step)
    around = tuple(found_best * step**exponent for exponent in (1, 0, -1))
    return Weighed(weighing=best, path=(*above, *around), trials=means)


def losses_by_strength(
    held_out_losses: Callable[[float, bool], NDArray[np.float64]],
    strengths: Sequence[float],
    advance: Callable[[int], None],
    *,
    weakest: float,
) -> Mapping[float, NDArray[np.float64]]:
    """What `choose_weighing` asks of one weighing: the held-out losses [n] at each strength that `try_strengths` tries.

    `held_out_losses(strength, cold)` fits and scores; what the mean of them says decides which strengths are tried.
    """
    losses: dict[float, NDArray[np.float64]] = {}

    def held_out_loss(strength: float, cold: bool) -> float:
        losses[strength] = held_out_losses(strength, cold)
        return float(losses[strength].mean())

    try_strengths(held_out_loss, strengths, advance, weakest=weakest)
    return losses


def weakest(weighing: Weighing) -> float:
    """The least strength to try with a weighing: without the stages it is what it was before them."""
    return LEAST if weighing == "last" else WEAKEST


def turned(
    vectors: NDArray[np.float32], layers: Layers, weighing: Weighing, threads: ThreadPoolExecutor
) -> NDArray[np.float32]:
    """Few pictures [n, D] in as few numbers [n, n] with the same products, standardised and weighed, over all of them alike.

    A linear classifier with a penalty on its length sees the products of pictures only, so that it answers the same.
    """
    chosen = layers.chosen(vectors, weighing)
    mean, scale = (
        row[0].astype(np.float32)
        for row in standardisation(
            chosen,
            np.ones((1, len(chosen)), dtype=np.bool_),
            threads,
            blocks=layers.counted(weighing),
            power=POWERS[weighing],
        )
    )
    standard: NDArray[np.float32] = (chosen - mean) * scale
    if len(standard) >= standard.shape[1]:
        return standard
    (products,) = sum_over_rows(
        threads, standard.shape[1], lambda columns: (standard[:, columns] @ standard[:, columns].T,)
    )
    added = _JITTER * max(float(np.trace(products)) / len(products), 1.0)
    while True:
        products[np.diag_indices_from(products)] += added
        try:
            return np.linalg.cholesky(products).astype(np.float32)
        except np.linalg.LinAlgError:  # single precision left more below zero than was added
            added *= 10
