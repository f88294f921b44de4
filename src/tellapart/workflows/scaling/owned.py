"""Folders that last as long as whoever made them. In: a place, a prefix. Out: a folder, others swept. Next: launch.py.

A process that is killed leaves its folders behind. In each lies a file that its owner holds locked until it ends in whatever way,
so that the next one sees whose owner is gone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from tellapart.storage import own_folder, storage_errors

OWNER = "owner"  # the file in each
_BEGUN = f"{OWNER}.begun"
# Some shared folders keep locks from other machines: there, what was touched so lately stays.
_AFAR_SECONDS = 24 * 3600.0


@contextlib.contextmanager
def held_folder(place: Path | None, prefix: str) -> Iterator[Path]:
    """A new folder of ours in `place` (None: the system's for temporary files) that is called so and something.

    It is removed on the way out; those of the same prefix whose owners were killed are removed first. Raises: StorageError.
    """
    place = Path(tempfile.gettempdir()) if place is None else place
    sweep_abandoned(place, prefix)
    with storage_errors(place):
        place.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=place, prefix=prefix))
    try:
        own_folder(folder)
        with contextlib.ExitStack() as stack:
            with storage_errors(folder):
                stack.enter_context(_held(folder))
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep_abandoned(place: Path, prefix: str) -> tuple[str, ...]:
    """The names of those folders of ours whose owners are gone, which are removed; what cannot be known stays."""
    found = []
    for folder in sorted(place.glob(f"{prefix}*")):
        with contextlib.suppress(OSError), _abandoned(folder) as gone:
            if gone:
                shutil.rmtree(folder, ignore_errors=True)
                found.append(folder.name)
    return tuple(found)


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Under its name the file is never seen without its lock. Raises: OSError."""
    with (folder / _BEGUN).open("wb") as file:
        file.write(socket.gethostname().encode())
        file.flush()
        with contextlib.suppress(OSError):  # a disk without locks: it is left to its owner then
            _lock(file)
        os.replace(folder / _BEGUN, folder / OWNER)
        yield


@contextlib.contextmanager
def _abandoned(folder: Path) -> Iterator[bool]:
    """Whether nobody owns it any more; inside, nobody else finds so. Raises: OSError where that cannot be known."""
    seen = folder.lstat()
    if not stat.S_ISDIR(seen.st_mode) or (hasattr(os, "getuid") and seen.st_uid != os.getuid()):
        yield False
        return
    with (folder / OWNER).open("rb") as file:
        _lock(file)
        here = file.read() == socket.gethostname().encode()
        yield here or time.time() - _last_touched(folder) > _AFAR_SECONDS


def _last_touched(folder: Path) -> float:
    return max(path.lstat().st_mtime for path in (folder, *folder.iterdir()))


def _lock(file: IO[Any]) -> None:
    """Raises: OSError where another process holds it, or where there are no such locks."""
    try:
        import fcntl
    except ImportError:  # Windows
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK)) from None
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
