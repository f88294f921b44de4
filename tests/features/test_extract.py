"""Each picture goes through the network once. In: pictures, a fake network. Out: embeddings in order, problems."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.examples import PictureFile
from tellapart.features.cache import Cache
from tellapart.features.extract import Features, extract
from tellapart.preprocessing import Preprocessing

PREPROCESSING = Preprocessing(size=8, crop=1.0)


class MeanEngine:
    """A network whose embedding is the mean colour; it counts what it is given."""

    name = "mean"
    batch = 4
    workers = 3

    def __init__(self) -> None:
        self.seen = 0
        self.largest = 0
        self._lock = threading.Lock()

    def embed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        with self._lock:
            self.seen += len(images)
            self.largest = max(self.largest, len(images))
        return images.mean(axis=(1, 2)).astype(np.float32)


class StoppedEngine(MeanEngine):
    """A network during which the user presses Ctrl-C."""

    def embed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self.seen >= 8:
            raise KeyboardInterrupt
        return super().embed(images)


class OverflowingEngine(MeanEngine):
    """A network that overflows on pictures that are all white."""

    def embed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        vectors = super().embed(images)
        vectors[vectors.mean(axis=1) == 255] = np.inf
        return vectors


def make(folder: Path, colours: list[int]) -> list[PictureFile]:
    pictures = []
    for number, colour in enumerate(colours):
        path = folder / f"{number}.png"
        Image.new("RGB", (8, 8), (colour, 0, 0)).save(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        pictures.append(PictureFile(path=path, file_hash=digest, content_hash=f"content {colour}"))
    return pictures


def run(pictures: list[PictureFile], engine: MeanEngine, cache: Cache | None, *, fingerprint: str = "w") -> Features:
    return extract(
        pictures, engine=engine, preprocessing=PREPROCESSING, embedding=3, fingerprint=fingerprint, cache=cache
    )


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", limit_bytes=10**9)


def test_vectors_come_in_the_order_asked_for(tmp_path: Path) -> None:
    engine = MeanEngine()
    features = run(make(tmp_path, list(range(0, 200, 5))), engine, None)
    np.testing.assert_allclose(features.vectors[:, 0], np.arange(0, 200, 5))
    assert features.problems == {}
    assert engine.largest <= engine.batch


def test_adding_ten_pictures_computes_ten(tmp_path: Path, cache: Cache) -> None:
    pictures = make(tmp_path, list(range(60)))
    assert run(pictures[:50], MeanEngine(), cache).computed == 50
    engine = MeanEngine()
    features = run(pictures, engine, cache)
    assert (features.computed, features.reused, engine.seen) == (10, 50, 10)
    np.testing.assert_allclose(features.vectors[:, 0], np.arange(60))


def test_copies_are_computed_once(tmp_path: Path) -> None:
    engine = MeanEngine()
    features = run(make(tmp_path, [7, 9, 7, 7]), engine, None)
    assert engine.seen == 2
    np.testing.assert_allclose(features.vectors[:, 0], [7, 9, 7, 7])


def test_other_weights_or_other_preprocessing_reuse_nothing(tmp_path: Path, cache: Cache) -> None:
    pictures = make(tmp_path, [1, 2])
    run(pictures, MeanEngine(), cache)
    assert run(pictures, MeanEngine(), cache, fingerprint="other").computed == 2
    other = extract(
        pictures,
        engine=MeanEngine(),
        preprocessing=Preprocessing(size=8, crop=0.5),
        embedding=3,
        fingerprint="w",
        cache=cache,
    )
    assert other.computed == 2


def test_what_another_engine_computed_is_not_reused(tmp_path: Path, cache: Cache) -> None:
    pictures, other = make(tmp_path, [1, 2]), MeanEngine()
    other.name = "mean in bfloat16"
    run(pictures, MeanEngine(), cache)
    features = run(pictures, other, cache)
    assert (features.computed, features.reused, features.engine) == (2, 0, "mean in bfloat16")
    assert run(pictures, MeanEngine(), cache).reused == 2


def test_embeddings_from_before_the_stages_were_joined_are_neither_taken_nor_lost(tmp_path: Path, cache: Cache) -> None:
    pictures = make(tmp_path, [1, 2])
    run(pictures, MeanEngine(), cache)

    def joined(stages: tuple[int, ...]) -> tuple[int, int]:
        features = extract(
            pictures,
            engine=MeanEngine(),
            preprocessing=PREPROCESSING,
            embedding=3,
            fingerprint="w",
            stages=stages,
            cache=cache,
        )
        return features.computed, features.reused

    assert [joined(stages) for stages in ((2,), (1,), (2,), ())] == [(2, 0), (2, 0), (0, 2), (0, 2)]


def test_a_picture_that_changed_or_vanished_gets_its_reason(tmp_path: Path, cache: Cache) -> None:
    pictures = make(tmp_path, [1, 2, 3, 4])
    os.unlink(pictures[1].path)
    Image.new("RGB", (8, 8), "white").save(pictures[2].path)
    features = run(pictures, MeanEngine(), cache)
    assert features.problems[1].startswith("vanished after the audit")
    assert features.problems[2] == "changed after the audit; train again"
    assert np.isnan(features.vectors[[1, 2]]).all()
    np.testing.assert_allclose(features.vectors[[0, 3], 0], [1, 4])
    assert features.computed == 2


def test_a_copy_of_a_bad_picture_gets_the_reason_too(tmp_path: Path) -> None:
    pictures = make(tmp_path, [5, 5])
    os.unlink(pictures[0].path)
    assert set(run(pictures, MeanEngine(), None).problems) == {0, 1}


def test_numbers_that_are_not_finite_are_set_aside(tmp_path: Path) -> None:
    pictures = make(tmp_path, [10, 20])
    Image.new("RGB", (8, 8), "white").save(pictures[0].path)
    digest = hashlib.sha256(pictures[0].path.read_bytes()).hexdigest()
    white = PictureFile(path=pictures[0].path, file_hash=digest, content_hash="white")
    features = run([white, pictures[1]], OverflowingEngine(), None)
    assert features.problems == {0: "the network gives no finite numbers for it"}


def test_what_was_computed_before_ctrl_c_is_kept(tmp_path: Path, cache: Cache) -> None:
    pictures = make(tmp_path, list(range(200)))
    with pytest.raises(KeyboardInterrupt):
        run(pictures, StoppedEngine(), cache)
    engine = MeanEngine()
    features = run(pictures, engine, cache)
    assert features.reused >= 4
    assert engine.seen == 200 - features.reused


def test_a_damaged_embedding_is_computed_again(tmp_path: Path, cache: Cache) -> None:
    pictures = make(tmp_path, [1, 2, 3])
    run(pictures, MeanEngine(), cache)
    cache._connection.execute("UPDATE entries SET value = zeroblob(12)")
    features = run(pictures, MeanEngine(), cache)
    assert features.computed == 3
    np.testing.assert_allclose(features.vectors[:, 0], [1, 2, 3])


def test_progress_counts_every_picture_once(tmp_path: Path, cache: Cache) -> None:
    pictures = make(tmp_path, [*range(30), 3, 4])
    counted: list[int] = []
    for _ in range(2):
        counted.clear()
        extract(
            pictures,
            engine=MeanEngine(),
            preprocessing=PREPROCESSING,
            embedding=3,
            fingerprint="w",
            cache=cache,
            advance=counted.append,
        )
        assert sum(counted) == len(pictures)


def test_what_is_computed_of_bytes_that_no_audit_saw_is_not_kept(tmp_path: Path, cache: Cache) -> None:
    seen = make(tmp_path, [10, 20])
    unseen = [PictureFile(path=picture.path, file_hash="", content_hash=picture.content_hash) for picture in seen]
    assert run(unseen, MeanEngine(), cache).computed == 2
    assert run(unseen, MeanEngine(), cache).computed == 2  # nothing was kept
    assert run(seen, MeanEngine(), cache).computed == 2
    assert run(unseen, MeanEngine(), cache).reused == 2  # what an audit saw is taken
