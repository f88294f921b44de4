"""List pictures with boxes that a table names, a row a box. In: Cells. Out: Listing. Next: boxes_listing.py.

Columns: path,xmin,ymin,xmax,ymax,label[,split][,group], or left,top,right,bottom, x1,y1,x2,y2, x,y,w,h and the like. A row with a
path and no numbers is a picture without boxes. Columns width and height beside corners are the picture's; difficult, truncated and
crowd are read. Where no number is over 1, all are shares of the picture's sides.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from tellapart.data.box_files import class_name, number, side
from tellapart.data.cells import Cells, named_rows, quoted_all
from tellapart.data.columns import plain_name, split_named
from tellapart.data.examples import Entry, Listing, named_classes
from tellapart.data.faults import Drawn, FaultList
from tellapart.data.missing import check_missing
from tellapart.data.table import columns_of
from tellapart.data.targets import MARKS, Box, Boxes
from tellapart.errors import DataError

_CORNERS = (
    ("xmin", "ymin", "xmax", "ymax"),
    ("x_min", "y_min", "x_max", "y_max"),
    ("x1", "y1", "x2", "y2"),
    ("xtl", "ytl", "xbr", "ybr"),
    ("left", "top", "right", "bottom"),
)
_SIZES = (
    ("x", "y", "w", "h"),
    ("x", "y", "width", "height"),
    ("left", "top", "width", "height"),
    ("xmin", "ymin", "width", "height"),
    ("bbox_x", "bbox_y", "bbox_w", "bbox_h"),
    ("bbox_x", "bbox_y", "bbox_width", "bbox_height"),
)
_PICTURE_SIZES = (("image_width", "image_height"), ("img_width", "img_height"), ("width", "height"))
_TRUE = ("1", "1.0", "true", "yes")
_Layout = tuple[tuple[int, ...], bool]  # the places of four columns, and whether they are corners


def has_boxes(cells: Cells) -> bool:
    """Whether a table has the columns of boxes, and of paths."""
    return "path" in (name.casefold() for name in cells.header) and _layout(cells) is not None


def list_boxes(cells: Cells, ignored: Counter[str], *, told: bool) -> Listing:
    """The listing of a table that is open already, sorted by path. `told`: the user says that it holds boxes.

    Raises: DataError with row numbers where the table breaks a rule, or most of its files are not there.
    """
    layout = _layout(cells)
    if layout is None:
        raise DataError(
            f"the table {str(cells.path)!r} has no columns of boxes; its columns are: {quoted_all(cells.header)}. Call "
            "them path,xmin,ymin,xmax,ymax,label, or x,y,w,h for the upper left corner and the sides."
        )
    roles = columns_of(cells, ("path", "label"))
    if not cells.rows():
        raise DataError(
            f"the table {str(cells.path)!r} has a header but no rows. Add a row for each box, and one for each picture without."
        )
    faults, pages = FaultList(), dict[str, _Page]()
    for row in _rows(cells, layout, roles):
        _add(cells, pages, row)
    _check_there(cells, pages)
    for page in pages.values():
        faults.add("no class", page.path, page.nameless)
    relative = _are_shares([box for page in pages.values() for box in page.boxes])
    entries = [
        Entry(
            path=Path(page.path),
            target=Boxes(tuple(page.boxes)),
            split=split_named(page.first.split),
            group=page.first.group,
            fold=page.first.fold,
            drawn=replace(page.first.drawn, relative=relative, lost=page.nameless),
        )
        for page in pages.values()
    ]
    root = Path(cells.locator.root)
    return Listing(
        source=cells.path,
        entries=tuple(sorted(entries, key=lambda entry: entry.path)),
        classes=tuple(sorted(named_classes(entry.target for entry in entries))),
        task="detection",
        ignored=dict(sorted(ignored.items())),
        notes=(*_notes(cells, layout, relative=relative, told=told), *cells.notes),
        root=None if root == cells.path.parent else root,
        faults=faults.found(),
    )


class _Row(NamedTuple):
    number: int
    path: str
    sides: tuple[float, float, float, float] | None  # None: the picture has no boxes
    label: str
    marks: tuple[str, ...]
    split: str
    group: str
    fold: str
    drawn: Drawn


@dataclass(slots=True)
class _Page:
    """One picture, as its rows come."""

    path: str
    there: bool
    first: _Row
    boxes: list[Box] = field(default_factory=list)
    nameless: int = 0


def _rows(cells: Cells, layout: _Layout, roles: Sequence[int]) -> Iterator[_Row]:
    """`roles`: the places of path, label, split, group and fold. Raises: DataError for no path, or an unknown split."""
    names = [plain_name(name) for name in cells.header]
    path, *others = roles
    columns = {
        name: place for name, place in zip(("label", "split", "group", "fold"), others, strict=True) if place >= 0
    }
    columns |= {mark: names.index(mark) for mark in MARKS if mark in names}
    sizes = next((pair for pair in _PICTURE_SIZES if all(name in names for name in pair)), None)
    places = [] if sizes is None else [names.index(name) for name in sizes]
    places = [place for place in places if place not in layout[0]]
    for row_number, row in cells.rows():
        found = {name: row[place] for name, place in columns.items()}
        split = found.get("split", "")
        if not row[path] or (split and split_named(split) is None):
            what = "no path" if not row[path] else f"an unknown split, {split!r},"
            remedy = (
                "Use train, val or test, or leave the whole column empty"
                if row[path]
                else "Fill it in, or remove the row"
            )
            raise DataError(f"the table {str(cells.path)!r} has {what} in {named_rows([row_number])}. {remedy}.")
        texts = [row[place] for place in layout[0]]
        yield _Row(
            number=row_number,
            path=row[path],
            sides=_sides(texts, corners=layout[1]) if any(texts) else None,
            label=class_name(found.get("label", "")),
            marks=tuple(mark for mark in MARKS if found.get(mark, "").casefold() in _TRUE),
            split=split,
            group=found.get("group", ""),
            fold=found.get("fold", ""),
            drawn=Drawn(width=side(row[places[0]]), height=side(row[places[1]])) if len(places) == 2 else Drawn(),
        )


def _sides(texts: Sequence[str], *, corners: bool) -> tuple[float, float, float, float]:
    left, top, third, fourth = map(number, texts)
    return (left, top, third, fourth) if corners else (left, top, left + third, top + fourth)


def _add(cells: Cells, pages: dict[str, _Page], row: _Row) -> None:
    """Raises: DataError where two rows give a picture two splits, groups or folds."""
    found = cells.locator.find(row.path)
    path = os.path.normpath(found or cells.locator.expected(row.path))
    page = pages.setdefault(path, _Page(path, found is not None, row))
    for what in ("split", "group", "fold"):
        one, other = getattr(page.first, what), getattr(row, what)
        if one != other:
            raise DataError(
                f"{row.path!r} has two {what}s in {str(cells.path)!r}: {one!r} in row {page.first.number} and {other!r} in row "
                f"{row.number}. A picture has one; correct the others."
            )
    if row.sides is not None and not row.label:
        page.nameless += 1
    elif row.sides is not None:
        page.boxes.append(Box(row.label, *row.sides, **dict.fromkeys(row.marks, True)))


def _check_there(cells: Cells, pages: Mapping[str, _Page]) -> None:
    """Raises: DataError where most pictures are not there, or some have a split and some have none."""
    missing = [(page.first.number, page.first.path) for page in pages.values() if not page.there]
    check_missing(cells.path, cells.locator, missing, len(pages))
    without = [page.first.number for page in pages.values() if not page.first.split]
    if 0 < len(without) < len(pages):
        raise DataError(
            f"the table {str(cells.path)!r} has no split in {named_rows(without)}, while other rows have one. "
            "Fill it in for every row, or for none."
        )


def _are_shares(boxes: Sequence[Box]) -> bool:
    """Whether the sides are shares: none is over 1, and some is between 0 and 1."""
    sides = [value for box in boxes for value in (box.left, box.top, box.right, box.bottom) if math.isfinite(value)]
    return bool(sides) and max(map(abs, sides)) <= 1.0 and any(0 < abs(value) < 1 for value in sides)


def _notes(cells: Cells, layout: _Layout, *, relative: bool, told: bool) -> Iterator[str]:
    names = ", ".join(cells.header[place] for place in layout[0])
    if not told:
        yield f"{cells.path}: the columns {names} are read as boxes (task detection). --task classification reads classes alone."
    if relative:
        yield f"{cells.path}: no number of the boxes is over 1, so they are read as shares of the picture's width and height."


def _layout(cells: Cells) -> _Layout | None:
    names = [plain_name(name) for name in cells.header]
    for columns, corners in (*((one, True) for one in _CORNERS), *((one, False) for one in _SIZES)):
        if all(names.count(name) == 1 for name in columns):
            return tuple(names.index(name) for name in columns), corners
    return None
