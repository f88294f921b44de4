"""Texts as rows of word numbers, for the training loop. In: Sequences. Out: WordRows, a source of batches. Next: learner.py."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.texts.sequences import Sequences


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WordRows:
    """N texts; a batch is as long as its longest one."""

    sequences: Sequences
    nothing: int  # what stands behind a text

    @property
    def problems(self) -> dict[int, str]:
        """None: texts are in memory."""
        return {}

    @property
    def origin(self) -> NDArray[np.int64]:
        """Each row is a text of its own."""
        return np.arange(len(self))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """[N], words of each text."""
        return self.sequences.lengths

    def __len__(self) -> int:
        return len(self.sequences)

    def get(self, rows: NDArray[np.int64], epoch: int) -> NDArray[np.int32]:
        """Numbers of words int32 [B, L], alike in every epoch."""
        return self.sequences.padded(rows, nothing=self.nothing)
