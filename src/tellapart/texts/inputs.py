"""Texts to what model.onnx takes: numbers, a part below the other. In: texts. Out: int32 [N, H, L]. Next: export/texts.py.

A model of texts is one or several classifiers, each with a part of the input `tokens`: rows of numbers of its own, filled up on the
right. What a text's numbers are, its part says; what the file knows of that (its vocabulary), it gives as outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.texts.sequences import WordInputs
from tellapart.texts.vocabulary import GramInputs


class TextPart(Protocol):
    """How one of the classifiers of a file takes texts."""

    @property
    def height(self) -> int:
        """How many rows of numbers a text has for it, 1 or more."""
        ...

    @property
    def padding(self) -> int:
        """The number that fills its rows up."""
        ...

    @property
    def at_once(self) -> int:
        """How many texts are best answered together."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.int32]:
        """The numbers of N texts as they were given, int32 [N, height, L]; L is at least 1, and any."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class TextInputs:
    """How a model takes texts."""

    parts: tuple[TextPart, ...]  # in the order of their rows

    @cached_property
    def height(self) -> int:
        """H, the rows of all parts."""
        return sum(part.height for part in self.parts)

    @cached_property
    def at_once(self) -> int:
        """How many texts are best answered together: as the part wants it that wants the fewest."""
        return min(part.at_once for part in self.parts)

    @cached_property
    def grams(self) -> GramInputs | None:
        """The part of the n-grams, where there is one."""
        return next((part for part in self.parts if isinstance(part, GramInputs)), None)

    @cached_property
    def words(self) -> WordInputs | None:
        """The part of the words in order, where there is one."""
        return next((part for part in self.parts if isinstance(part, WordInputs)), None)


def as_input(texts: Sequence[str], inputs: TextInputs) -> NDArray[np.int32]:
    """What model.onnx takes of N texts, cleaned or not: int32 [N, H, L], L that of the longest part."""
    if len(inputs.parts) == 1:
        return inputs.parts[0].encode(texts)
    encoded = [part.encode(texts) for part in inputs.parts]
    found = np.empty((len(texts), inputs.height, max(one.shape[2] for one in encoded)), dtype=np.int32)
    row = 0
    for part, one in zip(inputs.parts, encoded, strict=True):
        found[:, row : row + part.height, : one.shape[2]] = one
        found[:, row : row + part.height, one.shape[2] :] = part.padding
        row += part.height
    return found
