"""What more pictures would bring, in the report. In: embeddings. Out: PictureCurve, a section. Next: tasks/text/looking.py.

The same curve as `tellapart next` draws, of fewer pictures and repeats, so that nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tellapart.bundle import Score
from tellapart.evaluation.learning_curve import Band
from tellapart.reporting.blocks import Block, Column, Paragraph, Section, Table
from tellapart.reporting.facts import Chart, Said
from tellapart.reporting.figures import Line, draw_lines
from tellapart.reporting.phrases import Phrases
from tellapart.reporting.sections import charts_block
from tellapart.runs.embeddings import EmbeddedExamples
from tellapart.runs.more_pictures import PictureCurve, draw_curve
from tellapart.runs.open import OpenRun

MOST = 1_000  # pictures that the curve is of
_REPEATS = 3
_AHEAD = 4  # times as many pictures as were learned from, to which the curve is drawn on
_MOST_ROWS = 12  # classes in the table
_NAMED = 3  # in the advice
_HARDLY_WRONG = 0.01


def more_part(run: OpenRun, embedded: EmbeddedExamples) -> PictureCurve | None:
    """None where a class is too small for a curve."""
    return draw_curve(embedded, run.classes, most=MOST, repeats=_REPEATS, seed=run.settings.seed)


def more_advice(part: PictureCurve) -> list[Said]:
    """Whether to add pictures, and of what; nothing where hardly anything is wrong."""
    last = part.law.last
    gain = part.law.gain(last)
    ends = {"low": gain.low, "high": gain.high}
    if part.law.worth:
        sure = [name for name, band in _ranked(part) if band.low > 0][:_NAMED]
        values = {"n": last, "share": gain.value, **ends}
        return [("next_more_of", {**values, "names": sure})] if sure else [("next_more", values)]
    return [("next_no_more", ends)] if part.law.error(last).value > _HARDLY_WRONG else []


def more_section(part: PictureCurve, phrases: Phrases) -> Section:
    """The curve, and what twice as many pictures would bring to each class."""
    t = phrases
    blocks: list[Block] = [
        Paragraph(text=t("curve_lead", n=part.law.last)),
        charts_block([_curve(part, phrases)], phrases),
        _classes(part, phrases),
        Paragraph(text=t("curve_note"), tone="soft"),
    ]
    return Section(key="more", title=t("curve"), blocks=blocks)


def _ranked(part: PictureCurve) -> list[tuple[str, Band]]:
    """What each class would gain, the largest gain first."""
    gains = [(name, law.gain(law.last)) for name, law in part.classes.items()]
    return sorted(gains, key=lambda one: -one[1].value)


def _curve(part: PictureCurve, phrases: Phrases) -> Chart:
    sizes: Sequence[int] = part.grown.sizes
    along = np.geomspace(sizes[0], _AHEAD * sizes[-1], 60)
    bands = [part.law.error(number) for number in along.tolist()]
    ends = [Line(x=along, y=[getattr(band, name) for band in bands], colour=1, dashed=True) for name in ("low", "high")]
    lines = [
        *ends,
        Line(x=along, y=[band.value for band in bands], colour=1),
        Line(x=[float(size) for size in sizes], y=np.nanmean(part.grown.errors, axis=1), colour=2, dotted=True),
    ]
    return Chart(
        title="curve_errors",
        svg=draw_lines(lines, x=phrases("curve_pictures"), y=phrases("wrong"), shares="y", whole=True),
        legend=[(phrases("curve_seen"), 2, False), (phrases("curve_law"), 1, False), (phrases("curve_band"), 1, True)],
    )


def _classes(part: PictureCurve, phrases: Phrases) -> Table:
    t = phrases
    rows = []
    for name, band in _ranked(part)[:_MOST_ROWS]:
        law = part.classes[name]
        gain = Score(value=band.value, low=band.low, high=band.high)
        rows.append((name, t.percent(law.error(law.last).value), t.percent(band.value), t.interval(gain)))
    return Table(
        columns=[
            Column(name=t("class"), kind="name"),
            *(Column(name=t(key), kind="number") for key in ("curve_missed", "curve_gain", "interval")),
        ],
        rows=rows,
    )
