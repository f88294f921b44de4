"""Pictures that people corrected join the training. In: Listing, a folder of corrections. Out: Settled. Next: corrections.py.

`tellapart serve --corrections` fills such a folder for each model: labels.csv with path,label, and the pictures beside it. They
were chosen for being wrong, and by whoever may ask the server: so they are trained on, never tested on, and no label that a test
goes by is changed by them. One that the data set has already gives its label to the one there, if that is trained on.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tellapart.data.examples import Inspection, Listing, known_classes
from tellapart.data.readers import correction_cells
from tellapart.data.targets import Target
from tellapart.errors import DataError

TABLE = "labels.csv"
_NAMED = 3  # pictures that a message names


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A listing with what was added, each picture once."""

    listing: Listing
    inspections: list[Inspection]  # in the order of listing.entries
    added: int  # pictures that the data set did not have
    relabelled: tuple[Path, ...]  # pictures of the data set that are called something else
    unchanged: int  # corrections that say what was so already

    @property
    def summary(self) -> str:
        """Two sentences for the screen."""
        named = ", ".join(map(str, self.relabelled[:_NAMED]))
        more = len(self.relabelled) - _NAMED
        which = f" ({named}{f' and {more:,} more' if more > 0 else ''})" if named else ""
        return (
            f"{_count(self.added, 'corrected picture')} to train on as well; {_count(self.unchanged, 'correction')} of what was so "
            f"already. {_count(len(self.relabelled), 'label')} of the data set corrected for training{which}; in validation and "
            "test they stay as the data set has them."
        )


def add_pictures(listing: Listing, folder: Path, separator: str | None = None) -> Listing:
    """Add the pictures of a folder of corrections, marked as added.

    Raises: DataError where its table is missing or breaks a rule, names a class that the data set does not have, or cannot say what
    such pictures are.
    """
    form = correction_cells(listing, folder)
    table = _find_table(folder)
    # Names that were merged are known, too; cells come without the spaces at their ends.
    named = {**listing.merged, **{label.strip(): label for label in reversed(listing.classes)}}
    found = form.added(table, separator).entries
    unknown = sorted(known_classes(entry.target for entry in found) - set(named))
    if unknown:
        near = difflib.get_close_matches(unknown[0], list(named), n=1)
        raise DataError(
            f"the corrections {str(table)!r} give the label {unknown[0]!r}, which is none of the classes of {listing.source}."
            f"{f' Did you mean {near[0]!r}?' if near else ''} Change it there, or remove the row."
        )
    added = [replace(entry, target=entry.target.renamed(named), split=None, added=True) for entry in found]
    # At the end: who counts the data set's own entries finds them where they were.
    return replace(listing, entries=(*listing.entries, *added))


def settle(listing: Listing, inspections: Sequence[Inspection]) -> Settled:
    """Say the label of an added picture of those of the data set with the same pixels, and keep these."""
    rows: dict[str, list[int]] = {}  # content -> own entries
    for index, (entry, inspection) in enumerate(zip(listing.entries, inspections, strict=True)):
        if not entry.added and inspection.content_hash:
            rows.setdefault(inspection.content_hash, []).append(index)
    targets: dict[int, Target] = {}
    gone: set[int] = set()
    unchanged = 0
    for index, (entry, inspection) in enumerate(zip(listing.entries, inspections, strict=True)):
        same = rows.get(inspection.content_hash, []) if entry.added else []
        if same:
            gone.add(index)
            unchanged += all(listing.entries[own].target == entry.target for own in same)
            targets.update(dict.fromkeys(same, entry.target))
    kept = [index for index in range(len(listing.entries)) if index not in gone]
    entries = tuple(
        replace(listing.entries[index], train_target=target)
        if (target := targets.get(index, listing.entries[index].target)) != listing.entries[index].target
        else listing.entries[index]
        for index in kept
    )
    return Settled(
        listing=replace(listing, entries=entries),
        inspections=[inspections[index] for index in kept],
        added=sum(entry.added for entry in entries),
        relabelled=tuple(entry.path for entry in entries if entry.train_target is not None),
        unchanged=unchanged,
    )


def _find_table(folder: Path) -> Path:
    """The table of the folder, or of the only model in it."""
    if (folder / TABLE).is_file():
        return folder / TABLE
    found = sorted(folder.glob(f"*/{TABLE}"))
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(
            f"{str(folder)!r} holds corrections of {len(found)} models. Give the folder of the one that learns from these "
            f"pictures, such as {str(found[0].parent)!r}."
        )
    raise DataError(
        f"{str(folder)!r} is no folder of corrections: it has no {TABLE}. Give the folder of `tellapart serve "
        "--corrections`, or a CSV with path,label."
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
