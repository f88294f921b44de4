"""Tables with a column of masks. In: Cells. Out: Listing. Next: masks_listing.py.

Columns: path, mask[, split][, group]; masks are found as pictures are, from the table's folder or the one that was told.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from tellapart.data.cells import Cells, named_rows
from tellapart.data.columns import plain_name
from tellapart.data.examples import Listing, ReadOptions
from tellapart.data.mask_class_files import told_values
from tellapart.data.mask_targets import MaskFile
from tellapart.data.missing import check_missing
from tellapart.data.table import make_listing, rows_with
from tellapart.data.tree import has_picture_name
from tellapart.errors import DataError

_NAMES = (
    "mask masks mask_path maskpath mask_file mask_filename mask_name segmentation segmentation_path annotation_path label_path "
    "掩码 掩膜 标注 分割"
)
_COLUMNS = tuple(_NAMES.split())
_ROWS_TRIED = 20


def has_masks(cells: Cells) -> bool:
    """Whether a column is called as those of masks are, and no column as classes or boxes are; or the labels are masks' files."""
    names = [plain_name(name) for name in cells.header]
    if "path" not in names or "xmin" in names:
        return False
    labelled = bool({"label", "labels"} & set(names))
    return _labels_are_files(cells, names) if labelled else any(name in names for name in _COLUMNS)


def _labels_are_files(cells: Cells, names: Sequence[str]) -> bool:
    """Whether the cells of the column label name pictures that are there."""
    if "label" not in names:
        return False
    labels = [row[names.index("label")] for _, row in cells.rows()[:_ROWS_TRIED]]
    return bool(labels) and all(has_picture_name(label) and cells.locator.find(label) for label in labels)


def list_masks(cells: Cells, ignored: Counter[str], options: ReadOptions) -> Listing:
    """The pictures and masks that a table names. Raises: DataError where it breaks a rule or most of its files are not there."""
    names = [plain_name(name) for name in cells.header]
    column = next((name for name in _COLUMNS if name in names), None)
    if column is None and _labels_are_files(cells, names):
        column = "label"
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
