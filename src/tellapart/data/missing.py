"""Files that a table names and that are not there. In: rows. Out: nothing, or what may be meant. Next: table.py."""

from __future__ import annotations

import os
import re
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path

from tellapart.data.cells import quoted
from tellapart.data.locating import Locator, is_file
from tellapart.errors import DataError

MOST = 0.5  # of the files that may be missing: with more, the folder or the column is wrong

_EXTENSIONS = (".jpg", ".jpeg", ".png", ".JPG", ".tif", ".tiff", ".bmp", ".webp", ".gif")
_FOLDERS_TRIED = 50


def check_missing(path: Path, locator: Locator, missing: Sequence[tuple[int, str]], rows: int) -> None:
    """Raises: DataError where more than half of `rows` files are `missing`, each a row's number and its cell."""
    if len(missing) <= MOST * rows:
        return
    first = ", ".join(f"{quoted(cell)} (row {number})" for number, cell in missing[:3])
    raise DataError(
        f"the table {str(path)!r} names files that do not exist, {len(missing):,} of {rows:,}: {first}"
        f"{' and others' if len(missing) > 3 else ''}. Paths count from the folder {os.path.abspath(locator.root)!r}."
        f"{_hint(locator, missing[0][1])}"
    )


def _hint(locator: Locator, cell: str) -> str:
    """What would find the file, if it is not far."""
    if cell.lower().startswith(("http://", "https://", "s3://", "gs://")):
        return " These are addresses on the web, which are not fetched: download the pictures first."
    if os.path.isabs(cell) or re.match(r"[A-Za-z]:[\\/]|\\\\", cell):
        return (
            " These are whole paths, such as another machine has them, to which --root adds nothing: write them as they are here, "
            "or keep of each what follows the pictures' folder."
        )
    if near := _written_otherwise(locator, cell):
        return near
    for root in _roots(locator.root):
        for extension in ("", *_EXTENSIONS):
            if (root, extension) != (locator.root, "") and is_file(os.path.join(root, cell + extension)):
                told = [f"--root {os.path.normpath(root)!r}"] if root != locator.root else []
                return f" Did you mean {' '.join([*told, *([f'--extension {extension}'] if extension else [])])}?"
    return " Give another with --root."


def _written_otherwise(locator: Locator, cell: str) -> str:
    """The file that is there under nearly the same name, in words; "" where there is none."""
    plain = urllib.parse.unquote(cell.strip("'\"").removeprefix("file://"))
    if plain != cell and locator.find(plain):
        return f" There is {plain!r}: write the paths so, without quotes, file:// and %2F."
    folder = locator.root
    for part in cell.replace("\\", "/").split("/"):
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        same = [name for name in names if name.casefold() == part.casefold()]
        stem, extension = os.path.splitext(part)
        same = same or [name for name in names if extension and os.path.splitext(name)[0] == stem]
        if not same:
            return ""
        folder = os.path.join(folder, part if part in same else same[0])
    found = os.path.relpath(folder, locator.root)
    return f" There is {found!r}: write the paths as the files are called." if is_file(folder) else ""


def _roots(root: str) -> Iterator[str]:
    """The folder, the ones in it and the one above."""
    yield root
    try:
        inner = sorted(entry.path for entry in os.scandir(root) if entry.is_dir())[:_FOLDERS_TRIED]
    except OSError:
        inner = []
    yield from (*inner, os.path.dirname(os.path.abspath(root)))
