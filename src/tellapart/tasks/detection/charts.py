"""Charts of the report of boxes. In: MatchedTest. Out: list[Chart]. Next: drawn.py.

A class has the colour of its boxes in the pictures where there are no more classes than colours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from tellapart.bundle import DetectionRecord
from tellapart.evaluation.curves import binned
from tellapart.evaluation.platt import sigmoid
from tellapart.reporting.facts import Chart, Said
from tellapart.reporting.figures import SERIES, Line, draw_lines, draw_pairs, draw_reliability, draw_stacked
from tellapart.reporting.phrases import Phrases
from tellapart.tasks.detection.average_precision import RECALLS, precision_at_recalls, ranked
from tellapart.tasks.detection.counting import precision_recall_f1
from tellapart.tasks.detection.deciding import logits
from tellapart.tasks.detection.matching import ClassMatches, Doubles
from tellapart.tasks.detection.tested import MatchedTest

_STEPS = 201  # thresholds that a curve is drawn at
_SMALLEST, _DOUBLINGS = 16, 6  # pixels, of the first range of sizes, and how many there are
_OVERLAP_75 = 5  # place of an IoU of 0.75 among OVERLAPS

Drawn = Sequence[tuple[int, str]]  # number and name of each class that has a curve


def curves(tested: MatchedTest, chosen: Drawn, phrases: Phrases, *, some: Said | None) -> list[Chart]:
    """Precision over recall, and F1 over the threshold, of the classes `chosen`; `some` says which of many they are."""
    if not chosen:
        return []
    own = max(number for number, _ in chosen) < SERIES
    colours = {number: number + 1 if own else place for place, (number, _) in enumerate(chosen, start=1)}
    legend = [(name, colours[number], False) for number, name in chosen]
    return [
        Chart(
            title="precision_recall",
            svg=_precision_recall(tested, colours, phrases),
            legend=legend,
            lead=some or ("boxes_curves", {}),
        ),
        Chart(
            title="boxes_f1_threshold",
            svg=_f1_over_threshold(tested, colours, phrases),
            legend=legend,
            lead=("boxes_f1_lead", {}),
        ),
    ]


def reliability_chart(tested: MatchedTest, record: DetectionRecord, phrases: Phrases) -> Chart:
    """Scores of all answers against how often they are right, calibrated and as the network gives them."""
    counts = [~one.ignored[0, 0] for one in tested.matches]
    scores = np.concatenate([one.scores[chosen] for one, chosen in zip(tested.matches, counts, strict=True)])
    right = np.concatenate([one.matched[0, 0][chosen] for one, chosen in zip(tested.matches, counts, strict=True)])
    classes = np.repeat(np.arange(len(counts)), [int(chosen.sum()) for chosen in counts])
    raw = sigmoid((logits(scores) - np.array(record.offsets)[classes]) / np.array(record.scales)[classes])
    before = [(one.confidence, one.accuracy) for one in binned(raw, right)]
    after = [(one.confidence, one.accuracy, one.low, one.high) for one in binned(scores, right)]
    return Chart(
        title="reliability",
        svg=draw_reliability(before, after, x=phrases("boxes_score"), y=phrases("boxes_share_right")),
        legend=[(phrases("after"), 1, False), (phrases("before"), 2, True)],
        lead=("boxes_reliability_lead", {}),
    )


def sizes_chart(tested: MatchedTest, phrases: Phrases) -> Chart:
    """How many true boxes of each range of sizes were found, and how many missed."""
    found, sides = [], []
    for picture, truth in enumerate(tested.truths):
        counts = ~truth.ignored
        found.append(tested.found(picture)[counts])
        areas = np.prod(truth.boxes[counts, 2:] - truth.boxes[counts, :2], axis=1)
        sides.append(np.sqrt(areas))
    hit, place = np.concatenate(found), _range_of(np.concatenate(sides))
    ranges = range(int(place.min()), int(place.max()) + 1)
    counted = np.array([[int((hit & (place == one)).sum()), int((~hit & (place == one)).sum())] for one in ranges])
    return Chart(
        title="boxes_sizes",
        svg=draw_stacked(
            [_range_name(one) for one in ranges],
            counted[:, 0].tolist(),
            counted[:, 1].tolist(),
            x=phrases("boxes_side"),
            y=phrases("boxes_boxes"),
        ),
        legend=[(phrases("boxes_found"), 1, False), (phrases("boxes_missed_short"), 4, False)],
        lead=("boxes_sizes_lead", {}),
    )


def counts_chart(tested: MatchedTest, phrases: Phrases) -> Chart:
    """How many boxes each picture has, and how many are told of it."""
    counted = tested.counted
    true, told = counted.positives.sum(axis=0).tolist(), counted.said.sum(axis=0).tolist()
    pairs = Counter(zip(true, told, strict=True))
    exact = sum(times for (one, other), times in pairs.items() if one == other)
    values = {"share": exact / len(true), "n": sum(told), "boxes": sum(true)}
    return Chart(
        title="boxes_counts",
        svg=draw_pairs(pairs, x=phrases("boxes_true_count"), y=phrases("boxes_told_count")),
        lead=("boxes_counts_lead", values),
    )


def _precision_recall(tested: MatchedTest, colours: dict[int, int], phrases: Phrases) -> str:
    once = np.ones((1, len(tested.truths)), dtype=np.int64)
    lines = []
    for overlap, dashed in ((0, False), (_OVERLAP_75, True)):
        for number, colour in colours.items():
            precisions = precision_at_recalls(ranked(tested.matches[number], overlap=overlap), once)[0]
            lines.append(Line(x=RECALLS, y=precisions, colour=colour, dashed=dashed, stepped=True))
    return draw_lines(
        lines, x=phrases("recall"), y=phrases("precision"), x_range=(0, 1), y_range=(0, 1.02), shares="xy"
    )


def _f1_over_threshold(tested: MatchedTest, colours: dict[int, int], phrases: Phrases) -> str:
    steps = np.linspace(0.0, 1.0, _STEPS)
    lines = []
    for number, colour in colours.items():
        one, threshold = tested.matches[number], tested.thresholds[number]
        lines.append(Line(x=steps, y=_f1(one, steps), colour=colour))
        lines.append(Line(x=[float(threshold)], y=_f1(one, np.array([threshold])), colour=colour, pointed=True))
    return draw_lines(lines, x=phrases("threshold"), y=phrases("f1"), x_range=(0, 1), y_range=(0, 1.02), shares="y")


def _f1(matches: ClassMatches, thresholds: Doubles) -> Doubles:
    """F1 at each of the thresholds [t]; 0 where nothing is told."""
    counts = ~matches.ignored[0, 0]
    scores, right = matches.scores[counts], matches.matched[0, 0][counts]
    said = np.array([(scores >= one).sum() for one in thresholds])
    hits = np.array([(right & (scores >= one)).sum() for one in thresholds])
    return precision_recall_f1(hits, said, matches.positives[0].sum())[2]


def _range_of(sides: Doubles) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """In which range each size is: up to 16 pixels, up to 32 and so on, the last without an end."""
    edges = _SMALLEST * 2.0 ** np.arange(_DOUBLINGS - 1)
    return np.digitize(sides, edges, right=True)


def _range_name(place: int) -> str:
    if place == 0:
        return f"≤ {_SMALLEST}"
    low = _SMALLEST * 2 ** (place - 1)
    return f"> {low}" if place == _DOUBLINGS - 1 else f"{low}–{2 * low}"
