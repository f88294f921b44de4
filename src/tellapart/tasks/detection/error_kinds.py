"""What kinds of error cost how much. In: answers, truths, ClassMatches. Out: precision lost by kind. Next: voc_precision.py.

An answer that is wrong at an overlap of 0.5 is of one kind: `place` (its class, but off), `class` (the place, but another class),
`both`, `copy` (of a box that is found already), `background` (nothing there). A true box that no answer found, and that no
answer of the first two kinds stands for, is `missed`. What a kind costs is what the average precision gains once all errors of
that kind, and no others, are put right. Source: Bolya et al. 2020, TIDE, arXiv 2008.08115, sections 2.1 and 2.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tellapart.tasks.detection.average_precision import Ranked, average_precision
from tellapart.tasks.detection.matching import Answered, ClassMatches, Doubles, Flags, Numbers, TrueBoxes, box_overlaps

KINDS = ("class", "place", "both", "copy", "background", "missed")
_FOUND, _NEAR = 0.5, 0.1  # overlaps from which a box is found, and from which it is not background


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Told:
    """All answers that count, D of all classes, the surest first; boxes are numbered over all pictures."""

    label: Numbers  # [D]
    picture: Numbers  # [D]
    right: Flags  # [D]
    kind: NDArray[np.object_]  # [D]: one of KINDS; "" for a right one
    box: Numbers  # [D]: the true box that it found, or stands for; -1: none


def error_kinds(
    answers: Sequence[Answered], truths: Sequence[TrueBoxes], matches: Sequence[ClassMatches]
) -> dict[str, dict[str, float]]:
    """For each kind: how many errors (`number`), and what they cost (`lost`), the mean over the classes with a true box."""
    judged = _judge(answers, truths, matches)
    labels = np.concatenate([truth.labels for truth in truths])
    counts = ~np.concatenate([truth.ignored for truth in truths])
    stood_for = np.zeros(len(labels), dtype=np.bool_)
    stood_for[judged.box[judged.box >= 0]] = True
    missed = counts & ~stood_for
    pictures = np.repeat(np.arange(len(truths)), [len(truth.labels) for truth in truths])
    positives = np.zeros((2, len(matches), len(truths)), dtype=np.int64)  # all of them, and those that were not missed
    np.add.at(positives[0], (labels[counts], pictures[counts]), 1)
    np.add.at(positives[1], (labels[counts & ~missed], pictures[counts & ~missed]), 1)
    before = _precisions(judged, positives[0])
    present = positives[0].sum(axis=1) > 0
    table = {}
    for kind in KINDS:
        if kind == "missed":
            # A class of which every box was missed, and nothing else was answered, is then without fault.
            after = np.where(positives[1].sum(axis=1) > 0, _precisions(judged, positives[1]), 1.0)
            number = int(missed.sum())
        else:
            after = _precisions(_mended(judged, kind, labels), positives[0])
            number = int((judged.kind == kind).sum())
        lost = float((after - before)[present].mean()) if present.any() else float("nan")
        table[kind] = {"number": number, "lost": lost}
    return table


def _judge(answers: Sequence[Answered], truths: Sequence[TrueBoxes], matches: Sequence[ClassMatches]) -> _Told:
    scores, parts = [np.empty(0)], []
    first = np.cumsum([0, *(len(truth.labels) for truth in truths)])  # the number of each picture's first box
    for number, one in enumerate(matches):
        counts = ~one.ignored[0, 0]
        picture, source, found = one.picture[counts], one.source[counts], one.found[0][counts]
        kind = np.full(len(picture), "", dtype=object)
        box = np.where(found >= 0, first[picture] + found, -1)
        for place in np.flatnonzero(found < 0).tolist():
            truth = truths[picture[place]]
            row = box_overlaps(answers[picture[place]].boxes[source[place]][None], truth.boxes, truth.crowd)[0]
            kind[place], meant = kind_of_error(np.where(truth.ignored, 0.0, row), truth.labels == number)
            box[place] = first[picture[place]] + meant if meant >= 0 else -1
        scores.append(one.scores[counts])
        parts.append((np.full(len(picture), number), picture, found >= 0, kind, box))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    return _Told(
        label=np.concatenate([part[0] for part in parts])[order],
        picture=np.concatenate([part[1] for part in parts])[order],
        right=np.concatenate([part[2] for part in parts])[order],
        kind=np.concatenate([part[3] for part in parts])[order],
        box=np.concatenate([part[4] for part in parts])[order],
    )


def kind_of_error(row: Doubles, own: Flags) -> tuple[str, int]:
    """The kind of an error by its overlaps with the true boxes [R], and the box that it stands for; -1: none."""
    same, other = np.where(own, row, 0.0), np.where(own, 0.0, row)
    best_same, best_other = float(same.max(initial=0.0)), float(other.max(initial=0.0))
    if _NEAR <= best_same < _FOUND:
        return "place", int(same.argmax())
    if best_other >= _FOUND:
        return "class", int(other.argmax())
    if best_same >= _FOUND:
        return "copy", -1
    return ("background" if max(best_same, best_other) <= _NEAR else "both"), -1


def _mended(judged: _Told, kind: str, labels: Numbers) -> _Told:
    """The answers with all errors of a kind put right: the surest for a box finds it, unless it is found; the others are gone."""
    wrong = judged.kind == kind
    keep, right, label = ~wrong, judged.right.copy(), judged.label.copy()
    found = set(judged.box[judged.right].tolist())
    for place in np.flatnonzero(wrong & (judged.box >= 0)).tolist():
        box = int(judged.box[place])
        if box not in found:
            found.add(box)
            keep[place] = right[place] = True
            label[place] = labels[box]
    return replace(
        judged,
        label=label[keep],
        picture=judged.picture[keep],
        right=right[keep],
        kind=judged.kind[keep],
        box=judged.box[keep],
    )


def _precisions(judged: _Told, positives: Numbers) -> Doubles:
    """Average precision of each class at an overlap of 0.5, [K]; NaN where it has no true box."""
    found = []
    for number, own in enumerate(positives):
        chosen = judged.label == number
        one = Ranked(right=judged.right[chosen], picture=judged.picture[chosen], positives=own)
        found.append(float(average_precision(one)[0]))
    return np.array(found)
