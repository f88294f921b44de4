"""Tables with a column of masks. In: Cells. Out: Listing. Next: masks_listing.py.

Columns: path, mask[, split][, group]; masks are found as pictures are, from the table's folder or the one that was told.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace

from tellapart.data.cells import Cells, named_rows
from tellapart.data.columns import plain_name
from tellapart.data.examples import Listing, ReadOptions
from tellapart.data.mask_class_files import told_values
from tellapart.data.mask_targets import MaskFile
from tellapart.data.missing import check_missing
from tellapart.data.table import make_listing, rows_with
from tellapart.errors import DataError

_NAMES = (
    "mask masks mask_path maskpath mask_file mask_filename mask_name segmentation segmentation_path annotation_path label_path "
    "掩码 掩膜 标注 分割"
)
_COLUMNS = tuple(_NAMES.split())


def has_masks(cells: Cells) -> bool:
    """Whether a column is called as those of masks are, and no column as classes or boxes are."""
    names = [plain_name(name) for name in cells.header]
    return "path" in names and any(name in names for name in _COLUMNS) and not {"label", "labels", "xmin"} & set(names)


def list_masks(cells: Cells, ignored: Counter[str], options: ReadOptions) -> Listing:
    """The pictures and masks that a table names. Raises: DataError where it breaks a rule or most of its files are not there."""
    names = [plain_name(name) for name in cells.header]
    column = next((name for name in _COLUMNS if name in names), None)
    written = cells.header[names.index(column)].casefold() if column is not None else "mask"
    rows = rows_with(cells, written)
    empty = [row.number for row in rows if not row.label]
    if empty:
        raise DataError(
            f"the table {str(cells.path)!r} has no mask in {named_rows(empty)}. Fill it in, or remove the row: what such a picture "
            "shows is not known."
        )
    found = [cells.locator.find(row.label) for row in rows]
    missing = [(row.number, row.label) for row, file in zip(rows, found, strict=True) if file is None]
    check_missing(cells.path, cells.locator, missing, len(rows))
    located = [
        row._replace(label=file or cells.locator.expected(row.label)) for row, file in zip(rows, found, strict=True)
    ]
    said = f"{cells.path}: the column {written!r} names masks, so the task is segmentation."
    listing = make_listing(
        cells,
        located,
        ignored,
        kind=MaskFile,
        task="segmentation",
        notes=() if options.task is not None else (said,),
    )
    root = cells.locator.root
    beside = [os.path.join(root, name) for name in os.listdir(root)] if os.path.isdir(root) else []
    return replace(listing, told_values=told_values(options, beside, root))
