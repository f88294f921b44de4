"""A paired change of a figure. In: figures of pictures. Out: its interval, that of the differences themselves."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.evaluation.differences import Resampling, paired_change, share_of_groups


def test_the_change_is_that_of_each_picture() -> None:
    chance = np.random.default_rng(0)
    before, after = chance.random(40), chance.random(40)
    numbers = np.arange(40) // 2
    change = paired_change(share_of_groups(before, numbers), share_of_groups(after, numbers), group_count=20, seed=1)
    own = paired_change(
        share_of_groups(np.zeros(40), numbers), share_of_groups(after - before, numbers), group_count=20, seed=1
    )
    assert change.value == pytest.approx((after - before).mean(), abs=1e-6)
    assert (change.low, change.high) == pytest.approx((own.low, own.high), abs=1e-5)
    assert change.low is not None
    assert change.low < change.value


def test_no_more_resamples_than_can_be_afforded() -> None:
    seen = []

    def values(counts: np.ndarray) -> np.ndarray:
        seen.append(len(counts))
        return counts[:, 0]

    paired_change(Resampling(values=values), Resampling(values=values, most=100), group_count=3, seed=0)
    assert max(seen) == 100
