"""What pictures in shards hashed to, as long as a shard stays as it was. In: paths, a memory. Out: SHA-256s. Next: copies.py.

A shard whose place, size and time of change (elsewhere: whose stamp) are those of the last look is not read again: what its
pictures are is remembered by their hashes, so that shards that were added cost only themselves. Whoever needs the bytes later
compares them.
"""

from __future__ import annotations

import hashlib
import json
import os
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from tellapart.data.examples import Inspection
from tellapart.data.packed_entries import PathsOf
from tellapart.data.remembered import Memory
from tellapart.sources.places import stamp_of
from tellapart.sources.reading import split_path

FEWEST = 100  # pictures in an archive for which it is worth it
_VERSION = "shard-1"
_BYTES = 32


class KnownHashes:
    """The hashes of pictures in archives that have not changed."""

    def __init__(self, paths: Sequence[Path], memory: Memory | None, *, fewest: int = FEWEST) -> None:
        """Raises: what `memory` and the archives' stores raise."""
        self._memory = memory
        self._members: dict[str, array[int]] = {}  # archive -> places in `paths`
        archive_of: dict[str, str | None] = {}  # by folder: all in one folder lie in one archive
        for place, path in enumerate(_texts(paths) if memory is not None else ()):
            folder = os.path.dirname(path)
            if folder not in archive_of:
                inside = split_path(path)
                archive_of[folder] = None if inside is None else inside[0]
            if (archive := archive_of[folder]) is not None:
                self._members.setdefault(archive, array("q")).append(place)
        self._keys = {
            archive: _key(archive, (paths[place] for place in places))
            for archive, places in self._members.items()
            if len(places) >= fewest
        }
        self._known = np.zeros(len(paths), dtype=np.bool_)
        self._hashes = np.zeros((len(paths) if self._keys else 0, _BYTES), dtype=np.uint8)
        known = {} if memory is None else memory.get_many([key for key in self._keys.values() if key])
        for archive, key in self._keys.items():
            places = self._members[archive]
            value = known.get(key, b"")
            if len(value) == len(places) * _BYTES:
                self._known[places] = True
                self._hashes[places] = np.frombuffer(value, dtype=np.uint8).reshape(-1, _BYTES)

    def of(self, place: int) -> str:
        """64 hex digits; "" where they are not known."""
        return self._hashes[place].tobytes().hex() if self._known[place] else ""

    def learn(self, inspections: Sequence[Inspection]) -> None:
        """Remember the archives of which every picture could be read. `inspections` in the order of the paths."""
        if self._memory is None:
            return
        for archive, key in self._keys.items():
            places = self._members[archive]
            hashes = [inspections[place].file_hash for place in places]
            if key and all(hashes) and any(self.of(place) != one for place, one in zip(places, hashes, strict=True)):
                self._memory.put_many({key: bytes.fromhex("".join(hashes))})


def _texts(paths: Sequence[Path]) -> Iterable[str]:
    return paths.texts() if isinstance(paths, PathsOf) else map(os.fspath, paths)


def _key(archive: str, paths: Iterable[Path]) -> str:
    """Of an archive as it is now, and of which of its pictures are asked for; "" where it cannot be had."""
    try:
        stamp = stamp_of(archive)
    except OSError:
        return ""
    names = hashlib.sha256("\0".join(path.name for path in paths).encode("utf-8", "surrogateescape")).hexdigest()
    return json.dumps([_VERSION, *stamp, names])
