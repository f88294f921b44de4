"""Sums over resampled groups, against SciPy's sparse matrices. In: made contributions. Out: verdicts."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import coo_array

from tellapart.evaluation import totals
from tellapart.evaluation.totals import sum_by_group

Doubles = NDArray[np.float64]


def drawn(resamples: int, groups: int) -> NDArray[np.float32]:
    return np.random.default_rng(1).integers(0, 4, (resamples, groups)).astype(np.float32)


def made(rows: int, groups: int, count: int) -> tuple[NDArray[np.int64], Doubles, NDArray[np.int64]]:
    """Contributions of which some meet in one cell; the last row and the first have none."""
    generator = np.random.default_rng(0)
    return generator.integers(1, rows - 1, count), generator.normal(size=count), generator.integers(0, groups, count)


def test_contributions_to_one_cell_are_added_up() -> None:
    found = sum_by_group(np.array([0, 0, 1, 0]), np.array([1.0, 2.0, 5.0, 4.0]), np.array([2, 2, 0, 1]), (2, 4))
    np.testing.assert_array_equal(found.matrix(), [[0, 4, 3, 0], [5, 0, 0, 0]])
    np.testing.assert_array_equal(found.of(np.array([[1, 2, 3, 4], [0, 1, 0, 9]], np.float32)), [[17, 4], [5, 0]])


@pytest.mark.parametrize(("rows", "groups", "count"), [(8, 30, 200), (400, 60, 90), (400, 60, 3000), (500, 1000, 499)])
def test_totals_are_those_of_a_sparse_matrix(rows: int, groups: int, count: int) -> None:
    """In turn: as a matrix product; rows of one cell, of many; none but single cells."""
    places, values, columns = made(rows, groups, count)
    counts = drawn(7, groups)
    expected = coo_array((values, (places, columns)), shape=(rows, groups)).tocsr() @ counts.T.astype(np.float64)
    found = sum_by_group(places, values, columns, (rows, groups)).of(counts)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert not found[0].any()
    assert not found[-1].any()


def test_many_resamples_are_taken_piece_by_piece() -> None:
    count = totals._PICKED_AT_ONCE // 3
    numbers = np.arange(count)
    counts = drawn(5, 1000)
    found = sum_by_group(numbers, np.ones(count), numbers % 1000, (count, 1000)).of(counts)
    np.testing.assert_array_equal(found[:2500], counts.T[numbers[:2500] % 1000])
    np.testing.assert_array_equal(found[-1], counts[:, (count - 1) % 1000])


def test_nothing_adds_up_to_nothing() -> None:
    nothing = np.array([], dtype=np.int64)
    assert not sum_by_group(nothing, np.array([]), nothing, (3, 4)).of(drawn(2, 4)).any()


def test_whole_numbers_are_exact() -> None:
    rows, groups = np.repeat(np.arange(100), 1000), np.tile(np.arange(1000), 100)
    counts = drawn(3, 1000) * 1000
    found = sum_by_group(rows, np.ones(100_000), groups, (100, 1000)).of(counts)
    np.testing.assert_array_equal(found, np.broadcast_to(counts.sum(axis=1), (100, 3)))
