"""Doubtful labels in lines. In: DoubtfulLabels as JSON. Out: lines. Next: check.py."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tellapart.bundle import TaskName

_SHOWN = 10  # of a kind; --json has them all
_WIDEST = 41  # letters of a column of labels, and a blank


def doubt_lines(
    record: dict[str, Any], pictures: Path, out: Path | None, task: TaskName, *, told: list[str]
) -> list[str]:
    """The doubtful labels as a short table, and what to do with them."""
    from tellapart.data.readers import READERS

    words = READERS[task].words
    lines = ["", _judged(record, words.several)]
    if record["not_judged"] and "told" not in record:
        lines.append(
            f"! {record['not_judged']:,} could not be judged: without them and their copies nothing of their class is left."
        )
    for key, title in (
        ("wrong", f"Probably wrong {words.several}"),
        ("outliers", f"Outliers, unlike all other {words.item}s"),
        ("ambiguous", "Ambiguous, two classes nearly equally probable"),
    ):
        lines += _table(record[key], title, out, words.item)
    if not any(record[key] for key in ("wrong", "outliers", "ambiguous")):
        return [*lines, f"No {words.one} is doubtful."]
    if out is None:
        return [*lines, "", "--out labels.csv writes all of them to a table that can be corrected."]
    lines += ["", f"all of them   {out}"]
    cells = READERS[task].corrections
    if cells is not None:
        lines += [
            f"correct it    change its column `label` where it is wrong; {cells.hint}",
            f"then          {shlex.join(['tellapart', 'train', str(pictures), *told, '--labels', str(out)])}",
        ]
    return lines


def _judged(record: dict[str, Any], several: str) -> str:
    """How many were judged and by what, in a sentence or two."""
    from tellapart.reporter import percent

    if "told" in record:
        return f"{several.capitalize()}: {record['told']}"
    said = f"{several.capitalize()}: {record['judged']:,} judged by classifiers that had not seen them"
    if record["agreement"] is not None:
        said += f"; {percent(record['agreement'])} are what these would have said"
    return f"{said}."


def _table(rows: list[dict[str, Any]], title: str, out: Path | None, item: str) -> list[str]:
    if not rows:
        return []
    shown = rows[:_SHOWN]
    if "told" in shown[0]:
        lines = ["", f"{title} (in {len(rows):,}):", f"  {item:<44}{'what may be wrong':<60}{'score':>7}"]
        lines += [
            f"  {_cut(row['path'], 43, end=True):<44}{_cut(row['told'], 59):<60}{row['score']:>7.3f}" for row in shown
        ]
        return [*lines, *_more(rows, out)]
    # A set of classes is longer than a class, and what is wrong with it may stand at its end.
    label, suggested = (min(_WIDEST, max(20, *(len(row[key]) + 1 for row in shown))) for key in ("label", "suggested"))
    lines = ["", f"{title} ({len(rows):,}):"]
    lines.append(f"  {item:<44}{'label':<{label}}{'looks like':<{suggested}}{'score':>7}")
    for row in shown:
        cells = (_cut(row["path"], 43, end=True), _cut(row["label"], label - 1), _cut(row["suggested"], suggested - 1))
        lines.append(f"  {cells[0]:<44}{cells[1]:<{label}}{cells[2]:<{suggested}}{row['score']:>7.3f}")
        if row.get("text"):
            lines.append(f"    {_cut(row['text'], 110)}")
    return [*lines, *_more(rows, out)]


def _more(rows: list[dict[str, Any]], out: Path | None) -> list[str]:
    if len(rows) <= _SHOWN:
        return []
    return [f"  ... and {len(rows) - _SHOWN:,} more; {f'{out} has all' if out else '--out labels.csv writes all'}"]


def _cut(text: str, most: int, *, end: bool = False) -> str:
    """At most so many characters: of a path the end tells more."""
    if len(text) <= most:
        return text
    return f"...{text[3 - most :]}" if end else f"{text[: most - 3]}..."
