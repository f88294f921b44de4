"""`tellapart check PICTURES`. In: a folder, archive or CSV. Out: what is wrong with it. Next: evaluate.py."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tellapart.cli.reading import range_option, read_options, reading_options, told_arguments
from tellapart.cli.tasks import READ_TASKS, TASK_HELP

if TYPE_CHECKING:
    from tellapart.bundle import TaskName
    from tellapart.data.survey import Examined

_SHOWN = 10  # paths or clusters of a kind; --json has them all
_WIDEST = 41  # letters of a column of labels, and a blank


@click.command(
    "check",
    epilog="""\b
Examples:
  tellapart check cells/
  tellapart check pictures.csv --json | jq '.unreadable'
  tellapart check cells/ --deep                         augmented copies, too
  tellapart check cells/ --labels --out labels.csv      which labels to look at again
  tellapart train cells/ --labels labels.csv            once its column `label` is corrected

Kinds of doubt: label, it is probably wrong (score: 1 - its probability); outlier, unlike all other pictures (score: the mean
cosine distance to its ten nearest); ambiguous, two classes are nearly equally probable (score: 1 - their difference). The
probabilities come from classifiers that did not see the picture, nor any copy of it. Of boxes: missing, place (badly placed), class
(another one), nothing (there is none), judged by detectors that did not see the picture, which takes minutes. Look at each
picture before you correct its label: suggestions that are taken unseen make the next test agree with the classifier, not with the
truth.""",
)
@click.argument("pictures", type=click.Path(path_type=Path))
@click.option("--task", type=click.Choice(READ_TASKS), help=TASK_HELP)
@reading_options
@range_option
@click.option(
    "--deep",
    is_flag=True,
    help="Also look for augmented copies: turned, moved, cropped, mirrored, recoloured. `train` and --labels always do.",
)
@click.option("--labels", is_flag=True, help="Also look for wrong labels, outliers and ambiguous pictures.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="With --labels: write all of them to this CSV, most suspicious first.",
)
@click.option("--force", is_flag=True, help="Replace the file of --out if it exists.")
@click.option(
    "--corrections",
    type=click.Path(path_type=Path),
    help="A CSV with path,label that corrects labels first, or a folder of `tellapart serve --corrections`, as for "
    "`tellapart train --labels`.",
)
@click.option("--backbone", help="With --labels: a timm name.  [default: tf_efficientnet_lite0]")
@click.option("--weights", type=click.Path(path_type=Path), help="With --labels: a .safetensors file for the backbone.")
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), help="With --labels: where the network runs."
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="With --labels: of the folds.  [default: 0]")
@click.option("--strict", is_flag=True, help="Exit with 2 when a picture cannot be read.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole audit as one JSON object.")
@click.option("--quiet", is_flag=True, help="No progress.")
def command(
    pictures: Path,
    deep: bool,
    labels: bool,
    out: Path | None,
    force: bool,
    corrections: Path | None,
    strict: bool,
    task: TaskName | None,
    as_json: bool,
    quiet: bool,
    **flags: Any,
) -> None:
    """Audit PICTURES without changing any file: counts, unreadable pictures, copies, leaks, doubtful labels."""
    from tellapart.cli.console import make_reporter
    from tellapart.cli.extras import require

    told = told_arguments(flags, task)
    options = read_options(flags, task=task)
    given = {name: value for name, value in flags.items() if value is not None}
    _check_flags({**given, **({"out": out} if out else {})}, labels=labels)
    require("check", "train")
    from tellapart.data.audit import audit_json, check_strict
    from tellapart.workflows.check import check

    reporter = make_reporter(quiet=quiet)
    if labels:
        from tellapart.workflows.labels import check_out, doubt_labels, write_doubts

        if out is not None:
            check_out(out, force=force)
        doubtful = doubt_labels(pictures, corrections=corrections, reporter=reporter, options=options, **given)
        if out is not None:
            write_doubts(out, doubtful, force=force)
    else:
        doubtful = None
    examined = (
        doubtful.examined
        if doubtful
        else check(pictures, corrections=corrections, deep=deep, reporter=reporter, options=options)
    )
    record = audit_json(examined.audit) | ({"labels": doubtful.as_json()} if doubtful else {})
    lines = [] if as_json else _lines(examined, record, quiet=quiet)
    if doubtful and not as_json:
        lines += _doubts(record["labels"], pictures, out, examined.listing.task, told=told)
    click.echo(json.dumps(record, ensure_ascii=False) if as_json else "\n".join(lines))
    if strict:
        check_strict(examined.audit)


def _check_flags(given: dict[str, Any], *, labels: bool) -> None:
    from tellapart.errors import SettingsError

    if given and not labels:
        name = next(iter(given))
        raise SettingsError(
            f"--{name} is {str(given[name])!r}, which only --labels looks at. Add --labels, or leave --{name} out."
        )


def _lines(examined: Examined, record: dict[str, Any], *, quiet: bool) -> list[str]:
    """What is printed; how the data were read stands on standard error already, but where that is `quiet`."""
    from tellapart.data.audit import findings

    own = examined.audit.own
    lines = [
        *(record["notes"] if quiet else ()),
        *_counts(record["counts"], None if own is None else own.record["pictures"]),
        *(["", *own.lines] if own is not None and own.lines else []),
        "",
        *_sizes(record),
        "",
    ]
    for finding in findings(examined.audit):
        lines.append(f"{'  ' if finding.severity == 'note' else '! '}{finding.message}")
    if record["augmented_copies"] is None:
        lines.append("  augmented copies were not looked for; --deep does.")
    for key, title in (
        ("unreadable", "Unreadable"),
        ("two_labels", "One picture under two labels"),
        ("leaks", "Copies across your splits"),
        ("exact_copies", "Exact copies"),
        ("near_copies", "Near copies"),
        ("augmented_copies", "Augmented copies, what looks like the original first"),
        ("wrong_extensions", "Extension of another type"),
        ("turned", "Stored sideways or mirrored, read upright by EXIF"),
    ):
        found = record.get(key) or []
        if found:
            lines += ["", f"{title} ({len(found):,}):"]
            lines += [f"  {_shown(item, record['source'])}" for item in found[:_SHOWN]]
            if len(found) > _SHOWN:
                lines.append(f"  ... and {len(found) - _SHOWN:,} more; --json lists all")
    return lines


def _counts(counts: dict[str, dict[str, int]], pictures: Mapping[str, int] | None) -> list[str]:
    """Pictures of each class by split; `pictures` by split, where one may be of several classes."""
    splits = list(counts)
    labels = sorted({label for by_label in counts.values() for label in by_label})
    head = f"{'class':<30}" + "".join(f"{split or 'pictures':>12}" for split in splits)
    body = [
        f"{label[:29]:<30}" + "".join(f"{counts[split].get(label, 0):>12,}" for split in splits) for label in labels
    ]
    if pictures is None:
        pictures = {split: sum(counts[split].values()) for split in splits}
    total = f"{'all':<30}" + "".join(f"{pictures.get(split, 0):>12,}" for split in splits)
    return [head, *body, total]


def _sizes(record: dict[str, Any]) -> list[str]:
    sizes = record["sizes"]
    if not record["formats"]:  # no picture can be read, which is said below
        return []
    return [
        f"width     {sizes['least_width']:,} to {sizes['most_width']:,} pixels, median {sizes['median_width']:,}",
        f"height    {sizes['least_height']:,} to {sizes['most_height']:,} pixels, median {sizes['median_height']:,}",
        f"formats   {_tally(record['formats'])}",
        f"modes     {_tally(record['modes'])}",
    ]


def _tally(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items(), key=lambda item: -item[1])) or "none"


def _shown(item: Any, source: str) -> str:
    """One finding as text; its paths as seen from the data set, and a path's own folders whatever they are called."""
    if not isinstance(item, dict):
        return " = ".join(_inside(path, source) for path in (item if isinstance(item, list) else [item]))
    if "path" in item:
        return f"{_inside(item['path'], source)}, {item['reason']}"
    said = item.get("labels") or item["splits"]
    nearly = "" if item.get("exact", True) else ", nearly the same"
    return f"{' = '.join(_inside(path, source) for path in item['paths'])}, {' = '.join(map(str, said))}{nearly}"


