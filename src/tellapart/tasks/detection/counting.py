"""Boxes at a threshold: found, missed, taken for others. In: ClassMatches, thresholds. Out: CountedBoxes. Next: error_kinds.py.

Shapes: N pictures, K classes. An answer counts from its class's threshold on, and finds a true box at an overlap of 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.tasks.detection.matching import Answered, ClassMatches, Doubles, Flags, Numbers, TrueBoxes, box_overlaps

OVERLAP = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CountedBoxes:
    """Boxes by class and picture, int64 [K, N]; what is difficult or a crowd, and what found it, is in none."""

    right: Numbers  # true boxes that an answer found
    said: Numbers  # answers
    positives: Numbers  # true boxes


def count(matches: Sequence[ClassMatches], thresholds: NDArray[np.floating]) -> CountedBoxes:
    """Count the answers from `thresholds` on, [K] or of each picture [K, N].

    A surer answer is matched first, so that those below change nothing.
    """
    pictures = matches[0].positives.shape[1] if matches else 0
    right, said = np.zeros((2, len(matches), pictures), dtype=np.int64)
    for number, (one, threshold) in enumerate(zip(matches, thresholds, strict=True)):
        counts = reaches(one, threshold) & ~one.ignored[0, 0]
        said[number] = np.bincount(one.picture[counts], minlength=pictures)
        right[number] = np.bincount(one.picture[counts & one.matched[0, 0]], minlength=pictures)
    positives = np.array([one.positives[0] for one in matches], dtype=np.int64).reshape(len(matches), pictures)
    return CountedBoxes(right=right, said=said, positives=positives)


def reaches(one: ClassMatches, threshold: NDArray[np.floating] | float) -> Flags:
    """Which answers of a class reach its threshold, [D]: one of all pictures, or of each picture its own, [N]."""
    own = np.asarray(threshold)
    return np.asarray(one.scores >= (own[one.picture] if own.ndim else own))


def precision_recall_f1(right: Doubles, said: Doubles, positives: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """Of sums, of any one shape; NaN where there is neither an answer nor a true box to divide by."""
    return _share(right, said), _share(right, positives), _share(2 * right, said + positives)


def count_errors(counted: CountedBoxes, times: NDArray[np.floating]) -> dict[str, Doubles]:
    """How far numbers of boxes are from the truth, over `times` [b, N] that each picture is there.

    `count_error` [b]: differences of all pictures and classes, without their signs, over all true boxes. `count_bias` [b]: with
    their signs. `count_miss` [b, K]: the mean difference a picture of each class, without sign.
    """
    off = counted.said - counted.positives
    whole = times @ counted.positives.sum(axis=0)
    return {
        "count_error": _share(times @ np.abs(off).sum(axis=0), whole),
        "count_bias": _share(times @ off.sum(axis=0), whole),
        "count_miss": _share(times @ np.abs(off).T, times.sum(axis=1, keepdims=True)),
    }


def best_thresholds(matches: Sequence[ClassMatches], *, precision: float | None = None) -> Doubles:
    """The threshold of each class with the best F1, or with the most found at that precision; [K].

    Between two scores, half way. A class without a true box, or for which no threshold is precise enough, gets 1: only what is
    quite sure.
    """
    return np.array([_best_threshold(one, precision) for one in matches])


def confusion(
    answers: Sequence[Answered],
    truths: Sequence[TrueBoxes],
    matches: Sequence[ClassMatches],
    thresholds: NDArray[np.floating],
) -> Numbers:
    """True classes by answered ones, int64 [K + 1, K + 1]; the last row and column are the background.

    An answer that found a box of its class stands on the diagonal. What is left is paired by overlap, the closest first.
    """
    table = np.zeros((len(matches) + 1, len(matches) + 1), dtype=np.int64)
    by_picture = _by_picture(matches, thresholds, len(truths))
    for (said, found, ignored), answer, truth in zip(by_picture, answers, truths, strict=True):
        known = found[(found >= 0) & ~ignored]
        np.add.at(table, (truth.labels[known], truth.labels[known]), 1)
        loose = said[(found < 0) & ~ignored]
        missed = np.setdiff1d(np.flatnonzero(~truth.ignored), known)
        for row, column in _pairs(answer, truth, loose, missed):
            table[truth.labels[missed[row]], answer.labels[loose[column]]] += 1
            missed[row] = loose[column] = -1
        table[:-1, -1] += np.bincount(truth.labels[missed[missed >= 0]], minlength=len(matches))
        table[-1, :-1] += np.bincount(answer.labels[loose[loose >= 0]], minlength=len(matches))
    return table


def _by_picture(
    matches: Sequence[ClassMatches], thresholds: NDArray[np.floating], pictures: int
) -> list[tuple[Numbers, Numbers, Flags]]:
    """Of each picture the answers that count, the true boxes that they found (-1: none), and whether that counts neither way."""
    sure = [reaches(one, threshold) for one, threshold in zip(matches, thresholds, strict=True)]

    def gathered(values: Sequence[NDArray[np.generic]]) -> NDArray[np.generic]:
        return np.concatenate([value[chosen] for value, chosen in zip(values, sure, strict=True)])

    picture = gathered([one.picture for one in matches])
    order = np.argsort(picture, kind="stable")
    cuts = np.searchsorted(picture[order], np.arange(1, pictures))
    parts = [
        np.split(gathered(values)[order], cuts)
        for values in (
            [one.source for one in matches],
            [one.found[0] for one in matches],
            [one.ignored[0, 0] for one in matches],
        )
    ]
    return list(zip(*parts, strict=True))


def _pairs(answer: Answered, truth: TrueBoxes, loose: Numbers, missed: Numbers) -> list[tuple[int, int]]:
    """Places in `missed` and `loose` that cover each other by half or more, each once, the closest first."""
    measured = box_overlaps(answer.boxes[loose], truth.boxes[missed], np.zeros(len(missed), dtype=np.bool_)).T
    rows, columns = np.nonzero(measured >= OVERLAP)
    found: dict[int, int] = {}
    for place in np.argsort(-measured[rows, columns], kind="stable").tolist():
        row, column = int(rows[place]), int(columns[place])
        if row not in found and column not in found.values():
            found[row] = column
    return list(found.items())


def _best_threshold(matches: ClassMatches, precision: float | None) -> float:
    counts = ~matches.ignored[0, 0]
    order = np.argsort(-matches.scores[counts], kind="stable")
    scores = matches.scores[counts][order]
    right = np.cumsum(matches.matched[0, 0][counts][order])
    said = np.arange(1, len(scores) + 1)
    positives = int(matches.positives[0].sum())
    last = np.append(scores[1:] < scores[:-1], True)[: len(scores)]  # a threshold cannot part equal scores
    worth = 2 * right / (said + positives) if precision is None else np.where(right >= precision * said, right, 0)
    worth = np.where(last, worth, 0)
    if not positives or not len(scores) or worth.max() <= 0:
        return 1.0
    best = int(np.argmax(worth))
    return float((scores[best] + scores[best + 1]) / 2 if best + 1 < len(scores) else scores[best])


def _share(part: NDArray[np.number], whole: NDArray[np.number]) -> Doubles:
    parts, wholes = np.broadcast_arrays(np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64))
    return np.asarray(np.divide(parts, wholes, out=np.full(parts.shape, np.nan), where=wholes > 0))
