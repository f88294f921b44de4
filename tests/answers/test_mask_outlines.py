"""Outlines of parts as polygons. In: made masks. Out: polygons that cover the same pixels, drawn by Pillow or counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.answers.mask_outlines import Outline, outline_parts
from tellapart.answers.mask_parts import find_parts


def outlines(mask: NDArray[np.uint8], **others: float) -> list[Outline]:
    return outline_parts(mask, find_parts(mask), leave_out=0, tolerance=others.get("tolerance", 0.0))


def inside(outline: Outline, x: float, y: float) -> bool:
    """Whether a point is inside, by how often a ray to the right crosses the border."""
    crossings = 0
    for loop in (outline.polygon, *outline.holes):
        for (x0, y0), (x1, y1) in zip(loop, [*loop[1:], loop[0]], strict=True):
            if (y0 > y) != (y1 > y) and x < x0 + (y - y0) / (y1 - y0) * (x1 - x0):
                crossings += 1
    return crossings % 2 == 1


def test_a_pixel_is_a_square_and_a_ring_has_a_hole() -> None:
    mask = np.zeros((6, 7), dtype=np.uint8)
    mask[0, 6] = 2
    mask[1:5, 1:5] = 1
    mask[2:4, 2:4] = 0
    ring, pixel = outlines(mask)
    assert (pixel.label, pixel.pixels, pixel.polygon, pixel.holes) == (2, 1, [(6, 0), (7, 0), (7, 1), (6, 1)], [])
    assert (ring.label, ring.pixels, ring.area) == (1, 12, 12.0)
    assert ring.polygon == [(1, 1), (5, 1), (5, 5), (1, 5)]
    assert ring.holes == [[(2, 4), (4, 4), (4, 2), (2, 2)]]


def test_parts_that_touch_at_a_corner_have_one_polygon() -> None:
    mask = np.eye(3, dtype=np.uint8)
    (found,) = outlines(mask)
    assert found.area == found.pixels == 3
    assert found.holes == []
    assert found.polygon[0] == (0, 0)
    assert found.polygon.count((1, 1)) == 2


@pytest.mark.parametrize("seed", range(6))
def test_polygons_cover_exactly_the_pixels_of_their_parts(seed: int) -> None:
    chance = np.random.default_rng(seed)
    mask = (chance.random((13, 11)) < (0.3, 0.5, 0.7)[seed % 3]).astype(np.uint8)
    parts = find_parts(mask)
    numbers = parts.numbered(*mask.shape)
    found = outlines(mask)
    assert [one.pixels for one in found] == parts.sizes_of(1)
    covered = np.zeros(mask.shape, dtype=np.int64)
    for one in found:
        assert one.area == one.pixels
        own = np.array([[inside(one, x + 0.5, y + 0.5) for x in range(11)] for y in range(13)])
        assert len(set(numbers[own].tolist())) == 1
        covered += own
    np.testing.assert_array_equal(covered, mask)


def test_a_disc_needs_few_corners_and_stays_within_the_tolerance() -> None:
    ys, xs = np.mgrid[:101, :101]
    mask = ((xs - 50) ** 2 + (ys - 50) ** 2 <= 40**2).astype(np.uint8)
    (exact,) = outlines(mask)
    (found,) = outlines(mask, tolerance=1.0)
    assert len(found.polygon) < len(exact.polygon) / 4
    assert found.area == pytest.approx(exact.area, rel=0.02)
    points = np.array(exact.polygon, dtype=np.float64)
    begins = np.array(found.polygon, dtype=np.float64)
    lines = np.roll(begins, -1, axis=0) - begins
    offsets = points[:, None] - begins[None]
    along = np.clip((offsets * lines).sum(2) / (lines**2).sum(1), 0, 1)
    distances = np.sqrt(((offsets - along[..., None] * lines) ** 2).sum(2)).min(1)
    assert distances.max() <= 1 + 1e-9
