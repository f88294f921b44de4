"""The cache as a whole: stored values and exported backbones. In: nothing. Out: Cache, facts. Next: examine.py."""

from __future__ import annotations

from typing import Any

from tellapart.features.backbone import list_backbones, remove_backbones
from tellapart.features.cache import Cache
from tellapart.storage import cache_folder, cache_limit_bytes, storage_errors


def open_cache() -> Cache:
    """Open the user's cache. Raises: StorageError, SettingsError."""
    return Cache(cache_folder(), limit_bytes=cache_limit_bytes())


def describe_cache() -> dict[str, Any]:
    """Folder, size, limit, entries by kind, and the exported backbones; makes no folder where there is none."""
    folder = cache_folder()
    entries: dict[str, int] = {}
    if folder.is_dir():
        with open_cache() as cache:
            entries = dict(cache.info().entries)
    return {
        "folder": str(folder),
        "size_bytes": _size(),
        "limit_bytes": cache_limit_bytes(),
        "entries": entries,
        "backbones": [path.name for path in list_backbones(folder)],
    }


def clear_cache() -> int:
    """Empty the cache; how many bytes that gave back. Only what tellapart wrote is touched."""
    folder = cache_folder()
    before = _size()
    if folder.is_dir():
        with open_cache() as cache:
            cache.clear()
        with storage_errors(folder):
            remove_backbones(folder)
    return max(0, before - _size())


def _size() -> int:
    folder = cache_folder()
    files = [*folder.glob("cache.sqlite*"), *(file for path in list_backbones(folder) for file in path.iterdir())]
    return sum(file.stat().st_size for file in files if file.is_file())
