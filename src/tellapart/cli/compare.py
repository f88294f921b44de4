"""`tellapart compare A B`. In: two runs, models or tables of answers. Out: which is better. Next: workflows/compare.py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tellapart.cli.reading import read_options, reading_options
from tellapart.storage import check_free

if TYPE_CHECKING:
    from tellapart.workflows.compare import Comparison
    from tellapart.workflows.compare_figures import FigureComparison

_WORSE = 1  # exit code of --fail-if-worse
_NAME, _WIDTH = 26, 24
_LEADS = {"b is better": "B is better", "b is worse": "B is worse", "undecided": "Not decided"}
_SHOWN = 5  # pictures and classes of a kind; --json has them all


@click.command(
    "compare",
    epilog="""\b
Examples:
  tellapart compare runs/monday runs/latest                      on the test pictures of both
  tellapart compare old.onnx new.onnx new_pictures/ --out compared.html
  tellapart compare runs/latest other_tool.csv pictures/         a table with path,predicted
  tellapart compare runs/monday runs/latest --fail-if-worse      exit code 1 where B is surely worse
  tellapart compare old.onnx new.onnx pictures/ --corrections corrections/model

Pictures that either has learned from are left out, by their content. B is better, or worse, where the 95 % interval of the
difference lies on one side of 0; copies and groups are resampled together. Else it is told how many more pictures would decide.""",
)
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.argument("pictures", type=click.Path(path_type=Path), required=False)
@click.option(
    "--corrections",
    type=click.Path(path_type=Path),
    help="Also count how many corrections each gets: a folder that `tellapart serve --corrections` filled.",
)
@reading_options
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Also write a page, HTML.")
@click.option("--force", is_flag=True, help="Replace that file if it is there.")
@click.option("--lang", "language", type=click.Choice(["en", "zh"]), help="Of the page.  [default: the system's]")
@click.option("--fail-if-worse", is_flag=True, help="End with exit code 1 where B is surely worse than A.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, help="Of the intervals.  [default: 0]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--quiet", is_flag=True, help="No progress.")
def command(
    a: Path,
    b: Path,
    pictures: Path | None,
    corrections: Path | None,
    out: Path | None,
    force: bool,
    language: str | None,
    fail_if_worse: bool,
    seed: int,
    as_json: bool,
    quiet: bool,
    **flags: Any,
) -> None:
    """Which of A and B is better on the same pictures, and is that sure?

    Each is a run, a model file, imagenet:NAME (a pretrained network with ImageNet's classes), or a CSV with path,predicted of
    another tool. Two models that name sets, find boxes or make masks are compared by their task's first figure, and picture by
    picture.
    """
    from tellapart.cli.console import make_reporter
    from tellapart.cli.extras import require

    require("compare", "train")
    from tellapart.workflows.compare import compare

    if out is not None:
        check_free(out, force=force)
    options, reporter = read_options(flags, task=None), make_reporter(quiet=quiet)
    found = compare(a, b, pictures, corrections=corrections, options=options, seed=seed, reporter=reporter)
    if out is not None:
        _write_page(out, found, language)
    record = found.as_json()
    lines = _figure_lines if "figure" in record else _lines
    click.echo(json.dumps(record, ensure_ascii=False) if as_json else "\n".join(lines(record, out)))
    if fail_if_worse and record["verdict"] == "b is worse":
        click.get_current_context().exit(_WORSE)


def _write_page(out: Path, found: Comparison | FigureComparison, language: str | None) -> None:
    from tellapart.reporting.phrases import Phrases, language_of
    from tellapart.workflows.compare import Comparison
    from tellapart.workflows.compare_figures_page import write_figures_page
    from tellapart.workflows.compare_page import write_page

    phrases = Phrases(language_of(language), item=getattr(found, "item", "picture"))
    if isinstance(found, Comparison):
        write_page(out, found, phrases)
    else:
        write_figures_page(out, found, phrases)


def _figure_lines(record: Mapping[str, Any], out: Path | None) -> list[str]:
    """Of sets, boxes and masks, whose answers are more than right or wrong."""
    sides, n = (record["a"], record["b"]), record["common"]
    of_picture = record["by_picture"]["figure"]
    lines = [f"{'':<{_NAME}}{_cut('A ' + sides[0]['name']):<{_WIDTH}}{_cut('B ' + sides[1]['name'])}"]
    lines.append(_row(record["figure"].replace("_", " "), *(_interval(side["score"]) for side in sides)))
    lines.append(_row(f"{of_picture} of a picture", *(f"{100 * side['by_picture']:.1f} %" for side in sides)))
    lines += [_row(name, *(said(side) for side in sides)) for name, said in _ROWS if name in ("ms a picture", "MB")]
    lines += ["", f"{_LEADS[record['verdict']]}: {_difference(record['difference'])} on {n:,} pictures."]
    lines.append(
        f"By picture: {_difference(record['by_picture']['difference'])}. B answers {record['won']:,} better, A "
        f"{record['lost']:,}; mid-p sign test {record['p_value']:.3f}."
    )
    lines += _more(record)
    for key, title in (("won_pictures", "B answers better"), ("lost_pictures", "A answers better")):
        if record[key]:
            lines += ["", f"{title} ({len(record[key]):,}), by {of_picture}:"]
            lines += [
                f"  {one['path']}: A {100 * one['a']:.0f} %, B {100 * one['b']:.0f} %" for one in record[key][:_SHOWN]
            ]
            lines += ["  ..."] * (len(record[key]) > _SHOWN)
    lines += _left_out(record)
    return [*lines, "", f"page      {out}"] if out is not None else lines


def _lines(record: Mapping[str, Any], out: Path | None) -> list[str]:
    sides = record["a"], record["b"]
    lines = [f"{'':<{_NAME}}{_cut('A ' + sides[0]['name']):<{_WIDTH}}{_cut('B ' + sides[1]['name'])}"]
    lines += [_row(name.replace("picture", _item(record)), *(said(side) for side in sides)) for name, said in _ROWS]
    if record["corrections"] is not None:
        told = record["corrections"]
        lines.append(_row(f"of {told['n']:,} corrections", f"{told['a']:,}", f"{told['b']:,}"))
    lines += ["", *_verdict(record), ""]
    lines += _classes(record["per_class"], _item(record))
    for key, title in (("won_pictures", "Only B gets"), ("lost_pictures", "Only A gets")):
        if record[key]:
            lines += ["", f"{title} ({len(record[key]):,}):"]
            lines += [
                f"  {one['path']}: {one['label']}, A says {one['a']}, B {one['b']}{_quoted(one)}"
                for one in record[key][:_SHOWN]
            ]
            lines += ["  ..."] * (len(record[key]) > _SHOWN)
    lines += _left_out(record)
    return [*lines, "", f"page      {out}"] if out is not None else lines


def _quoted(one: Mapping[str, Any]) -> str:
    """A text, in a line of its own."""
    text = " ".join(str(one.get("text", ""))[:400].split())
    return f"\n    {text if len(text) <= 110 else text[:107] + '...'}" if text else ""


def _verdict(record: Mapping[str, Any]) -> list[str]:
    counts = f"Only B gets {record['won']:,}, only A {record['lost']:,}; mid-p McNemar {record['p_value']:.3f}."
    difference = f"{_difference(record['difference'])} on {record['common']:,} {_item(record)}s"
    return [f"{_LEADS[record['verdict']]}: {difference}. {counts}", *_more(record)]


def _difference(told: Mapping[str, float]) -> str:
    return f"{_points(told['value'])} points (95 %: {_points(told['low'])} to {_points(told['high'])})"


def _more(record: Mapping[str, Any]) -> list[str]:
    more = record["more_pictures"]
    items = _item(record) if more == 1 else f"{_item(record)}s"
    return [] if more is None else [f"If it stays so, about {more:,} more test {items} would decide."]


def _item(record: Mapping[str, Any]) -> str:
    """What is compared on, in a word."""
    return str(record.get("item", "picture"))


def _classes(per_class: Mapping[str, Any], item: str) -> list[str]:
    """The classes where the two differ most."""
    ranked = sorted(per_class.items(), key=lambda item: -abs(item[1]["won"] - item[1]["lost"]))
    moved = [(name, one) for name, one in ranked if one["won"] != one["lost"]][:_SHOWN]
    return [f"  {_cut(name, 30):<32}{_moved(one, item)}" for name, one in moved]


def _moved(one: Mapping[str, Any], item: str) -> str:
    points = _points(one["difference"]["value"])
    return f"{points} points on {one['common']:,} {item}s (+{one['won']:,}, -{one['lost']:,})"


def _left_out(record: Mapping[str, Any]) -> list[str]:
    item = _item(record)
    lines = (
        [f"What the networks of the folds said: each of {item}s that it had not seen."]
        if record.get("out_of_fold")
        else []
    )
    lines += [
        f"Left out, since {name} has learned from them: {n:,} {item}s."
        for name, n in record["left_out"]["learned"].items()
        if n
    ]
    if record["left_out"]["unanswered"]:
        lines.append(f"! Left out, since one side says nothing of them: {record['left_out']['unanswered']:,} {item}s.")
    for name in record["unknown_training"]:
        lines.append(f"! Nobody knows what {name} has learned from: {item}s among those would flatter it.")
    return ["", *lines] if lines else []


def _accuracy(side: Mapping[str, Any]) -> str:
    return _interval(side["accuracy"])


def _interval(told: Mapping[str, Any]) -> str:
    value = f"{100 * told['value']:.1f} %"
    return value if told["low"] is None else f"{value} ({100 * told['low']:.1f} to {100 * told['high']:.1f})"


def _figure(name: str, digits: int) -> Any:
    return lambda side: "-" if side[name] is None else f"{side[name]:.{digits}f}"


_ROWS = (
    ("right", _accuracy),
    ("log loss", _figure("log_loss", 3)),
    ("calibration error", _figure("calibration_error", 3)),
    ("classes in a set", _figure("set_size", 2)),
    ("ms a picture", _figure("milliseconds", 1)),
    ("MB", _figure("megabytes", 1)),
)


def _row(name: str, first: str, second: str) -> str:
    return f"{name:<{_NAME}}{first:<{_WIDTH}}{second}"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def _cut(text: str, most: int = _WIDTH - 2) -> str:
    """At most so many characters; of a path the end tells more."""
    return text if len(text) <= most else f"{text[:2]}...{text[5 - most :]}"
