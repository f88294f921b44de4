"""One class a text, as the data room reads it. In: nothing. Out: TEXT_READER. Next: readers.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tellapart.data.copies import Copies
from tellapart.data.examples import Inspection, Listing
from tellapart.data.packed_texts import texts_at
from tellapart.data.reader import AuditWords, CorrectionCells, TaskReader
from tellapart.data.reading_classes import CLASS_READER, corrected, corrected_rows
from tellapart.data.table import read_table
from tellapart.data.texts_copies import find_text_copies
from tellapart.data.texts_counts import count_texts
from tellapart.data.texts_files import read_texts
from tellapart.data.texts_folder import list_numbered, list_text_folder
from tellapart.data.texts_look import look_at_texts
from tellapart.data.texts_table import TASK, holds_texts, list_texts


def _added(table: Path, separator: str | None) -> Listing:
    """Texts that people corrected, each a file in UTF-8 beside the table. Raises: DataError for one in another encoding."""
    listing = read_table(table)
    texts, _ = read_texts([entry.path for entry in listing.entries], "utf-8")
    return replace(listing, entries=tuple(replace(entry, text=texts.get(entry.path)) for entry in listing.entries))


def _copies(listing: Listing, inspections: Sequence[Inspection]) -> Copies:
    return find_text_copies(texts_at(listing.entries), inspections)


TEXT_READER = TaskReader(
    name=TASK,
    finds=holds_texts,
    table=list_texts,
    folder=list_text_folder,
    alone=list_numbered,
    encoded=True,
    look=look_at_texts,
    copies=_copies,
    conflicts=CLASS_READER.conflicts,
    count=count_texts,
    words=AuditWords(
        one="label",
        several="labels",
        item="text",
        contradiction="TWO LABELS: {} the same text stands under different labels",
        lone_class="Add texts of another class.",
        no_picture="Add texts, as CLASS/one.txt or in a CSV with text,label.",
        rare_class=", or train with --class-weights balanced.",
    ),
    corrections=CorrectionCells(
        rows=corrected_rows,
        targets=corrected,
        added=_added,
        leave_out="An empty label leaves the text out.",
        hint="empty leaves the text out",
    ),
)
