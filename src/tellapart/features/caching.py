"""The cache as a whole: stored values, rows, exported backbones. In: nothing. Out: Cache, facts. Next: cache.py."""

from __future__ import annotations

from typing import Any

from tellapart.features.backbone import list_backbones, remove_backbones
from tellapart.features.cache import Cache
from tellapart.features.row_folder import clear_rows, rows_info
from tellapart.storage import cache_folder, cache_limit_bytes, storage_errors


def open_cache() -> Cache:
    """Open the user's cache. Raises: StorageError, SettingsError."""
    return Cache(cache_folder(), limit_bytes=cache_limit_bytes())


def row_limit_bytes() -> int:
    """What the limit leaves for squares and views kept for training. Raises: SettingsError."""
    return max(0, cache_limit_bytes() - _size())


def describe_cache() -> dict[str, Any]:
    """Folder, size, limit, entries by kind, row stores and exported backbones; makes no folder where there is none."""
    folder = cache_folder()
    entries: dict[str, int] = {}
    if folder.is_dir():
        with open_cache() as cache:
            entries = dict(cache.info().entries)
    rows = rows_info(folder)
    return {
        "folder": str(folder),
        "size_bytes": _size() + rows.size_bytes,
        "limit_bytes": cache_limit_bytes(),
        "entries": entries,
        "row_stores": {"count": rows.stores, "size_bytes": rows.size_bytes},
        "backbones": [path.name for path in list_backbones(folder)],
    }


def clear_cache() -> int:
    """Empty the cache; how many bytes that gave back. Only what tellapart wrote is touched.

    Row stores that a training uses at the moment stay.
    """
    folder = cache_folder()
    before = _size() + rows_info(folder).size_bytes
    if folder.is_dir():
        with open_cache() as cache:
            cache.clear()
        with storage_errors(folder):
            remove_backbones(folder)
            clear_rows(folder)
    return max(0, before - _size() - rows_info(folder).size_bytes)


def _size() -> int:
    """Bytes of all but the row stores."""
    folder = cache_folder()
    files = [*folder.glob("cache.sqlite*"), *(file for path in list_backbones(folder) for file in path.iterdir())]
    return sum(file.stat().st_size for file in files if file.is_file())
