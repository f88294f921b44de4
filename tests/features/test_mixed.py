"""Pictures made of two. In: squares of known pixels. Out: what is between them, the same whenever it is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.examples import PictureFile
from tellapart.features.mixed import MixedPictures, Mixes, blend, draw_mixes
from tellapart.features.shrink import ShrunkPictures, shrink
from tellapart.preprocessing import Preprocessing


def test_what_is_between_two_pictures() -> None:
    first, second = (np.full((3, 2, 2, 3), value, np.uint8) for value in (0, 255))
    mixed = blend(first, second, np.array([1.0, 0.0, 0.5], np.float32))
    assert mixed.dtype == np.uint8
    assert [int(one.max()) for one in mixed] == [0, 255, 128]  # 127.5 is rounded to even


def test_every_row_is_mixed_as_often_as_others() -> None:
    rows = np.array([1, 4, 5, 7])
    mixes = draw_mixes(rows, 12, seed=3)
    for drawn in (mixes.first, mixes.second):
        assert np.unique(drawn, return_counts=True)[1].tolist() == [3, 3, 3, 3]
        assert set(drawn.tolist()) == set(rows.tolist())
    assert 0 <= mixes.share.min() < mixes.share.max() <= 1
    assert np.unique(mixes.share).size == 12
    again = draw_mixes(rows, 12, seed=3)
    np.testing.assert_array_equal(mixes.first, again.first)
    np.testing.assert_array_equal(mixes.share, again.share)
    assert len(draw_mixes(rows, 2, seed=0)) == 2


@pytest.fixture
def squares(tmp_path: Path) -> ShrunkPictures:
    """Four pictures, of 0, 60, 120 and 180 everywhere."""
    files = []
    for number in range(4):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (4, 4), (60 * number,) * 3).save(path)
        files.append(PictureFile(path=path, file_hash="", content_hash=f"{number:064x}"))
    preprocessing = Preprocessing(size=4, crop=1.0, interpolation="bicubic", mean=(0.5,) * 3, std=(0.5,) * 3)
    return shrink(files, preprocessing=preprocessing, folder=tmp_path / "cache", limit_bytes=10_000)


def test_a_source_of_mixed_pictures_varies_them_by_seed_row_and_epoch(squares: ShrunkPictures) -> None:
    told: list[tuple[int, ...]] = []

    def augment(square: NDArray[np.uint8], seed: tuple[int, ...]) -> NDArray[np.uint8]:
        told.append(seed)
        return square

    mixes = Mixes(first=np.array([3, 1]), second=np.array([0, 2]), share=np.array([0.5, 0.25], np.float32))
    source = MixedPictures(pictures=squares, mixes=mixes, augment=augment, seed=7)
    assert len(source) == 2
    assert source.problems == {}
    found = source.get(np.array([1, 0]), 4)
    assert found.shape == (2, 4, 4, 3)
    assert [int(one[0, 0, 0]) for one in found] == [105, 90]
    assert told == [(7, 1, 4, 1), (7, 0, 4, 1)]
