"""`tellapart augment PICTURES --out sheet.png`. In: pictures, settings. Out: a contact sheet. Next: evaluate.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tellapart.cli.asked_sheet import AskedSheet
from tellapart.cli.reading import range_option, read_options, reading_options
from tellapart.cli.tasks import TASK_HELP, TASKS

if TYPE_CHECKING:
    from tellapart.bundle import TaskName
    from tellapart.data.augmentation import Augmentation
    from tellapart.workflows.augment import WrittenSheet

_FLAGS = {
    "horizontal_flip": "Probability; 0 where left and right tell classes apart (digits, text).",
    "vertical_flip": "Probability.",
    "rotation": "Degrees at most, either way, up to 180.",
    "shift": "Share of the side at most, up to 0.5.",
    "width_shift": "Share of the width at most, right and left alone.",
    "height_shift": "Share of the height at most, up and down alone.",
    "crop_padding": "Pixels: a crop of its own size at a random place of the padded picture.",
    "shear": "Degrees at most, either way, up to 45.",
    "zoom": "Share at most: 0.2 is 0.8 to 1.2 times as large.",
    "zoom_in": "Share at most that it is larger.",
    "zoom_out": "Share at most that it is smaller, up to 0.9.",
    "crop": "Least share of the area that a random crop keeps; 1 is no crop.",
    "brightness": "Share at most: 0.2 is 0.8 to 1.2 times as bright.",
    "brighten": "Share at most that it is brighter.",
    "darken": "Share at most that it is darker.",
    "brightness_shift": "Share of white at most that is added or taken away.",
    "channel_shift": "The same, for red, green and blue each its own.",
    "contrast": "Share at most.",
    "saturation": "Share at most.",
    "hue": "Share of the colour circle at most, either way, up to 0.5.",
    "erasing": "Probability that a rectangle is filled.",
    "mixup": "Alpha; 0 is off. Mixes two pictures of a batch.",
    "cutmix": "Alpha; 0 is off. Pastes a piece of one picture into another.",
    "mosaic": "For pictures with boxes alone; none of them is drawn here.",
    "elastic": "For pictures with masks alone: how far points move, a share of the side, up to 0.2.",
    "fill_value": "Of --fill constant, 0 (black) to 255.",
}


def _settings(command: Any) -> Any:
    for name, text in reversed(_FLAGS.items()):
        command = click.option(f"--{name.replace('_', '-')}", name, type=float, help=text)(command)
    return command


@click.command(
    "augment",
    epilog="""\b
Examples:
  tellapart augment cats_and_dogs/ --out sheet.png
  tellapart augment digits/ --out sheet.png --preset strong --horizontal-flip 0
  tellapart augment pictures.csv --out sheet.png --recipe runs/latest/recipe.toml
  tellapart augment cat.jpg --grid 3x3 --out nine.png         one picture, nine variants
  tellapart augment cats_and_dogs/ --grid 3x3 --out nine.png  nine pictures with their labels""",
)
@click.argument("pictures", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The contact sheet to write, a .png file.")
@click.option("--task", type=click.Choice(TASKS), help=TASK_HELP)
@reading_options
@range_option
@click.option("--preset", help="none, light, medium, strong, trivial or randaugment.  [default: medium]")
@_settings
@click.option("--quarter-turns/--no-quarter-turns", default=None, help="Turn by 0, 90, 180 or 270 degrees.")
@click.option(
    "--fill",
    help="What a rotation or shift brings in: mirror (reflect), nearest, wrap, mean, black, white or constant.",
)
@click.option("--recipe", type=click.Path(path_type=Path), help="Take the settings of a recipe.toml; flags win.")
@click.option("--size", type=int, help="Side of the network's input in pixels.  [default: the recipe's, or 224]")
@click.option("--rows", type=int, default=8, show_default=True, help="Pictures, spread over the classes.")
@click.option("--columns", type=int, default=6, show_default=True, help="Variants of each picture.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the sample and the variants."
)
@click.option(
    "--grid",
    metavar="ROWSxCOLUMNS",
    help="Instead of the sheet: of one picture so many variants, of a data set so many pictures with their labels (varied only "
    "where --preset, a setting or --recipe says how).",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--quiet", is_flag=True, help="No progress and no warnings.")
def command(
    grid: str | None, rows: int, columns: int, task: TaskName | None, quiet: bool, as_json: bool, **flags: Any
) -> None:
    """Draw what training will see of PICTURES (a folder with one folder a class, an archive of it, a table, or one picture with
    --grid) under augmentation.

    Each row shows a picture, how validation and test see it, and what training draws from it; boxes move along.
    """
    from tellapart.cli.augment_grid import draw_grid, is_one_picture
    from tellapart.cli.console import make_reporter
    from tellapart.cli.extras import require

    require("augment", "train")
    told = read_options(flags, task=task)
    given = {name: flags.pop(name) for name in ("pictures", "out", "recipe", "size", "seed", "force")}
    changes = {name: value for name, value in flags.items() if value is not None}
    asked = AskedSheet(**given, told=told, changes=changes, reporter=make_reporter(quiet=quiet))
    if grid is None and is_one_picture(asked.pictures):
        from tellapart.errors import SettingsError

        raise SettingsError(
            f"{asked.pictures} is one picture, of which a sheet shows no classes. Ask for a grid of it: --grid 3x3"
        )
    said, record = _draw_sheet(asked, rows, columns) if grid is None else draw_grid(asked, grid)
    click.echo(json.dumps(record, ensure_ascii=False) if as_json else said)


def _draw_sheet(asked: AskedSheet, rows: int, columns: int) -> tuple[str, dict[str, Any]]:
    """What to say of the sheet that was written, in words and as JSON. Raises: SettingsError, DataError, StorageError."""
    from tellapart.cli.sheets import said_on_sheets
    from tellapart.data.augmentation import from_settings
    from tellapart.data.listing import read_listing
    from tellapart.workflows.augment import recipe_options, told_view, write_sheet

    recipe, told, reporter = asked.recipe, asked.told, asked.reporter
    listing = read_listing(asked.pictures, recipe_options(recipe, told) if recipe else told)
    values, view, options = told_view(recipe, told, asked.size, listing.task)
    augmentation = from_settings({**values, **asked.changes})
    written = write_sheet(
        asked.pictures,
        out=asked.out,
        augmentation=augmentation,
        view=view,
        rows=rows,
        columns=columns,
        seed=asked.seed,
        force=asked.force,
        reporter=reporter,
        options=options,
        listing=listing,
        say=said_on_sheets(reporter),
    )
    for path, reason in written.unreadable:
        reporter.warn(f"{path} was passed over: {reason}.")
    said = (
        f"{written.sheet}: {_counted(len(written.pictures), 'picture')} with {_counted(columns, 'variant')} each, "
        f"{written.width} x {written.height} pixels. Validation and test pictures are never varied."
    )
    return said, _record(written, augmentation)


def _record(written: WrittenSheet, augmentation: Augmentation) -> dict[str, Any]:
    """One JSON-ready object."""
    from tellapart.data.augmentation import describe

    return {
        "sheet": str(written.sheet),
        "width": written.width,
        "height": written.height,
        "preset": augmentation.preset,
        "settings": describe(augmentation),
        "pictures": [str(path) for path in written.pictures],
        "labels": list(written.labels),
        "unreadable": [[str(path), reason] for path, reason in written.unreadable],
    }


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
