"""A comparison as one HTML page in the report's look. In: Comparison. Out: a file. Next: cli/compare.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tellapart.evaluation.paired import Paired
from tellapart.reporting.album import LARGE_SIDE, Album
from tellapart.reporting.blocks import (
    Block,
    Column,
    Group,
    Paragraph,
    Pictures,
    Report,
    Section,
    Table,
    Verdict,
)
from tellapart.reporting.facts import CaptionLine, Shown
from tellapart.reporting.page import render
from tellapart.reporting.phrases import Phrases
from tellapart.runs.heat import with_heat
from tellapart.storage import write_bytes
from tellapart.workflows.compare import Comparison, SideAnswers, told_figures

_MOST = 12  # pictures of a kind
_CLASSES = 40  # rows
_LETTERS = 240  # of a text
_FIGURES = {
    "log_loss": "compare_log_loss",
    "brier": "compare_brier",
    "calibration_error": "compare_calibration_error",
    "set_size": "compare_set_size",
}


def write_page(path: Path, found: Comparison, phrases: Phrases) -> None:
    """Write the page. Raises: StorageError."""
    sections = [
        _beside(found, phrases),
        _pictures("compare_won", found, found.won, phrases),
        _pictures("compare_lost", found, found.lost, phrases),
        _classes(found, phrases),
        about(found.paired.n, found.seen, found.unanswered, found.unknown, phrases, folds=found.folds),
    ]
    write_report(path, (_short(found.first), _short(found.second)), _verdict(found, phrases), sections, phrases)


def write_report(
    path: Path, names: Sequence[str], verdict: Verdict, sections: Sequence[Section], phrases: Phrases
) -> None:
    """Write a page about two sides of these names. Raises: StorageError."""
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    report = Report(name=" – ".join(names), made=made, verdict=verdict, sections=list(sections))
    write_bytes(path, render(report, phrases).encode("utf-8", "backslashreplace"))


def _verdict(found: Comparison, t: Phrases) -> Verdict:
    paired = found.paired
    key = {1: "compare_better", 0: "compare_open", -1: "compare_worse"}[paired.verdict]
    first, second = (one.score(found.items) for one in (found.first, found.second))
    return Verdict(
        sentence=t(
            key,
            n=paired.n,
            points=points(paired.value),
            least=points(paired.low),
            most=points(paired.high),
        ),
        score=second,
        references=[(first.value, t("compare_first", name=_short(found.first), share=first.value))],
        doubt="" if paired.needed is None else t("compare_needed", n=paired.needed),
        note=t("compare_note", p=f"{paired.p_value:.3f}", won=paired.won, lost=paired.lost),
    )


def _beside(found: Comparison, t: Phrases) -> Section:
    sides = (found.first, found.second)
    scores = [one.score(found.items) for one in sides]
    rows: list[tuple[str, ...]] = [
        (t("accuracy"), *(t.percent(score.value) for score in scores)),
        (t("interval"), *(t.interval(score) for score in scores)),
    ]
    figures = [told_figures(one.figures) for one in sides]
    for name, key in _FIGURES.items():
        if any(one[name] is not None for one in figures):
            rows.append((t(key), *(number(one[name]) for one in figures)))
    rows.append((t("compare_milliseconds"), *(number(one.milliseconds, 1) for one in sides)))
    rows.append((t("compare_megabytes"), *(number(one.megabytes, 1) for one in sides)))
    if found.corrections is not None:
        n, *gets = found.corrections
        rows.append((t("compare_corrections", n=n), *(f"{count:,}" for count in gets)))
    columns = [Column(name=""), *(Column(name=_short(one), kind="number") for one in sides)]
    return Section(key="beside", title=t("compare_beside"), blocks=[Table(columns=columns, rows=rows)])


def _pictures(key: str, found: Comparison, rows: Sequence[int], t: Phrases) -> Section:
    title, chosen = t(key), rows[:_MOST]
    if not chosen:
        return Section(key=key, title=title, blocks=[Paragraph(text=t("compare_none"))])
    blocks: list[Block] = [Paragraph(text=t("compare_some", n=len(rows), shown=len(chosen)), tone="soft")]
    if found.items[chosen[0]].text is not None:
        return Section(key=key, title=title, blocks=[*blocks, _texts(found, chosen, t)])
    album = Album()
    shown = [_with_answers(one, found, chosen, album, t) for one in (found.first, found.second)]
    groups = [
        Group(title=found.items[row].path.name, count=found.items[row].label, pictures=list(pair))
        for row, pair in zip(chosen, zip(*shown, strict=True), strict=True)
    ]
    return Section(key=key, title=title, blocks=[*blocks, Pictures(layout="rows", groups=groups, large=True)])


def _texts(found: Comparison, rows: Sequence[int], t: Phrases) -> Table:
    """The texts, what they are and what each side says of them."""
    columns = [
        Column(name=t("texts_read")),
        Column(name=t("truth"), kind="name"),
        *(Column(name=t(key), kind="name") for key in ("compare_a", "compare_b")),
    ]
    told = []
    for row in rows:
        item = found.items[row]
        text = " ".join((item.text or "")[: 4 * _LETTERS].split())
        shown = text if len(text) <= _LETTERS else f"{text[:_LETTERS]}…"
        told.append((shown, item.label, *(_said(one, row, t) for one in (found.first, found.second))))
    return Table(columns=columns, rows=told)


def _said(one: SideAnswers, row: int, t: Phrases) -> str:
    sure = one.sure[row]
    return one.said[row] if sure is None else f"{one.said[row]} {t.percent(sure, 0)}"


def _with_answers(one: SideAnswers, found: Comparison, rows: Sequence[int], album: Album, t: Phrases) -> list[Shown]:
    """The pictures with what one side says of them, and where it looked."""
    items = [found.items[row] for row in rows]
    shown = album.show(
        [(item.path, item.label, one.said[row], one.sure[row]) for item, row in zip(items, rows, strict=True)],
        side=LARGE_SIDE,
    )
    if one.side.run is not None and one.side.predictor is not None:
        classes = np.array([one.side.predictor.classes.index(one.said[row]) for row in rows], dtype=np.int64)
        shown, _ = with_heat(one.side.run, shown, [item.path for item in items], classes)
    who = t("compare_a" if one is found.first else "compare_b")
    return [replace(picture, caption=(_caption(who, picture, t),)) for picture in shown]


def _caption(who: str, shown: Shown, t: Phrases) -> CaptionLine:
    share = "" if shown.probability is None else t.percent(shown.probability, 0)
    return CaptionLine(text=who, name=shown.predicted, share=share, bad=shown.predicted != shown.label)


def _classes(found: Comparison, t: Phrases) -> Section:
    ranked = sorted(found.per_class.items(), key=lambda item: (-abs(item[1].won - item[1].lost), item[0]))[:_CLASSES]
    columns = [
        Column(name=t("class"), kind="name"),
        *(Column(name=t(key), kind="number") for key in ("compare_n", "compare_won", "compare_lost")),
        Column(name=t("compare_difference"), kind="number"),
        Column(name=t("interval"), kind="number"),
    ]
    rows = [
        (name, f"{one.n:,}", f"{one.won:,}", f"{one.lost:,}", points(one.value), _ends(one)) for name, one in ranked
    ]
    return Section(key="classes", title=t("per_class"), blocks=[Table(columns=columns, rows=rows)])


def about(
    n: int,
    seen: Mapping[str, int],
    unanswered: int,
    unknown: Sequence[str],
    t: Phrases,
    *,
    folds: bool = False,
) -> Section:
    """What was compared, on `n` pictures, and what was left out."""
    told = [t("compare_about", n=n), *([t("compare_folds")] if folds else [])]
    told += [t("compare_seen", name=name, n=count) for name, count in seen.items() if count]
    if unanswered:
        told.append(t("compare_unanswered", n=unanswered))
    told += [t("compare_unknown", name=name) for name in unknown]
    return Section(key="about", title=t("compare_how"), blocks=[Paragraph(text=text) for text in told])


def _short(one: SideAnswers) -> str:
    return short_name(one.side.name)


def short_name(name: str) -> str:
    """What a side is called on the page: a run by its folder, a file by its name."""
    path = Path(name).resolve()  # runs/latest is a link
    return path.parent.name if path.name == "model.onnx" and path.parent.name else path.name


def number(value: float | None, digits: int = 3) -> str:
    """A figure, or a dash."""
    return "–" if value is None else f"{value:.{digits}f}"


def points(share: float) -> str:
    """A difference of shares in points of a hundred, with its sign."""
    return f"{100 * share:+.1f}"


def _ends(paired: Paired) -> str:
    return f"{points(paired.low)} – {points(paired.high)}"
