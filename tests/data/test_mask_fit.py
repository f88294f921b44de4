"""Masks laid on their pictures. In: sizes and orientations. Out: turned as Pillow turns, scaled to the nearest pixel."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tellapart.data.mask_fit import how_to_lay, lay
from tellapart.decoding import _UPRIGHT

MASK = np.arange(12, dtype=np.uint8).reshape(3, 4)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_mask_turns_as_its_picture_does(orientation: int) -> None:
    wanted = np.asarray(Image.fromarray(MASK).transpose(_UPRIGHT[orientation]))
    np.testing.assert_array_equal(lay(MASK, (0, 0), orientation), wanted)


def test_a_mask_is_scaled_to_the_nearest_pixel() -> None:
    for size in ((12, 9), (8, 6)):
        wanted = np.asarray(Image.fromarray(MASK).resize(size, Image.Resampling.NEAREST))
        np.testing.assert_array_equal(lay(MASK, size, 1), wanted)
    np.testing.assert_array_equal(lay(MASK, (2, 1), 1), [[5, 7]])


@pytest.mark.parametrize(
    ("mask", "picture", "orientation", "expected"),
    [
        ((4, 3), (4, 3), 1, (1, "")),
        ((4, 3), (4, 3), 6, (1, "perhaps turned")),
        ((4, 3), (4, 3), 3, (1, "perhaps turned")),
        ((3, 4), (4, 3), 6, (6, "turned")),
        ((3, 4), (4, 3), 1, None),
        ((400, 300), (1000, 750), 1, (1, "scaled")),
        ((333, 250), (1000, 750), 1, (1, "scaled")),
        ((300, 400), (1000, 750), 8, (8, "scaled")),
        ((500, 500), (1000, 750), 1, None),
    ],
)
def test_how_a_mask_comes_to_lie(
    mask: tuple[int, int], picture: tuple[int, int], orientation: int, expected: tuple[int, str] | None
) -> None:
    assert how_to_lay(mask, picture, orientation) == expected
