"""Why a run has its backbone, as its folder keeps it. In: PickedNetwork. Out: backbones.json, a section. Next: open.py."""

from __future__ import annotations

import json
from pathlib import Path

from tellapart.bundle import Score
from tellapart.errors import DataError
from tellapart.evaluation.picking import ComparedNetwork, PickedNetwork
from tellapart.reporting.blocks import Block, Charts, Column, DrawnChart, Paragraph, Section, Table
from tellapart.reporting.phrases import Phrases
from tellapart.reporting.search_figures import draw_costs
from tellapart.storage import storage_errors, write_json

_FILE = "backbones.json"


def write_picked(folder: Path, picked: PickedNetwork) -> None:
    """Write backbones.json of a run's folder. Raises: StorageError."""
    write_json(folder / _FILE, picked.as_json())


def read_picked(folder: Path) -> PickedNetwork | None:
    """What a run's folder says; None where its backbone was named. Raises: DataError where the file is damaged; StorageError."""
    path = folder / _FILE
    if not path.is_file():
        return None
    with storage_errors(path):
        data = path.read_bytes()
    try:
        told = json.loads(data)
        networks = tuple(ComparedNetwork(**one) for one in told["networks"])
        kept = {name: told[name] for name in ("picked", "best", "figure", "n", "skipped")}
        found = PickedNetwork(networks=networks, **kept)
        assert {found.picked, found.best} <= {one.name for one in networks}
    except (ValueError, TypeError, KeyError, AssertionError):
        raise DataError(
            f"{path} is damaged. Without it the report does not say why it has its backbone: move it away."
        ) from None
    return found


def backbone_section(picked: PickedNetwork, phrases: Phrases) -> Section:
    """The networks by cost and figure, and why one was taken."""
    t = phrases
    of = {one.name: one for one in picked.networks}
    taken, best, figure = of[picked.picked], of[picked.best], t.named(picked.figure)
    cost = f"{taken.milliseconds:.1f}"
    if taken is best:
        said = t("backbones_best", name=taken.name, cost=cost)
    else:
        points = f"{100 * taken.behind:.1f} ± {100 * taken.error:.1f}"
        more = f"{best.milliseconds:.1f}"
        said = t("backbones_cheaper", name=taken.name, best=best.name, cost=cost, more=more, points=points)
    svg = draw_costs(
        [(one.name, one.milliseconds, one.value, one.low, one.high) for one in picked.networks],
        picked=picked.picked,
        x=t("compare_milliseconds"),
        y=figure,
    )
    rows = [
        (
            one.name,
            f"{one.milliseconds:.1f}",
            t.percent(one.value),
            Score(value=one.value, low=one.low, high=one.high),
            f"{100 * one.behind:.1f} ± {100 * one.error:.1f}",
        )
        for one in picked.networks
    ]
    columns = [
        Column(name=t("backbone")),
        Column(name=t("compare_milliseconds"), kind="number"),
        Column(name=figure, kind="number"),
        Column(name=t("interval"), kind="interval"),
        Column(name=t("backbones_behind"), kind="number"),
    ]
    blocks: list[Block] = [
        Paragraph(text=t.sentences(t("backbones_lead", n=picked.n), said)),
        Charts(charts=[DrawnChart(title=t("backbones_chart"), svg=svg)]),
        Table(columns=columns, rows=rows, kept=list(of).index(picked.picked)),
    ]
    if picked.skipped:
        blocks.append(Paragraph(text=t("backbones_skipped", names=list(picked.skipped)), tone="soft"))
    return Section(key="backbones", title=t("backbones"), blocks=blocks)
