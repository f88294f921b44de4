"""What the report tells of a search. In: SearchPart. Out: Section. Next: search_figures.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tellapart.bundle import Score
from tellapart.reporting.blocks import Block, Charts, Column, DrawnChart, Heading, Paragraph, Section, Table
from tellapart.reporting.phrases import Phrases
from tellapart.reporting.search_figures import TriedAxis, draw_history, draw_importance, draw_parallel, draw_slice

_FEWEST = 3  # trials that charts are drawn of


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialLine:
    """One trial in the table."""

    number: int
    validation: float
    loss: float | None
    epochs: int | None
    settings: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPart:
    """A search as the report tells it. n trials came to their end."""

    figure: str
    how: str
    counts: tuple[int, int, int]  # trials that are done, were stopped early, have failed
    n_validation: int
    winner: str  # its settings; empty for the usual ones
    validation: float
    usual: float | None
    test: Score | None  # of the same figure; None where the test has none of that name
    beyond_chance: bool
    history: Sequence[tuple[int, float]]  # [n]
    best: int | None  # place of the winner among them
    axes: Sequence[TriedAxis]  # of every setting that all n have
    importance: Mapping[str, float]
    lines: Sequence[TrialLine]  # the best trials
    failures: Sequence[tuple[int, str]]


def search_section(part: SearchPart, phrases: Phrases) -> Section:
    """How the settings were found."""
    t = phrases
    done, stopped, failed = part.counts
    blocks: list[Block] = [
        Paragraph(text=t("search_lead", n=done, stopped=stopped, failed=failed, pictures=part.n_validation)),
        Paragraph(
            text=t.sentences(
                t("search_won", settings=part.winner) if part.winner else t("search_usual_won"), _worth(part, t)
            )
        ),
    ]
    if part.test is not None:
        blocks.append(Paragraph(text=_optimism(part, part.test, t), tone="warning" if part.beyond_chance else "plain"))
    if len(part.history) >= _FEWEST:
        blocks += _charts(part, t)
    blocks += [Heading(text=t("search_trials")), _table(part, t)]
    if part.failures:
        rows = [(str(number), reason) for number, reason in part.failures]
        columns = [Column(name=t("search_trial"), kind="number"), Column(name=t("search_reason"))]
        blocks += [Heading(text=t("search_failed")), Table(columns=columns, rows=rows)]
    return Section(key="search", title=t("search"), blocks=blocks)


def _worth(part: SearchPart, t: Phrases) -> str:
    figure = t.named(part.figure)
    if part.usual is None:
        return t("search_validation", figure=figure, validation=part.validation)
    return t("search_against_usual", figure=figure, validation=part.validation, before=part.usual)


def _optimism(part: SearchPart, test: Score, t: Phrases) -> str:
    points = f"{100 * abs(part.validation - test.value):.1f}"
    ends = {
        "low": test.low if test.low is not None else test.value,
        "high": test.high if test.high is not None else test.value,
    }
    key = (
        "search_flattered"
        if part.beyond_chance
        else "search_less"
        if part.validation > test.value
        else "search_as_good"
    )
    return t.sentences(t("search_tested", measured=test.value, **ends), t(key, points=points))


def _charts(part: SearchPart, t: Phrases) -> list[Block]:
    figure, values = t.named(part.figure), [value for _, value in part.history]
    history = draw_history(part.history, usual=part.usual, x=t("search_trial"), y=figure)
    legend = [(t("search_best_so_far"), 1, False), (t("search_each"), 2, False)]
    charts = [DrawnChart(title=t("search_history"), svg=history, legend=legend)]
    if part.importance:
        svg = draw_importance(part.importance, x=t("search_share"))
        charts.append(DrawnChart(title=t("search_importance"), svg=svg, note=t("search_importance_note")))
    slices = [DrawnChart(title=axis.name, svg=draw_slice(axis, values, best=part.best, y=figure)) for axis in part.axes]
    blocks: list[Block] = [Charts(charts=charts)]
    if slices:
        blocks += [Heading(text=t("search_slices")), Charts(charts=slices)]
    if len(part.axes) > 1:
        svg = draw_parallel(part.axes, values, name=figure)
        chart = DrawnChart(title=t("search_parallel"), svg=svg, note=t("search_parallel_note"))
        blocks.append(Charts(charts=[chart]))
    return blocks


def _table(part: SearchPart, t: Phrases) -> Table:
    columns = [Column(name=t("search_trial"), kind="number"), Column(name=t.named(part.figure), kind="number")]
    columns += [Column(name=t(key), kind="number") for key in ("log_loss", "epoch")]
    rows = [
        (
            str(line.number),
            t.percent(line.validation),
            "–" if line.loss is None else f"{line.loss:.4f}",
            "–" if line.epochs is None else str(line.epochs),
            line.settings,
        )
        for line in part.lines
    ]
    return Table(columns=[*columns, Column(name=t("search_settings"))], rows=rows)
