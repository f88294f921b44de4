"""`tellapart cache info|clear`. In: the cache folder. Out: sizes, or an empty cache. Next: demo.py."""

from __future__ import annotations

import json

import click


@click.group("cache", epilog="\b\nExamples:\n  tellapart cache info\n  tellapart cache clear")
def command() -> None:
    """Show or clear what is kept to save time: embeddings, audits, pictures made small, exported networks,
    environments of converters.

    TELLAPART_CACHE chooses the folder, TELLAPART_CACHE_GB its largest size (default 10).
    """


@command.command("info", epilog="\b\nExamples:\n  tellapart cache info --json")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def info(as_json: bool) -> None:
    """Show where the cache is, how large, and what is in it."""
    from tellapart.features.caching import describe_cache

    facts = describe_cache()
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    click.echo(f"folder      {facts['folder']}")
    click.echo(f"size        {facts['size_bytes'] / 1e6:,.1f} MB of at most {facts['limit_bytes'] / 1e9:,.1f} GB")
    for kind, count in facts["entries"].items():
        click.echo(f"{kind:<12}{count:,}")
    rows = facts["row_stores"]
    click.echo(f"row stores  {rows['count']:,} ({rows['size_bytes'] / 1e6:,.1f} MB: pictures and views for training)")
    tools = facts["tools"]
    click.echo(
        f"tools       {', '.join(tools['names']) or 'none'} ({tools['size_bytes'] / 1e6:,.1f} MB, beyond the limit)"
    )
    remote = facts["remote"]
    click.echo(
        f"elsewhere   {remote['size_bytes'] / 1e6:,.1f} MB of at most {remote['limit_bytes'] / 1e9:,.1f} GB (parts of shards)"
    )
    click.echo(f"backbones   {', '.join(facts['backbones']) or 'none'}")


@command.command("clear", epilog="\b\nExamples:\n  tellapart cache clear")
def clear() -> None:
    """Empty the cache. No result is lost: what is needed is computed again."""
    from tellapart.features.caching import clear_cache, describe_cache

    click.echo(f"cleared {clear_cache() / 1e6:,.1f} MB")
    staying = describe_cache()["row_stores"]["count"]
    if staying:
        click.echo(f"{staying:,} of the row stores stay: a training is using them. Clear again when it has ended.")
