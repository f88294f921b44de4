"""The bytes of a picture, wherever it is: a file, or a member of an archive. In: paths. Out: bytes. Next: answers/items.py.

A member's path is the archive's with the member's name behind it: pets.zip/cat/1.jpg. So it is shown, kept in examples.csv, and
read again by whoever finds it there. Nothing is unpacked to disk, and no file stays open.
"""

from __future__ import annotations

import errno
import itertools
import os
import stat
import threading
from collections import OrderedDict
from pathlib import Path

from tellapart.errors import DataError, PictureError, StorageError
from tellapart.preprocessing import MAX_FILE_BYTES
from tellapart.sources.members import MAX_MEMBERS, Contents
from tellapart.sources.places import Stamp, is_there, open_binary, stamp_of
from tellapart.sources.remote.addresses import is_remote

TABLES = (".parquet", ".pq", ".arrow", ".feather")  # that may hold pictures
_ARRAYS = (".npz", ".npy", "ubyte", "ubyte.gz", ".bin")  # how the names of files end that may hold arrays of pictures
ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz")
NOT_READ = (".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".7z", ".rar", ".gz", ".bz2", ".xz", ".zst")
_NAMED = 3  # members that a refusal names
_MOST_OPEN = 1_000  # archives whose lists of members are kept

_PathLike = str | os.PathLike[str]


class _Listed:
    """The lists of members of the archives that were opened last, in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._one_each: dict[Stamp, threading.Lock] = {}
        self._known: OrderedDict[Stamp, Contents] = OrderedDict()

    def get(self, path: str) -> Contents:
        """An archive's contents, listed once. Raises: DataError, OSError."""
        key = stamp_of(path)
        with self._lock:
            found = self._known.get(key)
            if found is not None:
                self._known.move_to_end(key)
                return found
            one = self._one_each.setdefault(key, threading.Lock())
        with one:  # threads that ask for the same archive wait for the first of them
            with self._lock:
                found = self._known.get(key)
            if found is None:
                found = _open(path)
                self._keep(key, found)
        return found

    def _keep(self, key: Stamp, contents: Contents) -> None:
        with self._lock:
            self._known[key] = contents
            self._one_each.pop(key, None)
            while len(self._known) > 1 and (
                len(self._known) > _MOST_OPEN
                or sum(len(known.members) for known in self._known.values()) > 2 * MAX_MEMBERS
            ):
                self._known.popitem(last=False)


def _open(path: str) -> Contents:
    """Raises: DataError, OSError."""
    # Only now: most pictures are files, and tarfile takes as long to import as all rooms up to here.
    if _is_zip(path):
        from tellapart.sources.zips import open_zip

        return open_zip(path)
    from tellapart.sources.tars import open_tar

    return open_tar(path)


_LISTED = _Listed()


def is_archive(path: _PathLike) -> bool:
    """Whether a path is a file whose name says that it is an archive that we read."""
    return os.fspath(path).lower().endswith(ENDINGS) and (os.path.isfile(path) or is_remote(path))


def is_picture_table(path: _PathLike) -> bool:
    """Whether a path is a file whose name says that it is a table, or holds arrays, in which pictures may stand."""
    return is_column_table(path) or (is_array_file(path) and os.path.isfile(path))


def is_column_table(path: _PathLike) -> bool:
    """Whether a path is a file whose name says that it is parquet or Arrow."""
    return os.fspath(path).lower().endswith(TABLES) and (os.path.isfile(path) or is_remote(path))


def is_array_file(path: _PathLike) -> bool:
    """Whether a path's name says that pictures may stand there as arrays of numbers."""
    name = os.path.basename(os.fspath(path))
    if not name.lower().endswith(_ARRAYS):
        return False
    from tellapart.sources.array_files import is_array_name

    return is_array_name(name)


def open_archive(path: _PathLike) -> Contents:
    """What an archive holds. Raises: DataError where it cannot be read or breaks a limit; StorageError."""
    try:
        return _LISTED.get(os.fspath(path))
    except OSError as error:
        raise StorageError(f"the archive {os.fspath(path)!r} cannot be read: {error.strerror}.") from None


def split_path(path: _PathLike) -> tuple[str, str] | None:
    """The archive and the name in it, of a path that leads into one; None for any other."""
    whole = os.fspath(path)
    if not any(f"{ending}{os.sep}" in whole.lower() for ending in ENDINGS):
        return None
    parts = Path(whole).parts
    for count in range(1, len(parts)):
        archive = os.path.join(*parts[:count])
        if is_archive(archive):
            return archive, "/".join(parts[count:])
    return None


def split_table(path: _PathLike) -> tuple[str, str] | None:
    """The table and the name of a picture in it, of a path that leads into one; None for any other."""
    table, member = os.path.split(os.fspath(path))
    return (table, member) if is_picture_table(table) else None


def read_bytes(path: _PathLike) -> bytes:
    """The bytes of a file or of a member of an archive, at most MAX_FILE_BYTES.

    Raises: PictureError for what is too large, damaged or no file; OSError where the system refuses, or nothing is there.
    """
    try:
        # Opening a pipe waits for its other end, and opening a device may act: neither is ever opened.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise PictureError("not a regular file")
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (NotADirectoryError, FileNotFoundError):  # Windows says the second of a path that goes on behind a file
        inside, row = split_path(path), split_table(path)
        if inside is None and row is None:
            if is_remote(path):
                return _read_remote(path)
            raise
        return _read_member(*inside) if inside is not None else _read_row(*(row or ("", "")))
    try:
        return _read_open(descriptor)
    finally:
        os.close(descriptor)


def exists(path: _PathLike) -> bool:
    """Whether there is a file, or a member of an archive, at a path."""
    if os.path.isfile(path):
        return True
    inside = split_path(path)
    if inside is None:
        return split_table(path) is not None or (is_remote(path) and is_there(path))
    try:
        return _LISTED.get(inside[0]).find(inside[1]) is not None
    except (DataError, OSError):
        return False


def _read_member(archive: str, name: str) -> bytes:
    try:
        contents = _LISTED.get(archive)
    except DataError as error:
        raise PictureError(str(error)) from None
    member = contents.find(name)
    if member is None:
        raise FileNotFoundError(errno.ENOENT, _no_such_member(contents), f"{archive}/{name}")
    _check_size(member.size)
    return contents.read(member)


def _no_such_member(contents: Contents) -> str:
    named = ", ".join(itertools.islice(contents.members, _NAMED))
    if not named:
        return "the archive has no such member"
    return f"the archive has no such member; its first of {len(contents.members):,} are {named}"


def absent(error: FileNotFoundError) -> str:
    """What is not there, in words: a file of the system's, or, with what there is, the member of a file."""
    return "no such file" if error.strerror in (None, os.strerror(errno.ENOENT)) else str(error.strerror)


def _read_remote(path: _PathLike) -> bytes:
    _check_size(stamp_of(path).size)
    with open_binary(path) as file:
        return file.read()


def _read_row(table: str, member: str) -> bytes:
    if is_array_file(table):
        from tellapart.sources.arrays import read_array_picture

        return read_array_picture(table, member)
    try:
        from tellapart.sources.parquets import read_picture
    except ImportError:
        raise PictureError('pictures in tables need the package pyarrow: pip install "tellapart[tables]"') from None
    return read_picture(table, member)


def _read_open(descriptor: int) -> bytes:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise PictureError("not a regular file")
    _check_size(status.st_size)
    data = os.read(descriptor, status.st_size)
    while 0 < len(data) < status.st_size:
        more = os.read(descriptor, status.st_size - len(data))
        if not more:
            break
        data += more
    return data


def _check_size(size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise PictureError(f"file of {size:,} bytes; the limit is {MAX_FILE_BYTES:,}. Store it smaller")


def _is_zip(path: str) -> bool:
    """By its first bytes: the name may be wrong."""
    with open_binary(path) as file:
        head = file.read(4)
    return head in (b"PK\3\4", b"PK\5\6") or (path.lower().endswith(".zip") and head[:2] != b"\x1f\x8b")
