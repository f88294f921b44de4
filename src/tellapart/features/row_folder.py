"""The folder of row stores, kept under a limit. In: settings, contents, a shape. Out: RowStore or None. Next: frozen.py."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import DTypeLike

from tellapart.features.rows import CONTENTS, DATA, FILLING, FLAG_BYTES, FLAGS, LOCK, META, RowStore, try_lock
from tellapart.runtime import cores
from tellapart.storage import current_umask, storage_errors

_FOLDER = "rows"
_PARTIAL, _LEAVING = ".making-", ".leaving-"
_ABANDONED_SECONDS = 3600.0
_FORMAT = 1  # raise it when the files in a store change their meaning
_SPARE_BYTES = 500_000_000  # left free on the disk for the run itself
_ATTEMPTS = 3  # another process may remove or make the same store at the same time


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsInfo:
    """What the folder of row stores holds."""

    stores: int
    size_bytes: int


def open_rows(
    folder: Path,
    settings: str,
    contents: Sequence[str],
    *,
    shape: Sequence[int],
    dtype: DTypeLike,
    limit_bytes: int,
    parts: int = 1,
) -> RowStore | None:
    """The store of these contents in the cache folder `folder`, `parts` rows a content, made empty where there is none.

    `settings` says everything besides the contents that the rows depend on: other settings, another store. Rows that
    no longer fit their checksum count as missing. The least recently used stores make room, except those in use.
    None where the store cannot fit `limit_bytes` or the disk. Raises: StorageError.
    """
    rows, kind = len(contents) * parts, np.dtype(dtype)
    size = rows * int(np.prod(shape, dtype=np.int64)) * kind.itemsize
    meta = {
        "format": _FORMAT,
        "settings": settings,
        "rows": rows,
        "parts": parts,
        "shape": [int(length) for length in shape],
        "dtype": kind.str,
    }
    family = _digest(json.dumps({name: meta[name] for name in ("format", "settings", "parts", "shape", "dtype")}))
    listing = "".join(f"{content}\n" for content in contents)
    path = folder / _FOLDER / f"{family}-{_digest(listing)}"
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(_ATTEMPTS):
            store = _open(path, meta)
            if store is not None:
                store.verify(workers=cores())
                return store
            room = _make_room(path.parent, size + rows * FLAG_BYTES + len(listing), limit_bytes)
            if not room or not _make(path, meta, listing, size, rows):
                return None
    return None


@contextlib.contextmanager
def relatives(store: RowStore) -> Iterator[list[RowStore]]:
    """Stores of the same settings with other contents, held as long as the context lasts."""
    family = store.path.name.partition("-")[0]
    found = []
    for path in sorted(store.path.parent.glob(f"{family}-*")):
        lock = _hold(path, shared=True) if path != store.path else None
        if lock is not None:
            try:
                found.append(RowStore(path, lock))
            except (OSError, ValueError, KeyError, TypeError):
                lock.close()
    try:
        yield found
    finally:
        for other in found:
            other.close()


def rows_info(folder: Path) -> RowsInfo:
    """Count what is stored under the cache folder `folder`."""
    paths = _stores(folder / _FOLDER)
    return RowsInfo(stores=len(paths), size_bytes=sum(_size(path) for path in paths))


def clear_rows(folder: Path) -> None:
    """Remove every store that no process uses, whole or abandoned, and nothing else that may lie in the folder."""
    root = folder / _FOLDER
    for path in _stores(root):
        _remove(path)
    _remove_abandoned(root, older_than=0.0)
    with contextlib.suppress(OSError):
        root.rmdir()


def _open(path: Path, meta: dict[str, object]) -> RowStore | None:
    """The store where it is whole and meant for this; a damaged one is removed."""
    lock = _hold(path, shared=True)
    if lock is None:
        return None
    try:
        if json.loads((path / META).read_text(encoding="utf-8")) != meta:
            raise ValueError("another store")
        store = RowStore(path, lock)
        os.utime(path / LOCK)  # least recently used is judged by this
        return store
    except (OSError, ValueError, KeyError, TypeError):
        lock.close()
        _remove(path)
        return None


def _make(path: Path, meta: dict[str, object], listing: str, size: int, rows: int) -> bool:
    """Make an empty store under another name, then give it its own; False where the disk has no room."""
    _remove_abandoned(path.parent, older_than=_ABANDONED_SECONDS)
    partial = Path(tempfile.mkdtemp(dir=path.parent, prefix=_PARTIAL))
    try:
        os.chmod(partial, 0o777 & ~current_umask())
        try:
            _reserve(partial / DATA, size)
            (partial / FLAGS).write_bytes(bytes(rows * FLAG_BYTES))
            (partial / CONTENTS).write_text(listing, encoding="utf-8")
        except OSError:
            return False
        for name in (LOCK, FILLING):
            (partial / name).touch()
        (partial / META).write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
        with contextlib.suppress(OSError):  # another process was first: its store is as good
            os.rename(partial, path)
        return True
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _reserve(path: Path, size: int) -> None:
    """A file of zeros that owns its room on the disk, so that filling it later cannot fail for want of it."""
    with path.open("wb") as file:
        if size and hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        file.truncate(size)


def _make_room(root: Path, need: int, limit: int) -> bool:
    """Remove least recently used stores until `need` bytes fit; whether they do."""
    if need > limit:
        return False
    oldest_first = sorted(_stores(root), key=_last_used)
    sizes = {path: _size(path) for path in oldest_first}
    for path in [*oldest_first, None]:
        if sum(sizes.values()) + need <= limit and shutil.disk_usage(root).free >= need + _SPARE_BYTES:
            return True
        if path is not None and _remove(path):
            del sizes[path]
    return False


def _hold(path: Path, *, shared: bool) -> IO[bytes] | None:
    """Lock a store; None where it is not there, or where another process is in the way."""
    for _ in range(_ATTEMPTS):
        try:
            lock = (path / LOCK).open("rb")
        except OSError:
            return None
        if not try_lock(lock, shared=shared):
            lock.close()
            return None
        # Between opening and locking, the store may have been removed, and even made anew.
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(lock.fileno()), os.stat(path / LOCK)):
                return lock
        lock.close()
    return None


def _remove(path: Path) -> bool:
    """Remove a store unless a process uses it; whether it is gone."""
    lock = _hold(path, shared=False)
    if lock is None:
        return not path.exists()
    with lock:
        leaving = path.with_name(f"{_LEAVING}{path.name}-{os.getpid()}")
        with contextlib.suppress(OSError):
            os.rename(path, leaving)  # first of all, so that nobody finds half a store
    shutil.rmtree(leaving, ignore_errors=True)
    return not path.exists()


def _remove_abandoned(root: Path, *, older_than: float) -> None:
    for path in [*root.glob(f"{_PARTIAL}*"), *root.glob(f"{_LEAVING}*")]:
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime >= older_than:
                shutil.rmtree(path, ignore_errors=True)


def _stores(root: Path) -> list[Path]:
    return sorted(path.parent for path in root.glob(f"[!.]*/{LOCK}"))


def _last_used(path: Path) -> float:
    try:
        return (path / LOCK).stat().st_mtime
    except OSError:  # another process has just removed it
        return 0.0


def _size(path: Path) -> int:
    try:
        return sum(file.stat().st_size for file in path.iterdir())
    except OSError:
        return 0


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
