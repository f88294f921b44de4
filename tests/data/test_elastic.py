"""A picture and its mask, bent alike. In: made pictures. Out: where points went, in both."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.data.elastic import bend, draw_mesh

SIDE = 64


def disc(row: int, column: int) -> np.ndarray:
    ys, xs = np.mgrid[:SIDE, :SIDE]
    return ((ys - row) ** 2 + (xs - column) ** 2 <= 81).astype(np.uint8)


def test_without_strength_nothing_moves() -> None:
    chance = np.random.default_rng(0)
    pixels = chance.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    mask = chance.integers(0, 5, (SIDE, SIDE), dtype=np.uint8)
    bent, moved = bend(pixels, mask, draw_mesh((1, 2), strength=0.0))
    np.testing.assert_array_equal(bent, pixels)
    np.testing.assert_array_equal(moved, mask)


@pytest.mark.parametrize("seed", range(4))
def test_the_mask_goes_where_the_picture_goes(seed: int) -> None:
    mask = disc(28, 36)
    pixels = np.repeat(255 * mask[..., None], 3, axis=2)
    bent, moved = bend(pixels, mask, draw_mesh((seed,), strength=0.05))
    assert (moved != mask).sum() > 10  # it moved
    assert ((bent[..., 0] > 127) != moved).sum() <= 0.1 * moved.sum()  # but for its edge, as one samples between pixels
    again, _ = bend(pixels, mask, draw_mesh((seed,), strength=0.05))
    np.testing.assert_array_equal(again, bent)


def test_classes_stay_what_they_are_and_nothing_comes_from_outside() -> None:
    mask = np.where(disc(10, 10) == 1, 7, 255).astype(np.uint8)
    _, moved = bend(np.zeros((SIDE, SIDE, 3), dtype=np.uint8), mask, draw_mesh((5,), strength=0.2))
    assert set(np.unique(moved)) <= {7, 255}
    pixels = np.full((SIDE, SIDE, 3), 200, dtype=np.uint8)
    bent, _ = bend(pixels, mask, draw_mesh((5,), strength=0.2))
    assert (bent == 200).all()


def test_how_far_points_move_is_what_was_asked_for() -> None:
    meshes = np.stack([draw_mesh((number,), strength=0.02).corners for number in range(300)])
    even = draw_mesh((0,), strength=0.0).corners
    assert np.std(meshes[:, 0, 0] - even[0, 0]) == pytest.approx(0.02, rel=0.1)  # a corner is one of the points
    assert not np.array_equal(meshes[0], meshes[1])
