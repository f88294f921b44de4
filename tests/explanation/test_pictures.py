"""Filters and maps as pictures. Reference: values worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.explanation.pictures import filter_tiles, is_signed, map_tiles


def test_filters_have_grey_for_nothing_and_a_scale_of_their_own() -> None:
    kernels = np.zeros((3, 3, 1, 2), dtype=np.float32)
    kernels[0, :, 0] = [[2, -2], [1, 0], [0, 0]]  # red, green, blue of two pixels
    kernels[1] = kernels[0] / 100
    tiles = filter_tiles(kernels)
    expected = [[[255, 191, 128], [0, 128, 128]]]
    np.testing.assert_allclose(tiles[0].picture, expected, atol=1)
    np.testing.assert_array_equal(tiles[0].picture, tiles[1].picture)
    assert tiles[2].picture.min() == tiles[2].picture.max() == 128
    assert tiles[0].activity == pytest.approx(np.sqrt(9 / 6))
    grey = filter_tiles(np.ones((1, 1, 5, 5), dtype=np.float32))[0].picture
    assert grey.shape == (5, 5, 3)


def test_the_most_active_maps_come_first_on_one_scale() -> None:
    maps = np.zeros((4, 2, 2), dtype=np.float32)
    maps[1], maps[2], maps[3, 0, 0] = 1.0, 4.0, 8.0
    tiles = map_tiles(maps, most=3)
    assert [tile.channel for tile in tiles] == [2, 3, 1]
    assert [tile.activity for tile in tiles] == [4, 2, 1]
    brightness = [tile.picture.astype(int).sum() for tile in tiles]
    assert brightness[0] > brightness[2]  # half of the scale against an eighth
    assert not is_signed(maps)


def test_maps_with_values_below_0_are_grey_around_it() -> None:
    maps = np.zeros((2, 1, 3), dtype=np.float32)
    maps[0, 0], maps[1, 0] = [1, -1, 0], [0, 0, -2]
    assert is_signed(maps)
    tiles = map_tiles(maps)
    assert [tile.channel for tile in tiles] == [0, 1]
    np.testing.assert_allclose(tiles[0].picture[0, :, 0], [191, 64, 128], atol=2)
    assert (tiles[1].picture[..., 0] == tiles[1].picture[..., 2]).all()
