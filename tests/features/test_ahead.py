"""Embeddings are begun while others work, and end with them. In: pictures, fake networks. Out: what is in the cache."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.examples import Entry, Inspection, Listing, PictureFile
from tellapart.data.inspection import inspect_all
from tellapart.data.targets import ClassName
from tellapart.errors import BackboneError
from tellapart.features.ahead import Ahead
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.cache import Cache
from tellapart.features.extract import extract
from tellapart.features.squares import Squares

COUNT = 320  # ten times as many as are embedded at once


class SlowEngine:
    """A network that takes its time once it has begun, and counts what it is given."""

    name, batch, workers = "slow", 8, 2

    def __init__(self, embedding: int, seconds: float = 0.0) -> None:
        self.begun = threading.Event()
        self.seen = 0
        self._embedding, self._seconds = embedding, seconds
        self._lock = threading.Lock()

    def embed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        with self._lock:
            self.seen += len(images)
        self.begun.set()
        time.sleep(self._seconds)
        return np.repeat(images.mean(axis=(1, 2, 3))[:, None], self._embedding, axis=1).astype(np.float32)


@pytest.fixture
def listing(tmp_path: Path) -> Listing:
    """Small pictures, all different, and one that is none."""
    paths = [tmp_path / f"{number:03}.png" for number in range(COUNT)]
    for number, path in enumerate(paths):
        Image.new("L", (3, 1 + number // 256), number % 256).save(path)
    (tmp_path / "broken.png").write_bytes(paths[0].read_bytes()[:50])
    return Listing(
        source=tmp_path,
        entries=tuple(
            Entry(path=path, target=ClassName("any"), split=None) for path in [*paths, tmp_path / "broken.png"]
        ),
        classes=("any",),
    )


@pytest.fixture
def inspections(listing: Listing) -> list[Inspection]:
    return inspect_all([entry.path for entry in listing.entries], workers=2)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    with Cache(tmp_path / "cache", limit_bytes=10**9) as opened:
        yield opened


def ahead_of(backbone: ReadyBackbone | None, engine: SlowEngine, cache: Cache) -> Ahead:
    return Ahead(lambda *_: backbone, lambda _: engine, cache=cache, squares=Squares(lambda: None))


def test_what_was_embedded_meanwhile_is_in_the_cache(
    listing: Listing,
    inspections: list[Inspection],
    backbone: ReadyBackbone,
    cache: Cache,
    until: Callable[[Callable[[], object]], None],
) -> None:
    engine = SlowEngine(backbone.embedding)
    ahead = ahead_of(backbone, engine, cache)
    with ahead.during(listing, inspections):
        until(lambda: ahead.computed == COUNT)
    assert engine.seen == COUNT
    pictures = [
        PictureFile(path=entry.path, file_hash=inspection.file_hash, content_hash=inspection.content_hash)
        for entry, inspection in zip(listing.entries[:COUNT], inspections, strict=False)
    ]
    found = extract(
        pictures,
        engine=engine,
        preprocessing=backbone.preprocessing,
        embedding=backbone.embedding,
        fingerprint=backbone.fingerprint,
        stages=backbone.stages,
        cache=cache,
    )
    assert (found.computed, found.reused, found.problems) == (0, COUNT, {})
    np.testing.assert_allclose(found.vectors[:256, 0], np.arange(256))


def test_it_ends_with_what_it_is_beside(
    listing: Listing, inspections: list[Inspection], backbone: ReadyBackbone, cache: Cache
) -> None:
    engine = SlowEngine(backbone.embedding, seconds=0.1)
    ahead = ahead_of(backbone, engine, cache)
    with ahead.during(listing, inspections):
        engine.begun.wait()
    assert 0 < ahead.computed == engine.seen < COUNT
    assert not [thread for thread in threading.enumerate() if thread.name == "ahead"]


def test_nothing_is_embedded_where_the_network_is_not_known(
    listing: Listing, inspections: list[Inspection], cache: Cache, until: Callable[[Callable[[], object]], None]
) -> None:
    engine = SlowEngine(1)
    ahead = ahead_of(None, engine, cache)
    with ahead.during(listing, inspections):
        until(lambda: all(thread.name != "ahead" for thread in threading.enumerate()))
    assert (ahead.computed, engine.seen) == (0, 0)


def test_its_errors_are_left_to_who_embeds_the_rest(
    listing: Listing, inspections: list[Inspection], cache: Cache
) -> None:
    def choose(*_: object) -> ReadyBackbone:
        raise BackboneError("it is damaged.")

    engine = SlowEngine(1)
    ahead = Ahead(choose, lambda _: engine, cache=cache, squares=Squares(lambda: None))
    with ahead.during(listing, inspections):
        pass
    assert ahead.computed == 0
    with pytest.raises(ZeroDivisionError), ahead.during(listing, inspections):
        raise ZeroDivisionError
