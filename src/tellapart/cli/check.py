"""`tellapart check PICTURES`. In: a folder, archive or CSV. Out: what is wrong with it. Next: evaluate.py."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tellapart.cli.by_ray import check_with_ray, looked_at_by
from tellapart.cli.ray_option import RayCommand, ray_option
from tellapart.cli.reading import range_option, read_options, reading_options, told_arguments
from tellapart.cli.speaking import said_cell
from tellapart.cli.tasks import READ_TASKS, TASK_HELP

if TYPE_CHECKING:
    from tellapart.bundle import TaskName
    from tellapart.data.survey import Examined
    from tellapart.workflows.labels import DoubtfulLabels

_SHOWN = 10  # paths or clusters of a kind; --json has them all


@click.command(
    "check",
    cls=RayCommand,
    epilog="""\b
Examples:
  tellapart check cells/
  tellapart check pictures.csv --json | jq '.unreadable'
  tellapart check cells/ --deep                         augmented copies, too
  tellapart check cells/ --labels --out labels.csv      which labels to look at again
  tellapart train cells/ --labels labels.csv            once its column `label` is corrected
  tellapart check cells/ --shortcuts                    is it the object, or the camera?

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
    "--shortcuts",
    is_flag=True,
    help="Also look for what tells the class besides the object: facts of the files, borders, colours.",
)
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
@click.option("--backbone", help="With --labels or --shortcuts: a timm name.  [default: tf_efficientnet_lite0]")
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    help="With --labels or --shortcuts: a .safetensors file for the backbone.",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "mps"]),
    help="With --labels or --shortcuts: where the network runs.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), help="With --labels or --shortcuts: of the folds.  [default: 0]"
)
@click.option(
    "--tiles",
    is_flag=True,
    help="With --labels, of boxes: judge large pictures in overlapping tiles of their own pixels, as `train --tiles` learns.",
)
@ray_option(
    "Let Ray open the pictures, on this machine or on the cluster at ADDRESS (auto, HOST:PORT, ray://HOST:PORT)."
)
@click.option("--strict", is_flag=True, help="Exit with 2 when a picture cannot be read.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole audit as one JSON object.")
@click.option("--quiet", is_flag=True, help="No progress.")
def command(
    pictures: Path,
    deep: bool,
    labels: bool,
    shortcuts: bool,
    out: Path | None,
    force: bool,
    corrections: Path | None,
    tiles: bool,
    ray: str | None,
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
    _check_flags({"out": out} if out else {}, labels, "--labels")
    _check_flags({"tiles": tiles} if tiles else {}, labels, "--labels")
    _check_flags(given, labels or shortcuts, "--labels and --shortcuts")
    require("check", "train")
    if ray is not None:
        check_with_ray(ray, labels=labels, shortcuts=shortcuts)
    from tellapart.data.audit import audit_json, check_strict
    from tellapart.workflows.check import check

    reporter = make_reporter(quiet=quiet)
    asked: dict[str, Any] = {"corrections": corrections, "reporter": reporter, "options": options}
    doubtful = _doubt(pictures, out, force=force, tiles=tiles, **asked, **given) if labels else None
    examined, found = doubtful.examined if doubtful else None, None
    if shortcuts:
        from tellapart.workflows.shortcuts import check_shortcuts

        examined, found = check_shortcuts(pictures, deep=deep or labels, **asked, **given)
    if examined is None:
        with looked_at_by(ray, reporter) as afar:
            examined = check(pictures, deep=deep, afar=afar, **asked)
    record = audit_json(examined.audit) | ({"labels": doubtful.as_json()} if doubtful else {})
    record |= {"shortcuts": found.as_json()} if found else {}
    lines = [] if as_json else _lines(examined, record, quiet=quiet)
    if found and not as_json:
        from tellapart.cli.shortcuts import shortcut_lines

        lines += shortcut_lines(record["shortcuts"])
    if doubtful and not as_json:
        from tellapart.cli.doubts import doubt_lines

        lines += doubt_lines(record["labels"], pictures, out, examined.listing.task, told=told)
    click.echo(json.dumps(record, ensure_ascii=False) if as_json else "\n".join(lines))
    if strict:
        check_strict(examined.audit)


def _doubt(pictures: Path, out: Path | None, *, force: bool, **asked: Any) -> DoubtfulLabels:
    """Look for doubtful labels; all of them are written to `out`, which is not overwritten unasked."""
    from tellapart.workflows.labels import check_out, doubt_labels, write_doubts

    if out is not None:
        check_out(out, force=force)
    found = doubt_labels(pictures, **asked)
    if out is not None:
        write_doubts(out, found, force=force)
    return found


def _check_flags(given: dict[str, Any], looked_at: bool, by: str) -> None:
    from tellapart.errors import SettingsError

    if given and not looked_at:
        name = next(iter(given))
        looks = "looks" if by == "--labels" else "look"
        raise SettingsError(
            f"--{name} is {str(given[name])!r}, which only {by} {looks} at. Add --labels, or leave --{name} out."
        )


def _lines(examined: Examined, record: dict[str, Any], *, quiet: bool) -> list[str]:
    """What is printed; how the data were read stands on standard error already, but where that is `quiet`."""
    from tellapart.data.audit import findings

    own = examined.audit.own
    lines = [
        *(record["notes"] if quiet else ()),
        *_counts(
            record["counts"],
            None if own is None else own.record["pictures"],
            "pictures" if record["formats"] else "all",
        ),
        *(["", *own.lines] if own is not None and own.lines else []),
        "",
        *(sized := _sizes(record)),
        *([""] if sized else []),
    ]
    for finding in findings(examined.audit):
        lines.append(f"{'  ' if finding.severity == 'note' else '! '}{finding.message}")
    if record["augmented_copies"] is None and record["formats"]:
        lines.append("  augmented copies were not looked for; --deep does.")
    for key, title in (
        ("unreadable", "Unreadable"),
        ("two_labels", "One picture under two labels" if record["formats"] else "One text under two labels"),
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


def _counts(counts: dict[str, dict[str, int]], pictures: Mapping[str, int] | None, what: str) -> list[str]:
    """Pictures of each class by split; `pictures` by split, where one may be of several classes."""
    splits = list(counts)
    labels = list(dict.fromkeys(label for by_label in counts.values() for label in by_label))
    if not splits:  # no picture can be read, which is said below
        return []
    head = f"{'class':<30}" + "".join(f"{split or what:>12}" for split in splits)
    body = [
        f"{label[:29]:<30}" + "".join(f"{counts[split].get(label, 0):>12,}" for split in splits) for label in labels
    ]
    if pictures is None:
        pictures = {split: sum(counts[split].values()) for split in splits}
    total = said_cell("all", 30) + "".join(f"{pictures.get(split, 0):>12,}" for split in splits)
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
