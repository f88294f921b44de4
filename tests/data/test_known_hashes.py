"""Shards that stayed as they were are not read again; those that changed, or are new, are."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.data.inspection import inspect_all
from tellapart.data.known_hashes import KnownHashes


class Notes:
    """A memory that is a dictionary."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return {key: self.values[key] for key in keys if key in self.values}

    def put_many(self, items: Mapping[str, bytes]) -> None:
        self.values.update(items)


def shard(path: Path, count: int, seed: int) -> list[Path]:
    with tarfile.open(path, "w") as archive:
        for number in range(count):
            stream = io.BytesIO()
            pixels = np.random.default_rng((seed, number)).integers(0, 256, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(stream, "PNG")
            info = tarfile.TarInfo(f"{number:03d}.png")
            info.size = len(stream.getvalue())
            archive.addfile(info, io.BytesIO(stream.getvalue()))
    return [path / f"{number:03d}.png" for number in range(count)]


def spoil(path: Path) -> None:
    """Other bytes at the same size and time: who reads them will see it."""
    status = path.stat()
    path.write_bytes(bytes(status.st_size))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_a_shard_that_stayed_is_not_read_again_and_an_added_one_is(tmp_path: Path) -> None:
    memory = Notes()
    paths = shard(tmp_path / "a.tar", 120, seed=1)
    first = inspect_all(paths, workers=2, remembered=memory)
    spoil(tmp_path / "a.tar")
    assert inspect_all(paths, workers=2, remembered=memory) == first
    more = [*paths, *shard(tmp_path / "b.tar", 120, seed=2)]
    both = inspect_all(more, workers=2, remembered=memory)
    assert both[:120] == first
    assert len({one.content_hash for one in both}) == 240


def test_what_is_no_longer_remembered_is_read(tmp_path: Path) -> None:
    memory = Notes()
    paths = shard(tmp_path / "a.tar", 120, seed=1)
    first = inspect_all(paths, workers=2, remembered=memory)
    memory.values = {key: value for key, value in memory.values.items() if key.startswith("[")}
    assert inspect_all(paths, workers=2, remembered=memory) == first


def test_a_shard_that_changed_is_read_again(tmp_path: Path) -> None:
    memory = Notes()
    paths = shard(tmp_path / "a.tar", 120, seed=1)
    first = inspect_all(paths, workers=2, remembered=memory)
    shard(tmp_path / "a.tar", 120, seed=2)
    os.utime(tmp_path / "a.tar", (1, 1))
    second = inspect_all(paths, workers=2, remembered=memory)
    assert not {one.content_hash for one in first} & {one.content_hash for one in second}


@pytest.mark.parametrize("place", [0, 60])
def test_a_shard_with_a_picture_that_cannot_be_read_is_looked_at_again(tmp_path: Path, place: int) -> None:
    memory = Notes()
    paths = shard(tmp_path / "a.tar", 120, seed=1)
    paths[place] = tmp_path / "a.tar" / "none.png"
    found = inspect_all(paths, workers=2, remembered=memory)
    assert found[place].problem == "there is no such file"
    assert KnownHashes(paths, memory).of(1) == ""
    assert not [key for key in memory.values if key.startswith("[")]
