"""`tellapart augment PICTURES --grid 3x3`. In: AskedSheet, the grid. Out: a PNG, what to say. Next: workflows/augment_grid.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tellapart.cli.asked_sheet import AskedSheet


def draw_grid(asked: AskedSheet, grid: str) -> tuple[str, dict[str, Any]]:
    """One picture in many variants, or many with their labels; what to say of it, in words and as JSON.

    Raises: SettingsError, DataError, StorageError.
    """
    from tellapart.cli.sheets import said_on_sheets
    from tellapart.data.augmentation import describe, from_settings
    from tellapart.data.listing import read_listing
    from tellapart.workflows.augment import recipe_options, told_view
    from tellapart.workflows.augment_grid import grid_of_pictures, grid_of_variants, parse_grid
    from tellapart.workflows.augment_sample import check_out

    pictures, recipe, told, out = asked.pictures, asked.recipe, asked.told, asked.out
    size, say = parse_grid(grid), said_on_sheets(asked.reporter)
    check_out(out, pictures, force=asked.force)
    one = is_one_picture(pictures)
    listing = None if one else read_listing(pictures, recipe_options(recipe, told) if recipe else told)
    values, view, _ = told_view(recipe, told, asked.size, None if listing is None else listing.task)
    if listing is not None and recipe is None and not asked.changes:
        values = {"preset": "none"}  # a first look at the pictures themselves
    augmentation = from_settings({**values, **asked.changes})
    drawn: dict[str, Any] = {"augmentation": augmentation, "view": view, "grid": size, "seed": asked.seed, "say": say}
    if listing is None:
        sheet = grid_of_variants(pictures, out=out, **drawn)
    else:
        sheet, unreadable = grid_of_pictures(listing, out=out, **drawn)
        for path, reason in unreadable:
            asked.reporter.warn(f"{path} was passed over: {reason}.")
    record = {"sheet": str(out), "width": sheet.width, "height": sheet.height, "settings": describe(augmentation)}
    return f"{out}: {size.rows} x {size.columns} pictures, {sheet.width} x {sheet.height} pixels.", record


def is_one_picture(path: Path) -> bool:
    """Whether a single picture is named, not a folder, an archive or a table of some."""
    from tellapart.answers.formats import FORMAT_OF_EXTENSION
    from tellapart.sources.reading import exists

    return exists(path) and path.suffix.lower() in FORMAT_OF_EXTENSION
