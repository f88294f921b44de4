"""Embeddings begun while the audit still compares pictures. In: what was inspected. Out: the cache. Next: embedding.py.

The search for augmented copies leaves cores idle, mostly where there are many; what the network gives does not depend on what
is found. Nothing waits for this: as soon as the search ends it stops, and what it came to is in the cache.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence

from tellapart.data.examples import Inspection, Listing, PictureFile, picture_file
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.cache import Cache
from tellapart.features.engine import Engine
from tellapart.features.extract import extract
from tellapart.features.squares import Squares

_AT_ONCE = 32  # pictures; so many may be waited for


class Ahead:
    """Embeds pictures into the cache for as long as others are at work."""

    def __init__(
        self,
        choose: Callable[[Listing, Sequence[Inspection]], ReadyBackbone | None],
        open_engine: Callable[[ReadyBackbone], Engine],
        *,
        cache: Cache,
        squares: Squares,
    ) -> None:
        """`choose` says for which network they certainly will be embedded, and how they fit; None: that is not known yet."""
        self._choose, self._open_engine = choose, open_engine
        self._cache, self._squares = cache, squares
        self.computed = 0  # pictures that went through the network so far

    @contextlib.contextmanager
    def during(self, listing: Listing, inspections: Sequence[Inspection]) -> Iterator[None]:
        """Inside, the pictures of `listing`, one inspection each, are embedded in a thread."""
        stop = threading.Event()
        thread = threading.Thread(target=self._work, args=(listing, inspections, stop), name="ahead", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _work(self, listing: Listing, inspections: Sequence[Inspection], stop: threading.Event) -> None:
        # Whatever goes wrong: who embeds the rest meets the same, and says it.
        with contextlib.suppress(Exception):
            backbone = self._choose(listing, inspections)
            if backbone is not None:
                self._embed(_usable(listing, inspections), backbone, stop)

    def _embed(self, pictures: Sequence[PictureFile], backbone: ReadyBackbone, stop: threading.Event) -> None:
        engine = self._open_engine(backbone)
        for start in range(0, len(pictures), _AT_ONCE):
            if stop.is_set():
                return
            self.computed += extract(
                pictures[start : start + _AT_ONCE],
                engine=engine,
                preprocessing=backbone.preprocessing,
                embedding=backbone.embedding,
                fingerprint=backbone.identity,
                stages=backbone.stages,
                cache=self._cache,
                squares=self._squares,
            ).computed


def _usable(listing: Listing, inspections: Sequence[Inspection]) -> list[PictureFile]:
    return [
        picture_file(entry, inspection)
        for entry, inspection in zip(listing.entries, inspections, strict=True)
        if not inspection.problem
    ]
