"""The cache as a whole: stored values, rows, exported backbones. In: nothing. Out: Cache, facts. Next: cache.py.

Everything in it can be computed again, so that a cache that cannot be used is a warning and no end: a home without
permission, a container's read-only disk, a full one.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tellapart.errors import StorageError
from tellapart.features.backbone import list_backbones, remove_backbones
from tellapart.features.cache import Cache
from tellapart.features.row_folder import clear_rows, rows_info
from tellapart.reporter import Reporter, Silent
from tellapart.sources.remote.blocks import FOLDER as REMOTE
from tellapart.sources.remote.blocks import limit_bytes as remote_limit_bytes
from tellapart.storage import TOOLS, cache_folder, cache_limit_bytes, stand_in_for_cache, storage_errors

_NOBODY = Silent()
_LEAST_BYTES = 128_000_000  # an exported network and what a small training keeps


def open_cache(reporter: Reporter = _NOBODY) -> Cache:
    """Open the user's cache, or warn and open a temporary one, which `cache_folder` gives from then on.

    Raises: SettingsError; StorageError where there is no place for temporary files either.
    """
    limit, folder = cache_limit_bytes(), cache_folder()
    try:
        _check_room(folder)
        return Cache(folder, limit_bytes=limit, warn=reporter.warn)
    except StorageError as error:
        instead = stand_in_for_cache()
        # Of a home without permission Matplotlib would complain on its own.
        os.environ.setdefault("MPLCONFIGDIR", str(instead / "matplotlib"))
        reporter.warn(f"{error} Going on with a temporary cache, which goes when this process ends.")
        return Cache(instead, limit_bytes=limit, warn=reporter.warn)


def _check_room(folder: Path) -> None:
    """Makes the folder. Raises: StorageError where it cannot, or its disk is full and that of temporary files is not."""
    if str(folder).startswith("~"):  # a container's user who is in no list has none
        raise StorageError(f"cannot use {folder}: this user has no home folder. Set TELLAPART_CACHE to a folder.")
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)  # first, since what cannot be made (/proc/x) has no room either
        disk = shutil.disk_usage(folder)
        # Where no size is told (some mounts of the network) nothing is known of what is free.
        if disk.total and disk.free < min(_LEAST_BYTES, shutil.disk_usage(tempfile.gettempdir()).free):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def row_limit_bytes() -> int:
    """What the limit leaves for squares and views kept for training. Raises: SettingsError."""
    return max(0, cache_limit_bytes() - _size())


def describe_cache() -> dict[str, Any]:
    """Folder, size, limit, entries by kind, row stores and exported backbones; makes no folder where there is none."""
    folder = cache_folder()
    entries: dict[str, int] = {}
    if _is_there(folder):
        with _open_chosen() as cache:
            entries = dict(cache.info().entries)
    rows = rows_info(folder)
    return {
        "folder": str(folder),
        "size_bytes": _size() + rows.size_bytes,
        "limit_bytes": cache_limit_bytes(),
        "entries": entries,
        "row_stores": {"count": rows.stores, "size_bytes": rows.size_bytes},
        "backbones": [path.name for path in list_backbones(folder)],
        "tools": {"names": _tools(folder), "size_bytes": _bytes_of(folder / TOOLS)},
        "remote": {"size_bytes": _bytes_of(folder / REMOTE), "limit_bytes": remote_limit_bytes()},
    }


def _tools(folder: Path) -> list[str]:
    """The environments of converters."""
    home = folder / TOOLS
    return sorted(one.name for one in home.iterdir() if not one.name.startswith(".")) if home.is_dir() else []


def _bytes_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def clear_cache() -> int:
    """Empty the cache; how many bytes that gave back. Only what tellapart wrote is touched.

    Row stores that a training uses at the moment stay.
    """
    folder = cache_folder()
    there, gone = _is_there(folder), 0
    before = _size() + rows_info(folder).size_bytes
    if there:
        with _open_chosen() as cache:
            cache.clear()
        with storage_errors(folder):
            remove_backbones(folder)
            clear_rows(folder)
            for inner in (folder / TOOLS, folder / REMOTE):
                gone += _bytes_of(inner)
                shutil.rmtree(inner, ignore_errors=True)
    return gone + max(0, before - _size() - rows_info(folder).size_bytes)


def _is_there(folder: Path) -> bool:
    """Whether the cache's folder is there. Raises: StorageError where that may not be seen."""
    with storage_errors(folder):
        return folder.is_dir()


def _open_chosen() -> Cache:
    """The cache itself: who asks about it wants no other. Raises: StorageError."""
    return Cache(cache_folder(), limit_bytes=cache_limit_bytes())


def _size() -> int:
    """Bytes of all but the row stores."""
    folder = cache_folder()
    files = [*folder.glob("cache.sqlite*"), *(file for path in list_backbones(folder) for file in path.iterdir())]
    return sum(file.stat().st_size for file in files if file.is_file())
