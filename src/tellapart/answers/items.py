"""Which files to predict. In: paths, folders, globs. Out: PathItem, their bytes. Next: predictor.py."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tellapart.answers.formats import FORMAT_OF_EXTENSION
from tellapart.decoding import UNKNOWN_FORMAT
from tellapart.errors import DataError, MissingFormat, PictureError, StorageError
from tellapart.sources.braces import expand_braces, is_pattern
from tellapart.sources.reading import (
    absent,
    is_archive,
    is_array_file,
    is_picture_table,
    open_archive,
    read_bytes,
    split_path,
)
from tellapart.sources.remote.addresses import is_remote
from tellapart.storage import is_own

# Tables as text, whose bytes do not say what they are.
_TABLES = (".csv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson")
_LIST = ".txt"
_SHARD = ".tar"  # folders of them are read as one data set


@dataclass(frozen=True, slots=True, kw_only=True)
class PathItem:
    """One file to predict; `named` when the user named it, not just the folder that it is in."""

    path: str
    named: bool
    error: str = ""  # why nothing in it can be read, where that is known already


def expand(paths: Iterable[str], own: list[str] | None = None, *, tolerant: bool = False) -> Iterator[PathItem]:
    """Files and addresses as they are, folders and archives walked in sorted order, globs expanded; hidden files are left out.

    Of a parquet or Arrow file, and of a tar in a folder, its pictures are taken; braces, {000..099}, stand for several names.
    A folder that we wrote is passed over where it is only found, not named; `own` then hears of it. Where `tolerant`, a named
    archive or table that cannot be read is an item that says why.
    Raises: DataError when a glob matches nothing, or a table holds no pictures; StorageError; MissingFormat without its reader. A
    file that does not exist is left for its row to say so.
    """
    for path in _each(paths):
        if (whole := _whole(path, own)) is not None:
            yield from whole if os.path.isdir(path) else _or_why_not(whole, path, tolerant=tolerant)
        elif (inside := split_path(path)) is not None and _is_folder(*inside):
            yield from _members(*inside)
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
                    yield from _or_why_not(_members(match), match, tolerant=tolerant)
                elif is_picture_table(match):
                    yield from _found_rows(match)
                else:
                    yield PathItem(path=match, named=False)


def _or_why_not(items: Iterator[PathItem], path: str, *, tolerant: bool) -> Iterator[PathItem]:
    """What an archive or table holds, up to where it cannot be read."""
    try:
        yield from items
    except (DataError, StorageError) as error:
        if not tolerant:
            raise
        yield PathItem(path=path, named=True, error=str(error).removesuffix("."))


def _whole(path: str, own: list[str] | None) -> Iterator[PathItem] | None:
    """All that a folder, an archive, a table or a place elsewhere holds; None for anything else."""
    if os.path.isdir(path):
        return _walk(path, own)
    if is_archive(path):
        return _members(path)
    if is_picture_table(path):
        return _rows(path)
    return _elsewhere(path) if is_remote(path) else None


def _each(paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        yield from expand_braces(path) if is_pattern(path) else (path,)


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
            path = os.path.join(parent, name)
            if name.startswith("."):
                continue
            if name.lower().endswith(_SHARD) and is_archive(path):
                yield from _found_members(path)
            else:
                yield from _found_rows(path) if is_picture_table(path) else [PathItem(path=path, named=False)]


def _is_folder(archive: str, name: str) -> bool:
    """Whether a name in an archive is a folder's; of an archive that cannot be read each picture says why."""
    try:
        return any(member.startswith(f"{name}/") for member in open_archive(archive).members)
    except (DataError, StorageError):
        return False


def _members(archive: str, folder: str = "") -> Iterator[PathItem]:
    """What an archive, or a folder in it, holds, in the order of a folder's walk, less what is hidden."""
    for name in sorted(open_archive(archive).members, key=lambda name: name.split("/")):
        if name.startswith(f"{folder}/" if folder else "") and not any(
            part.startswith(".") or part == "__MACOSX" for part in name.split("/")
        ):
            yield PathItem(path=os.path.join(archive, *name.split("/")), named=False)


def _elsewhere(path: str) -> Iterator[PathItem]:
    """A picture that lies elsewhere, or all pictures and shards in a folder there. Raises: StorageError, MissingFormat."""
    if os.path.splitext(path)[1].lower() in FORMAT_OF_EXTENSION:
        yield PathItem(path=path, named=True)
        return
    from tellapart.sources.remote.blocks import list_remote

    try:
        files = list_remote(path)
    except OSError as error:
        raise StorageError(f"{path!r} cannot be listed: {error.strerror}.") from None
    for file in files:
        if is_archive(file):
            yield from _found_members(file)
        else:
            yield from _found_rows(file) if is_picture_table(file) else [PathItem(path=file, named=False)]


def _found_members(archive: str) -> Iterator[PathItem]:
    """The same of an archive that nobody named: one that cannot be read is a row of its own."""
    try:
        yield from _members(archive)
    except (DataError, StorageError):
        yield PathItem(path=archive, named=False)


def _rows(table: str) -> Iterator[PathItem]:
    """The pictures that a parquet or Arrow file, or one of arrays, holds, row by row.

    Raises: DataError where it holds none; MissingFormat.
    """
    if is_array_file(table):
        from tellapart.sources.arrays import array_picture_names

        yield from (PathItem(path=os.path.join(table, name), named=False) for name in array_picture_names(table))
        return
    try:
        from tellapart.sources.parquets import picture_names
    except ImportError:
        raise MissingFormat(f"the table {table!r}", "tables", "pyarrow") from None
    for name in picture_names(table):
        yield PathItem(path=os.path.join(table, name), named=False)


def _found_rows(table: str) -> Iterator[PathItem]:
    """The same of a file that nobody named: one that holds no pictures is passed over."""
    try:
        yield from _rows(table)
    except (DataError, MissingFormat):
        yield PathItem(path=table, named=False)


def is_address(text: str) -> bool:
    """Whether this is the address of a picture on the web, and no path."""
    return text[:8].lower().startswith(("http://", "https://"))


def read_item(item: PathItem, *, allow_private: bool = False) -> bytes:
    """The bytes of a file, or of a picture at an address: at a private one only if allowed. Raises: PictureError."""
    if item.error:
        raise PictureError(item.error)
    if is_address(item.path) and not os.path.lexists(item.path) and not is_remote(item.path):
        from tellapart.answers.addresses import any_address, fetch, is_public  # most have no use for TLS

        return fetch(item.path, allowed=any_address if allow_private else is_public)
    data = read_file(item.path)
    if item.named and item.path.lower().endswith(_TABLES) and b"\0" not in data[:4096]:
        raise PictureError(
            f"{UNKNOWN_FORMAT}, but a table. With --list before it, the pictures that it names are taken"
        )
    if item.named and item.path.lower().endswith(_LIST) and data and b"\0" not in data[:4096]:
        raise PictureError(f"{UNKNOWN_FORMAT}, but a text. If it lists pictures, give it with --list before it")
    return data


def read_file(path: str) -> bytes:
    """The bytes of one file that a user named. Raises: PictureError."""
    try:
        return read_bytes(path)
    except FileNotFoundError as error:
        more = "; of addresses, those of http and https are fetched" if "://" in path else ""
        raise PictureError(f"{absent(error)}{more}") from None
    except (OSError, ValueError) as error:
        raise PictureError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
