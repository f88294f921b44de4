"""Boxes with classes, as the data room reads them. In: nothing. Out: BOX_READER. Next: readers.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tellapart.data.box_agreement import box_conflicts
from tellapart.data.box_corrections import BOX_CELLS
from tellapart.data.box_counts import box_lines, box_notes, box_warnings, count_boxes
from tellapart.data.box_repair import settle_boxes
from tellapart.data.boxes_objects import a_row_a_box, has_objects
from tellapart.data.boxes_table import has_boxes, list_boxes
from tellapart.data.cells import Cells
from tellapart.data.conflicts import LabelConflict
from tellapart.data.examples import Entry, Inspection, Listing, ReadOptions, short_path
from tellapart.data.other_tasks import OtherTask
from tellapart.data.reader import AuditWords, OwnCounts, TaskReader
from tellapart.data.targets import Boxes


def _finds(cells: Cells) -> bool:
    return has_boxes(cells) or has_objects(cells)


def _table(cells: Cells, ignored: Counter[str], options: ReadOptions) -> Listing:
    if not has_boxes(cells) and has_objects(cells):
        return list_boxes(a_row_a_box(cells, told=options.task is not None), ignored, told=True)
    return list_boxes(cells, ignored, told=options.task is not None)


def _folder(path: Path, options: ReadOptions, refused: OtherTask | None) -> Listing:
    """The boxes of a folder. Raises: OtherTask where nobody asked for them and there are shapes and no box among them."""
    # Only now: XML and YAML are read for boxes alone.
    from tellapart.data.boxes_listing import read_boxes

    listing = read_boxes(path, told=options.task is not None, encoding=options.encoding)
    if refused is None:
        return listing
    boxes = sum(len(entry.target.boxes) for entry in listing.entries if isinstance(entry.target, Boxes))
    shapes = sum(fault.times for fault in listing.faults.get("around a shape", ()))
    if boxes and shapes >= boxes:
        masks = ", --task segmentation the shapes as masks" if refused.look and refused.look.boxes != "cvat" else ""
        raise OtherTask(f"{refused} --task detection reads the boxes around its shapes{masks}.") from None
    return listing


def _conflicts(
    entries: Sequence[Entry], inspections: Sequence[Inspection], copies: Sequence[int], joined: Sequence[int]
) -> tuple[LabelConflict, ...]:
    """A copy that was turned or moved has its boxes elsewhere, and rightly so."""
    return box_conflicts(entries, inspections, copies)


def _count(listing: Listing, inspections: Sequence[Inspection], groups: Sequence[str]) -> OwnCounts:
    counts = count_boxes(listing.entries, inspections, listing.classes, listing.faults)

    def short(path: Path) -> str:
        return short_path(path, listing.source)

    return OwnCounts(
        name="boxes",
        record=counts.as_json(),
        target_warnings=tuple(box_warnings(counts, short)),
        notes=tuple(box_notes(counts, short)),
        lines=tuple(box_lines(counts)),
    )


BOX_READER = TaskReader(
    name="detection",
    finds=_finds,
    beside=_finds,
    table=_table,
    folder=_folder,
    settle=settle_boxes,
    conflicts=_conflicts,
    count=_count,
    words=AuditWords(
        one="box",
        several="boxes",
        contradiction="TWO SETS OF BOXES: {} the same picture has different boxes",
        between="; ",
    ),
    least_classes=1,
    of_whole_pictures=False,
    corrections=BOX_CELLS,
)
