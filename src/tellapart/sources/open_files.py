"""The files that were read last, open. In: paths. Out: what each was opened as. Next: parquets.py."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from tellapart.sources.places import Stamp, stamp_of

Opened = TypeVar("Opened")


class OpenFiles(Generic[Opened]):
    """What files were opened as, in this process; one that has changed since is opened anew."""

    def __init__(self, opening: Callable[[str], Opened], *, most: int) -> None:
        """`most` files stay open, those that were asked for last."""
        self._opening, self._most = opening, most
        self._lock = threading.Lock()
        self._open: OrderedDict[Stamp, Opened] = OrderedDict()

    def get(self, path: str) -> Opened:
        """A file, opened once. Raises: what opening it raises; OSError."""
        key = stamp_of(path)
        with self._lock:
            if key not in self._open:
                self._open[key] = self._opening(path)
                while len(self._open) > self._most:
                    self._open.popitem(last=False)
            self._open.move_to_end(key)
            return self._open[key]
