"""`tellapart check PICTURES`. In: a folder or CSV. Out: what is wrong with it. Next: evaluate.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tellapart.workflows.examine import Examined

_SHOWN = 10  # paths or clusters of a kind; --json has them all


@click.command(
    "check",
    epilog="\b\nExamples:\n  tellapart check cells/\n  tellapart check pictures.csv --json | jq '.unreadable'",
)
@click.argument("pictures", type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Exit with 2 when a picture cannot be read.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole audit as one JSON object.")
@click.option("--quiet", is_flag=True, help="No progress.")
def command(pictures: Path, strict: bool, as_json: bool, quiet: bool) -> None:
    """Audit PICTURES without changing any file: counts, unreadable pictures, copies, leaks, doubtful labels."""
    from tellapart.cli.console import make_reporter
    from tellapart.cli.extras import require

    require("check", "train")
    from tellapart.data.audit import audit_json, check_strict
    from tellapart.workflows.check import check

    examined = check(pictures, reporter=make_reporter(quiet=quiet))
    record = audit_json(examined.audit)
    click.echo(json.dumps(record, ensure_ascii=False) if as_json else "\n".join(_lines(examined, record)))
    if strict:
        check_strict(examined.audit)


def _lines(examined: Examined, record: dict[str, Any]) -> list[str]:
    from tellapart.data.audit import findings

    lines = [*_counts(record["counts"]), "", *_sizes(record), ""]
    for finding in findings(examined.audit):
        lines.append(f"{'  ' if finding.severity == 'note' else '! '}{finding.message}")
    inside = f"{record['source']}/"  # paths are shown as seen from the data set
    for key, title in (
        ("unreadable", "Unreadable"),
        ("two_labels", "One picture under two labels"),
        ("leaks", "Copies across your splits"),
        ("exact_copies", "Exact copies"),
        ("near_copies", "Near copies"),
        ("wrong_extensions", "Extension of another type"),
        ("turned", "Stored sideways or mirrored, read upright by EXIF"),
    ):
        found = record.get(key) or []
        if found:
            lines += ["", f"{title} ({len(found):,}):"]
            lines += [f"  {_shown(item).replace(inside, '')}" for item in found[:_SHOWN]]
            if len(found) > _SHOWN:
                lines.append(f"  ... and {len(found) - _SHOWN:,} more; --json lists all")
    return lines


def _counts(counts: dict[str, dict[str, int]]) -> list[str]:
    splits = list(counts)
    labels = sorted({label for by_label in counts.values() for label in by_label})
    head = f"{'class':<30}" + "".join(f"{split or 'pictures':>12}" for split in splits)
    body = [
        f"{label[:29]:<30}" + "".join(f"{counts[split].get(label, 0):>12,}" for split in splits) for label in labels
    ]
    total = f"{'all':<30}" + "".join(f"{sum(counts[split].values()):>12,}" for split in splits)
    return [head, *body, total]


def _sizes(record: dict[str, Any]) -> list[str]:
    sizes = record["sizes"]
    return [
        f"width     {sizes['least_width']:,} to {sizes['most_width']:,} pixels, median {sizes['median_width']:,}",
        f"height    {sizes['least_height']:,} to {sizes['most_height']:,} pixels, median {sizes['median_height']:,}",
        f"formats   {_tally(record['formats'])}",
        f"modes     {_tally(record['modes'])}",
    ]


def _tally(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items(), key=lambda item: -item[1])) or "none"


def _shown(item: Any) -> str:
    if isinstance(item, dict):
        return ", ".join(
            f"{value}" if not isinstance(value, list) else " = ".join(map(str, value)) for value in item.values()
        )
    return " = ".join(map(str, item)) if isinstance(item, list) else str(item)
