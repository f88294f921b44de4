"""The rows of several parts below one another. In: made parts. Out: what was planted, filled up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.texts.inputs import TextInputs, as_input


class Lengths:
    """A part: as many ones as a text has letters, in `height` rows."""

    def __init__(self, height: int, padding: int, most: int) -> None:
        self.height, self.padding, self._most = height, padding, most
        self.at_once = 8 * height

    def encode(self, texts: Sequence[str]) -> NDArray[np.int32]:
        width = min(self._most, max(map(len, texts)))
        rows = [[1] * min(len(text), width) + [self.padding] * (width - min(len(text), width)) for text in texts]
        return np.repeat(np.array(rows, dtype=np.int32)[:, None], self.height, axis=1)


def test_each_part_has_rows_of_its_own_filled_up_by_its_own_number() -> None:
    inputs = TextInputs(parts=(Lengths(2, 7, 2), Lengths(1, 0, 9)))
    assert inputs.height == 3
    assert inputs.at_once == 8
    assert inputs.grams is None
    found = as_input(["abcd", "a"], inputs)
    assert found.dtype == np.int32
    assert found.tolist() == [
        [[1, 1, 7, 7], [1, 1, 7, 7], [1, 1, 1, 1]],
        [[1, 7, 7, 7], [1, 7, 7, 7], [1, 0, 0, 0]],
    ]


def test_a_part_alone_is_as_it_encodes() -> None:
    part = Lengths(2, 7, 9)
    np.testing.assert_array_equal(as_input(["abc"], TextInputs(parts=(part,))), part.encode(["abc"]))
