"""Look at every picture before anything is learned. In: a folder or CSV. Out: Examined. Next: workflows/train.py."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from tellapart.data.additions import add_pictures, settle
from tellapart.data.audit import findings
from tellapart.data.augmented import Scenes, comparable
from tellapart.data.corrections import correct
from tellapart.data.examples import Inspection, Listing, ReadOptions, classes_left
from tellapart.data.inspection import Shown, inspect_all
from tellapart.data.listing import read_listing
from tellapart.data.packed_entries import MANY, PathsOf, column_of, packed
from tellapart.data.packed_entries import part_of as entries_at
from tellapart.data.packed_inspections import part_of as inspections_at
from tellapart.data.packed_inspections import readable, sizes_of, unusual_of
from tellapart.data.packed_pictures import PicturesOf
from tellapart.data.reader import Opening
from tellapart.data.readers import READERS
from tellapart.data.splitting import limited
from tellapart.data.survey import Examined, build_audit
from tellapart.errors import DataError
from tellapart.features.afar import Afar, inspect_afar
from tellapart.features.cache import Cache
from tellapart.features.landmark_store import LandmarkStore
from tellapart.features.scenes import look_up
from tellapart.reporter import Reporter
from tellapart.runtime import cores

KIND = "inspection"

Look = Literal["always", "known", "not"]
# What else is done while pictures are compared.
Meanwhile = Callable[[Listing, Sequence[Inspection]], AbstractContextManager[None]]

_FOUND = ReadOptions()


class InspectionMemory:
    """What earlier audits saw, kept in the cache."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The stored inspections among `keys`."""
        return self._cache.get_many(KIND, keys)

    def put_many(self, items: Mapping[str, bytes]) -> None:
        """Keep inspections for the next audit."""
        self._cache.put_many(KIND, items)


def examine(
    pictures: Path,
    *,
    corrections: Path | None = None,
    cache: Cache,
    reporter: Reporter,
    workers: int | None = None,
    options: ReadOptions = _FOUND,
    look: Look = "not",
    shown: Shown | None = None,
    meanwhile: Meanwhile | None = None,
    afar: Afar | None = None,
) -> Examined:
    """List, correct labels by a CSV or add a folder of corrected pictures, inspect and audit; no file of the user's is changed.

    It works on `workers` cores or all, and looks for augmented copies `always`, `not`, or only where all that is slow about it
    is in the cache, `known`. `shown` gets what is decoded, as in `inspect_all`; `meanwhile` is entered while
    augmented copies are looked for. `afar` opens the pictures of a task whose items are pictures in place of this machine.
    Raises: DataError, StorageError.
    """
    listing = read_listing(pictures, options)
    for note in listing.notes:
        reporter.say(note)
    if corrections is not None:
        listing = _corrected(listing, corrections, options.separator, reporter)
    if options.limit is not None:
        told = len(listing.notes)
        listing = limited(listing, options.limit, options.seed)
        for note in listing.notes[told:]:
            reporter.say(note)
    if len(listing.entries) >= MANY:
        listing = replace(listing, entries=packed(listing.entries))
    _check_names(listing)
    workers = workers or cores()
    own = READERS[listing.task].look
    if own is None:
        inspections = (
            _inspect(listing, look, shown, cache=cache, reporter=reporter, workers=workers)
            if afar is None
            else _inspect_afar(listing, look, afar, cache=cache, reporter=reporter)
        )
        listing, inspections = _without_strays(listing, inspections)
    else:
        item, look = READERS[listing.task].words.item, "not"
        with reporter.step(f"Checking {item}s", len(listing.entries)) as advance:
            listing, inspections = own(listing, Opening(advance=advance))
    if any(column_of(listing.entries, "added")):
        settled = settle(listing, inspections)
        reporter.say(f"{corrections}: {settled.summary}")
        listing, inspections = settled.listing, settled.inspections
    listing, inspections = _settled(listing, inspections, cache=cache, reporter=reporter, workers=workers)
    beside = nullcontext() if meanwhile is None else meanwhile(listing, inspections)
    scenes = _scenes(listing, inspections, look, beside, cache=cache, reporter=reporter, workers=workers)
    audit = build_audit(listing, inspections, scenes, span=options.span)
    return Examined(listing=listing, inspections=inspections, audit=audit)


