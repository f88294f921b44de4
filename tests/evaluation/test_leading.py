"""The largest eigenvalues of a matrix, against NumPy, which finds all. In: made matrices. Out: verdicts."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.evaluation import leading
from tellapart.evaluation.leading import leading_eigenvectors

Doubles = NDArray[np.float64]


def turned(values: NDArray[np.floating]) -> Doubles:
    """A matrix with these eigenvalues."""
    size = len(values)
    directions = np.linalg.qr(np.random.default_rng(0).normal(size=(size, size)))[0]
    return np.asarray((directions * values) @ directions.T, dtype=np.float64)


def check(matrix: Doubles, wanted: int) -> None:
    values, vectors = leading_eigenvectors(matrix, wanted)
    all_values, all_vectors = np.linalg.eigh(matrix)
    np.testing.assert_allclose(values, all_values[-wanted:], atol=1e-9 * all_values[-1])
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(wanted), atol=1e-9)
    np.testing.assert_allclose(matrix @ vectors, vectors * values, atol=1e-8 * all_values[-1])
    if all_values[-wanted] > 1.01 * all_values[-wanted - 1]:  # else any directions of the last ones serve
        projected = vectors @ (vectors.T @ all_vectors[:, -wanted:])
        np.testing.assert_allclose(projected, all_vectors[:, -wanted:], atol=1e-8)


@pytest.mark.parametrize("size", [40, 301, 700])
@pytest.mark.parametrize("power", [0.5, 1.0, 3.0], ids=["flat", "falling", "steep"])
def test_they_are_those_that_numpy_finds(size: int, power: float) -> None:
    check(turned(np.arange(1, size + 1) ** -power), 13)


def test_a_basis_much_smaller_than_the_matrix_is_enough() -> None:
    found = leading._lanczos(turned(np.arange(1, 701) ** -1.0), 32)
    assert found is not None
    assert leading._are_all(turned(np.arange(1, 701) ** -1.0), *found)


@pytest.mark.parametrize("equal", [20, 60])
def test_equal_ones_are_all_found(equal: int) -> None:
    """More of them than a block holds; the steps of the search see no more than one block of them."""
    values = np.concatenate([np.linspace(0.1, 0.5, 500), np.full(equal, 1.0)])
    check(turned(values), 40)


@pytest.mark.parametrize(("equal", "ratio"), [(20, 0.5), (30, 0.7)])
def test_equal_ones_that_the_search_overlooks_are_found_after_all(equal: int, ratio: float) -> None:
    """The others fall so fast that the search ends before rounding has led it beyond the sixteen of its first block."""
    check(turned(np.concatenate([np.full(equal, 1.0), ratio ** np.arange(1, 371)])), 18)


def test_one_that_is_missing_is_noticed() -> None:
    matrix = turned(np.arange(1, 401) ** -1.0)
    values, vectors = np.linalg.eigh(matrix)
    assert leading._are_all(matrix, values[-30:], vectors[:, -30:])
    for missing in (-1, -15, -29):
        kept = [place for place in range(-31, 0) if place != missing]
        assert not leading._are_all(matrix, values[kept], vectors[:, kept])


@pytest.mark.parametrize("rank", [0, pytest.param(5, marks=pytest.mark.long), 64])
def test_a_matrix_of_low_rank(rank: int) -> None:
    values = np.zeros(160)
    values[:rank] = np.arange(1, rank + 1)
    check(turned(values), 20)
