"""evaluation/paired.py, with SciPy as the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from tellapart.evaluation.paired import Paired, compare_pairs, mcnemar


@pytest.mark.parametrize(("won", "lost"), [(0, 5), (3, 9), (9, 3), (40, 60), (1, 0), (900, 1000)])
def test_mid_p_is_the_binomials(won: int, lost: int) -> None:
    total, fewer = won + lost, min(won, lost)
    expected = 2 * binom.cdf(fewer, total, 0.5) - binom.pmf(fewer, total, 0.5)
    assert mcnemar(won, lost) == pytest.approx(min(1.0, expected), rel=1e-9)


def test_the_published_example() -> None:
    """Fagerland et al. 2013, table 2 (Bentur et al. 2009): 1 and 7 discordant pairs, mid-p 0.039."""
    assert mcnemar(1, 7) == pytest.approx(0.0390625)


def test_nothing_to_choose_between() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(4, 4) == 1.0


def _right(n: int, both: int, won: int, lost: int) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_)
    first[: both + lost] = True
    second[:both] = True
    second[both + lost : both + lost + won] = True
    return first, second


def test_the_second_less_the_first() -> None:
    found = compare_pairs(*_right(200, 150, 20, 5), seed=0)
    assert (found.n, found.won, found.lost) == (200, 20, 5)
    assert found.value == pytest.approx(0.075)
    assert 0.02 < found.low < found.value < found.high < 0.13
    assert found.verdict == 1
    assert found.needed is None
    assert compare_pairs(*reversed(_right(200, 150, 20, 5)), seed=0).verdict == -1


def test_the_interval_is_that_of_paired_proportions() -> None:
    """Newcombe's method 1 without correction, for pictures without groups."""
    found = compare_pairs(*_right(1000, 700, 60, 40), seed=0)
    half = 1.959964 * np.sqrt((100 - 20**2 / 1000) / 1000**2)
    assert (found.low, found.high) == pytest.approx((0.02 - half, 0.02 + half), abs=0.002)


def test_how_many_more_would_decide() -> None:
    found = compare_pairs(*_right(500, 400, 15, 9), seed=0)
    assert found.verdict == 0
    assert found.needed is not None
    total = 500 + found.needed
    factor = total / 500
    more = compare_pairs(*_right(total, int(400 * factor), round(15 * factor), round(9 * factor)), seed=0)
    assert more.low == pytest.approx(0, abs=0.002)


def test_equal_models_are_never_decided() -> None:
    found = compare_pairs(*_right(100, 80, 5, 5), seed=0)
    assert (found.value, found.verdict, found.needed, found.p_value) == (0.0, 0, None, 1.0)


def test_copies_widen_the_interval_and_ask_for_more() -> None:
    first, second = (np.repeat(one, 8) for one in _right(100, 70, 9, 5))
    alone = compare_pairs(first, second, seed=0)
    joined = compare_pairs(first, second, [f"g{row // 8}" for row in range(800)], seed=0)
    assert joined.high - joined.low > 2 * (alone.high - alone.low)
    assert alone.verdict == 1
    assert joined.verdict == 0
    assert joined.needed is not None
    assert joined.needed > 800


def test_json_has_what_scripts_ask_for() -> None:
    found = Paired(n=10, value=0.1, low=-0.1, high=0.3, won=2, lost=1, p_value=0.7)
    assert found.as_json() == {
        "difference": {"value": 0.1, "low": -0.1, "high": 0.3},
        "p_value": 0.7,
        "won": 2,
        "lost": 1,
        "common": 10,
        "more_pictures": found.needed,
    }


def test_no_picture_is_no_comparison() -> None:
    none = np.zeros(0, dtype=np.bool_)
    with pytest.raises(ValueError, match="no picture to compare"):
        compare_pairs(none, none, seed=0)
