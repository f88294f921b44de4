"""A comparison of figures as one HTML page in the report's look. In: FigureComparison. Out: a file. Next: cli/compare.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tellapart.reporting.album import LARGE_SIDE, Album
from tellapart.reporting.blocks import Block, Column, Group, Paragraph, Pictures, Section, Table, Verdict
from tellapart.reporting.facts import CaptionLine
from tellapart.reporting.phrases import Phrases
from tellapart.workflows.compare_figures import FigureComparison
from tellapart.workflows.compare_page import about, number, points, short_name, write_report

_MOST = 12  # pictures of a kind


def write_figures_page(path: Path, found: FigureComparison, phrases: Phrases) -> None:
    """Write the page. Raises: StorageError."""
    names = [short_name(one.side.name) for one in (found.first, found.second)]
    sections = [
        _beside(found, names, phrases),
        _pictures("compare_figures_won", found, found.won, phrases),
        _pictures("compare_figures_lost", found, found.lost, phrases),
        about(len(found.items), found.seen, found.unanswered, found.unknown, phrases),
    ]
    write_report(path, names, _verdict(found, names, phrases), sections, phrases)


def _verdict(found: FigureComparison, names: Sequence[str], t: Phrases) -> Verdict:
    key = {1: "compare_better", 0: "compare_open", -1: "compare_worse"}[found.verdict]
    low, high, value = found.difference.low, found.difference.high, found.difference.value
    ends = {"least": points(value if low is None else low), "most": points(value if high is None else high)}
    first = found.first.score.value
    return Verdict(
        sentence=t(key, n=len(found.items), points=points(value), **ends),
        score=found.second.score,
        references=[(first, t("compare_first", name=names[0], share=first))],
        doubt="" if found.needed is None else t("compare_needed", n=found.needed),
        note=t(
            "compare_figures_note",
            figure=t(found.figure),
            p=f"{found.p_value:.3f}",
            won=len(found.won),
            lost=len(found.lost),
        ),
    )


def _beside(found: FigureComparison, names: Sequence[str], t: Phrases) -> Section:
    sides = (found.first, found.second)
    rows = [
        (t(found.figure), *(t.percent(one.score.value) for one in sides)),
        (t("interval"), *(t.interval(one.score) for one in sides)),
        (
            t("compare_figures_mean", figure=t(found.of_picture)),
            *(t.percent(float(one.values.mean())) for one in sides),
        ),
        (t("compare_milliseconds"), *(number(one.milliseconds, 1) for one in sides)),
        (t("compare_megabytes"), *(number(one.megabytes, 1) for one in sides)),
    ]
    columns = [Column(name=""), *(Column(name=name, kind="number") for name in names)]
    return Section(key="beside", title=t("compare_beside"), blocks=[Table(columns=columns, rows=rows)])


def _pictures(key: str, found: FigureComparison, rows: Sequence[int], t: Phrases) -> Section:
    """Pictures with what each side's answer is worth."""
    title, chosen = t(key), rows[:_MOST]
    if not chosen:
        return Section(key=key, title=title, blocks=[Paragraph(text=t("compare_none"))])
    lead = t("compare_figures_some", n=len(rows), shown=len(chosen), figure=t(found.of_picture))
    shown = Album().show([(found.items[row].path, "", "", None) for row in chosen], side=LARGE_SIDE)
    captioned = [
        replace(
            picture,
            caption=tuple(
                CaptionLine(text=t(who), share=t.percent(float(one.values[row]), 0))
                for who, one in (("compare_a", found.first), ("compare_b", found.second))
            ),
        )
        for picture, row in zip(shown, chosen, strict=True)
    ]
    blocks: list[Block] = [
        Paragraph(text=lead, tone="soft"),
        Pictures(layout="cards", groups=[Group(pictures=captioned)], large=True),
    ]
    return Section(key=key, title=title, blocks=blocks)
