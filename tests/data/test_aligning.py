"""A map that is nearly right becomes right."""

from __future__ import annotations

import numpy as np

from tellapart.data.aligning import refine
from tellapart.data.landmarks import RELIEF, SIDE

from .made_scenes import cropped, landmarks, made_scene

ITERATIONS = 12


def test_a_map_that_is_some_pixels_off_is_brought_home() -> None:
    scene, share = made_scene(0), 0.8
    first, second = landmarks(scene), landmarks(cropped(scene, share))
    height, width = (side * SIDE / RELIEF for side in first.relief.shape)
    middle = np.array([width, height]) / 2
    # The crop's middle is the scene's; everything lies 1 / share times as far from it.
    right = np.c_[np.eye(2) / share, middle - middle / share]
    nearly = right + np.array([[0.02, 0.01, 2.5], [-0.015, -0.01, -2.0]])
    found = refine(first.relief, second.relief, nearly, iterations=ITERATIONS)
    assert found is not None
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], dtype=np.float64)

    def misses(matrix: np.ndarray) -> float:
        return float(np.abs(corners @ (matrix - right).T).max())

    assert misses(nearly) > 6.0
    assert misses(found) < 2.0  # a pixel of a relief is 2.5 of these


def test_a_plain_picture_has_no_map() -> None:
    plain = np.full((48, 64), 128, dtype=np.uint8)
    identity = np.c_[np.eye(2), np.zeros(2)]
    assert refine(plain, plain, identity, iterations=ITERATIONS) is None
