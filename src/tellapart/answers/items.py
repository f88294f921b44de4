"""Which files to predict. In: paths, folders, globs. Out: PathItem, their bytes. Next: predictor.py."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tellapart.errors import DataError, PictureError
from tellapart.preprocessing import MAX_FILE_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class PathItem:
    """One file to predict; `named` when the user named it, not just the folder that it is in."""

    path: str
    named: bool


def expand(paths: Iterable[str]) -> Iterator[PathItem]:
    """Files and addresses as they are, folders walked in sorted order, globs expanded; hidden files in folders are left out.

    Raises: DataError when a glob matches nothing. A file that does not exist is left for its row to say so.
    """
    for path in paths:
        if os.path.isdir(path):
            yield from _walk(path)
        elif os.path.lexists(path) or is_address(path) or not glob.has_magic(path):
            yield PathItem(path=path, named=True)
        else:
            matches = sorted(glob.glob(path, recursive=True))
            if not matches:
                raise DataError(
                    f"no file matches {path!r}. Check the pattern, or quote it so that the shell leaves it alone."
                )
            for match in matches:
                if os.path.isdir(match):
                    yield from _walk(match)
                else:
                    yield PathItem(path=match, named=False)


def _walk(folder: str) -> Iterator[PathItem]:
    seen: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield PathItem(path=os.path.join(parent, name), named=False)


def is_address(text: str) -> bool:
    """Whether this is the address of a picture on the web, and no path."""
    return text[:8].lower().startswith(("http://", "https://"))


def read_item(item: PathItem, *, allow_private: bool = False) -> bytes:
    """The bytes of a file, or of a picture at an address: at a private one only if allowed. Raises: PictureError."""
    if is_address(item.path) and not os.path.lexists(item.path):
        from tellapart.answers.addresses import any_address, fetch, is_public  # most have no use for TLS

        return fetch(item.path, allowed=any_address if allow_private else is_public)
    return read_file(item.path)


def read_file(path: str) -> bytes:
    """The bytes of one file that a user named. Raises: PictureError."""
    try:
        if not os.path.isfile(path):
            raise PictureError("no such file" if not os.path.lexists(path) else "not a regular file")
        size = os.path.getsize(path)
        if size > MAX_FILE_BYTES:
            raise PictureError(f"file of {size:,} bytes; the limit is {MAX_FILE_BYTES:,}. Store it smaller")
        return Path(path).read_bytes()
    except OSError as error:
        raise PictureError(f"cannot be read: {error.strerror}") from None
