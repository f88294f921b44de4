"""Average precision and recall, as COCO defines them. In: ClassMatches. Out: figures, also of resamples. Next: counting.py.

Shapes as in matching.py; b resamples of the pictures, each how often it has every picture, [b, N].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.tasks.detection.matching import AREAS, MOST_ANSWERS, OVERLAPS, ClassMatches, Doubles, Flags, Numbers

RECALLS: Doubles = np.linspace(0.0, 1.0, 101)
_CELLS_AT_ONCE = 2_000_000  # of resamples x answers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranked:
    """The answers of one class that count at one overlap and range of area, the surest first."""

    right: Flags  # [D]
    picture: Numbers  # [D]
    positives: Numbers  # [N]


def ranked(matches: ClassMatches, *, area: int = 0, overlap: int = 0) -> Ranked:
    """Of one class; equal scores in the order of the pictures."""
    order = np.argsort(-matches.scores, kind="stable")
    counts = ~matches.ignored[area, overlap][order]
    return Ranked(
        right=matches.matched[area, overlap][order][counts],
        picture=matches.picture[order][counts],
        positives=matches.positives[area],
    )


def precision_at_recalls(answers: Ranked, times: NDArray[np.integer]) -> Doubles:
    """The best precision at each of COCO's 101 recalls or beyond, [b, 101]; NaN where a resample has no true box.

    `times` [b, N] is how often each picture is there.
    """
    steps = max(1, _CELLS_AT_ONCE // max(1, len(answers.right)))
    parts = [_precisions(answers, times[start : start + steps]) for start in range(0, len(times), steps)]
    return np.concatenate(parts)


def average_precision(answers: Ranked, times: NDArray[np.integer] | None = None) -> Doubles:
    """The mean precision over the 101 recalls, [b], or [1] for all pictures once; NaN without a true box."""
    once = np.ones((1, len(answers.positives)), dtype=np.int64)
    return np.asarray(precision_at_recalls(answers, once if times is None else times).mean(axis=1))


def area_under_curve(answers: Ranked) -> float:
    """Pascal VOC's average precision since 2010: the area under the precision made falling; NaN without a true box."""
    positives = int(answers.positives.sum())
    if not positives:
        return float("nan")
    right = np.cumsum(answers.right)
    precision = right / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((envelope * answers.right).sum() / positives)


def coco_figures(matches: Sequence[ClassMatches]) -> dict[str, float]:
    """COCO's twelve figures over the classes, and NaN for those of which there is no true box.

    `ap`, `ap50`, `ap75`, `ap_small`, `ap_medium`, `ap_large`, `ar1`, `ar10`, `ar100`, `ar_small`, `ar_medium`, `ar_large`.
    """
    precisions = np.array([[_over_overlaps(one, area) for area in range(len(AREAS))] for one in matches])  # [K, A, T]
    recalls = {most: _recalls(matches, 0, most) for most in (1, 10, MOST_ANSWERS)}
    return {
        "ap": _mean(precisions[:, 0]),
        "ap50": _mean(precisions[:, 0, 0]),
        "ap75": _mean(precisions[:, 0, 5]),
        **{f"ap_{name}": _mean(precisions[:, place]) for place, name in enumerate(AREAS) if place},
        **{f"ar{most}": value for most, value in recalls.items()},
        **{f"ar_{name}": _recalls(matches, place, MOST_ANSWERS) for place, name in enumerate(AREAS) if place},
    }


def class_precisions(matches: ClassMatches, times: NDArray[np.integer] | None = None) -> Doubles:
    """Average precision of one class at each overlap, [T, b]."""
    return np.stack([average_precision(ranked(matches, overlap=place), times) for place in range(len(OVERLAPS))])


def _over_overlaps(matches: ClassMatches, area: int) -> list[float]:
    return [float(average_precision(ranked(matches, area=area, overlap=place))[0]) for place in range(len(OVERLAPS))]


def _recalls(matches: Sequence[ClassMatches], area: int, most: int) -> float:
    """The mean share of true boxes that the `most` surest answers of each picture find."""
    found = []
    for one in matches:
        positives = int(one.positives[area].sum())
        if positives:
            right = one.matched[area] & ~one.ignored[area] & (one.rank < most)
            found.append(right.sum(axis=1) / positives)
    return _mean(np.array(found))


def _mean(values: Doubles) -> float:
    """Over what is known."""
    known = values[~np.isnan(values)] if values.size else values
    return float(known.mean()) if known.size else float("nan")


def _precisions(answers: Ranked, times: NDArray[np.integer]) -> Doubles:
    each = times.astype(np.int64)[:, answers.picture]  # [b, D]
    positives = times.astype(np.int64) @ answers.positives  # [b]
    right = np.cumsum(each * answers.right, axis=1)
    said = np.cumsum(each, axis=1)
    precision = right / np.maximum(said, np.spacing(1))
    # An answer of a picture that is not there has the precision of the one before it, which changes nothing.
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    padded = np.concatenate([envelope, np.zeros((len(times), 1))], axis=1)
    found = np.take_along_axis(padded, _first_with(right, _needed(positives)), axis=1)
    found[positives == 0] = np.nan
    return np.asarray(found)


def _needed(positives: Numbers) -> Numbers:
    """The fewest right answers that reach each recall, [b, 101]; compared as COCO does, share with share."""
    whole = positives[:, None].astype(np.float64)
    needed = np.ceil(RECALLS * whole)
    fewer = (needed - 1) / np.maximum(whole, 1) >= RECALLS
    more = needed / np.maximum(whole, 1) < RECALLS
    return np.asarray(needed - fewer + more, dtype=np.int64)


def _first_with(right: Numbers, needed: Numbers) -> Numbers:
    """For each row, the first place whose count is what is needed, or the number of places, [b, 101]."""
    rows, width = right.shape
    if not width:
        return np.zeros_like(needed)
    # One search over all rows: each row's counts lie above those of the row before.
    step = int(max(right.max(), needed.max())) + 2
    offset = np.arange(rows)[:, None] * step
    places = np.searchsorted((right + offset).reshape(-1), (needed + offset).reshape(-1)).reshape(needed.shape)
    return np.asarray(np.minimum(places - np.arange(rows)[:, None] * width, width))
