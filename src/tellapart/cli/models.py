"""`tellapart models`. In: the catalog. Out: a table. Next: cache.py."""

from __future__ import annotations

import json

import click


@click.command(
    "models", epilog="\b\nExamples:\n  tellapart models\n  tellapart train PICTURES --backbone tf_efficientnet_lite2"
)
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def command(as_json: bool) -> None:
    """List pretrained networks for --backbone. Any other timm name works too where its weights can be had."""
    from dataclasses import asdict

    from tellapart.models.catalog import BACKBONES, DEFAULT

    if as_json:
        rows = [asdict(backbone) | {"offline": backbone.offline} for backbone in BACKBONES.values()]
        click.echo(json.dumps(rows, indent=2))
        return
    click.echo(f"{'name':<41}{'million':>8}{'input':>7}{'vector':>8}{'top-1':>8}  {'offline':<9}why")
    for backbone in BACKBONES.values():
        mark = " (default)" if backbone.name == DEFAULT else ""
        click.echo(
            f"{backbone.name + mark:<41}{backbone.parameters:>8.1f}{backbone.size:>7}{backbone.embedding:>8}"
            f"{backbone.accuracy:>7.1f}%  {'yes' if backbone.offline else 'download':<9}{backbone.reason}"
        )
    click.echo("\nmillion: parameters. input: pixels a side. top-1: percent on ImageNet-1k, as published by")
    for source in sorted({backbone.accuracy_source.split(",")[0] for backbone in BACKBONES.values()}):
        names = [name for name, backbone in BACKBONES.items() if backbone.accuracy_source.startswith(source)]
        click.echo(f"  {source}: {', '.join(names)}")
