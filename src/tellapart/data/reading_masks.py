"""A class a pixel, as the data room reads it. In: nothing. Out: MASK_READER. Next: readers.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tellapart.data.cells import Cells
from tellapart.data.conflicts import LabelConflict
from tellapart.data.examples import Entry, Inspection, Listing, ReadOptions, short_path
from tellapart.data.mask_agreement import mask_conflicts
from tellapart.data.mask_counts import count_masks, mask_lines, mask_notes, mask_warnings
from tellapart.data.mask_settling import settle_masks
from tellapart.data.masks_table import has_masks, list_masks
from tellapart.data.other_tasks import OtherTask
from tellapart.data.reader import AuditWords, OwnCounts, TaskReader


def _folder(path: Path, options: ReadOptions, refused: OtherTask | None) -> Listing:
    # Only now: most data sets have no masks.
    from tellapart.data.masks_listing import read_masks

    return read_masks(path, options)


def _table(cells: Cells, ignored: Counter[str], options: ReadOptions) -> Listing:
    return list_masks(cells, ignored, options)


def _conflicts(
    entries: Sequence[Entry], inspections: Sequence[Inspection], copies: Sequence[int], joined: Sequence[int]
) -> tuple[LabelConflict, ...]:
    """A copy that was turned or moved has its areas elsewhere, and rightly so."""
    return mask_conflicts(entries, inspections, copies)


def _count(listing: Listing, inspections: Sequence[Inspection], groups: Sequence[str]) -> OwnCounts:
    counts = count_masks(listing.entries, inspections, listing.classes, listing.faults, listing.absent)

    def short(path: Path) -> str:
        return short_path(path, listing.source)

    return OwnCounts(
        name="masks",
        record=counts.as_json(),
        target_warnings=tuple(mask_warnings(counts, short)),
        notes=tuple(mask_notes(counts, short)),
        lines=tuple(mask_lines(counts)),
    )


MASK_READER = TaskReader(
    name="segmentation",
    finds=has_masks,
    beside=has_masks,
    table=_table,
    folder=_folder,
    settle=settle_masks,
    own_files="masks",
    conflicts=_conflicts,
    count=_count,
    words=AuditWords(
        one="mask",
        several="masks",
        contradiction="TWO MASKS: {} the same picture has different masks",
        between="; ",
        no_picture="Add pictures with masks that have pixels which count.",
        lone_class="Add pictures whose masks show another one, such as background.",
    ),
    valued=True,
    of_whole_pictures=False,
    corrections=None,
)
