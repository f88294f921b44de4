"""Masks over pictures. In: pixels, masks. Out: tints, lines, legends."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tellapart.drawing.mask_overlay import MISSED, SURPLUS, SWAPPED, border_line, lay_difference, lay_mask, with_legend

COLOURS = ((0, 0, 0), (200, 0, 0), (0, 0, 200))


def test_a_class_is_tinted_and_has_a_line_around_it() -> None:
    mask = np.zeros((9, 9), dtype=np.uint8)
    mask[2:7, 2:7] = 1
    mask[8, 8] = 255
    found = lay_mask(np.full((9, 9, 3), 100, np.uint8), mask, COLOURS, background=0, strength=0.5)
    assert found[4, 4].tolist() == [150, 50, 50]
    assert found[2, 4].tolist() == [200, 0, 0]
    assert found[1, 4].tolist() == found[0, 0].tolist() == found[8, 8].tolist() == [100, 100, 100]
    assert lay_mask(np.full((9, 9, 3), 100, np.uint8), mask, COLOURS, strength=0.5)[0, 0].tolist() == [50, 50, 50]
    with pytest.raises(ValueError, match="a mask of"):
        lay_mask(np.zeros((8, 9, 3), np.uint8), mask, COLOURS)


@pytest.mark.parametrize("width", [1, 2, 3])
def test_a_line_is_as_wide_on_both_sides(width: int) -> None:
    mask = np.zeros((3, 12), dtype=np.uint8)
    mask[:, 6:] = 1
    assert np.flatnonzero(border_line(mask, width)[1]).tolist() == list(range(6 - width, 6 + width))
    assert np.flatnonzero(border_line(mask.T.copy(), width)[:, 1]).tolist() == list(range(6 - width, 6 + width))


def test_what_is_wrong_has_its_colour() -> None:
    truth = np.array([[0, 0, 1, 1, 255, 1]], dtype=np.uint8)
    told = np.array([[0, 1, 0, 2, 1, 1]], dtype=np.uint8)
    pixels = np.full((1, 6, 3), 60, dtype=np.uint8)
    found = [tuple(one) for one in lay_difference(pixels, truth, told, background=0)[0].tolist()]
    assert found == [(140,) * 3, SURPLUS, MISSED, SWAPPED, (128,) * 3, (140,) * 3]
    without = [tuple(one) for one in lay_difference(pixels, truth, told, background=None)[0].tolist()]
    assert without[1:4] == [SWAPPED] * 3


def test_a_legend_stands_below_the_picture() -> None:
    picture = Image.new("RGB", (120, 30), (1, 2, 3))
    found = with_legend(picture, [("cell", COLOURS[1]), ("a rather long name of a class", COLOURS[2])])
    assert found.width == 120
    assert found.height > 60  # two rows
    assert found.crop((0, 0, 120, 30)).tobytes() == picture.tobytes()
    strip = np.array(found)[30:].reshape(-1, 3).tolist()
    assert list(COLOURS[1]) in strip
    assert list(COLOURS[2]) in strip
    assert with_legend(picture, []) is picture
