"""A file wherever it lies, here or elsewhere, opened and stamped. In: a path. Out: an open file, a stamp. Next: reading.py."""

from __future__ import annotations

import errno
import io
import os
import stat
from typing import BinaryIO, NamedTuple, cast

from tellapart.sources.remote.addresses import address_of, is_remote

_PathLike = str | os.PathLike[str]


class Stamp(NamedTuple):
    """What tells a file from what it was before, without reading it."""

    path: str  # whole
    size: int  # bytes
    changed: str
    inode: int


def stamp_of(path: _PathLike) -> Stamp:
    """Raises: OSError where there is no file; MissingFormat."""
    if is_remote(path):
        from tellapart.sources.remote.blocks import look

        found = look(path)
        return Stamp(address_of(path), found.size, found.stamp, 0)
    status = os.stat(path)
    return Stamp(os.path.abspath(path), status.st_size, str(status.st_mtime_ns), status.st_ino)


def open_binary(path: _PathLike) -> BinaryIO:
    """A file to read from. Raises: OSError, MissingFormat."""
    if is_remote(path):
        from tellapart.sources.remote.blocks import open_remote

        return cast(BinaryIO, open_remote(path))
    return open(path, "rb")


def open_raw(path: _PathLike) -> io.RawIOBase:
    """The same without a buffer."""
    if is_remote(path):
        from tellapart.sources.remote.blocks import open_remote

        return open_remote(path)
    return io.FileIO(path)


def is_there(path: _PathLike) -> bool:
    """Whether there is a file, so far as one may know it."""
    if not is_remote(path):
        return os.path.isfile(path)
    try:
        stamp_of(path)
    except OSError:
        return False
    return True


def whole_path(path: _PathLike) -> str:
    """A path that means the same from any folder."""
    return address_of(path) if is_remote(path) else os.path.abspath(path)


def check_regular(path: _PathLike) -> None:
    """Raises: OSError for a folder, a pipe or a device here."""
    if not is_remote(path) and not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
