"""Thumbnails on disk are those that were put there, and copies are found by them as in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from tellapart.data.copies import find_copies
from tellapart.data.inspection import inspect_all
from tellapart.data.thumbnails import BYTES, Shelf, Shelved, ThumbnailRows, part_of, stacked


def thumbnails(count: int) -> list[bytes]:
    return [np.random.default_rng(seed).integers(0, 256, BYTES, dtype=np.uint8).tobytes() for seed in range(count)]


def test_what_is_kept_is_read_back_in_any_order() -> None:
    shelf, put = Shelf(), thumbnails(600)
    kept = [shelf.keep(one) for one in put]
    assert [bytes(one) for one in kept] == put
    assert kept[3] == put[3]
    assert kept[3] != put[4]
    assert len({hash(one) for one in kept}) == 600
    stack = stacked(kept)
    assert isinstance(stack, ThumbnailRows)
    whole = np.frombuffer(b"".join(put), dtype=np.uint8).reshape(-1, 32, 32)
    assert (stack[:] == whole).all()
    rows = np.array([5, 599, 5])
    assert (stack[rows] == whole[rows]).all()
    assert (part_of(stack, rows)[1:] == whole[rows][1:]).all()
    assert (part_of(whole, rows) == whole[rows]).all()


def test_what_is_no_thumbnail_is_black() -> None:
    put = thumbnails(2)
    shelf = Shelf()
    for stack in (stacked([shelf.keep(put[0]), b"", shelf.keep(put[1])]), stacked([put[0], b"", put[1]])):
        assert stack[:].reshape(3, -1).any(axis=1).tolist() == [True, False, True]


def test_copies_are_found_on_disk_as_in_memory(tmp_path: Path) -> None:
    paths = []
    for number in range(40):
        grid = np.random.default_rng(number % 30).integers(0, 256, (9, 9, 3), dtype=np.uint8)
        picture = Image.fromarray(grid).resize((96, 96), Image.Resampling.BICUBIC)
        paths.append(tmp_path / f"{number}.jpg")
        picture.save(paths[-1], quality=95 if number < 30 else 70)
    plain = inspect_all(paths, workers=2)
    shelved = inspect_all(paths, workers=2, many=1)
    assert all(isinstance(one.thumbnail, Shelved) for one in shelved)
    assert shelved == plain
    found = find_copies(shelved)
    assert replace(found, cluster_of=list(found.cluster_of)) == find_copies(plain)
    assert len(find_copies(shelved).near) == 10
