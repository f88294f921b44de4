"""The cache as a whole: stored values and exported backbones. In: nothing. Out: Cache, facts. Next: examine.py."""

from __future__ import annotations

import shutil
from typing import Any

from tellapart.features.cache import Cache
from tellapart.storage import cache_folder, cache_limit_bytes, storage_errors


def open_cache() -> Cache:
    """Open the user's cache. Raises: StorageError, SettingsError."""
    return Cache(cache_folder(), limit_bytes=cache_limit_bytes())


def describe_cache() -> dict[str, Any]:
    """Folder, size, limit, entries by kind, and the exported backbones; makes no folder where there is none."""
    folder = cache_folder()
    backbones = sorted(path.name for path in (folder / "backbones").glob("*") if not path.name.startswith("."))
    entries: dict[str, int] = {}
    if folder.is_dir():
        with open_cache() as cache:
            entries = dict(cache.info().entries)
    return {
        "folder": str(folder),
        "size_bytes": _size(),
        "limit_bytes": cache_limit_bytes(),
        "entries": entries,
        "backbones": backbones,
    }


def clear_cache() -> int:
    """Empty the cache; how many bytes that gave back. Only what tellapart wrote is touched."""
    folder = cache_folder()
    before = _size()
    if folder.is_dir():
        with open_cache() as cache:
            cache.clear()
        with storage_errors(folder):
            shutil.rmtree(folder / "backbones", ignore_errors=True)
    return max(0, before - _size())


def _size() -> int:
    folder = cache_folder()
    files = [*folder.glob("cache.sqlite*"), *(folder / "backbones").glob("**/*")]
    return sum(file.stat().st_size for file in files if file.is_file())
