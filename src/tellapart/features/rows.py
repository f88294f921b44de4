"""Large rows kept on disk and mapped into memory. In: a store's folder. Out: RowStore, filled once. Next: row_folder.py.

A store is a folder: `data.bin` [rows, *shape], `flags.bin` with one number a row, `meta.json`, `contents.txt`. A row's
flag holds its checksum and is set only after its data are on disk, so that kill -9 or a power cut leaves rows that are
either whole or missing. Processes keep out of each other's way by locks on files, which end with the process.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
import time
import weakref
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tellapart.storage import storage_errors
from tellapart.threads import as_they_come

DATA, FLAGS, META, CONTENTS, LOCK, FILLING = "data.bin", "flags.bin", "meta.json", "contents.txt", "lock", "filling"
FLAG_BYTES = 8
_WHOLE = 1 << 32  # set in the flag of a row that is done; the 32 bits below are the CRC-32 of its bytes
_COMMIT_SECONDS = 5.0
_WAIT_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """The rows that one unit of work gave."""

    rows: list[int]
    values: NDArray[Any]  # [len(rows), *shape]
    problems: dict[int, str]  # row -> why it cannot be had


class RowStore:
    """Rows of one shape and type on disk; reading and writing may be done from several threads at once.

    A store is pickled as its path: a worker process maps the same file. It must be whole by then.
    """

    def __init__(self, path: Path, lock: IO[bytes]) -> None:
        """Map a store that exists; `lock` is the hold on it. Raises: OSError, ValueError, KeyError when it is damaged."""
        self.path = path
        meta = json.loads((path / META).read_text(encoding="utf-8"))
        self.parts = int(meta["parts"])  # rows a content
        self.shape: tuple[int, ...] = tuple(meta["shape"])
        self.dtype = np.dtype(meta["dtype"])
        rows = int(meta["rows"])
        self.row_bytes = int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize
        # A file cut short must be noticed here: touching a map beyond the file's end kills the process.
        for name, size in ((DATA, rows * self.row_bytes), (FLAGS, rows * FLAG_BYTES)):
            if (path / name).stat().st_size != size:
                raise ValueError(f"{path / name} has another size than its store says")
        self._data: NDArray[Any] = np.empty((0, *self.shape), dtype=self.dtype)
        self._flags: NDArray[np.uint64] = np.empty(0, dtype=np.uint64)
        if rows:  # nothing cannot be mapped
            # Plain arrays over the maps: indexing them copies once, and gives plain arrays.
            self._data = np.asarray(np.memmap(path / DATA, dtype=self.dtype, mode="r", shape=(rows, *self.shape)))
            self._flags = np.asarray(np.memmap(path / FLAGS, dtype=np.uint64, mode="r+", shape=(rows,)))
        self._release = weakref.finalize(self, lock.close)

    def __len__(self) -> int:
        return len(self._flags)

    def __reduce__(self) -> tuple[Callable[[Path], RowStore], tuple[Path]]:
        return attach, (self.path,)

    @property
    def done(self) -> NDArray[np.bool_]:
        """Which rows are whole, bool [rows]; rows that another process fills just now come in by themselves."""
        done: NDArray[np.bool_] = self._flags != 0
        return done

    @property
    def contents(self) -> list[str]:
        """The names of what the rows were made from; content i has the rows i * parts to (i + 1) * parts - 1."""
        return (self.path / CONTENTS).read_text(encoding="utf-8").splitlines()

    def read(self, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[Any]:
        """A copy of the rows, [B, *shape]. Raises: ValueError when one of them is missing."""
        index = np.asarray(rows, dtype=np.int64)
        missing = index[self._flags[index] == 0]
        if len(missing):
            raise ValueError(f"row {missing[0]} of {self.path} has not been filled.")
        values: NDArray[Any] = self._data[index]
        return values

    def write(self, rows: Sequence[int], values: NDArray[Any]) -> dict[int, int]:
        """Write rows [B, *shape], not flagged yet; checksums by row, for `flag`. Raises: StorageError when the disk is full."""
        checksums = {}
        # Written to the file and not to the map: a full disk is then an error, not the end of the process.
        with storage_errors(self.path), (self.path / DATA).open("r+b", buffering=0) as file:
            for row, value in zip(rows, values, strict=True):
                data = np.ascontiguousarray(value, dtype=self.dtype).reshape(-1).view(np.uint8).data
                checksums[row] = zlib.crc32(data)
                file.seek(row * self.row_bytes)
                while len(data):
                    data = data[file.write(data) :]
        return checksums

    def flag(self, checksums: dict[int, int]) -> None:
        """Flush the data of these rows to disk, then flag the rows as done."""
        if not checksums:
            return
        with storage_errors(self.path), (self.path / DATA).open("r+b") as file:
            os.fsync(file.fileno())
        for row, checksum in checksums.items():
            self._flags[row] = _WHOLE | checksum

    def verify(self, *, workers: int) -> int:
        """Compare every row that is done with its checksum; damaged rows count as missing again. How many there were."""
        rows = np.flatnonzero(self.done)
        chunks = [rows[start : start + 64] for start in range(0, len(rows), 64)]
        damaged = [row for found in as_they_come(chunks, self._damaged, workers=workers, name="rows") for row in found]
        for row in damaged:
            self._flags[row] = 0
        return len(damaged)

    @contextlib.contextmanager
    def filling(self, waiting: Callable[[], None]) -> Iterator[None]:
        """Be the only process that fills this store; `waiting` is called now and then while another one does."""
        with storage_errors(self.path), (self.path / FILLING).open("ab") as file:
            while not try_lock(file, shared=False):
                waiting()
                time.sleep(_WAIT_SECONDS)
            yield

    def close(self) -> None:
        """Let go of the store: it may be removed when room is needed. What was read stays valid."""
        self._release()

    def _damaged(self, rows: NDArray[np.int64]) -> list[int]:
        return [
            int(row)
            for row in rows
            if zlib.crc32(self._data[row].reshape(-1).view(np.uint8).data) | _WHOLE != int(self._flags[row])
        ]


def attach(path: Path) -> RowStore:
    """Map a store in another process, such as one that loads batches. Raises: StorageError when it has been removed."""
    with storage_errors(path):
        lock = (path / LOCK).open("rb")
        try_lock(lock, shared=True)
        return RowStore(path, lock)


def fill(
    store: RowStore,
    rows: Sequence[int],
    compute: Callable[[list[int]], Computed],
    *,
    unit: int,
    workers: int,
    others: Iterable[RowStore] = (),
    advance: Callable[[int], None] | None = None,
    commit_bytes: int = 64_000_000,
) -> dict[int, str]:
    """Compute those of `rows` that are missing, `unit` at a time, in `workers` threads; row -> problem of the rest.

    `others` are stores of the same settings: rows of contents that they hold are copied. `advance` is told how many
    rows are settled. On Ctrl-C and errors what was computed is kept; kill -9 loses about `commit_bytes`, or what came
    in five seconds. Raises: StorageError, and what `compute` raises.
    """
    wanted = np.asarray(rows, dtype=np.int64)
    told = 0
    problems: dict[int, str] = {}

    def tell(settled: int) -> None:
        nonlocal told
        if advance is not None and settled > told:
            advance(settled - told)
            told = settled

    with store.filling(lambda: tell(int(store.done[wanted].sum()))):
        for other in others:
            if not store.done[wanted].all():
                _inherit(store, other)
        missing = wanted[~store.done[wanted]].tolist()
        tell(len(wanted) - len(missing))
        units = [missing[start : start + unit] for start in range(0, len(missing), unit)]
        # Closed at once on Ctrl-C: its threads would go on for as long as the traceback keeps it.
        with contextlib.closing(_settle(store, units, compute, workers, commit_bytes)) as settling:
            for count, found in settling:
                problems.update(found)
                tell(told + count + len(found))
    return problems


def _settle(
    store: RowStore, units: list[list[int]], compute: Callable[[list[int]], Computed], workers: int, commit_bytes: int
) -> Generator[tuple[int, dict[int, str]], None, None]:
    """Compute and write the units, and flag their rows now and then; how many rows and which problems each gave."""

    written: dict[int, int] = {}
    written_lock = threading.Lock()

    def work(part: list[int]) -> tuple[int, dict[int, str]]:
        computed = compute(part)
        checksums = store.write(computed.rows, computed.values)
        with written_lock:
            written.update(checksums)
        return len(checksums), computed.problems

    def commit() -> None:
        with written_lock:
            checksums = dict(written)
            written.clear()
        store.flag(checksums)

    committed = time.monotonic()
    try:
        with contextlib.closing(as_they_come(units, work, workers=workers, name="rows")) as finished:
            for result in finished:
                due = time.monotonic() - committed > _COMMIT_SECONDS
                if due or len(written) * store.row_bytes > commit_bytes:
                    commit()
                    committed = time.monotonic()
                yield result
    finally:  # on Ctrl-C too, once the threads have ended
        commit()


def try_lock(file: IO[bytes], *, shared: bool) -> bool:
    """Lock an open file until it is closed; False where another process holds it. Without such locks: always True."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        # Some file systems have no locks at all: waiting for one would never end.
        return error.errno not in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
    return True


def _inherit(store: RowStore, other: RowStore) -> None:
    """Copy what is missing and the other store has; its checksums are compared on the way."""
    place_of = {content: index for index, content in enumerate(other.contents)}
    missing, whole = ~store.done, other.done
    pending: dict[int, int] = {}
    for index, content in enumerate(store.contents):
        place = place_of.get(content)
        if place is None:
            continue
        rows = np.arange(store.parts) + index * store.parts
        sources = np.arange(store.parts) + place * store.parts
        useful = missing[rows] & whole[sources]
        if useful.any() and not other._damaged(sources[useful]):
            pending.update(store.write(rows[useful].tolist(), other.read(sources[useful])))
    store.flag(pending)
