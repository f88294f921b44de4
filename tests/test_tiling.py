"""Where tiles lie and what they show. In: pictures of known pixels. Out: every pixel shown, shared as told."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PIL import Image

from tellapart.preprocessing import Preprocessing, load
from tellapart.tiling import TilePart, cut_part, tile_parts, tile_starts
from tests.answers.test_pictures import encoded

PIXELS = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
MEAN = (0.2, 0.4, 0.6)


def test_tiles_are_as_few_as_cover_all_and_share_enough() -> None:
    for length, size, overlap in itertools.product(range(1, 90), (8, 9, 16), (0, 1, 3, 7)):
        starts = tile_starts(length, size, overlap)
        assert starts[0] == 0
        assert starts[-1] == max(0, length - size)
        assert all(first + size - second >= overlap for first, second in itertools.pairwise(starts))
        # One fewer would not do: they would reach so far at most.
        reach = size + (len(starts) - 2) * (size - overlap)
        assert len(starts) == 1 or reach < length


def test_tiles_of_a_large_picture_are_its_own_pixels() -> None:
    own = Preprocessing(size=32, fit="tile", overlap=8, mean=MEAN)
    image = Image.fromarray(PIXELS)
    parts = tile_parts(70, 50, own)
    assert parts == [TilePart(x, y, x + 32, y + 32) for y in (0, 18) for x in (0, 19, 38)]
    for left, top, right, bottom in parts:
        tile = cut_part(image, TilePart(left, top, right, bottom), own)
        np.testing.assert_array_equal(tile, PIXELS[int(top) : int(bottom), int(left) : int(right)])


@pytest.mark.parametrize("beyond", ["colour", "mirror"])
def test_beyond_a_small_picture_is_what_was_asked_for(beyond: str) -> None:
    own = Preprocessing(size=64, fit="tile", overlap=8, mean=MEAN)
    (part,) = tile_parts(20, 10, own)
    assert part == TilePart(0, 0, 64, 64)
    tile = cut_part(Image.fromarray(PIXELS[:10, :20]), part, own, "mirror" if beyond == "mirror" else "colour")
    assert tile.shape == (64, 64, 3)
    np.testing.assert_array_equal(tile[:10, :20], PIXELS[:10, :20])
    if beyond == "mirror":
        np.testing.assert_array_equal(tile[10:19, :20], PIXELS[8::-1, :20])
        np.testing.assert_array_equal(tile[:10, 20:39], PIXELS[:10, 18::-1])
    else:
        assert (tile[10:] == (51, 102, 153)).all()
        assert (tile[:, 20:] == (51, 102, 153)).all()


def test_a_scale_shows_more_or_less_of_the_picture() -> None:
    wide = Preprocessing(size=32, fit="tile", overlap=8, scale=0.5, mean=MEAN)
    parts = tile_parts(140, 100, wide)
    assert parts == [TilePart(2 * x, 2 * y, 2 * x + 64, 2 * y + 64) for y in (0, 18) for x in (0, 19, 38)]
    grey = np.repeat(np.repeat(PIXELS, 2, axis=0), 2, axis=1)
    for left, top, right, bottom in parts:
        tile = cut_part(Image.fromarray(grey), TilePart(left, top, right, bottom), wide)
        assert tile.shape == (32, 32, 3)
    large = Preprocessing(size=32, fit="tile", overlap=8, scale=2.0, interpolation="nearest", mean=MEAN)
    (first, *_) = tile_parts(70, 50, large)
    shown = cut_part(Image.fromarray(PIXELS), first, large)
    np.testing.assert_array_equal(shown, np.repeat(np.repeat(PIXELS[:16, :16], 2, axis=0), 2, axis=1))
    # Of a small picture the rest of the tile is the mean colour, whatever the scale.
    (alone,) = tile_parts(10, 10, large)
    filled = cut_part(Image.fromarray(PIXELS[:10, :10]), alone, large)
    assert alone == TilePart(0, 0, 16, 16)
    assert (filled[20:] == (51, 102, 153)).all()
    np.testing.assert_array_equal(filled[:20, :20], np.repeat(np.repeat(PIXELS[:10, :10], 2, axis=0), 2, axis=1))


def test_where_a_picture_must_be_shown_at_once_it_is_padded() -> None:
    data = encoded(Image.fromarray(PIXELS), "PNG")
    padded, tiled = (Preprocessing(size=32, crop=1.0, fit=fit, mean=MEAN) for fit in ("pad", "tile"))
    np.testing.assert_array_equal(load(data, tiled), load(data, padded))


def test_keys_of_caches_stay_as_they_were() -> None:
    assert {"overlap", "scale", "fit"}.isdisjoint(Preprocessing(size=32).identity())
    assert Preprocessing(size=32, fit="tile", overlap=8).identity() | {"overlap": 8, "fit": "tile"} == (
        Preprocessing(size=32, fit="tile", overlap=8).identity()
    )
