"""Probabilities in double precision, without a copy of all. In: probabilities [N, K]. Out: Exact, parts. Next: ranking.py.

Of 10,000 classes and 12,500 test pictures they are half a gigabyte as they are given, and twice that exactly: whoever needs
them so gets some rows at a time, or one class.

Shapes: M pictures with probabilities, N of them looked at, K classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Rows = NDArray[np.int64]  # [N], which of the pictures are looked at

_AT_ONCE = 500_000  # numbers, 4 MB each time they are held exactly


def parts(count: int, width: int) -> Iterator[slice]:
    """`count` rows of `width` numbers in parts that are small enough to be held exactly, several times over."""
    step = max(1, _AT_ONCE // max(1, width))
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Exact:
    """Probabilities whose rows sum to 1, made of those given as they are asked for. As a sequence, its classes' columns [N]."""

    given: NDArray[np.floating]  # [M, K], rows sum to about 1
    rows: Rows | None  # None: all
    totals: Doubles  # [N], what the rows sum to

    def __len__(self) -> int:
        """K."""
        return int(self.given.shape[1])

    def __getitem__(self, number: int) -> Doubles:
        column = self.given[:, number] if self.rows is None else self.given[self.rows, number]
        return np.asarray(column.astype(np.float64) / self.totals)

    def parts(self) -> Iterator[tuple[slice, Doubles]]:
        """Which of the N pictures, and their probabilities [n, K]."""
        for part in parts(len(self.totals), len(self)):
            yield part, _doubled(self.given, self.rows, part) / self.totals[part, None]


def exact_of(given: NDArray[np.floating], rows: Rows | None) -> Exact:
    """The probabilities `given` [M, K] of some `rows` [N], None for all of them."""
    count = len(given) if rows is None else len(rows)
    totals = np.empty(count)
    for part in parts(count, given.shape[1]):
        totals[part] = _doubled(given, rows, part).sum(axis=1)
    return Exact(given=given, rows=rows, totals=totals)


def _doubled(given: NDArray[np.floating], rows: Rows | None, part: slice) -> Doubles:
    """A part of the rows in double precision, [n, K]."""
    return np.array(given[part] if rows is None else given[rows[part]], dtype=np.float64, order="C")
