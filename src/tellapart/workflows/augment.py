"""Show what training will see. In: a folder or CSV, an Augmentation. Out: WrittenSheet, a PNG. Next: drawing/contact_sheet.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import TaskName
from tellapart.data.augmentation import Augmentation, resolve, switched_on
from tellapart.data.examples import Entry, Listing, ReadOptions
from tellapart.data.listing import read_listing
from tellapart.decoding import Decoded
from tellapart.drawing.contact_sheet import SheetRow, draw_sheet
from tellapart.drawing.lettering import Say
from tellapart.drawing.png import write_png
from tellapart.errors import SettingsError
from tellapart.models.classics import BLOCKS_SIZE, classic
from tellapart.reporter import Reporter
from tellapart.settings.reading import make_settings, read_recipe
from tellapart.tasks.table import TASKS
from tellapart.workflows.augment_rows import settled, sheet_row
from tellapart.workflows.augment_sample import (
    LARGEST,
    View,
    check_out,
    none_readable,
    sampled_pictures,
    tell_deep,
    told_label,
)

_FOUND = ReadOptions()
_LIMITS = {"size": (8, LARGEST, 224), "rows": (1, 50, 8), "columns": (1, 20, 6)}  # least, most, example
_MIXED = 1  # keeps the seeds of mixing apart from those of single pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenSheet:
    """A contact sheet on disk and what is on it."""

    sheet: Path
    width: int  # pixels
    height: int
    pictures: tuple[Path, ...]  # row by row
    labels: tuple[str, ...]
    unreadable: tuple[tuple[Path, str], ...]  # passed over while looking for pictures: path, reason


def recipe_options(path: Path, told: ReadOptions) -> ReadOptions:
    """How a recipe reads its data set, with what was `told` beside it on top. Raises: SettingsError."""
    found = make_settings({"data": "none", **read_recipe(path)}).read_options
    more = {field.name: getattr(told, field.name) for field in fields(told)}
    return replace(found, **{name: value for name, value in more.items() if value not in (None, False)})


def told_view(
    recipe: Path | None, told: ReadOptions, size: int | None, task: TaskName | None = None
) -> tuple[dict[str, Any], View, ReadOptions]:
    """The augmentation, what the network is shown and how the data set is read: as told, or as the recipe or the task says.

    Raises: SettingsError.
    """
    values, view = recipe_view(recipe) if recipe else _preferred(task)
    options = recipe_options(recipe, told) if recipe else told
    return values, replace(view, size=view.size if size is None else size, value_range=options.span), options


def _preferred(task: TaskName | None) -> tuple[dict[str, Any], View]:
    """What suits a task where nothing is told."""
    plain = make_settings({"data": "none"})
    settings = plain if task is None or task not in TASKS else TASKS[task].prefer(plain)
    if settings == plain:
        return {"preset": "medium"}, View()
    fit = settings.network.fit or "crop"
    view = View(size=settings.network.size or View().size, fit=fit, crop=View().crop if fit == "crop" else 1.0)
    return settings.augment.model_dump(exclude_none=True), view


def recipe_view(path: Path) -> tuple[dict[str, Any], View]:
    """The augmentation of a recipe, preset included, and what its network is shown. Raises: SettingsError."""
    settings = make_settings({"data": "none", **read_recipe(path)})
    network, plain = settings.network, View()
    scratch = settings.strategy == "scratch"
    own = plain.size
    if scratch:
        own = BLOCKS_SIZE if network.name == "blocks" else classic(network.name).size
    fit = network.fit or "crop"
    view = View(
        size=network.size or own,
        fit=fit,
        value_range=settings.span,
        crop=1.0 if scratch or fit != "crop" else network.crop or plain.crop,
        grey=network.channels == 1,
        scale=network.scale or 1.0,
    )
    return settings.augment.model_dump(exclude_none=True), view


def write_sheet(
    pictures: Path,
    *,
    out: Path,
    augmentation: Augmentation,
    view: View,
    rows: int,
    columns: int,
    seed: int,
    force: bool,
    reporter: Reporter,
    options: ReadOptions = _FOUND,
    listing: Listing | None = None,
    say: Say = str,
) -> WrittenSheet:
    """Draw `rows` pictures, spread over the classes: as they are, as validation sees them, and `columns` variants of each.

    `view` is what the network would be shown, `options` how the data set is read, unless it is: `listing`. What a target
    outlines, such as boxes, is drawn as it moves; `say` says what the sheet tells. An existing file is replaced only with
    `force`.
    Raises: SettingsError, DataError, StorageError.
    """
    _refuse_mosaic(augmentation)
    _check_limits(size=view.size, rows=rows, columns=columns)
    check_out(out, pictures, force=force)
    listing = _of_pictures(listing or read_listing(pictures, options), pictures)
    sampled, unreadable = _sampled(listing, pictures, rows, seed, view, reporter)
    drawn = _rows(sampled, listing.classes, augmentation, view, columns=columns, seed=seed, reporter=reporter)
    settings = switched_on(augmentation)
    sheet = draw_sheet(drawn, title=_title(augmentation), settings=settings, size=view.size, say=say)
    write_png(out, sheet)
    return WrittenSheet(
        sheet=out,
        width=sheet.width,
        height=sheet.height,
        pictures=tuple(entry.path for entry, _ in sampled),
        labels=tuple(told_label(entry) for entry, _ in sampled),
        unreadable=tuple(unreadable),
    )


def _refuse_mosaic(augmentation: Augmentation) -> None:
    if augmentation.mosaic:
        raise SettingsError(
            f"mosaic is {augmentation.mosaic:g}; a mosaic takes boxes along, which a contact sheet does not show. Set it to 0."
        )


def _of_pictures(listing: Listing, pictures: Path) -> Listing:
    """The listing itself. Raises: SettingsError where it is of texts."""
    if listing.entries and listing.entries[0].text is not None:
        raise SettingsError(
            f"{str(pictures)!r} holds texts, which are learned as they are: no sheet could show that. Give pictures."
        )
    return listing


def _sampled(
    listing: Listing, pictures: Path, rows: int, seed: int, view: View, reporter: Reporter
) -> tuple[list[tuple[Entry, Decoded]], list[tuple[Path, str]]]:
    """Pictures for so many rows, and those that cannot be read. Raises: DataError where none can."""
    for note in listing.notes:
        reporter.say(note)
    sampled, unreadable = sampled_pictures(listing, rows, seed, view)
    if view.value_range is None:
        tell_deep(sampled, reporter)
    sampled = settled(listing, sampled)
    if not sampled:
        raise none_readable(pictures, unreadable)
    return sampled, unreadable


def _title(augmentation: Augmentation) -> str:
    changed = "" if augmentation == resolve(augmentation.preset) else ", changed"
    return f"Augmentation: {augmentation.preset}{changed}"


def _rows(
    sampled: Sequence[tuple[Entry, Decoded]],
    classes: Sequence[str],
    augmentation: Augmentation,
    view: View,
    *,
    columns: int,
    seed: int,
    reporter: Reporter,
) -> list[SheetRow]:
    """A row a picture; mixed where the settings mix."""
    drawn = []
    with reporter.step("Drawing variants", len(sampled)) as advance:
        for number, (entry, decoded) in enumerate(sampled):
            drawn.append(sheet_row(entry, decoded, augmentation, view, classes, columns=columns, seed=(seed, number)))
            advance(1)
    return _mixed(drawn, augmentation, seed) if augmentation.mixup or augmentation.cutmix else drawn


def _check_limits(**asked: int) -> None:
    """Raises: SettingsError for a size, rows or columns that are too few or too many."""
    for name, value in asked.items():
        least, most, example = _LIMITS[name]
        if not least <= value <= most:
            raise SettingsError(
                f"{name} is {value}; it must be from {least} to {most}. Set it to {example}, for example."
            )


def _mixed(rows: list[SheetRow], augmentation: Augmentation, seed: int) -> list[SheetRow]:
    """Every column of variants mixed as one batch, as training mixes its batches."""
    import torch

    from tellapart.data.mixing import mix

    own = torch.arange(len(rows))  # each row is its own class, so that the targets tell how much of it is left
    columns: list[list[NDArray[np.uint8]]] = []
    for column, batch in enumerate(zip(*(row.variants for row in rows), strict=True)):
        images = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2).float()
        mixed, targets = mix(
            images,
            own,
            mixup=augmentation.mixup,
            cutmix=augmentation.cutmix,
            class_count=len(rows),
            seed=(seed, column, _MIXED),
        )
        pixels = mixed.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
        # A picture that is mostly its neighbour's is shown in the neighbour's row.
        columns.append([pixels[index] for index in targets.argmax(dim=0).tolist()])
    return [replace(row, variants=[column[number] for column in columns]) for number, row in enumerate(rows)]
