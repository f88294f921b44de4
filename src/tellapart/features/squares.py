"""Pictures as a network takes them, kept from the audit to the embedding. In: decoded pictures. Out: pixels. Next: extract.py.

The audit decodes every picture anyway. Where the network wants no other pixels than the audit saw, a first training decodes once
and not twice; of more pictures than fit into a bounded part of the memory the rest is decoded again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tellapart.data.examples import Inspection
from tellapart.data.remembered import TARGET
from tellapart.decoding import Decoded
from tellapart.preprocessing import Preprocessing, prepare

MOST_BYTES = 256 * 2**20  # 1,783 pictures of 224 by 224


class Squares:
    """The pixels of pictures by content, for one preprocessing. Its methods may be called from any thread."""

    def __init__(self, wanted: Callable[[], Preprocessing | None], *, most_bytes: int = MOST_BYTES) -> None:
        """`wanted` says how the network's pictures will be made; None as long as that is not known."""
        self._wanted, self._most = wanted, most_bytes
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[Preprocessing, NDArray[np.uint8]]] = {}
        self._bytes = 0

    def keep(self, decoded: Decoded, inspection: Inspection) -> None:
        """Keep a picture as the audit decoded it, if the network would see the same, if it is worth it and there is room."""
        preprocessing = self._wanted()
        if preprocessing is None or not _worth_keeping(decoded, preprocessing):
            return
        size = 3 * preprocessing.size**2
        with self._lock:
            if inspection.content_hash in self._kept or self._bytes + size > self._most:
                return
            self._bytes += size
        square = prepare(decoded.image, preprocessing)
        with self._lock:
            self._kept[inspection.content_hash] = preprocessing, square

    def take(self, content_hash: str, preprocessing: Preprocessing) -> NDArray[np.uint8] | None:
        """The pixels [size, size, 3] of a content, once; None where they are not there, or made in another way."""
        with self._lock:
            made, square = self._kept.get(content_hash, (None, None))
            if square is None or made != replace(preprocessing, value_range=None):
                return None
            del self._kept[content_hash]
            self._bytes -= square.nbytes
            return square

    def clear(self) -> None:
        """Let go of what nobody took."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0


def _worth_keeping(decoded: Decoded, preprocessing: Preprocessing) -> bool:
    """Whether the network's own decoding would give the audit's pixels: a JPEG's depend on the size that is asked for.

    What of a picture of more than 8 bits is black and white is not known before all have been seen. One that is smaller than what
    the network takes is decoded in a moment.
    """
    return (
        decoded.deep is None
        and decoded.image.width * decoded.image.height >= preprocessing.size**2
        and preprocessing.size == TARGET
        and preprocessing.colour == "srgb"
        and preprocessing.value_range is None
    )
