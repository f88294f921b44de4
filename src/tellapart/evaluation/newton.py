"""The lowest point of a smooth function, by its exact derivatives. In: a function. Out: a point. Next: calibration.py.

SciPy's minimisers find the same (the tests compare), but importing them takes most of a second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

_LOOKS = 13  # at a function on a line, before Newton's method; a prior can give it two valleys
_STEPS = 100
_NEAR = 1e-16  # half the squared Newton decrement: how much lower the lowest point is, in the function's own unit
_ARMIJO = 1e-4
_ROUNDING = 1e-13  # of a value; a step that raises it by less is none too long


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Local:
    """A function at a point [D]."""

    value: float
    gradient: Doubles  # [D]
    product: Callable[[Doubles], Doubles]  # the Hessian times a vector [D]
    diagonal: Doubles  # [D], above 0: about that of the Hessian


def lowest_between(
    function: Callable[[float], tuple[float, float, float]], low: float, high: float, *, tolerance: float = 1e-10
) -> float:
    """Where in [low, high] a function is lowest that gives its value, slope and curvature.

    Looked at in 13 places, then Newton's method between the neighbours of the lowest of them; a step that would leave what
    the slopes have enclosed is a bisection instead (Press et al. 2007, Numerical Recipes, section 9.4, `rtsafe`). Ends when
    a step is at most `tolerance`.
    """
    places = np.linspace(low, high, _LOOKS)
    best = int(np.argmin([function(float(place))[0] for place in places]))
    left, right = float(places[max(best - 1, 0)]), float(places[min(best + 1, _LOOKS - 1)])
    place = float(places[best])
    for _ in range(_STEPS):
        _, slope, curvature = function(place)
        left, right = (left, place) if slope > 0 else (place, right)
        following = place - slope / curvature if curvature > 0 else np.inf
        if not left < following < right:
            following = (left + right) / 2
        moved, place = abs(following - place), following
        if moved <= tolerance:
            break
    return place


def minimise(function: Callable[[Doubles], Local], start: Doubles, *, low: Doubles, high: Doubles) -> Doubles:
    """A lowest point [D] between `low` and `high` [D], downhill from `start` [D], which must be between them.

    Newton's method, each step solved for by conjugate gradients, which stop where the function curves down, and shortened
    until it leads down enough: Nocedal and Wright 2006, Numerical Optimization, algorithm 7.1. What rests on a bound and is
    pushed against it stays there: Bertsekas 1982, SIAM Journal on Control and Optimization 20:221-246.
    """
    point, here = start, function(start)
    for _ in range(_STEPS):
        held = ((point <= low) & (here.gradient > 0)) | ((point >= high) & (here.gradient < 0))
        gradient = np.where(held, 0.0, here.gradient)
        step = _newton_step(here, gradient, ~held)
        if -0.5 * float(gradient @ step) <= _NEAR:
            break
        found = _search(function, point, here, step, low, high)
        if found is None:
            break
        point, here = found
    return point


def _newton_step(here: Local, gradient: Doubles, free: NDArray[np.bool_]) -> Doubles:
    """About -Hessian^-1 x gradient among the `free` directions, and always downhill."""
    step, rest = np.zeros_like(gradient), -gradient
    scaled = rest / here.diagonal
    direction, size = scaled, float(rest @ scaled)
    enough = min(0.25, np.sqrt(size)) ** 2 * size
    for _ in range(2 * len(gradient)):
        if size <= enough or size == 0:
            break
        bent = np.where(free, here.product(direction), 0.0)
        curvature = float(direction @ bent)
        if curvature <= 0:
            return direction if not step.any() else step
        step = step + size / curvature * direction
        rest = rest - size / curvature * bent
        scaled = rest / here.diagonal
        direction, size = scaled + float(rest @ scaled) / size * direction, float(rest @ scaled)
    return step


def _search(
    function: Callable[[Doubles], Local], point: Doubles, here: Local, step: Doubles, low: Doubles, high: Doubles
) -> tuple[Doubles, Local] | None:
    """The first of ever shorter steps that leads down enough; None where rounding hides all of them."""
    length, slack = 1.0, _ROUNDING * (1 + abs(here.value))
    while length > 1e-10:
        tried = np.clip(point + length * step, low, high)
        there = function(tried)
        if there.value <= here.value + _ARMIJO * float(here.gradient @ (tried - point)) + slack:
            return None if (tried == point).all() else (tried, there)
        length /= 2
    return None
