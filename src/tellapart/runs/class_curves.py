"""Precision over recall and ROC, a curve a class. In: scores and truths by class. Out: two Charts. Next: parts.py."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.curves import precision_recall, receiver_operating
from tellapart.reporting.facts import Chart, Said
from tellapart.reporting.figures import Line, draw_lines
from tellapart.reporting.phrases import Phrases

ClassScores = tuple[str, NDArray[np.floating], NDArray[np.bool_]]  # name, scores [n], whether it is the class [n]

_CHARTS = (
    ("precision_recall", precision_recall, "recall", "precision"),
    ("receiver", receiver_operating, "false_positive_rate", "true_positive_rate"),
)


def class_charts(chosen: Sequence[ClassScores], phrases: Phrases, *, some: Said | None = None) -> list[Chart]:
    """The curves of at most SERIES classes, each with scores [n] of it and of others; none where there is no such class.

    `some` says which they are, where there are more.
    """
    if not chosen:
        return []
    legend = [(name, colour, False) for colour, (name, _, _) in enumerate(chosen, start=1)]
    charts = []
    for title, curve, x, y in _CHARTS:
        points = [curve(scores, positive) for _, scores, positive in chosen]
        lines = [
            Line(x=across, y=up, colour=colour, stepped=True) for colour, (across, up) in enumerate(points, start=1)
        ]
        svg = draw_lines(
            lines,
            x=phrases(x),
            y=phrases(y),
            x_range=(0, 1),
            y_range=(0, 1.02),
            shares="xy",
            diagonal=title == "receiver",
        )
        charts.append(Chart(title=title, svg=svg, legend=legend, lead=some))
    return charts
