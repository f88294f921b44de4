"""What resamples of groups add up to. In: contributions, counts [b, G]. Out: totals [R, b]. Next: ranking.py.

As a sparse matrix would: with R rows and G groups most of the R x G cells are empty. SciPy's gives the same, and the tests
compare with it; importing it takes longer than a short training.

Shapes: R rows, G groups, E cells that are not empty, b resamples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_DENSE = 32  # cells for each that is not empty, up to which a matrix product is quicker than picking
_PICKED_AT_ONCE = 4_000_000  # 16 MB


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Totals:
    """The cells that are not empty, sorted by row; no two are of one row and group."""

    shape: tuple[int, int]  # R, G
    rows: NDArray[np.int64]  # [E], rising
    groups: NDArray[np.int64]  # [E]
    values: Floats  # [E]

    def of(self, counts: Floats) -> Floats:
        """The totals [R, b] of resamples that drew each group as often as `counts` float32 [b, G] says."""
        if self.shape[0] * self.shape[1] <= _DENSE * len(self.rows):
            return np.asarray(self.matrix() @ counts.T)
        totals = np.zeros((len(counts), self.shape[0]), dtype=np.float32)
        if len(self.rows):
            step = max(1, _PICKED_AT_ONCE // len(self.rows))
            for start in range(0, len(counts), step):
                self._pick(counts[start : start + step], totals[start : start + step])
        return totals.T

    def matrix(self) -> Floats:
        """All cells, float32 [R, G]."""
        matrix = np.zeros(self.shape, dtype=np.float32)
        matrix[self.rows, self.groups] = self.values
        return matrix

    def _pick(self, counts: Floats, totals: Floats) -> None:
        """Write the totals [b, R] of `counts` [b, G]; where a row has one cell at most nothing must be added up."""
        picked = np.take(counts, self.groups, axis=1)
        picked *= self.values
        starts = np.flatnonzero(np.diff(self.rows, prepend=-1))
        totals[:, self.rows[starts]] = picked if len(starts) == len(self.rows) else np.add.reduceat(picked, starts, 1)


def sum_by_group(
    rows: NDArray[np.integer], values: NDArray[np.floating], groups: NDArray[np.integer], shape: tuple[int, int]
) -> Totals:
    """Add up what each picture contributes to R rows, for each of G groups; `shape` is (R, G).

    Contribution i, `values[i]`, goes to row `rows[i]` and group `groups[i]`; a picture may contribute to many rows.
    """
    places, place_of = np.unique(rows * np.int64(shape[1]) + groups, return_inverse=True)
    sums = np.bincount(place_of, weights=values, minlength=len(places)).astype(np.float32)
    return Totals(shape=shape, rows=places // shape[1], groups=places % shape[1], values=sums)
