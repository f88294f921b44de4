"""Shapes and colours are changed. In: pictures made by hand. Out: what torchvision, an independent hand, makes of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from tellapart.data.transforms import Geometry, erase, mean_colour, multiply, recolour, reshape, rotation


def smooth(side: int) -> NDArray[np.uint8]:
    """Colours that change slowly and are clipped nowhere."""
    small = np.random.default_rng(0).integers(70, 180, (5, 5, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("degrees", [-170.0, -30.0, 0.0, 15.0, 90.0])
@pytest.mark.parametrize("shear", [0.0, 20.0])
@pytest.mark.parametrize(("right", "down", "scale"), [(0.0, 0.0, 1.0), (8.0, -4.0, 1.2)])
def test_the_geometry_is_that_of_torchvision(
    degrees: float, shear: float, right: float, down: float, scale: float
) -> None:
    picture = smooth(64)
    expected: Any = functional.affine(
        Image.fromarray(picture),
        angle=degrees,
        translate=[round(right), round(down)],
        scale=scale,
        shear=[shear, 0.0],
        interpolation=InterpolationMode.BILINEAR,
        fill=[0.0, 0.0, 0.0],
    )
    # Its shear of s degrees moves x by -tan(s) y.
    leaning = (1.0, -math.tan(math.radians(shear)), 0.0, 1.0)
    matrix = multiply((scale, 0.0, 0.0, scale), multiply(rotation(degrees), leaning))
    found = reshape(picture, Geometry(matrix=matrix, shift=(right / 64, down / 64)), size=64, fill="black")
    difference = np.abs(np.asarray(found).astype(int) - np.asarray(expected).astype(int)).max(axis=2)
    assert np.quantile(difference, 0.97) <= 2  # a pixel on the edge may fall on either side of it


@pytest.mark.parametrize("box", [(0.1, 0.2, 0.5, 0.75), (0.0, 0.0, 1.0, 1.0)])
def test_a_box_is_cut_out_and_resized_as_torchvision_does(box: tuple[float, float, float, float]) -> None:
    picture = smooth(80)
    left, top, width, height = (round(80 * share) for share in box)
    expected: Any = functional.resized_crop(
        Image.fromarray(picture), top, left, height, width, [32, 32], interpolation=InterpolationMode.BILINEAR
    )
    found = reshape(picture, Geometry(box=box), size=32, fill="mirror")
    difference = np.abs(np.asarray(found).astype(int) - np.asarray(expected).astype(int))
    assert difference[1:-1, 1:-1].max() <= 1
    assert difference.max() <= 3  # it sees nothing beyond the box's edge, where we see the picture


def test_what_lies_outside_the_centre_comes_from_the_picture() -> None:
    picture = smooth(64)
    found = reshape(picture, Geometry(shift=(0.25, -0.25)), size=32, fill="black")
    np.testing.assert_array_equal(np.asarray(found), picture[24:56, 8:40])


def test_the_mirror_stands_at_the_edge() -> None:
    picture = smooth(16)
    found = np.asarray(reshape(picture, Geometry(shift=(0.25, 0.0)), size=16, fill="mirror"))
    np.testing.assert_array_equal(found[:, 4:], picture[:, :12])
    np.testing.assert_array_equal(found[:, :4], picture[:, 3::-1])


@pytest.mark.parametrize("side", [96, 97])
def test_fine_patterns_are_smoothed_where_the_picture_shrinks(side: int) -> None:
    checks = np.indices((side, side)).sum(axis=0) % 2 * 255
    picture = np.repeat(checks[..., None].astype(np.uint8), 3, axis=2)
    for matrix in ((1.0, 0.0, 0.0, 1.0), rotation(10)):
        found = np.asarray(reshape(picture, Geometry(box=(0.0, 0.0, 1.0, 1.0), matrix=matrix), size=32, fill="mean"))
        assert np.abs(found.astype(int) - 127).max() < 40
        assert found.std() < 8


def test_flips_come_before_quarter_turns() -> None:
    picture = smooth(10)
    found = np.asarray(reshape(picture, Geometry(mirrored=True, quarter_turns=1), size=10, fill="mirror"))
    np.testing.assert_array_equal(found, np.rot90(picture[:, ::-1]))


def test_colours_are_those_of_torchvision() -> None:
    image: Any = Image.fromarray(smooth(16))
    assert recolour(image) is image
    for found, expected in (
        (recolour(image, brightness=0.7), functional.adjust_brightness(image, 0.7)),
        (recolour(image, contrast=1.3), functional.adjust_contrast(image, 1.3)),
        (recolour(image, saturation=0.3), functional.adjust_saturation(image, 0.3)),
    ):
        np.testing.assert_allclose(np.asarray(found).astype(int), np.asarray(expected).astype(int), atol=1)
    together = functional.adjust_saturation(
        functional.adjust_contrast(functional.adjust_brightness(image, 1.1), 0.8), 1.2
    )
    found = recolour(
        image, brightness=1.1, contrast=0.8, saturation=1.2
    )  # torchvision cuts off the fractions three times
    np.testing.assert_allclose(np.asarray(found).astype(int), np.asarray(together).astype(int), atol=3)


def test_without_contrast_the_mean_grey_of_the_brightened_picture_is_left() -> None:
    image = Image.fromarray(np.array([[[100, 100, 100], [200, 200, 200]]], dtype=np.uint8))
    assert np.asarray(recolour(image, brightness=0.5, contrast=0.0)).tolist() == [[[75] * 3, [75] * 3]]


def test_a_hue_of_a_whole_turn_changes_nothing_and_of_a_half_gives_the_complement() -> None:
    image = Image.fromarray(np.array([[[140, 100, 90]]], dtype=np.uint8))
    np.testing.assert_allclose(np.asarray(recolour(image, hue=1.0)), np.asarray(image), atol=1)
    luma = 0.299 * 140 + 0.587 * 100 + 0.114 * 90
    complement = 2 * luma - np.array([140, 100, 90])
    np.testing.assert_allclose(np.asarray(recolour(image, hue=0.5))[0, 0], complement, atol=1)


def test_colours_are_clipped_not_wrapped() -> None:
    image = Image.fromarray(np.array([[[250, 5, 128]]], dtype=np.uint8))
    assert np.asarray(recolour(image, brightness=2.0)).tolist() == [[[255, 10, 255]]]
    assert np.asarray(recolour(image, saturation=3.0))[0, 0, 1] == 0


def test_a_rectangle_is_erased_where_it_is_asked_for() -> None:
    pixels = np.full((10, 10, 3), 9, dtype=np.uint8)
    erase(pixels, area=0.08, ratio=2.0, across=0.0, down=1.0, fill="white")
    expected = np.full((10, 10, 3), 9, dtype=np.uint8)
    expected[6:, :2] = 255
    np.testing.assert_array_equal(pixels, expected)
    assert mean_colour(Image.fromarray(np.array([[[0, 10, 20], [100, 30, 20]]], dtype=np.uint8))) == (50, 20, 20)