def _settled(
    listing: Listing, inspections: Sequence[Inspection], *, cache: Cache, reporter: Reporter, workers: int
) -> tuple[Listing, Sequence[Inspection]]:
    """With targets in the pixels of the opened pictures; their own files are opened for that, where they have some."""
    reader, told = READERS[listing.task], len(listing.notes)
    if reader.own_files:
        with reporter.step(f"Checking {reader.own_files}", len(listing.entries)) as advance:
            opening = Opening(workers=workers, remembered=InspectionMemory(cache), advance=advance)
            listing, inspections = reader.settle(listing, inspections, opening)
    else:
        listing, inspections = reader.settle(listing, inspections)
    for note in listing.notes[told:]:
        reporter.say(note)
    _check_names(listing)  # of targets that were opened the classes are known only now
    return listing, inspections


def _corrected(listing: Listing, corrections: Path, separator: str | None, reporter: Reporter) -> Listing:
    """With the labels of a CSV, or with the pictures of a folder of corrections as well. Raises: DataError, StorageError."""
    if corrections.is_dir():
        return add_pictures(listing, corrections, separator)
    corrected = correct(listing, corrections, separator)
    for note in corrected.notes:
        reporter.say(note)
    reporter.say(corrected.summary)
    return corrected.listing


def _inspect(
    listing: Listing, look: Look, shown: Shown | None, *, cache: Cache, reporter: Reporter, workers: int
) -> Sequence[Inspection]:
    """Open every picture that the cache does not know; landmarks are kept on the way where they will be looked at."""
    with (
        LandmarkStore(cache) as store,
        reporter.step("Checking pictures", len(listing.entries)) as advance,
    ):
        return inspect_all(
            PathsOf(listing.entries),
            workers=workers,
            remembered=InspectionMemory(cache),
            advance=advance,
            seen=store.keep if look == "always" else None,
            shown=shown,
        )


def _inspect_afar(listing: Listing, look: Look, afar: Afar, *, cache: Cache, reporter: Reporter) -> list[Inspection]:
    with reporter.step("Checking pictures", len(listing.entries)) as advance:
        return inspect_afar(
            [entry.path for entry in listing.entries],
            afar,
            cache=cache,
            memory=InspectionMemory(cache),
            landmarks=look == "always",
            advance=advance,
        )


def _scenes(
    listing: Listing,
    inspections: Sequence[Inspection],
    look: Look,
    beside: AbstractContextManager[None],
    *,
    cache: Cache,
    reporter: Reporter,
    workers: int,
) -> Scenes | None:
    """Which contents are augmented copies of others; None: not looked for. A search runs inside `beside`. Raises: StorageError."""
    if look == "not":
        return None
    usable = readable(inspections)
    compared = [comparable(width, height) for width, height in sizes_of(inspections, usable).tolist()]
    pictures = PicturesOf(listing.entries, inspections, usable[np.array(compared, dtype=np.bool_)])
    if not pictures:
        return Scenes(pairs=())
    known = look_up(pictures, cache)
    if known.scenes is not None or (look == "known" and not known.whole):
        return known.scenes
    # Only now: the library of local features takes a while to import.
    from tellapart.features.scene_search import search

    with beside, reporter.step("Looking for augmented copies", len(pictures)) as advance:
        return search(pictures, cache=cache, workers=workers, advance=advance)


def _check_names(listing: Listing) -> None:
    for label in listing.classes:
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in label):
            raise DataError(
                f"the class name {label!r} holds characters that cannot be shown. Rename the folder, or the label in the table."
            )


def _without_strays(listing: Listing, inspections: Sequence[Inspection]) -> tuple[Listing, Sequence[Inspection]]:
    """Leave out and count what is no picture by content or name; a folder that holds nothing else is no class."""
    strays = {place for place, one in unusual_of(inspections) if not one.is_picture}
    if not strays:
        return listing, inspections
    kept = [index for index in range(len(inspections)) if index not in strays]
    entries = entries_at(listing.entries, kept)
    classes = classes_left(listing, entries)
    ignored = dict(listing.ignored) | {"not a picture": len(inspections) - len(kept)}
    if len(classes) < len(listing.classes):
        ignored["class folder without a picture"] = len(listing.classes) - len(classes)
    return replace(listing, entries=entries, classes=classes, ignored=ignored), inspections_at(inspections, kept)


def report_findings(examined: Examined, reporter: Reporter) -> None:
    """Say what the audit found; its errors are raised a moment later, by who trains."""
    for finding in findings(examined.audit):
        if finding.severity == "note":
            reporter.say(finding.message)
        elif finding.severity == "warning":
            reporter.warn(finding.message)
