"""What a model file says of many pictures, as arrays. In: answers with probabilities. Out: arrays. Next: table.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Probable(Protocol):
    """The answer for one picture that could be read, with a probability for each of K classes."""

    @property
    def probabilities(self) -> NDArray[np.float32] | None:
        """[K]; None of an unread picture."""
        ...

    @property
    def novelty(self) -> float | None:
        """None where the model cannot tell it."""
        ...


def probabilities_of(answers: Sequence[Probable]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Probabilities [n, K] and novelty [n], NaN where there is none, of n pictures that could be read."""
    novelty = [np.nan if answer.novelty is None else answer.novelty for answer in answers]
    return np.array([answer.probabilities for answer in answers], np.float32), np.array(novelty, np.float32)
