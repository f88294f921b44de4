"""Packed rows are what the plain mapping is."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.sources.packed import PackedRows


def test_packed_rows_are_found_by_name_and_come_in_their_order() -> None:
    names = [f"{number}/é\udcff{number * 7919 % 1000}.jpg" for number in range(3000)]
    numbers = np.arange(6000).reshape(3000, 2)
    packed = PackedRows(names, numbers, lambda name, row: (name, *row))
    assert list(packed) == names
    assert len(packed) == 3000
    assert all(packed[name] == (name, 2 * place, 2 * place + 1) for place, name in enumerate(names))
    assert "none" not in packed
    with pytest.raises(KeyError):
        packed["none"]


def test_nothing_packed_is_empty() -> None:
    packed = PackedRows([], np.zeros((0, 2), dtype=np.int64), lambda name, row: name)
    assert (list(packed), "a" in packed) == ([], False)


def test_names_of_one_hash_are_told_apart() -> None:
    class Alike(str):
        __slots__ = ()

        def __hash__(self) -> int:
            return 7

    packed = PackedRows([Alike("a"), Alike("b")], np.array([[1], [2]]), lambda name, row: row)
    assert (packed[Alike("b")], packed[Alike("a")]) == ((2,), (1,))
    assert Alike("c") not in packed
