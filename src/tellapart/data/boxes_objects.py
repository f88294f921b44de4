"""Tables with a row a picture, whose boxes stand in one cell. In: Cells. Out: Cells with a row a box. Next: boxes_table.py.

Hugging Face's metadata.jsonl, CSV and parquet have them so: objects with bbox [[left, top, width, height], ...] and categories
[...], or a list of objects with one of each. Where the picture's size stands beside and only corners fit into it, they are corners.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tellapart.data.box_files import class_name, number, side
from tellapart.data.cells import CellRow, Cells
from tellapart.data.columns import plain_name
from tellapart.errors import DataError

_COLUMNS = ("objects", "annotations")
_BOXES = ("bbox", "bboxes", "box", "boxes")
_NAMES = (
    *("category_name", "class_name", "label_name", "categories", "category", "labels", "label", "classes", "class"),
    *("category_id", "category_ids", "label_id", "class_id"),
)
_CROWD = ("iscrowd", "is_crowd", "crowd")
_DIFFICULT = ("difficult", "is_difficult")
_KEPT = ("path", "split", "group")
_SPREAD = ("xmin", "ymin", "xmax", "ymax", "label", "difficult", "crowd", "image_width", "image_height")
_ROWS_TRIED = 20
_BEYOND = 1.0  # pixels that a side may lie outside


class _Thing(NamedTuple):
    """One box as it stands there."""

    numbers: tuple[float, ...]  # four, NaN where they are none
    label: str
    difficult: bool
    crowd: bool


class _Picture(NamedTuple):
    """One row."""

    number: int
    kept: list[str]
    size: tuple[float, float]  # 0: it does not say
    things: list[_Thing]


def has_objects(cells: Cells) -> bool:
    """Whether a table has a column of paths, and one whose cells hold boxes."""
    place = _place(cells)
    if place is None or "path" not in (name.casefold() for name in cells.header):
        return False
    filled = [row[place] for _, row in cells.rows() if row[place]][:_ROWS_TRIED]
    return any(_has_boxes(_parsed(cell)) for cell in filled)


def a_row_a_box(cells: Cells, *, told: bool) -> Cells:
    """The same boxes with a row for each, under the names that boxes_table.py reads; a picture without boxes has one row.

    `told`: the user says that it holds boxes. Raises: DataError with the row's number for a cell that is no JSON of boxes.
    """
    place = _place(cells)
    if place is None:
        return cells
    names = [plain_name(name) for name in cells.header]
    kept = [name for name in _KEPT if name in names]
    sizes = [names.index(name) for name in ("width", "height") if name in names]
    pictures = [
        _Picture(
            row_number,
            [row[names.index(name)] for name in kept],
            (side(row[sizes[0]]), side(row[sizes[1]])) if len(sizes) == 2 else (0.0, 0.0),
            list(_things(cells, row_number, row[place])),
        )
        for row_number, row in cells.rows()
    ]
    corners = _are_corners(pictures)
    rows = [row for picture in pictures for row in _rows(picture, corners=corners)]
    how = "left, top, right, bottom, since only so they fit the pictures" if corners else "left, top, width, height"
    spread = cells.with_rows([*kept, *_SPREAD], rows)
    spread.notes = (
        *spread.notes,
        f"{cells.path}: the boxes in the column {cells.header[place]!r} are read as {how}{'' if told else ' (task detection)'}.",
    )
    return spread


def _place(cells: Cells) -> int | None:
    names = [plain_name(name) for name in cells.header]
    return next((names.index(name) for name in _COLUMNS if names.count(name) == 1), None)


def _parsed(cell: str) -> Any:
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return None


def _has_boxes(value: Any) -> bool:
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, dict) and any(name in first for name in _BOXES)


def _things(cells: Cells, row_number: int, cell: str) -> Iterator[_Thing]:
    """Raises: DataError."""
    if not cell:
        return
    value = _parsed(cell)
    if isinstance(value, list) and all(isinstance(one, dict) for one in value):
        for one in value:
            yield _thing(_first(one, _BOXES), _first(one, _NAMES), _first(one, _DIFFICULT), _first(one, _CROWD))
        return
    boxes = _first(value, _BOXES) if isinstance(value, dict) else None
    if not isinstance(boxes, list):
        raise DataError(
            f"row {row_number} of {str(cells.path)!r} has no boxes in its cell of objects: {cell[:60]!r}. Write "
            '{"bbox": [[left, top, width, height]], "categories": ["cat"]}, with empty lists where there are none.'
        )
    columns = [_list(_first(value, names), len(boxes)) for names in (_NAMES, _DIFFICULT, _CROWD)]
    for box, *others in zip(boxes, *columns, strict=True):
        yield _thing(box, *others)


def _first(one: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((one[name] for name in names if one.get(name) is not None), None)


def _list(value: Any, length: int) -> list[Any]:
    """As many as there are boxes; what is not there is None."""
    found = value[:length] if isinstance(value, list) else []
    return found + [None] * (length - len(found))


def _thing(box: Any, label: Any, difficult: Any, crowd: Any) -> _Thing:
    listed = box if isinstance(box, list) and len(box) == 4 else [None] * 4
    return _Thing(tuple(map(number, listed)), class_name(label), bool(difficult), bool(crowd))


def _are_corners(pictures: Sequence[_Picture]) -> bool:
    """Whether the numbers fit the pictures as corners alone, in nearly all of many boxes that would else reach outside."""
    sized = [(picture.size, thing.numbers) for picture in pictures if all(picture.size) for thing in picture.things]
    sized = [(size, numbers) for size, numbers in sized if all(map(math.isfinite, numbers))]
    outside = sum(
        left + third > width + _BEYOND or top + fourth > height + _BEYOND
        for (width, height), (left, top, third, fourth) in sized
    )
    ordered = sum(
        left <= third <= width + _BEYOND and top <= fourth <= height + _BEYOND
        for (width, height), (left, top, third, fourth) in sized
    )
    return outside * 20 > len(sized) and ordered * 20 >= 19 * len(sized)


def _rows(picture: _Picture, *, corners: bool) -> Iterator[CellRow]:
    size = [str(value) if value else "" for value in picture.size]
    if not picture.things:
        yield picture.number, [*picture.kept, *[""] * 7, *size]
    for thing in picture.things:
        left, top, third, fourth = thing.numbers
        right, bottom = (third, fourth) if corners else (left + third, top + fourth)
        marks = ["1" if thing.difficult else "", "1" if thing.crowd else ""]
        yield picture.number, [*picture.kept, *map(str, (left, top, right, bottom)), thing.label, *marks, *size]
