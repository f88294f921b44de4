"""`tellapart explain MODEL PICTURE...`. In: a model, pictures. Out: heatmaps, feature maps, a table. Next: workflows/explain.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tellapart.cli.model_argument import MODEL
from tellapart.cli.speaking import said_cell
from tellapart.reporter import counted

if TYPE_CHECKING:
    from tellapart.drawing.lettering import Say
    from tellapart.explanation.layers import Layer
    from tellapart.reporter import Reporter
    from tellapart.runs.explained import Explained, Explanation
    from tellapart.runs.open import OpenRun

_METHODS = "gradcam, gradcam++, scorecam, stages, occlusion, integrated_gradients or all"


@click.command(
    "explain",
    epilog="""\b
Examples:
  tellapart explain runs/latest cat.jpg
  tellapart explain runs/latest cat.jpg --method all --class dog
  tellapart explain model.onnx cat.jpg --method occlusion --json
  tellapart explain runs/boxes street.jpg --box 2        why the second most certain thing is found
  tellapart explain runs/masks slide.png --class crack     where it is uncertain, and why the largest crack is told
  tellapart explain runs/latest --layers
  tellapart explain runs/latest cat.jpg --layer blocks.4 --out why
  tellapart explain runs/latest cat.jpg --features conv_head --out why
  tellapart explain runs/latest --network --filters --out why""",
)
@click.argument("model", type=MODEL)
@click.argument("pictures", nargs=-1)
@click.option("--method", "methods", multiple=True, help=f"{_METHODS}. May be repeated.  [default: gradcam]")
@click.option("--layer", help="Look at this layer instead of the last map; --layers lists them.")
@click.option("--class", "class_name", help="Explain this class.  [default: the most probable one]")
@click.option(
    "--box",
    type=click.IntRange(min=1),
    help="Of a model that finds boxes: explain this one, the most certain first; of one that makes masks this connected part, the "
    "largest first; with --class of that class.  [default: 1]",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for what is drawn.  [default: a new ./explanations]"
)
@click.option(
    "--neighbours",
    type=click.IntRange(min=0, max=12),
    default=6,
    show_default=True,
    help="Training pictures that look most alike to the network.",
)
@click.option(
    "--pictures",
    "moved",
    type=click.Path(path_type=Path),
    help="Where the run's training pictures lie now, if they were moved.",
)
@click.option("--no-neighbours", is_flag=True, help="The same as --neighbours 0.")
@click.option("--layers", "list_layers", is_flag=True, help="List the names of the layers, and stop.")
@click.option("--network", is_flag=True, help="Table of the layers; with --out a diagram too.")
@click.option("--filters", is_flag=True, help="Draw the first layer's filters.")
@click.option("--features", help="Draw what this layer gives for each picture, instead of heatmaps.")
@click.option("--force", is_flag=True, help="Replace existing files.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--quiet", is_flag=True, help="No progress on standard error.")
def command(
    model: Path,
    pictures: tuple[str, ...],
    list_layers: bool,
    network: bool,
    filters: bool,
    features: str | None,
    moved: Path | None,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Show why MODEL (a model.onnx or a run's folder) says what it says of PICTURES, and what it sees.

    Each picture gets a sheet with heatmaps, each with its faithfulness, and the training pictures that look most alike;
    beside it lie the heatmaps as PNG and as .npy (float32, 0 to 1). With a model.onnx alone, integrated gradients and
    Grad-CAM at other layers cannot be had, since they need the run's weights.

    Of a model of texts PICTURES are tables, files or - as for `predict`: each text's words are told with what they say for its
    class, exactly where n-grams are counted, of a network by leaving words out or --method integrated_gradients, with how
    far that can be believed; --out FOLDER also writes a page that colours them.
    """
    from tellapart.cli.console import make_reporter
    from tellapart.cli.sheets import said_on_sheets
    from tellapart.errors import SettingsError
    from tellapart.runs.open import OpenRun

    opened = OpenRun(model, pictures=moved)
    if opened.manifest.pictures is None and pictures:
        from tellapart.cli.explain_texts import explain_texts

        return explain_texts(opened, pictures, options, as_json=as_json)
    if opened.manifest.pictures is None and (network or list_layers):
        from tellapart.cli.text_layers import tell_layers

        return tell_layers(opened, as_json=as_json)
    if list_layers:
        _list_layers(opened, as_json)
        return 0
    looked = network or filters
    if not pictures and (features or not looked):
        raise SettingsError("no picture is named. Name one, or ask for --network, --filters or --layers.")
    reporter = make_reporter(quiet=quiet)
    result: dict[str, Any] = {}
    if looked:
        result |= _see_network(opened, network, filters, as_json, options, said_on_sheets(reporter))
    code = 0
    if features:
        code = _see_features(opened, features, pictures, reporter, as_json, options, result)
    elif pictures:
        code = _see_pictures(opened, pictures, reporter, as_json, options, result)
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False))
    return code


def _list_layers(opened: OpenRun, as_json: bool) -> None:
    from tellapart.workflows.explain_network import network_json

    if as_json:
        click.echo(json.dumps(network_json(opened.layers), ensure_ascii=False))
        return
    for layer in opened.layers:
        click.echo(f"{layer.name:<32} {_shape(layer)}")