def _inside(path: str, source: str) -> str:
    return path.removeprefix(f"{source.rstrip(os.sep)}{os.sep}")


def _doubts(record: dict[str, Any], pictures: Path, out: Path | None, task: TaskName, *, told: list[str]) -> list[str]:
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
        ("outliers", "Outliers, unlike all other pictures"),
        ("ambiguous", "Ambiguous, two classes nearly equally probable"),
    ):
        lines += _table(record[key], title, out)
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


def _table(rows: list[dict[str, Any]], title: str, out: Path | None) -> list[str]:
    if not rows:
        return []
    shown = rows[:_SHOWN]
    if "told" in shown[0]:
        lines = ["", f"{title} (in {len(rows):,}):", f"  {'picture':<44}{'what may be wrong':<60}{'score':>7}"]
        lines += [
            f"  {_cut(row['path'], 43, end=True):<44}{_cut(row['told'], 59):<60}{row['score']:>7.3f}" for row in shown
        ]
        return [*lines, *_more(rows, out)]
    # A set of classes is longer than a class, and what is wrong with it may stand at its end.
    label, suggested = (min(_WIDEST, max(20, *(len(row[key]) + 1 for row in shown))) for key in ("label", "suggested"))
    lines = ["", f"{title} ({len(rows):,}):"]
    lines.append(f"  {'picture':<44}{'label':<{label}}{'looks like':<{suggested}}{'score':>7}")
    for row in shown:
        cells = (_cut(row["path"], 43, end=True), _cut(row["label"], label - 1), _cut(row["suggested"], suggested - 1))
        lines.append(f"  {cells[0]:<44}{cells[1]:<{label}}{cells[2]:<{suggested}}{row['score']:>7.3f}")
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
