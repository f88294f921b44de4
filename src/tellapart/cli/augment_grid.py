"""`tellapart augment PICTURES --grid 3x3`. In: a picture or a data set, settings. Out: a PNG. Next: workflows/augment_grid.py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from tellapart.data.examples import ReadOptions
from tellapart.reporter import Reporter


def write_grid(
    pictures: Path,
    grid: str,
    flags: Mapping[str, Any],
    recipe: Path | None,
    told: ReadOptions,
    size: int | None,
    *,
    out: Path,
    seed: int,
    force: bool,
    as_json: bool,
    reporter: Reporter,
) -> None:
    """One picture in many variants, or many with their labels. Raises: SettingsError, DataError, StorageError."""
    from tellapart.answers.formats import FORMAT_OF_EXTENSION
    from tellapart.cli.sheets import said_on_sheets
    from tellapart.data.augmentation import describe, from_settings
    from tellapart.data.listing import read_listing
    from tellapart.sources.reading import exists
    from tellapart.workflows.augment import recipe_options, told_view
    from tellapart.workflows.augment_grid import grid_of_pictures, grid_of_variants, parse_grid
    from tellapart.workflows.augment_sample import check_out

    asked, say = parse_grid(grid), said_on_sheets(reporter)
    check_out(out, pictures, force=force)
    changes = {name: value for name, value in flags.items() if value is not None}
    one = exists(pictures) and pictures.suffix.lower() in FORMAT_OF_EXTENSION
    listing = None if one else read_listing(pictures, recipe_options(recipe, told) if recipe else told)
    values, view, _ = told_view(recipe, told, size, None if listing is None else listing.task)
    if listing is not None and recipe is None and not changes:
        values = {"preset": "none"}  # a first look at the pictures themselves
    augmentation = from_settings(values | changes)
    if listing is None:
        sheet = grid_of_variants(
            pictures, out=out, augmentation=augmentation, view=view, grid=asked, seed=seed, say=say
        )
    else:
        sheet, unreadable = grid_of_pictures(
            listing, out=out, augmentation=augmentation, view=view, grid=asked, seed=seed, say=say
        )
        for path, reason in unreadable:
            reporter.warn(f"{path} was passed over: {reason}.")
    if as_json:
        record = {"sheet": str(out), "width": sheet.width, "height": sheet.height, "settings": describe(augmentation)}
        click.echo(json.dumps(record, ensure_ascii=False))
        return
    click.echo(f"{out}: {asked.rows} x {asked.columns} pictures, {sheet.width} x {sheet.height} pixels.")