def _see_network(
    opened: OpenRun, network: bool, filters: bool, as_json: bool, options: dict[str, Any], say: Say
) -> dict[str, Any]:
    from tellapart.explanation.files import choose_folder
    from tellapart.workflows.explain_network import network_json, write_diagram, write_filters

    out, force = options["out"], options["force"]
    result: dict[str, Any] = {}
    if network:
        result["network"] = network_json(opened.layers)
        if not as_json:
            click.echo("\n".join(_table(opened.layers)))
    if filters or out is not None:
        folder = choose_folder(out)
        options["out"] = folder
        if network:
            result["diagram"] = str(write_diagram(opened, folder, force=force, say=say))
        if filters:
            result["filters"] = str(write_filters(opened, folder, force=force, say=say))
        if not as_json:
            click.echo("\n".join(result[name] for name in ("diagram", "filters") if name in result))
    return result


def _see_features(
    opened: OpenRun,
    layer: str,
    pictures: tuple[str, ...],
    reporter: Reporter,
    as_json: bool,
    options: dict[str, Any],
    result: dict[str, Any],
) -> int:
    from tellapart.cli.sheets import said_on_sheets
    from tellapart.explanation.files import choose_folder
    from tellapart.workflows.explain_network import write_features

    sheets = write_features(
        opened,
        layer,
        pictures,
        choose_folder(options["out"]),
        force=options["force"],
        reporter=reporter,
        say=said_on_sheets(reporter),
    )
    result["features"] = [
        {
            "path": one.path,
            "error": one.error or None,
            "sheet": str(one.sheet) if one.sheet else None,
            "channels": one.channels,
        }
        for one in sheets
    ]
    if not as_json:
        for one in sheets:
            click.echo(f"{one.path}  ({one.error})" if one.error else str(one.sheet))
    return 2 if all(one.error for one in sheets) else 0


def _see_pictures(
    opened: OpenRun,
    pictures: tuple[str, ...],
    reporter: Reporter,
    as_json: bool,
    options: dict[str, Any],
    result: dict[str, Any],
) -> int:
    from tellapart.cli.sheets import said_on_sheets
    from tellapart.workflows.explain import explain
    from tellapart.workflows.explain_boxes import finds_boxes
    from tellapart.workflows.explain_masks import makes_masks

    neighbours = 0 if options["no_neighbours"] else options["neighbours"]
    tell = _ignore if as_json else _print_one
    found = explain(
        opened,
        pictures,
        methods=options["methods"],
        layer=options["layer"],
        class_name=options["class_name"],
        out=options["out"],
        neighbours=neighbours,
        force=options["force"],
        reporter=reporter,
        tell=tell,
        box=options["box"],
        say=said_on_sheets(reporter),
    )
    for method, reason in found.skipped.items():
        reporter.say(f"{method} was left out: {reason}")
    result["folder"] = str(found.folder)
    result["pictures"] = [one.as_json() for one in found.pictures]
    result["skipped"] = found.skipped
    failed = sum(bool(one.error) for one in found.pictures)
    if not as_json and failed < len(found.pictures):
        _print_end(found)
    if failed and not as_json:
        what = "not explained" if finds_boxes(opened) or makes_masks(opened) else "unreadable"
        print(f"{counted(len(found.pictures), 'picture')}, {failed:,} {what}", file=sys.stderr)
    return 2 if failed == len(found.pictures) else 0


def _ignore(one: Explained) -> None:
    """JSON comes whole, at the end."""


def _print_one(one: Explained) -> None:
    click.echo(f"{one.path}  ({one.error})\n" if one.error else "\n".join([*_picture_lines(one), ""]))


def _print_end(found: Explanation) -> None:
    boxes = any(one.box and one.noun == "box" for one in found.pictures)
    what = "how surely the box is found" if boxes else "the class's mean probability"
    click.echo(
        f"Deletion (low is good) and insertion (high is good): {what} while the hottest pixels go, or\n"
        f"come. Believe a method as far as it beats chance.\nWritten to {found.folder}"
    )


def _picture_lines(one: Explained) -> list[str]:
    from tellapart.workflows.explain import NO_BETTER

    shown = f"{one.path}: {one.said}{' (it was trained on)' if one.seen else ''}"
    if one.explained_another:
        shown += f"; explained: {one.target} {100 * one.target_probability:.1f} %"
    lines = [shown, f"  {'method':<22}{'deletion':>9}{'insertion':>11}"]
    for drawn in one.drawn:
        measured = drawn.faithfulness
        mark = "most faithful" if drawn.method == one.best and len(one.drawn) > 1 else ""
        note = ", ".join(part for part in (mark, drawn.note) if part)
        lines.append(f"  {drawn.method:<22}{measured.deletion:>9.3f}{measured.insertion:>11.3f}  {note}".rstrip())
    if one.chance is not None:
        lines.append(f"  {'chance':<22}{one.chance.deletion:>9.3f}{one.chance.insertion:>11.3f}")
    if not one.best:
        lines.append(f"  {NO_BETTER}")
    if one.neighbours:
        near = ", ".join(f"{near.label} ({near.path.name}, {near.similarity:.2f})" for near in one.neighbours[:3])
        lines.append(f"  looks like: {near}")
    lines.append(f"  {one.sheet}")
    return lines


def _table(layers: list[Layer]) -> list[str]:
    width = max(len(layer.name) for layer in layers) + 2
    lines = [f"{'layer':<{width}}{'operators':<22}{'output':>20}{'parameters':>14}{'multiply-adds':>16}"]
    lines += [
        f"{layer.name:<{width}}{', '.join(layer.operators)[:20]:<22}{_shape(layer):>20}{layer.parameters:>14,}"
        f"{layer.multiply_adds:>16,}"
        for layer in layers
    ]
    totals = sum(layer.parameters for layer in layers), sum(layer.multiply_adds for layer in layers)
    return [*lines, f"{said_cell('all', width)}{'':<22}{'':>20}{totals[0]:>14,}{totals[1]:>16,}"]


def _shape(layer: Layer) -> str:
    return " x ".join(map(str, layer.output))
