"""The readers, as one table. In: a listing's task. Out: TaskReader. Next: corrections.py."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tellapart.bundle import TaskName
from tellapart.data.examples import Listing
from tellapart.data.reader import CorrectionCells, TaskReader
from tellapart.data.reading_boxes import BOX_READER
from tellapart.data.reading_classes import CLASS_READER
from tellapart.data.reading_masks import MASK_READER
from tellapart.data.reading_sets import LABEL_SET_READER
from tellapart.data.reading_texts import TEXT_READER
from tellapart.errors import DataError

# What is most special comes last, and is looked for first.
READERS: Mapping[TaskName, TaskReader] = MappingProxyType(
    {reader.name: reader for reader in (CLASS_READER, LABEL_SET_READER, TEXT_READER, MASK_READER, BOX_READER)}
)


def correction_cells(listing: Listing, corrections: Path) -> CorrectionCells:
    """How corrections of this listing are read. Raises: DataError where a table cannot say what its pictures are."""
    reader = READERS[listing.task]
    if reader.corrections is None:
        raise DataError(
            f"the corrections {str(corrections)!r} say what a whole picture is, and {listing.source} has {reader.words.several}. "
            "Correct the annotations themselves, and leave the corrections out."
        )
    return reader.corrections
