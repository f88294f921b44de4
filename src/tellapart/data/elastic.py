"""A picture and its mask, bent alike. In: pixels, a mask, a seed. Out: both, as rubber would give way. Next: policies.py.

Points of a coarse grid move at random, what is between them follows smoothly: U-Net's own way with tissue, arXiv 1505.04597,
section 3.1 (a 3 x 3 grid; displacements of a normal distribution). Boxes have no straight sides after it, so only masks go along.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_GRID = 4  # points a side that move; the outermost lie on the edges
_CELLS = 16  # a side, each bent as a quadrangle
_SIDE = _CELLS + 1


class Mesh(NamedTuple):
    """Where the corners of the cells of a picture come from."""

    corners: NDArray[np.float64]  # [CELLS + 1, CELLS + 1, 2], x and y as shares of the side


def draw_mesh(seed: tuple[int, ...], *, strength: float) -> Mesh:
    """A function of `seed`; `strength` is the standard deviation of how far a point moves each way, a share of the side."""
    moves = np.random.default_rng(seed).normal(scale=strength, size=(_GRID, _GRID, 2))
    across = _between_points()
    smooth = np.einsum("ip,pqc,jq->ijc", across, moves, across)
    even = np.linspace(0, 1, _SIDE)
    grid = np.stack(np.meshgrid(even, even), axis=-1)
    return Mesh(grid + smooth)


def bend(pixels: NDArray[np.uint8], mask: NDArray[np.uint8], mesh: Mesh) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pixels uint8 [S, S, 3] by bilinear sampling and their mask uint8 [S, S] by the nearest pixel.

    What would come from outside is the mirror image of what is inside, in both.
    """
    side = len(mask)
    margin = int(np.ceil(side * max(0.0, float(-mesh.corners.min()), float(mesh.corners.max()) - 1))) + 1
    margin = min(margin, side)
    corners = mesh.corners * side + margin
    cells = _quadrangles(corners.clip(0, side + 2 * margin), side)
    wide = ((margin, margin), (margin, margin))
    bent = [
        np.asarray(
            Image.fromarray(np.pad(values, around, mode="symmetric")).transform(
                (side, side), Image.Transform.MESH, cells, resampling
            )
        )
        for values, around, resampling in (
            (pixels, (*wide, (0, 0)), Image.Resampling.BILINEAR),
            (mask, wide, Image.Resampling.NEAREST),
        )
    ]
    return bent[0], bent[1]


def _quadrangles(corners: NDArray[np.float64], side: int) -> list[tuple[tuple[int, int, int, int], tuple[float, ...]]]:
    """Each cell's box in the result, and the corners that it is made of: upper left, lower left, lower right, upper right."""
    edges = [round(cell * side / _CELLS) for cell in range(_SIDE)]
    cells = []
    for row in range(_CELLS):
        for column in range(_CELLS):
            box = (edges[column], edges[row], edges[column + 1], edges[row + 1])
            if box[0] == box[2] or box[1] == box[3]:
                continue
            four = (corners[row + down, column + right] for down, right in ((0, 0), (1, 0), (1, 1), (0, 1)))
            cells.append((box, tuple(float(value) for corner in four for value in corner)))
    return cells


def _between_points() -> NDArray[np.float64]:
    """How much each of the points counts at each corner along one axis, [CELLS + 1, GRID]: Catmull and Rom's cubic curve."""
    weights = np.zeros((_SIDE, _GRID))
    for corner, place in enumerate(np.linspace(0, _GRID - 1, _SIDE)):
        first = min(int(place), _GRID - 2)
        t = place - first
        cubic = (
            (-t + 2 * t**2 - t**3) / 2,
            (2 - 5 * t**2 + 3 * t**3) / 2,
            (t + 4 * t**2 - 3 * t**3) / 2,
            (-(t**2) + t**3) / 2,
        )
        for step, weight in zip(range(-1, 3), cubic, strict=True):
            weights[corner, min(max(first + step, 0), _GRID - 1)] += weight
    return weights
