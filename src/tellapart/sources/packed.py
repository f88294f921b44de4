"""The members of a large archive in little memory. In: members by name. Out: a mapping of them. Next: members.py.

A million small objects take hundreds of bytes each; as columns of numbers and one text they take about forty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

_Row = TypeVar("_Row")
_NUMBERS = np.int64


class PackedRows(Mapping[str, _Row], Generic[_Row]):
    """What rows of whole numbers stand for, by name, in the order in which they came."""

    def __init__(
        self, names: list[str], numbers: NDArray[np.int64], make: Callable[[str, tuple[int, ...]], _Row]
    ) -> None:
        """`numbers` is [N, D], a row a name; `make` makes of a name and its row what the mapping gives."""
        encoded = [name.encode("utf-8", "surrogateescape") for name in names]
        self._text = b"".join(encoded)
        self._ends = _small(np.cumsum([len(name) for name in encoded], dtype=_NUMBERS))
        self._columns, self._make = [_small(column) for column in numbers.T], make
        hashes = np.array([_short(name) for name in names], dtype=np.uint32)
        self._order = _small(np.argsort(hashes, kind="stable"))
        self._hashes = hashes[self._order]

    def __len__(self) -> int:
        return len(self._ends)

    def __iter__(self) -> Iterator[str]:
        return map(self._name, range(len(self._ends)))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._find(name) is not None

    def __getitem__(self, name: str) -> _Row:
        row = self._find(name)
        if row is None:
            raise KeyError(name)
        return self._make(name, tuple(int(column[row]) for column in self._columns))

    def _name(self, row: int) -> str:
        start = int(self._ends[row - 1]) if row else 0
        return self._text[start : int(self._ends[row])].decode("utf-8", "surrogateescape")

    def _find(self, name: str) -> int | None:
        wanted = np.uint32(_short(name))
        place = int(np.searchsorted(self._hashes, wanted))
        while place < len(self._hashes) and self._hashes[place] == wanted:
            row = int(self._order[place])
            if self._name(row) == name:
                return row
            place += 1
        return None


def _short(name: str) -> int:
    """32 bits of a name; where two share them, the names themselves are compared."""
    return hash(name) & 0xFFFFFFFF


def _small(numbers: NDArray[np.int64]) -> NDArray[np.integer]:
    """The same numbers in as few bytes each as they need."""
    least, most = (int(numbers.min()), int(numbers.max())) if len(numbers) else (0, 0)
    return numbers.astype(np.result_type(np.min_scalar_type(least), np.min_scalar_type(most)))
