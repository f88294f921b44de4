"""How a run's network was made smaller, and what that cost, for its report. In: metrics.json. Out: a section. Next: open.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tellapart.bundle import Score
from tellapart.errors import DataError
from tellapart.reporting.blocks import Block, Charts, Column, DrawnChart, Paragraph, Section, Table
from tellapart.reporting.phrases import Phrases
from tellapart.reporting.search_figures import draw_costs


def compressed_section(metrics: Mapping[str, Any], phrases: Phrases) -> Section | None:
    """Before and after on the same test pictures; None of a run as it was trained. Raises: DataError where it is damaged."""
    told = metrics.get("compression")
    if told is None:
        return None
    try:
        return _section(told, phrases)
    except (KeyError, TypeError, ValueError):
        raise DataError(
            "metrics.json does not tell of the compression as a run does. Compress the network again, or copy the run again."
        ) from None


def _section(told: Mapping[str, Any], t: Phrases) -> Section:
    sides = [told["before"], told["after"]]
    names = [t("compressed_before"), t("compressed_after")]
    scores = [Score(**{name: one["score"][name] for name in ("value", "low", "high")}) for one in sides]
    steps = "; ".join(str(one["told"]) for one in told["steps"])
    blocks: list[Block] = [
        Paragraph(text=_lead(told, t)),
        Charts(charts=[DrawnChart(title=t("compressed_chart"), svg=_chart(sides, names, scores, t))]),
        Table(
            columns=[Column(name=""), *(Column(name=name, kind="number") for name in names)],
            rows=_rows(sides, scores, t),
        ),
        Paragraph(text=t("compressed_steps", steps=steps), tone="soft"),
    ]
    return Section(key="compressed", title=t("compressed"), blocks=blocks)


def _rows(sides: Sequence[Mapping[str, Any]], scores: Sequence[Score], t: Phrases) -> list[tuple[str, ...]]:
    """What is compared, before, after."""
    rows: list[tuple[str, ...]] = [
        (t.named(sides[0]["score"]["name"]), *(t.percent(one.value) for one in scores)),
        (t("interval"), *(t.interval(one) for one in scores)),
    ]
    for name in ("log_loss", "calibration_error"):
        if None not in (values := [one[name] for one in sides]):
            rows.append((t(f"compare_{name}"), *(f"{value:.3f}" for value in values)))
    return [
        *rows,
        (t("compare_megabytes"), *(f"{one['megabytes']:.1f}" for one in sides)),
        *([(t("compressed_macs"), *(f"{one['macs'] / 1e6:,.0f}" for one in sides))] if sides[0]["macs"] else []),
        (t("compare_milliseconds"), *(f"{float(one['milliseconds']['one']):.2f}" for one in sides)),
        (
            t("compressed_sixteen", n=sides[0]["milliseconds"].get("at_once", 16)),
            *(f"{one['milliseconds']['sixteen']:.2f}" for one in sides),
        ),
    ]


def _lead(told: Mapping[str, Any], t: Phrases) -> str:
    after, change = told["after"], told["after"]["change"]
    return t(
        "compressed_lead",
        n=told["n_test"],
        points=f"{100 * change['value']:+.1f}",
        least=f"{100 * change['low']:+.1f}",
        most=f"{100 * change['high']:+.1f}",
        flipped=after["flipped"],
        share=float(after["flipped_share"]),
    )


def _chart(sides: Sequence[Mapping[str, Any]], names: Sequence[str], scores: Sequence[Score], t: Phrases) -> str:
    """The figure against what a picture costs, before and after."""
    times = [float(one["milliseconds"]["one"]) for one in sides]
    ends = [
        (one.low if one.low is not None else one.value, one.high if one.high is not None else one.value)
        for one in scores
    ]
    points = [(name, took, one.value, *own) for name, took, one, own in zip(names, times, scores, ends, strict=True)]
    return draw_costs(points, picked=names[1], x=t("compare_milliseconds"), y=t.named(sides[0]["score"]["name"]))
