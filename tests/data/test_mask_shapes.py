"""Shapes as pixels. In: polygons and run lengths. Out: what Matplotlib and pycocotools make of them."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.path import Path as Outline
from numpy.typing import NDArray
from pycocotools import mask as coco

from tellapart.data.mask_shapes import fill_polygon, fill_runs, read_runs
from tellapart.errors import PictureError


def filled(points: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.bool_]:
    canvas = np.zeros(size[::-1], dtype=np.bool_)
    part, (left, top) = fill_polygon(points, size)
    canvas[top : top + part.shape[0], left : left + part.shape[1]] = part
    return canvas


def test_a_square_between_pixels() -> None:
    found = filled(np.array([[2.0, 1.0], [5.0, 1.0], [5.0, 3.0], [2.0, 3.0]]), (8, 5))
    assert found.sum() == 6
    assert found[1:3, 2:5].all()


@pytest.mark.parametrize("seed", range(20))
def test_pixels_whose_middles_lie_inside(seed: int) -> None:
    """Stars of any shape, some of them partly outside."""
    draw = np.random.default_rng(seed)
    angles = np.sort(draw.uniform(0, 2 * np.pi, draw.integers(3, 40)))
    points = draw.uniform(0, 30, 2) + draw.uniform(2, 18, len(angles))[:, None] * np.stack(
        (np.cos(angles), np.sin(angles)), axis=1
    )
    across, down = np.meshgrid(np.arange(30) + 0.5, np.arange(24) + 0.5)
    middles = np.stack((across.ravel(), down.ravel()), axis=1)
    wanted = Outline(np.vstack((points, points[:1])), closed=True).contains_points(middles).reshape(24, 30)
    np.testing.assert_array_equal(filled(points, (30, 24)), wanted)


def test_lines_enclose_nothing_and_far_points_are_refused() -> None:
    assert not filled(np.array([[1.0, 1.0], [5.0, 5.0]]), (8, 8)).any()
    assert not filled(np.array([[20.0, 1.0], [25.0, 5.0], [22.0, 9.0]]), (8, 8)).any()
    for bad in (np.nan, np.inf, 1e9):
        with pytest.raises(PictureError, match="points that are no numbers, far outside"):
            filled(np.array([[1.0, 1.0], [5.0, 5.0], [bad, 2.0]]), (8, 8))


@pytest.mark.parametrize("seed", range(5))
def test_run_lengths_as_coco_packs_them(seed: int) -> None:
    wanted = np.random.default_rng(seed).random((13, 300)) < (0.5, 0.01, 0.99, 0.0, 1.0)[seed]
    packed = coco.encode(np.asfortranarray(wanted.astype(np.uint8)))
    runs = read_runs(packed["counts"].decode())
    np.testing.assert_array_equal(fill_runs(runs, (300, 13)), wanted)


@pytest.mark.parametrize("text", ["é", "P", "PPPPPPPPPPPP", "\x00"])
def test_a_text_that_holds_no_runs_is_refused(text: str) -> None:
    with pytest.raises(PictureError, match="run lengths in a text"):
        read_runs(text)


@pytest.mark.parametrize("runs", [[3, 4], [-1, 13], [100]])
def test_runs_must_add_up(runs: list[int]) -> None:
    with pytest.raises(PictureError, match="do not add up to 4 x 3 pixels"):
        fill_runs(runs, (4, 3))
