"""Probabilities in double precision, part by part. In: made probabilities. Out: the same numbers as of all at once."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from tellapart.evaluation.exact import exact_of, parts


@pytest.mark.parametrize("rows", [None, np.arange(700) * 7 % 900], ids=["all", "some"])
def test_parts_and_columns_are_those_of_all_rows_at_once(rows: np.ndarray | None) -> None:
    given = np.random.default_rng(0).random((900, 1_700), dtype=np.float32)
    found = exact_of(given, rows)
    whole = given.astype(np.float64)[slice(None) if rows is None else rows]
    whole /= whole.sum(axis=1, keepdims=True)
    places, shares = zip(*found.parts(), strict=True)
    assert len(places) > 1
    np.testing.assert_array_equal(np.concatenate(shares), whole)  # to the last bit, as are the columns
    assert len(found) == 1_700
    for number in (0, 1_699):
        np.testing.assert_array_equal(found[number], whole[:, number])


def test_every_row_is_in_one_part_however_wide_it_is() -> None:
    for count, width, sizes in ((5, 250_000, [2, 2, 1]), (2, 600_000, [1, 1]), (3, 0, [3]), (0, 4, [])):
        found = list(parts(count, width))
        assert [part.stop - part.start for part in found] == sizes
        assert [row for part in found for row in range(part.start, part.stop)] == list(range(count))


def test_no_second_array_of_all_is_made() -> None:
    given = np.random.default_rng(0).random((6_000, 2_000), dtype=np.float32)
    tracemalloc.start()
    try:
        found = exact_of(given, np.arange(1, 6_000))
        largest = max(share.max() for _, share in found.parts())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 0 < largest < 0.01
    assert peak < 0.4 * given.nbytes
