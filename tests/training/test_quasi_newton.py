"""The minimiser against SciPy's and against minima known by hand. In: functions. Out: verdicts."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize, rosen, rosen_der

from tellapart.training.quasi_newton import Function, Minimum, minimise

Doubles = NDArray[np.float64]


class Counted:
    """A function that counts how often it is asked."""

    def __init__(self, function: Function) -> None:
        self.calls, self._function = 0, function

    def __call__(self, point: Doubles) -> tuple[float, Doubles]:
        self.calls += 1
        return self._function(point)


def valley(point: Doubles) -> tuple[float, Doubles]:
    """Rosenbrock's function, 0 where all numbers are 1."""
    return float(rosen(point)), np.asarray(rosen_der(point))


def logistic(seed: int, count: int, length: int, *, strength: float) -> Function:
    """A penalised logistic regression over made vectors of which some entries are a hundred times as large as others."""
    generator = np.random.default_rng(seed)
    vectors = generator.normal(size=(count, length)) * np.logspace(0, 2, length)
    signs = np.where(generator.random(count) < 0.3, -1.0, 1.0)

    def function(point: Doubles) -> tuple[float, Doubles]:
        margins = signs * (vectors @ point)
        wrong = np.exp(-np.logaddexp(0, margins))
        loss = np.logaddexp(0, -margins).mean() + strength / 2 * point @ point
        return float(loss), -(signs * wrong) @ vectors / count + strength * point

    return function


def least(function: Function, start: Doubles, tolerance: float = 1e-8) -> Minimum:
    return minimise(function, start, enough=lambda gradient: np.abs(gradient).max() <= tolerance, most_steps=5_000)


@pytest.mark.parametrize("length", [2, 10, 200])
def test_it_follows_a_curved_valley_to_its_end(length: int) -> None:
    function, theirs = Counted(valley), Counted(valley)
    found = least(function, np.full(length, -1.2))
    np.testing.assert_allclose(found.point, 1.0, atol=1e-6)
    assert found.loss < 1e-15
    options = {"gtol": 1e-8, "ftol": 0.0, "maxfun": 10**6, "maxiter": 10**5}
    minimize(theirs, np.full(length, -1.2), jac=True, method="L-BFGS-B", options=options)
    assert function.calls < 1.5 * theirs.calls  # as often asked as SciPy's asks


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("strength", [1e-4, 1.0])
def test_its_loss_is_scipys(seed: int, strength: float) -> None:
    function = logistic(seed, 80, 12, strength=strength)
    expected = minimize(function, np.zeros(12), jac=True, method="BFGS", options={"gtol": 1e-7, "maxiter": 10_000})
    found = least(function, np.zeros(12), 1e-6)
    assert found.loss == pytest.approx(expected.fun, abs=1e-9)
    loss, gradient = function(found.point)
    assert loss == found.loss
    np.testing.assert_array_equal(gradient, found.gradient)
    assert np.abs(gradient).max() <= 1e-6


def test_of_a_bowl_it_needs_few_steps() -> None:
    scales = np.repeat([1.0, 10.0, 100.0], 20)  # three curvatures: conjugate gradients would need three steps
    found = least(lambda point: (0.5 * float(scales @ point**2), scales * point), np.ones(60))
    assert found.steps <= 20


def test_a_start_that_is_good_enough_is_kept() -> None:
    function = Counted(valley)
    found = least(function, np.ones(3))
    assert (function.calls, found.steps, found.loss) == (1, 0, 0.0)


def test_it_stops_after_so_many_steps() -> None:
    found = minimise(valley, np.full(10, -1.2), enough=lambda gradient: False, most_steps=7)
    assert found.steps == 7
    assert found.loss < valley(np.full(10, -1.2))[0]


def test_every_step_goes_down_and_makes_the_slope_flatter() -> None:
    """Both strong Wolfe conditions, of each step that the next one begins at."""
    kept: list[Doubles] = []

    def watch(gradient: Doubles) -> bool:
        kept.append(gradient)
        return len(kept) > 30

    seen: list[tuple[Doubles, float, Doubles]] = []

    def function(point: Doubles) -> tuple[float, Doubles]:
        seen.append((point, *valley(point)))
        return seen[-1][1:]

    minimise(function, np.full(6, -1.2), enough=watch, most_steps=100)
    places = [next(place for place in seen if place[2] is gradient) for gradient in kept]
    for before, after in pairwise(places):
        step = after[0] - before[0]
        slope = float(before[2] @ step)
        assert after[1] <= before[1] + 1e-4 * slope
        assert abs(after[2] @ step) <= 0.9 * -slope


def test_rounding_ends_it() -> None:
    """A loss in single precision hides the last steps; nothing is gained by trying on."""

    def rounded(point: Doubles) -> tuple[float, Doubles]:
        loss, gradient = valley(point)
        return float(np.float32(loss + 1000)), gradient

    function = Counted(rounded)
    found = minimise(function, np.full(10, -1.2), enough=lambda gradient: False, most_steps=100_000)
    assert function.calls < 1_000
    assert valley(found.point)[0] < 1e-2


def test_a_function_that_breaks_off_is_not_followed_there() -> None:
    """Minus a logarithm is not a number beyond 0, and the first step goes there."""

    def barrier(point: Doubles) -> tuple[float, Doubles]:
        with np.errstate(invalid="ignore", divide="ignore"):
            return float((point - 0.001 * np.log(point)).sum()), 1 - 0.001 / point

    found = least(barrier, np.full(3, 0.3))
    np.testing.assert_allclose(found.point, 0.001, rtol=1e-4)
