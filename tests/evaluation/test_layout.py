"""t-SNE on a grid. In: points. Out: the forces of its definition, and points that keep clusters together."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from tellapart.evaluation.layout import Grid, Neighbours, attraction, exact_repulsion, lay_out, nearest


def made(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)


def matrix(neighbours: Neighbours, count: int) -> np.ndarray:
    """Strengths [N, N]."""
    strengths = np.zeros((count, count))
    strengths[neighbours.rows, neighbours.others] = neighbours.strengths
    return strengths


def divergence(points: np.ndarray, strengths: np.ndarray) -> float:
    """Of the strengths from the map's, as van der Maaten and Hinton 2008 define it, equations 4 and 5."""
    near = 1 / (1 + ((points[:, None] - points) ** 2).sum(axis=-1))
    np.fill_diagonal(near, 0)
    there = strengths > 0
    return float((strengths[there] * np.log(strengths[there] / (near / near.sum())[there])).sum())


def test_who_draws_whom_is_what_scikit_learn_finds() -> None:
    values = made(40)
    found = nearest(values, 6)
    chosen = NearestNeighbors(n_neighbors=6).fit(values).kneighbors_graph().toarray()
    both = chosen + chosen.T
    np.testing.assert_allclose(matrix(found, 40), both / both.sum(), rtol=1e-6)
    assert found.strengths.sum() == pytest.approx(1)
    assert [found.rows[start] for start in found.starts] == list(range(40))


def test_the_forces_are_the_slope_of_the_divergence() -> None:
    neighbours = nearest(made(12), 3)
    strengths = matrix(neighbours, 12)
    points = np.random.default_rng(1).normal(size=(12, 2))
    slope = 4 * (attraction(points.astype(np.float32), neighbours) - exact_repulsion(points.astype(np.float32)))
    for row in range(12):
        for axis in range(2):
            step = np.zeros((12, 2))
            step[row, axis] = 1e-5
            expected = (divergence(points + step, strengths) - divergence(points - step, strengths)) / 2e-5
            assert slope[row, axis] == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize(("reach", "off"), [(1e-3, 0.01), (0.3, 0.01), (3.0, 0.03), (10.0, 0.08)])
def test_the_grid_gives_the_forces_of_all_pairs(reach: float, off: float) -> None:
    points = (np.random.default_rng(2).normal(size=(600, 2)) * reach).astype(np.float32)
    exact = exact_repulsion(points)
    assert np.linalg.norm(Grid().repulsion(points) - exact) < off * np.linalg.norm(exact)


def test_a_grid_serves_several_sizes_in_turn_and_points_that_reach_far() -> None:
    grid, draw = Grid(), np.random.default_rng(3)
    for reach, off in ((0.1, 0.01), (15.0, 0.08), (0.1, 0.01), (15.0, 0.08)):
        points = (draw.uniform(-reach, reach, size=(500, 2)) + 7).astype(np.float32)
        exact = exact_repulsion(points)
        assert np.isfinite(
            grid.repulsion(300 * points)
        ).all()  # further apart than its nodes reach at their usual distance
        assert np.linalg.norm(grid.repulsion(points) - exact) < off * np.linalg.norm(exact)


@pytest.mark.parametrize("count", [200, 600])  # by all pairs, and by the grid
def test_clusters_come_apart(count: int) -> None:
    labels = np.arange(count) % 4
    values = made(count) * np.float32(0.1) + np.eye(8, dtype=np.float32)[labels] * 3
    begin = values[:, :2] * np.float32(1e-4)
    points = lay_out(begin, nearest(values, 15))
    assert np.isfinite(points).all()
    assert (labels[nearest(points, 5).others] == labels[nearest(points, 5).rows]).mean() > 0.99


def test_points_that_lie_on_each_other_stay_finite() -> None:
    points = lay_out(np.zeros((500, 2), dtype=np.float32), nearest(np.ones((500, 3), dtype=np.float32), 5))
    assert np.isfinite(points).all()
