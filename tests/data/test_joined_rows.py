"""Two sources as one. In: arrays. Out: rows in the order that was asked for. Next: test_loading.py."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.data.joined_rows import JoinedRows


@dataclass
class Numbers:
    """Row r of epoch e is filled with offset + r + 100 e."""

    count: int
    offset: int

    def __len__(self) -> int:
        return self.count

    def get(self, rows: NDArray[np.int64], epoch: int) -> NDArray[np.uint8]:
        assert len(rows) == 0 or (rows.min() >= 0 and rows.max() < self.count)
        return np.tile((self.offset + rows + 100 * epoch)[:, None, None, None], (1, 2, 2, 3)).astype(np.uint8)


def test_rows_come_from_where_they_are_in_the_order_asked_for() -> None:
    joined = JoinedRows(first=Numbers(3, 0), second=Numbers(2, 50))
    assert len(joined) == 5
    found = joined.get(np.array([4, 0, 3, 2]), 0)
    assert found.shape == (4, 2, 2, 3)
    assert found[:, 0, 0, 0].tolist() == [51, 0, 50, 2]
    assert joined.get(np.array([1]), 1)[0, 0, 0, 0] == 101
    assert joined.get(np.array([4]), 1)[0, 0, 0, 0] == 151
