"""Lowest points. In: functions whose lowest point is known, and SciPy's minimisers. Out: the same points."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar, rosen, rosen_der, rosen_hess

from tellapart.evaluation.newton import Local, lowest_between, minimise

Doubles = NDArray[np.float64]
FREE = np.full(2, np.inf)


def test_on_a_line_the_lowest_point_is_that_of_another_minimiser() -> None:
    for seed in range(20):
        bent, place, slant = np.random.default_rng(seed).normal(size=3)

        def value(x: float, bent: float = bent, place: float = place, slant: float = slant) -> float:
            return math.cosh(x - place) + bent**2 * x**4 + slant * x

        def local(
            x: float, bent: float = bent, place: float = place, slant: float = slant
        ) -> tuple[float, float, float]:
            slope = math.sinh(x - place) + 4 * bent**2 * x**3 + slant
            return value(x, bent, place, slant), slope, math.cosh(x - place) + 12 * bent**2 * x**2

        expected = minimize_scalar(value, bounds=(-3, 3), method="bounded", options={"xatol": 1e-9}).x
        assert lowest_between(local, -3, 3) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("low", "high", "expected"), [(1.0, 2.0, 1.0), (-2.0, -1.0, -1.0), (-1.0, 2.0, 0.0)])
def test_on_a_line_an_end_can_be_the_lowest(low: float, high: float, expected: float) -> None:
    assert lowest_between(lambda x: (x * x, 2 * x, 2.0), low, high) == pytest.approx(expected, abs=1e-9)


def test_of_two_valleys_the_deeper_is_found() -> None:
    """(x^2 - 1)^2 + x / 4: a valley near 1, and a deeper one near -1, with a hill between them."""

    def local(x: float) -> tuple[float, float, float]:
        return (x * x - 1) ** 2 + x / 4, 4 * x * (x * x - 1) + 0.25, 12 * x * x - 4

    roots = np.roots([4, 0, -4, 0.25])
    assert lowest_between(local, -2, 2.5) == pytest.approx(min(roots.real), abs=1e-9)


def test_where_newton_would_leave_what_is_enclosed_it_is_halved() -> None:
    """The slope of sqrt(1 + x^2) is x / sqrt(1 + x^2): from 2 Newton's step goes to -8."""
    seen: list[float] = []

    def local(x: float) -> tuple[float, float, float]:
        seen.append(x)
        size = math.sqrt(1 + (x - 0.3) ** 2)
        return size, (x - 0.3) / size, 1 / size**3

    assert lowest_between(local, -60, 60) == pytest.approx(0.3, abs=1e-9)
    assert max(seen[13:]) < 60
    assert min(seen[13:]) > -60


def rosenbrock(point: Doubles) -> Local:
    hessian = rosen_hess(point)
    return Local(
        value=float(rosen(point)),
        gradient=rosen_der(point),
        product=lambda vector: hessian @ vector,
        diagonal=np.maximum(np.diag(hessian), 1.0),
    )


@pytest.mark.parametrize("start", [(-1.2, 1.0), (0.0, 0.0), (2.0, -1.0), (1.0, 1.0)])
def test_a_bent_valley_is_followed_to_its_end(start: tuple[float, float]) -> None:
    """Rosenbrock's, whose Hessian is indefinite on the way; its lowest point is (1, 1)."""
    found = minimise(rosenbrock, np.array(start), low=-FREE, high=FREE)
    np.testing.assert_allclose(found, [1, 1], atol=1e-6)


def test_what_is_pushed_against_a_bound_stays_there_and_the_rest_moves_on() -> None:
    low, high = np.array([-np.inf, -np.inf]), np.array([0.5, np.inf])
    found = minimise(rosenbrock, np.array([-1.2, 1.0]), low=low, high=high)
    expected = minimize(
        rosen,
        [-1.2, 1.0],
        jac=rosen_der,
        method="L-BFGS-B",
        bounds=[(None, 0.5), (None, None)],
        options={"ftol": 1e-14},
    ).x
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found, [0.5, 0.25], atol=1e-6)


def test_many_numbers_at_once_are_those_of_linear_algebra() -> None:
    generator = np.random.default_rng(0)
    factor = generator.normal(size=(60, 50))
    hessian, pull = factor.T @ factor + np.eye(50), generator.normal(size=50)

    def local(point: Doubles) -> Local:
        return Local(
            value=float(0.5 * point @ hessian @ point - pull @ point),
            gradient=hessian @ point - pull,
            product=lambda vector: hessian @ vector,
            diagonal=np.diag(hessian),
        )

    found = minimise(local, np.zeros(50), low=np.full(50, -np.inf), high=np.full(50, np.inf))
    np.testing.assert_allclose(found, np.linalg.solve(hessian, pull), atol=1e-6)
