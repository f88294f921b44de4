"""Triangular factors and what they solve, against SciPy's LAPACK. In: made matrices. Out: verdicts."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

from tellapart.training.triangular import Triangle


def positive(size: int) -> NDArray[np.float32]:
    vectors = np.random.default_rng(size).normal(size=(2 * size, size)).astype(np.float32)
    return vectors.T @ vectors / len(vectors) + np.float32(0.1) * np.eye(size, dtype=np.float32)


def test_a_factor_by_hand() -> None:
    # [[2, 0], [1, 3]] times its transpose.
    triangle = Triangle(np.array([[4, 2], [2, 10]], dtype=np.float32))
    np.testing.assert_allclose(triangle.lower, [[2, 0], [1, 3]], atol=1e-6)
    right = np.array([[2], [7]], dtype=np.float32)
    np.testing.assert_allclose(triangle.solve(right, transposed=False), [[1], [2]], atol=1e-6)
    np.testing.assert_allclose(triangle.solve(right, transposed=True), [[-1 / 6], [7 / 3]], atol=1e-6)


@pytest.mark.parametrize("size", [1, 63, 64, 65, 200], ids=lambda size: f"{size} rows")
@pytest.mark.parametrize("columns", [1, 7])
def test_blocks_change_nothing(size: int, columns: int) -> None:
    matrix = positive(size)
    triangle, expected = Triangle(matrix), cholesky(matrix.astype(np.float64), lower=True)
    np.testing.assert_allclose(triangle.lower, expected, atol=1e-5)
    assert not np.triu(triangle.lower, 1).any()
    right = np.random.default_rng(0).normal(size=(size, columns)).astype(np.float32)
    for transposed in (False, True):
        solved = solve_triangular(expected, right, lower=True, trans=int(transposed))
        np.testing.assert_allclose(triangle.solve(right, transposed=transposed), solved, atol=2e-4)


@pytest.mark.parametrize("place", [0, 70], ids=["first block", "second block"])
def test_what_is_not_positive_definite_is_said(place: int) -> None:
    matrix = positive(100)
    matrix[place, place] = -1
    with pytest.raises(np.linalg.LinAlgError):
        Triangle(matrix)
