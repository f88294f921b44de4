"""Points on a plane that lie near each other where their rows do: t-SNE. In: rows, neighbours. Out: points. Next: labels.py.

Van der Maaten and Hinton 2008, for a map that somebody waits for, in NumPy: scikit-learn's takes seconds to import, and spins
on every core. What makes it quick: each row is drawn to its nearest neighbours alone, all alike (Boehm, Berens and Kobak
2022, arXiv 2007.08902: with fifteen of them a map hardly differs from one of perplexity 30), and the repulsion of all by all is
looked up on a grid, where it is one convolution (Linderman et al. 2019, arXiv 1712.09005; here of the potential, whose slope
is the force, so that one convolution is enough). N rows, E pairs, M nodes along a side of the grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_TOGETHER, _APART = 100, 200  # steps with exaggerated attraction, which gathers; then without, which spreads
_EXAGGERATED = 12.0
_MOMENTUM = 0.5, 0.8  # in the two
_EXACT = 400  # up to so many rows, all pairs take less time than the grid
_SPACING = 0.35  # of nodes at most; the kernel is 1 wide, and forces are right to some per cent
_STEP = 0.05  # between the spacings that there are; points that hardly lie apart push each other little, which a fine grid shows
_NODES = 32, 256  # along a side, at least and at most; where the points need more, the nodes lie further apart
_MARGIN = 4  # nodes that interpolation takes beyond the points
_BLOCK = 16  # nodes that a grid grows by


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Neighbours:
    """Which rows draw each other, in both directions; sorted by `rows`, of which each has one at least."""

    rows: NDArray[np.int64]  # [E]
    others: NDArray[np.int64]  # [E]
    strengths: Floats  # [E], all together 1
    starts: NDArray[np.int64]  # [N], where the pairs of each row begin


def nearest(values: Floats, count: int) -> Neighbours:
    """The `count` nearest of each row of [N, D] by distance, less than N; two that have each other draw twice as strongly."""
    squares = np.einsum("nd,nd->n", values, values)
    distances = squares[:, None] + squares - 2 * values @ values.T
    np.fill_diagonal(distances, np.inf)
    chosen = np.argpartition(distances, count - 1, axis=1)[:, :count]
    drawn = np.zeros(distances.shape, dtype=np.float32)
    np.put_along_axis(drawn, chosen, 1.0, axis=1)
    drawn += drawn.T
    rows, others = np.nonzero(drawn)
    strengths = drawn[rows, others]
    starts = np.searchsorted(rows, np.arange(len(values)))
    return Neighbours(rows=rows, others=others, strengths=strengths / strengths.sum(), starts=starts)


def lay_out(begin: Floats, neighbours: Neighbours) -> Floats:
    """Points [N, 2] from where they begin, by gradient descent with momentum and a gain for each coordinate."""
    points, speed, gain = begin.astype(np.float32), np.zeros_like(begin), np.ones_like(begin)
    rate = max(len(begin) / _EXAGGERATED / 4, 50.0)
    repulsion = exact_repulsion if len(begin) <= _EXACT else Grid().repulsion
    phases = (_TOGETHER, _EXAGGERATED, _MOMENTUM[0]), (_APART, 1.0, _MOMENTUM[1])
    for steps, exaggerated, momentum in phases:
        for _ in range(steps):
            slope = 4 * (exaggerated * attraction(points, neighbours) - repulsion(points))
            gain = np.maximum(np.where(slope * speed < 0, gain + 0.2, gain * 0.8), np.float32(0.01))
            speed = momentum * speed - rate * gain * slope
            points = points + speed
    return points


def attraction(points: Floats, neighbours: Neighbours) -> Floats:
    """Where each point [N, 2] is drawn from: the first term of the gradient, by 4."""
    force = np.empty_like(points)
    near = np.ones(len(neighbours.rows), dtype=points.dtype)
    away = [along[neighbours.rows] - along[neighbours.others] for along in np.ascontiguousarray(points.T)]
    for difference in away:
        near += difference * difference
    drawn = neighbours.strengths / near
    for axis, difference in enumerate(away):
        force[:, axis] = np.add.reduceat(difference * drawn, neighbours.starts)
    return force


def exact_repulsion(points: Floats) -> Floats:
    """Where each point [N, 2] is pushed to: the second term of the gradient, by 4, of all pairs."""
    away = points[:, None] - points
    near = 1 / (1 + np.einsum("nmc,nmc->nm", away, away))
    total = near.sum() - len(points)  # a point does not push itself
    force: Floats = np.einsum("nm,nmc->nc", near * near, away) / total
    return force


class Grid:
    """The same by a grid; keeps its kernel from step to step."""

    def __init__(self) -> None:
        self._kernel: NDArray[np.floating] = np.empty((0, 0))
        self._made_for = (0, 0.0)

    def repulsion(self, points: Floats) -> Floats:
        """As `exact_repulsion`, [N, 2] of [N, 2], right to some per cent of the forces taken together."""
        low = points.min(axis=0)
        nodes, spacing = _size(float((points.max(axis=0) - low).max()))
        place = (points - low) / spacing + 1
        node = place.astype(np.int64)
        (across, slope_across), (up, slope_up) = (_cubic(part) for part in (place - node).T)
        around = np.arange(-1, 3)
        cells = (node[:, :1] + around)[:, :, None] * nodes + (node[:, 1:] + around)[:, None, :]
        shares = across[:, :, None] * up[:, None, :]
        density = np.bincount(cells.ravel(), shares.ravel(), minlength=nodes * nodes).reshape(nodes, nodes)
        potential = self._convolved(density.astype(np.float32), spacing).ravel()[cells]
        total = float((potential * shares).sum()) - len(points)
        slopes = (
            np.einsum("nij,ni,nj->n", potential, slope_across, up),
            np.einsum("nij,ni,nj->n", potential, across, slope_up),
        )
        # The kernel's slope is twice the force, and points down it.
        force = np.stack(slopes, axis=1) / (-2 * spacing * total)
        balanced: Floats = (force - force.mean(axis=0)).astype(np.float32)  # what pushes is pushed as much
        return balanced

    def _convolved(self, density: Floats, spacing: float) -> NDArray[np.floating]:
        """`density` [M, M] with 1 / (1 + distance squared), with room for what would come in again on the other side."""
        nodes = len(density)
        if self._made_for != (nodes, spacing):
            along = np.minimum(np.arange(2 * nodes), np.arange(2 * nodes, 0, -1)) * spacing
            kernel = 1 / (1 + along[:, None] ** 2 + along**2)
            self._kernel = np.fft.rfft2(kernel).real.astype(np.float32)  # it is even, so that nothing is imaginary
            self._made_for = nodes, spacing
        spectrum = np.fft.rfft2(density, (2 * nodes, 2 * nodes)) * self._kernel
        return np.fft.irfft2(spectrum, (2 * nodes, 2 * nodes))[:nodes, :nodes]


def _size(extent: float) -> tuple[int, float]:
    """Nodes along a side and the distance between them, for points that reach over `extent`; few different ones."""
    least, most = _NODES
    spacing = min(_SPACING, _stepped(extent / (least - _MARGIN)))
    wanted = int(np.ceil(extent / spacing)) + _MARGIN
    if wanted > most:
        return most, _stepped(extent / (most - _MARGIN))
    return max(least, -(-wanted // _BLOCK) * _BLOCK), spacing


def _stepped(spacing: float) -> float:
    """The next larger spacing that there is."""
    return max(1, int(np.ceil(spacing / _STEP))) * _STEP


def _cubic(part: Floats) -> tuple[Floats, Floats]:
    """Shares of the four nodes around a place [N] in [0, 1), by Lagrange's cubic, and their slopes; [N, 4] each."""
    t = part
    shares = [
        -t * (t - 1) * (t - 2) / 6,
        (t + 1) * (t - 1) * (t - 2) / 2,
        -(t + 1) * t * (t - 2) / 2,
        (t + 1) * t * (t - 1) / 6,
    ]
    slopes = [
        -(3 * t * t - 6 * t + 2) / 6,
        (3 * t * t - 4 * t - 1) / 2,
        -(3 * t * t - 2 * t - 2) / 2,
        (3 * t * t - 1) / 6,
    ]
    return np.stack(shares, axis=1), np.stack(slopes, axis=1)
