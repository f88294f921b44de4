"""Where the trials of a search are kept. In: a folder. Out: Optuna's storage, locks that die with their owner. Next: study.py.

Optuna's journal is a file of JSON lines. Its own locks are files, which a killed process leaves behind; the system's locks go when
their process does, and half a line that a kill left is cut off.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from tellapart.storage import storage_errors

JOURNAL = "journal.log"
ALIVE = "alive-"  # and a name: files of the processes that have it open
_LOCK, _TURN = "journal.lock", "turn.lock"


def open_journal(folder: Path) -> JournalStorage:
    """The storage on `folder`/journal.log, which is made where it is not there. Raises: StorageError."""
    path = folder / JOURNAL
    lock = _SystemLock(folder / _LOCK)
    with storage_errors(path):
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        try:
            _mend(path)
        finally:
            lock.release()
        return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))


@contextlib.contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Only one process of those that share a search is in here, as long as it lives."""
    lock = _SystemLock(folder / _TURN)
    with storage_errors(folder):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


class Alive:
    """Shows the others that this process is at work, until it ends in whatever way."""

    def __init__(self, folder: Path) -> None:
        self.name = f"{ALIVE}{uuid.uuid4().hex[:12]}"
        self._path = folder / self.name
        with storage_errors(folder):
            self._file: IO[bytes] = self._path.open("wb")
        fcntl = _fcntl()
        if fcntl is not None:
            fcntl.flock(self._file, fcntl.LOCK_EX)

    def end(self) -> None:
        """This process has done its part."""
        self._file.close()
        self._path.unlink(missing_ok=True)


def is_alive(folder: Path, name: str) -> bool:
    """Whether the process of that name is still at work; where the system has no such locks, no other one is."""
    path, fcntl = folder / name, _fcntl()
    if not name.startswith(ALIVE) or fcntl is None or not path.exists():
        return False
    with contextlib.suppress(OSError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


class _SystemLock(JournalFileOpenLock):
    """A lock of the system on a file that stays; where the system has none, Optuna's own, of a file that goes."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path
        self._file: IO[bytes] | None = None

    def acquire(self) -> bool:
        """Wait for it."""
        fcntl = _fcntl()
        if fcntl is None:
            return super().acquire()
        file = self._path.open("ab")
        fcntl.flock(file, fcntl.LOCK_EX)
        self._file = file
        return True

    def release(self) -> None:
        """Let go of it."""
        if self._file is None:
            super().release()
            return
        self._file.close()
        self._file = None


def _mend(path: Path) -> None:
    """Cut off half a line at the end."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        lines = file.read()
        if lines and not lines.endswith(b"\n"):
            file.truncate(lines.rfind(b"\n") + 1)
            os.fsync(file.fileno())


def _fcntl() -> Any:
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    return fcntl
