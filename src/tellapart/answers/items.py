"""Which files to predict. In: paths, folders, globs. Out: PathItem, their bytes. Next: predictor.py."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tellapart.errors import DataError, PictureError
from tellapart.sources.reading import is_archive, open_archive, read_bytes
from tellapart.storage import is_own


@dataclass(frozen=True, slots=True, kw_only=True)
class PathItem:
    """One file to predict; `named` when the user named it, not just the folder that it is in."""

    path: str
    named: bool


def expand(paths: Iterable[str], own: list[str] | None = None) -> Iterator[PathItem]:
    """Files and addresses as they are, folders and archives walked in sorted order, globs expanded; hidden files are left out.

    A folder that we wrote is passed over where it is only found, not named; `own` then hears of it.
    Raises: DataError when a glob matches nothing. A file that does not exist is left for its row to say so.
    """
    for path in paths:
        if os.path.isdir(path):
            yield from _walk(path, own)
        elif is_archive(path):
            yield from _members(path)
        elif os.path.lexists(path) or is_address(path) or "\0" in path or not glob.has_magic(path):
            yield PathItem(path=path, named=True)
        else:
            matches = sorted(glob.glob(path, recursive=True))
            if not matches:
                raise DataError(
                    f"no file matches {path!r}. Check the pattern, or quote it so that the shell leaves it alone."
                )
            for match in matches:
                if os.path.isdir(match):
                    yield from _walk(match, own)
                elif is_archive(match):
                    yield from _members(match)
                else:
                    yield PathItem(path=match, named=False)


def _walk(folder: str, own: list[str] | None) -> Iterator[PathItem]:
    seen: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        found = [name for name in folders if is_own(os.path.join(parent, name))]
        if own is not None:
            own += [os.path.join(parent, name) for name in sorted(found)]
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in found)
        for name in sorted(files):
            if not name.startswith("."):
                yield PathItem(path=os.path.join(parent, name), named=False)


def _members(archive: str) -> Iterator[PathItem]:
    """What an archive holds, in the order of a folder's walk, less what is hidden."""
    for name in sorted(open_archive(archive).members, key=lambda name: name.split("/")):
        if not any(part.startswith(".") or part == "__MACOSX" for part in name.split("/")):
            yield PathItem(path=os.path.join(archive, *name.split("/")), named=False)


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
        return read_bytes(path)
    except FileNotFoundError:
        more = "; of addresses, those of http and https are fetched" if "://" in path else ""
        raise PictureError(f"no such file{more}") from None
    except (OSError, ValueError) as error:
        raise PictureError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
