"""Searches along one number, against places known by hand and SciPy's. In: functions. Out: verdicts."""

from __future__ import annotations

import math

import pytest
from scipy.optimize import minimize_scalar

from tellapart.training.golden_section import lowest


@pytest.mark.parametrize("place", [-11.9, -3.0, 0.7, 1.99])
def test_a_parabola_s_lowest_place_is_exact(place: float) -> None:
    assert lowest(lambda at: 3 * (at - place) ** 2 - 5, -12, 2, width=0.05) == pytest.approx(place, abs=1e-9)


@pytest.mark.parametrize(("slope", "end"), [(1.0, -12.0), (-1.0, 2.0)])
def test_a_straight_line_is_lowest_at_an_end(slope: float, end: float) -> None:
    assert lowest(lambda at: slope * at, -12, 2, width=0.05) == pytest.approx(end, abs=0.05)


def test_what_is_not_smooth_is_found_to_the_width() -> None:
    assert lowest(lambda at: abs(at - 0.3), -12, 2, width=0.01) == pytest.approx(0.3, abs=0.01)


def test_a_curve_that_leans_is_lowest_where_scipy_says() -> None:
    def function(at: float) -> float:
        return math.log1p(math.exp(-math.exp2(at))) + 0.02 * math.exp2(at)

    expected = minimize_scalar(function, bounds=(-12, 2.5), method="bounded", options={"xatol": 1e-9})
    assert lowest(function, -12, 2.5, width=0.05) == pytest.approx(expected.x, abs=1e-3)


def test_of_a_flat_function_any_place_will_do() -> None:
    assert -12 <= lowest(lambda at: 1.0, -12, 2, width=0.05) <= 2
