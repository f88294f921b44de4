"""`tellapart models`. In: the catalog. Out: a table. Next: cache.py."""

from __future__ import annotations

import json
from typing import Any

import click


@click.command(
    "models", epilog="\b\nExamples:\n  tellapart models\n  tellapart train PICTURES --backbone tf_efficientnet_lite2"
)
@click.option(
    "--all", "whole", is_flag=True, help="Also those that Keras has, with depth, multiply-adds and size of the weights."
)
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def command(whole: bool, as_json: bool) -> None:
    """List pretrained networks for --backbone. Any other timm name works too where its weights can be had."""
    from dataclasses import asdict

    from tellapart.models.catalog import BACKBONES, DEFAULT

    if whole:
        _list_all(as_json=as_json)
        return
    if as_json:
        rows = [asdict(backbone) | {"offline": backbone.offline} for backbone in BACKBONES.values()]
        click.echo(json.dumps(rows, indent=2))
        return
    click.echo(f"{'name':<41}{'million':>8}{'input':>7}{'vector':>8}{'top-1':>8}  {'offline':<9}why")
    for backbone in BACKBONES.values():
        mark = " (default)" if backbone.name == DEFAULT else ""
        click.echo(
            f"{backbone.name + mark:<41}{backbone.parameters:>8.1f}{backbone.size:>7}{backbone.embedding:>8}"
            f"{backbone.accuracy:>7.1f}%  {_offline(backbone.offline)}{backbone.reason}"
        )
    click.echo("\nmillion: parameters. input: pixels a side. top-1: percent on ImageNet-1k, as published by")
    for source in sorted({backbone.accuracy_source.split(",")[0] for backbone in BACKBONES.values()}):
        names = [name for name, backbone in BACKBONES.items() if backbone.accuracy_source.startswith(source)]
        click.echo(f"  {source}: {', '.join(names)}")


def _offline(comes_along: bool) -> str:
    from tellapart.cli.speaking import said_cell

    return said_cell("yes" if comes_along else "download", 9, of="offline")


def _list_all(*, as_json: bool) -> None:
    """Every network that is listed by a name of ours or Keras', with what it costs."""
    rows = _rows()
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    head = (
        f"{'name':<41}{'Keras':<18}{'top-1':>7}{'top-5':>7}{'depth':>7}{'million':>9}{'MACs':>9}{'MB':>8}{'input':>7}"
    )
    click.echo(f"{head}  offline")
    for row in rows:
        top = ["-" if row[key] is None else f"{row[key]:.1f}" for key in ("top_1", "top_5")]
        click.echo(
            f"{row['name']:<41}{row['keras'] or '-':<18}{top[0]:>7}{top[1]:>7}{row['layers']:>7}{row['parameters'] / 1e6:>9.2f}"
            f"{row['macs'] / 1e6:>8,.0f}M{row['megabytes']:>8.1f}{row['size']:>7}  {_offline(row['offline']).rstrip()}"
        )
    click.echo(
        "\ntop-1, top-5: percent on ImageNet-1k as timm's results tell them of these very weights, some on larger\npictures; -: "
        "not published there. depth: convolutions and dense layers, shortcuts among them. million: parameters with 1,000 classes. "
        "MACs: multiply-adds for one picture of that input. MB: the weights in float32.\nAny other name of timm's works too: "
        "tellapart network NAME counts it."
    )


def _rows() -> list[dict[str, Any]]:
    from tellapart.models.catalog import BACKBONES
    from tellapart.models.measuring import listed, read_figures
    from tellapart.models.published import read_published

    figures, published, rows = read_figures(), read_published(), []
    for name, keras in listed().items():
        known, found, told = BACKBONES.get(name), figures[name], published.get(name)
        top_1 = told.top_1 if told is not None else None if known is None else known.accuracy
        rows.append(
            {
                "name": name,
                "keras": keras,
                "top_1": top_1,
                "top_5": None if told is None else told.top_5,
                "tested_at": None if told is None else told.pixels,
                "layers": found.layers,
                "parameters": found.parameters,
                "macs": found.macs,
                "megabytes": round(found.megabytes, 1),
                "size": found.size,
                "offline": known is not None and known.offline,
            }
        )
    return rows
