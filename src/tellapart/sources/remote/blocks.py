"""A file elsewhere as if it were here, fetched in blocks that are kept. In: an address. Out: a file. Next: sources/places.py.

Blocks of 4 MiB lie in the cache's folder, named after the file's address, size and stamp, so that what has changed is fetched anew;
those that were used least recently go first. Each is fetched once, however many threads want it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from tellapart.errors import SettingsError, StorageError
from tellapart.sources.remote.addresses import address_of
from tellapart.sources.remote.schemes import store_of
from tellapart.sources.remote.stores import Stamped, Store, again
from tellapart.storage import cache_folder, write_bytes

FOLDER = "remote"  # of the cache
BLOCK = 4 * 1024 * 1024
_HELD = 8  # blocks in memory
_PRUNE_EVERY = 16  # blocks that were written
_CHECK_BYTES = 4


def limit_bytes() -> int:
    """The size that kept blocks stay under: `TELLAPART_REMOTE_GB` (default 5), in bytes. Raises: SettingsError."""
    text = os.environ.get("TELLAPART_REMOTE_GB", "5")
    try:
        gigabytes = float(text)
    except ValueError:
        gigabytes = -1.0
    if not 0 <= gigabytes < 1e6:
        raise SettingsError(
            f"TELLAPART_REMOTE_GB is {text!r}; it must be a number from 0 on. Set it to 5, for example."
        )
    return int(gigabytes * 1e9)


class Blocks:
    """The blocks that were fetched last, in memory and on disk."""

    def __init__(self, folder: Callable[[], Path], limit: Callable[[], int]) -> None:
        self._folder, self._limit = folder, limit
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._one_each: dict[tuple[str, int], threading.Lock] = {}
        self._written = 0

    def get(self, name: str, number: int, size: int, fetch: Callable[[], bytes]) -> bytes:
        """A block of `size` bytes of the file `name`, fetched where it is not kept. Raises: what `fetch` raises."""
        key = (name, number)
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
            one = self._one_each.setdefault(key, threading.Lock())
        with one:
            with self._lock:
                if key in self._held:
                    return self._held[key]
            data = self._read(name, number, size)
            if data is None:
                data = fetch()
                self._write(name, number, data)
            with self._lock:
                self._held[key] = data
                self._one_each.pop(key, None)
                while len(self._held) > _HELD:
                    self._held.popitem(last=False)
        return data

    def forget(self) -> None:
        """Keep nothing in memory."""
        with self._lock:
            self._held.clear()

    def _path(self, name: str, number: int) -> Path:
        return self._folder() / name[:2] / f"{name}-{number}"

    def _read(self, name: str, number: int, size: int) -> bytes | None:
        """What is kept and sound."""
        path = self._path(name, number)
        with contextlib.suppress(OSError):
            data = path.read_bytes()
            if (
                len(data) == size + _CHECK_BYTES
                and zlib.crc32(data[:size]).to_bytes(_CHECK_BYTES, "big") == data[size:]
            ):
                os.utime(path)
                return data[:size]
        return None

    def _write(self, name: str, number: int, data: bytes) -> None:
        """Where the disk is full or nothing is to be kept, the work goes on without."""
        if not self._limit():
            return
        with contextlib.suppress(StorageError, OSError):
            write_bytes(self._path(name, number), data + zlib.crc32(data).to_bytes(_CHECK_BYTES, "big"))
            with self._lock:
                self._written += 1
                due = self._written % _PRUNE_EVERY == 1
            if due:
                self._prune()

    def _prune(self) -> None:
        """Down to nine tenths of the limit, less what may be written until the next time."""
        files = []
        for path in self._folder().glob("*/*"):
            with contextlib.suppress(OSError):
                status = path.stat()
                files.append((status.st_mtime_ns, status.st_size, path))
        limit = self._limit() - _PRUNE_EVERY * BLOCK
        total = sum(size for _, size, _ in files)
        if total <= limit:
            return
        for _, size, path in sorted(files):
            if total <= 0.9 * limit:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                total -= size


BLOCKS = Blocks(lambda: cache_folder() / FOLDER, limit_bytes)


class RemoteFile(io.RawIOBase):
    """A file elsewhere, to be read at any place; several threads need one each."""

    def __init__(self, path: str | os.PathLike[str], found: Stamped, store: Store, blocks: Blocks = BLOCKS) -> None:
        super().__init__()
        self._address, self._found, self._store, self._blocks = address_of(path), found, store, blocks
        self._name = hashlib.sha256(f"{self._address}\n{found.size}\n{found.stamp}".encode()).hexdigest()[:40]
        self._place = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """The place."""
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place; nothing is fetched."""
        self._place = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._found.size}[whence])
        return self._place

    def readinto(self, buffer: object) -> int:
        """As any file's. Raises: OSError where the store fails for good, or the file has changed."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        data = self.read_at(self._place, min(len(view), BLOCK))
        view[: len(data)] = data
        self._place += len(data)
        return len(data)

    def read(self, size: int = -1, /) -> bytes:
        """So many bytes, or all; fewer at the end alone. Raises: OSError."""
        size = self._found.size - self._place if size is None or size < 0 else size
        parts, wanted = [], size
        while wanted > 0 and (data := self.read_at(self._place, wanted)):
            parts.append(data)
            self._place += len(data)
            wanted -= len(data)
        return b"".join(parts)

    def read_at(self, place: int, size: int) -> bytes:
        """Bytes from a place to the end of its block at most. Raises: OSError."""
        if place >= self._found.size:
            return b""
        number, offset = divmod(place, BLOCK)
        start = number * BLOCK
        end = min(self._found.size, start + BLOCK)
        data = self._blocks.get(self._name, number, end - start, lambda: self._fetch(start, end))
        return data[offset : offset + size]

    def _fetch(self, start: int, end: int) -> bytes:
        data, stamp = again(lambda: self._store.part(self._address, start, end), self._address)
        if stamp and self._found.stamp and stamp != self._found.stamp:
            raise OSError(errno.ESTALE, "it has changed since it was first looked at; run the command again")
        return data


_LOOKED: dict[str, Stamped] = {}
_LOOKED_LOCK = threading.Lock()


def look(path: str | os.PathLike[str]) -> Stamped:
    """Size and stamp of a file elsewhere, asked once a process. Raises: OSError, MissingFormat."""
    address = address_of(path)
    with _LOOKED_LOCK:
        found = _LOOKED.get(address)
    if found is None:
        store = store_of(address.partition(":")[0])
        found = again(lambda: store.look(address), address)
        with _LOOKED_LOCK:
            _LOOKED[address] = found
    return found


def open_remote(path: str | os.PathLike[str]) -> RemoteFile:
    """A file elsewhere. Raises: OSError, MissingFormat."""
    return RemoteFile(path, look(path), store_of(address_of(path).partition(":")[0]))


def list_remote(path: str | os.PathLike[str]) -> list[str]:
    """The addresses of what lies in a folder elsewhere. Raises: OSError, MissingFormat."""
    address = address_of(path)
    store = store_of(address.partition(":")[0])
    return again(lambda: store.names(address), address)


def forget_looks() -> None:
    """Ask again: for tests, and for processes that live long."""
    with _LOOKED_LOCK:
        _LOOKED.clear()
    BLOCKS.forget()
