"""Heat over a picture. Reference: matplotlib's own table of colours; lightness by CIE's formula."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.explanation.overlay import colour, enlarge, overlay


def lightness(pixels: np.ndarray) -> np.ndarray:
    """CIE L* of sRGB in [0, 255]. Source: CIE 15, IEC 61966-2-1."""
    channels = pixels / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    luminance = linear @ np.array([0.2126, 0.7152, 0.0722])
    return np.where(luminance > 216 / 24389, 116 * np.cbrt(luminance) - 16, luminance * 24389 / 27)


def test_colours_are_those_of_inferno_and_rise_evenly_in_lightness() -> None:
    from matplotlib import colormaps

    heat = np.linspace(0, 1, 101)
    expected = colormaps["inferno"](heat * 0.92)[:, :3] * 255
    assert np.abs(colour(heat) - expected).max() < 9  # of 255, between two of the eleven colours
    steps = np.diff(lightness(colour(heat)))
    assert steps.min() > 0.4
    assert steps[10:].min() > 0.7  # the darkest tenth is never laid over anything
    assert steps.max() < 1.2


@pytest.mark.parametrize("grey", [0, 60, 128, 200, 255])
def test_heat_shows_on_any_grey(grey: int) -> None:
    image = np.full((40, 40, 3), grey, dtype=np.uint8)
    heatmap = np.zeros((4, 4), dtype=np.float32)
    heatmap[1:3, 1:3] = 1
    laid = overlay(image, heatmap).astype(int)
    assert laid.shape == (40, 40, 3)
    hot, cold = laid[20, 20], laid[0, 0]
    np.testing.assert_array_equal(cold, grey)  # where it is cold the picture is as it was
    assert hot.max() - hot.min() > 80  # a colour, which a grey picture has nowhere else


def test_detail_under_the_heat_stays_visible() -> None:
    stripes = np.zeros((32, 32, 3), dtype=np.uint8)
    stripes[::4] = 255
    laid = overlay(stripes, np.ones((7, 7)))
    assert lightness(laid[0, 0]) - lightness(laid[1, 0]) > 15


def test_colour_of_the_picture_is_taken_back() -> None:
    red = np.tile(np.array([200, 40, 40], dtype=np.uint8), (8, 8, 1))
    laid = overlay(red, np.zeros((2, 2))).astype(int)
    assert laid[0, 0].max() - laid[0, 0].min() < 0.25 * 160


def test_enlarging_keeps_range_and_place() -> None:
    heatmap = np.zeros((7, 7))
    heatmap[5, 1] = 1.0
    large = enlarge(heatmap, 140, 210)
    assert large.shape == (140, 210)
    assert (large.min(), large.max()) == (0.0, pytest.approx(1.0, abs=0.02))
    row, column = np.unravel_index(large.argmax(), large.shape)
    assert (abs(row - 110) <= 2, abs(column - 45) <= 2) == (True, True)  # the middle of position (5, 1)
    np.testing.assert_array_equal(enlarge(np.full((3, 3), 0.25), 9, 9), np.float32(0.25))
