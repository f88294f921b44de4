"""The names of masks' values, as flags and files say them. In: ReadOptions, files. Out: ToldValues. Next: mask_names.py.

crack                      a name a line, numbers from 0 on: classes.txt, codes.txt, labels.txt
3 crack   or   crack,3     with its number
64 128 64 crack            with its colour, before or behind the name: label_colors.txt, class_dict.csv
crack:64,128,64::          as CVAT's labelmap.txt has it
"""

from __future__ import annotations

import codecs
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace

from tellapart.data.encodings import known_text
from tellapart.data.examples import ReadOptions
from tellapart.data.mask_names import ToldValues, read_names, read_uncounted, with_names, with_values
from tellapart.errors import DataError, PictureError, SettingsError
from tellapart.sources.reading import read_bytes

# How files are called that name classes, the more telling first.
_STEMS = (
    "label_colors labelcolors label_colours class_dict labelmap label_map class_colors colormap classes class_names class_name "
    "classnames labels label_names codes names 类别 标签"
)
_CALLED = tuple(_STEMS.split())
_ENDINGS = (".txt", ".csv", ".names")
_MOST_BYTES = 1024 * 1024
_DEEPEST = 2  # folders below the root
_HEADS = "name class classes label r g b red green blue id index value number color colour color_rgb"
_HEADER = frozenset(_HEADS.split())
_LABELME = {"_background_": "background", "__ignore__": ""}
_NUMBER = re.compile(r"\d{1,5}")


def told_values(options: ReadOptions, files: Iterable[str] = (), root: str = "") -> ToldValues:
    """What the flags say of values, or else a file among `files` that is called so.

    Raises: SettingsError for what is told and is no name; DataError for a file that was told and names nothing.
    """
    uncounted = read_uncounted(options.ignore_label)
    if options.classes is None:
        found = _found(files, root)
    elif os.path.isfile(options.classes):
        found = read_class_file(options.classes)
        if found is None:
            raise DataError(
                f"the file {options.classes!r}, which --classes names, has no classes in it. Write a name a line, with its number "
                "or its colour (red green blue) before it where they are not 0, 1, 2 ..."
            )
    elif os.path.splitext(options.classes)[1].casefold() in _ENDINGS:
        raise SettingsError(
            f"--classes is {options.classes!r}, and there is no such file. Give its path, or the names themselves between commas."
        )
    else:
        found = read_names(options.classes)
    return replace(found or ToldValues(), uncounted=uncounted)


def read_class_file(path: str) -> ToldValues | None:
    """The names in a file; None where it holds none. Raises: SettingsError, DataError for what contradicts itself."""
    return _read_lines(_text(path), path)


def _text(path: str) -> str:
    """What a file says; "" for one that is too large, or no text. Raises: DataError, of another encoding than UTF-8 too."""
    try:
        data = read_bytes(path)
    except (OSError, PictureError) as error:
        raise DataError(f"the file {path!r} with the names of classes cannot be read: {error}.") from None
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if len(data) > _MOST_BYTES or (b"\0" in data and not wide):
        return ""
    return known_text(path, data)


def _found(files: Iterable[str], root: str) -> ToldValues | None:
    """The names in the file that is called most like one of them, the nearest to the root.

    Raises: DataError where that is in another encoding than UTF-8: passed over, its classes would be called by numbers.
    """
    ranked = []
    for path in files:
        stem, ending = os.path.splitext(os.path.basename(path).casefold())
        depth = os.path.relpath(path, root).count(os.sep)
        if ending in _ENDINGS and stem.replace("-", "_") in _CALLED and depth <= _DEEPEST:
            ranked.append((_CALLED.index(stem.replace("-", "_")), depth, path))
    for _, _, path in sorted(ranked):
        text = _text(path)
        try:
            told = _read_lines(text, path)
        except (DataError, SettingsError):
            continue  # another file of that name, or none that names classes
        if told is not None:
            return replace(told, found=True)
    return None


def _read_lines(text: str, path: str) -> ToldValues | None:
    rows = [row for line in text.splitlines() if (row := line.strip()) and not row.startswith("#")]
    return _read_rows(rows, path) if rows else None


def _read_rows(rows: Sequence[str], path: str) -> ToldValues | None:
    cut = [_cells(row) for row in rows]
    if {cell.casefold() for cell in cut[0]} <= _HEADER and len(cut) > 1 and len(cut[0]) > 1:
        cut = cut[1:]
    pairs = [_pair(row, cells) for row, cells in zip(rows[len(rows) - len(cut) :], cut, strict=True)]
    if all(value for _, value in pairs):
        return with_values([(_LABELME.get(name) or name, value) for name, value in pairs], path)
    if any("\ufffd" in row or "\0" in row or len(row) > 200 for row in rows):
        return None
    # Blanks are part of a name here.
    names = [_LABELME.get(row.rstrip(",:"), row.rstrip(",:")) for row in rows]
    if names and not names[0]:
        names = names[1:]  # LabelMe's, which has the number -1
    return with_names(names, path)


def _cells(row: str) -> list[str]:
    if row.count(":") >= 2 and "," in row:  # CVAT's: name:red,green,blue:parts:actions
        name, colour, *_ = row.split(":")
        return [name.strip(), *(part.strip() for part in colour.split(","))]
    for mark in (",", "\t", ";", ":"):
        if mark in row:
            return [cell.strip().strip('"') for cell in row.split(mark) if cell.strip()]
    return row.split()


def _pair(row: str, cells: Sequence[str]) -> tuple[str, str]:
    """A name and its value as `mask_names` writes it; "" where the row has none."""
    cells = [part for cell in cells for part in (cell.split() if re.fullmatch(r"[\d\s]+", cell) else [cell])]
    for first, last in ((0, 3), (len(cells) - 3, len(cells))):
        numbers = cells[max(0, first) : last]
        rest = [*cells[: max(0, first)], *cells[last:]]
        if len(numbers) == 3 and rest and all(_NUMBER.fullmatch(one) and int(one) <= 255 for one in numbers):
            red, green, blue = map(int, numbers)
            name = " ".join(rest) if len(rest) == 1 or not _NUMBER.fullmatch(rest[0]) else " ".join(rest[1:])
            return _named(name), f"#{red:02x}{green:02x}{blue:02x}"
    if len(cells) >= 2 and _NUMBER.fullmatch(cells[0]) and not _NUMBER.fullmatch(cells[-1]):
        return _named(" ".join(cells[1:])), str(int(cells[0]))
    if len(cells) == 2 and _NUMBER.fullmatch(cells[1]) and not _NUMBER.fullmatch(cells[0]):
        return _named(cells[0]), str(int(cells[1]))
    return _named(row), ""


def _named(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip())
