"""Known n-grams and where they stand. In: made numbers. Out: what looking at each of them says."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.texts.ngrams import Rules
from tellapart.texts.vocabulary import GramInputs

LAST = 2**64 - 1


def inputs(known: list[int]) -> GramInputs:
    return GramInputs(rules=Rules(words=(1,)), known=np.array(sorted(known), dtype=np.uint64))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 100, 5000])
@pytest.mark.parametrize("most", [2**64, 2**40, 2**13])
def test_numbers_are_found_where_they_stand(count: int, most: int) -> None:
    chance = np.random.default_rng(count)
    known = sorted(set(chance.integers(0, most, count, dtype=np.uint64).tolist()))
    asked = [*known, *chance.integers(0, most, 300, dtype=np.uint64).tolist(), 0, 1, LAST, LAST - 1]
    where = {number: place for place, number in enumerate(known)}
    found = inputs(known).places(np.array(asked, dtype=np.uint64))
    assert found.tolist() == [where.get(number, -1) for number in asked]


@pytest.mark.parametrize("known", [[LAST], [0], [0, LAST], [5, LAST - 1]])
def test_the_first_and_the_last_number_may_be_known(known: list[int]) -> None:
    found = inputs(known).places(np.array([0, 5, LAST - 1, LAST], dtype=np.uint64))
    assert found.tolist() == [known.index(one) if one in known else -1 for one in (0, 5, LAST - 1, LAST)]
