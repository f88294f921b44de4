"""Nothing is computed twice. In: keys and bytes. Out: the bytes stored earlier. Next: backbone.py.

One SQLite file in the user's cache folder. SQLite's write-ahead log makes it safe for several processes and for
kill -9; a checksum per value, on top, notices damage that SQLite cannot see. Whatever is damaged is dropped and
computed again; where the disk is full, nothing more is kept, and the work goes on.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tellapart.errors import StorageError
from tellapart.storage import storage_errors

_FILE = "cache.sqlite"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    key BLOB PRIMARY KEY, kind TEXT NOT NULL, used INTEGER NOT NULL, checksum INTEGER NOT NULL, value BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_use ON entries (used);
"""
_CHUNK = 500  # keys in one question; SQLite allows 32,766 variables
_DAY = 86_400
_WAIT_SECONDS = 60.0  # for another process to finish writing
_FULL_SHARE = 0.8  # after the limit is passed, the least recently used go until this share is left
_PRUNE_EVERY = 64  # writes
_CORRUPT = ("malformed", "not a database", "disk image", "file is encrypted", "no such table", "no such column")

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheInfo:
    """What the cache holds."""

    path: Path
    size_bytes: int
    limit_bytes: int
    entries: Mapping[str, int]  # kind -> how many


class Cache:
    """A bounded key-value store on disk. Its methods may be called from any thread."""

    def __init__(self, folder: Path, *, limit_bytes: int, warn: Callable[[str], None] = lambda text: None) -> None:
        """Open the cache, making the folder where needed; `warn` hears once of a disk that has become full.

        Raises: StorageError when the folder cannot be written.
        """
        self.path = folder / _FILE
        self.damaged = 0  # values dropped because they were not what had been stored
        self._limit, self._warn = limit_bytes, warn
        self._keeps = True  # until nothing more can be written
        self._lock = threading.Lock()
        self._writes = 0
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self._connection = self._connect()

    def get_many(self, kind: str, keys: Sequence[str]) -> dict[str, bytes]:
        """The stored values among `keys`; absent and damaged ones are left out."""
        found: dict[str, bytes] = {}
        for start in range(0, len(keys), _CHUNK):
            chunk = {_digest(kind, key): key for key in keys[start : start + _CHUNK]}
            found.update(self._retry(functools.partial(self._get, chunk)))
        return found

    def put_many(self, kind: str, items: Mapping[str, bytes]) -> None:
        """Store values; an earlier value under the same key is replaced. Where the disk is full they are not stored."""
        now = int(time.time())
        rows = [
            (_digest(kind, key), kind, now, zlib.crc32(value, zlib.crc32(_digest(kind, key))), value)
            for key, value in items.items()
        ]
        if not rows or not self._keeps:
            return
        try:
            self._retry(lambda: self._put(rows))
            self._writes += 1
            if self._writes % _PRUNE_EVERY == 0:
                self.prune()
        except StorageError as error:
            self._keeps = False
            self._warn(f"{error} What is computed from now on is not kept.")

    def prune(self) -> None:
        """Delete the least recently used values when the file has grown over its limit."""
        self._retry(self._prune)

    def info(self) -> CacheInfo:
        """Count what is stored."""
        rows = self._retry(
            lambda: self._connection.execute(
                "SELECT kind, COUNT(*) FROM entries GROUP BY kind ORDER BY kind"
            ).fetchall()
        )
        return CacheInfo(
            path=self.path,
            size_bytes=self._size_on_disk(),
            limit_bytes=self._limit,
            entries={str(kind): int(count) for kind, count in rows},
        )

    def clear(self) -> None:
        """Forget everything and give the disk space back."""
        self._retry(self._clear)

    def close(self) -> None:
        """Prune if needed and possible, then let go of the file."""
        with contextlib.suppress(StorageError):
            self.prune()
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _connect(self) -> sqlite3.Connection:
        try:
            return self._open()
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise self._refusal(error) from error
            self._set_aside()
            try:
                return self._open()
            except sqlite3.DatabaseError as again:
                raise self._refusal(again) from again

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_WAIT_SECONDS, check_same_thread=False, isolation_level=None)
        try:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.executescript(_SCHEMA)
        except BaseException:
            connection.close()
            raise
        return connection

    def _retry(self, work: Callable[[], _Result]) -> _Result:
        """Run `work` under the lock; a damaged file is set aside, and the work is done once more on a fresh one."""
        with self._lock:
            try:
                return work()
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise self._refusal(error) from error
                self.damaged += 1
                with contextlib.suppress(sqlite3.Error):
                    self._connection.close()
                self._set_aside()
                try:
                    self._connection = self._open()
                    return work()
                except sqlite3.DatabaseError as again:
                    raise self._refusal(again) from again

    def _get(self, chunk: Mapping[bytes, str]) -> dict[str, bytes]:
        marks = ",".join("?" * len(chunk))
        question = f"SELECT key, used, checksum, value FROM entries WHERE key IN ({marks})"
        found, stale, damaged = {}, [], []
        day_ago = int(time.time()) - _DAY
        for key, used, checksum, value in self._connection.execute(question, list(chunk)):
            if not isinstance(value, bytes) or zlib.crc32(value, zlib.crc32(key)) != checksum:
                damaged.append((key,))
                continue
            found[chunk[key]] = value
            if used < day_ago:
                stale.append((int(time.time()), key))
        if stale or damaged:
            self.damaged += len(damaged)
            # What is there can be read from a full disk, too.
            with contextlib.suppress(sqlite3.OperationalError), self._transaction():
                self._connection.executemany("UPDATE entries SET used = ? WHERE key = ?", stale)
                self._connection.executemany("DELETE FROM entries WHERE key = ?", damaged)
        return found

    def _put(self, rows: Iterable[tuple[bytes, str, int, int, bytes]]) -> None:
        with self._transaction():
            self._connection.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?)", rows)

    def _prune(self) -> None:
        size = self._size()
        if size <= self._limit:
            return
        with self._transaction():
            while size > self._limit * _FULL_SHARE:
                oldest = self._connection.execute("SELECT key FROM entries ORDER BY used, key LIMIT 50").fetchall()
                if not oldest:
                    break
                self._connection.executemany("DELETE FROM entries WHERE key = ?", oldest)
                size = self._size()  # pages, as the limit counts: a value of 5,000 bytes holds two
        self._give_back()

    def _clear(self) -> None:
        with self._transaction():
            self._connection.execute("DELETE FROM entries")
        self._give_back()

    def _give_back(self) -> None:
        # A script, since execute() would take one step of the vacuum: one page.
        self._connection.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE);")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _size(self) -> int:
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        (free,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        (page_size,) = self._connection.execute("PRAGMA page_size").fetchone()
        return int((pages - free) * page_size)

    def _size_on_disk(self) -> int:
        files = (self.path, self.path.with_name(_FILE + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def _set_aside(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            with storage_errors(self.path):
                self.path.with_name(_FILE + suffix).unlink(missing_ok=True)

    def _refusal(self, error: sqlite3.DatabaseError) -> StorageError:
        return StorageError(
            f"the cache {self.path} cannot be used: {error}. Free some disk space or check the folder's permissions, "
            "or set TELLAPART_CACHE to another folder."
        )


def _digest(kind: str, key: str) -> bytes:
    return hashlib.blake2b(f"{kind}\0{key}".encode(), digest_size=16).digest()


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return any(sign in str(error) for sign in _CORRUPT)
