"""Two sources of pictures as one: with labels and without. In: RowSources. Out: JoinedRows, a RowSource. Next: loading.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data.loading import RowSource


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JoinedRows:
    """The rows of the first source, and after them those of the second; both give pictures alone, alike in shape."""

    first: RowSource
    second: RowSource

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def get(self, rows: NDArray[np.int64], epoch: int) -> NDArray[np.uint8]:
        """The rows [B] in the order in which they are asked for, uint8 [B, S, S, 3]. Raises: what the sources raise."""
        count = len(self.first)
        parts: list[tuple[NDArray[np.bool_], Any]] = []
        for source, offset, chosen in ((self.first, 0, rows < count), (self.second, count, rows >= count)):
            if chosen.any():
                parts.append((chosen, np.asarray(source.get(rows[chosen] - offset, epoch))))
        found = np.empty((len(rows), *parts[0][1].shape[1:]), dtype=parts[0][1].dtype)
        for chosen, given in parts:
            found[chosen] = given
        return found
