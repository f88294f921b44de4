"""Landmarks of pictures, kept while the audit has their pixels. In: pictures. Out: the cache. Next: scene_search.py.

To decode a picture again costs as much as a third of finding its landmarks.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from PIL import Image

from tellapart.data.augmented import comparable
from tellapart.data.examples import Inspection
from tellapart.data.thumbnails import SIDE
from tellapart.features.scenes import LANDMARKS, landmarks_key

_WRITE_EVERY = 256  # pictures


class Keeps(Protocol):
    """A cache, so far as it is written."""

    def put_many(self, kind: str, items: Mapping[str, bytes]) -> None:
        """Store values."""


class LandmarkStore:
    """Takes pictures from several threads; what is not yet written is written when it is left."""

    def __init__(self, cache: Keeps) -> None:
        self._cache = cache
        self._lock = threading.Lock()
        self._unsaved: dict[str, bytes] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write()

    def keep(self, grey: Image.Image, inspection: Inspection) -> None:
        """Keep the landmarks of one picture, grey as the audit has it. Raises: StorageError."""
        if not comparable(inspection.width, inspection.height):
            return
        # Only now: the library of local features takes a while to import, and a picture that is known never comes here.
        from tellapart.data.landmarks import find_landmarks, pack

        thumbnail = np.frombuffer(bytes(inspection.thumbnail), dtype=np.uint8).reshape(SIDE, SIDE)
        packed = pack(find_landmarks(grey, thumbnail))
        with self._lock:
            self._unsaved[landmarks_key(inspection.content_hash)] = packed
            full = len(self._unsaved) >= _WRITE_EVERY
        if full:
            self._write()

    def _write(self) -> None:
        with self._lock:
            unsaved, self._unsaved = self._unsaved, {}
            if unsaved:
                self._cache.put_many(LANDMARKS, unsaved)
