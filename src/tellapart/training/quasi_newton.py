"""The minimum of a smooth function of many numbers. In: loss and gradient, a start. Out: Minimum. Next: softmax_regression.py.

L-BFGS by the two-loop recursion (Nocedal and Wright 2006, Numerical Optimization, algorithms 7.4 and 7.5), with steps that meet
the strong Wolfe conditions (algorithms 3.5 and 3.6). SciPy's L-BFGS-B ends in the same place, and the tests compare with it;
importing it takes longer than the minimisation of a short training.

Shapes: P numbers to be found.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.floating]  # float64, or float32 where they are very many
Function = Callable[[Numbers], tuple[float, Numbers]]

_REMEMBERED = 10  # steps, as in SciPy
MANY = 1_000_000  # numbers, of which fewer steps are remembered, in 32 bits: else they would be most of the memory
_FEWER = 5
_SUFFICIENT = 1e-4  # of the decrease that the slope promises; c1 in the book
_FLATTER = 0.9  # of the slope, what may be left of it; c2
_LONGER = 2.0  # times the step before, while the function still falls steeply
_MOST_TRIALS = 30  # of one search
_NARROWEST = 1e-3  # of the length at which a search went too far; in less there is only rounding to see
_INSIDE = 0.1  # of an interval: a trial is no nearer to its ends
_LEAST_CURVATURE = 1e-12  # of a step's gradients; of less nothing can be learned


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Minimum:
    """Where a minimisation ended."""

    point: Numbers  # [P]
    loss: float
    gradient: Numbers  # [P]
    steps: int


class _Trial(NamedTuple):
    """What the function is like so far along a direction."""

    length: float
    loss: float
    slope: float  # along the direction
    point: Numbers
    gradient: Numbers


def minimise(function: Function, start: Numbers, *, enough: Callable[[Numbers], bool], most_steps: int) -> Minimum:
    """Go downhill from `start` [P] until `enough` of a gradient [P] is true, or rounding lets no step go down.

    `function` of a point [P] gives the loss and its gradient [P], of the point's kind of numbers.
    """
    loss, gradient = function(start)
    here = _Trial(0.0, loss, 0.0, start, gradient)
    memory, steps = _Memory(), 0
    while steps < most_steps and not enough(here.gradient):
        # The first step is no longer than 1: of the curvature nothing is known yet.
        longest = 1.0 if memory.steps else min(1.0, 1.0 / max(_dot(here.gradient, here.gradient) ** 0.5, 1e-300))
        found = _search(function, here, memory.direction(here.gradient), longest)
        if found is None:
            if not memory.steps:
                break
            memory = _Memory()  # what it learned leads nowhere; the gradient itself may
            continue
        memory.learn(found.point - here.point, found.gradient - here.gradient)
        here, steps = found, steps + 1
    return Minimum(point=here.point, loss=here.loss, gradient=here.gradient, steps=steps)


@dataclass(slots=True)
class _Memory:
    """The last steps and how the gradient changed over each: what is known of the curvature."""

    steps: deque[tuple[Numbers, Numbers, float]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def learn(self, moved: Numbers, changed: Numbers) -> None:
        curvature = _dot(moved, changed)
        if curvature > _LEAST_CURVATURE * _dot(changed, changed):
            if len(moved) > MANY:
                while len(self.steps) >= _FEWER:
                    self.steps.popleft()
                moved, changed = moved.astype(np.float32, copy=False), changed.astype(np.float32, copy=False)
            self.steps.append((moved, changed, curvature))

    def direction(self, gradient: Numbers) -> Numbers:
        """Minus the inverse of the approximate Hessian times the gradient [P]."""
        direction = -gradient
        along = []
        for moved, changed, curvature in reversed(self.steps):
            share = _dot(moved, direction) / curvature
            direction -= share * changed
            along.append(share)
        if self.steps:
            _, changed, curvature = self.steps[-1]
            direction *= curvature / _dot(changed, changed)
        for (moved, changed, curvature), share in zip(self.steps, reversed(along), strict=True):
            direction += (share - _dot(changed, direction) / curvature) * moved
        return direction


def _dot(one: Numbers, other: Numbers) -> float:
    """Their inner product, in one thread: BLAS' threads wait for each other longer than this takes where anything else runs."""
    return float(np.einsum("p,p->", one, other))


def _search(function: Function, here: _Trial, direction: Numbers, first: float) -> _Trial | None:
    """A point along `direction` that lies lower and where it is flatter, tried from the length `first` on."""
    start = here._replace(length=0.0, slope=_dot(here.gradient, direction))
    if not start.slope < 0:
        return None
    before, length = start, first
    for turn in range(_MOST_TRIALS):
        now = _try(function, start, direction, length)
        if _too_high(now, start) or (turn and now.loss >= before.loss):
            return _narrow(function, start, direction, before, now)
        if _flat(now, start):
            return now
        if now.slope >= 0:
            return _narrow(function, start, direction, now, before)
        before, length = now, _LONGER * length
    return before


def _narrow(function: Function, start: _Trial, direction: Numbers, low: _Trial, high: _Trial) -> _Trial | None:
    """Such a point between `low`, the lower one, and `high`; None where rounding hides it."""
    narrowest = _NARROWEST * max(low.length, high.length)
    while abs(high.length - low.length) > narrowest:
        now = _try(function, start, direction, _between(low, high))
        if _too_high(now, start) or now.loss >= low.loss:
            high = now
            continue
        if _flat(now, start):
            return now
        if now.slope * (high.length - low.length) >= 0:
            high = low
        low = now
    return None


def _try(function: Function, start: _Trial, direction: Numbers, length: float) -> _Trial:
    point = start.point + length * direction
    loss, gradient = function(point)
    return _Trial(length, loss, _dot(gradient, direction), point, gradient)


def _too_high(now: _Trial, start: _Trial) -> bool:
    return not now.loss <= start.loss + _SUFFICIENT * now.length * start.slope  # not: a loss may be NaN


def _flat(now: _Trial, start: _Trial) -> bool:
    return abs(now.slope) <= -_FLATTER * start.slope


def _between(low: _Trial, high: _Trial) -> float:
    """Where the cubic through both losses and slopes is least (equation 3.59), well inside the interval."""
    width = high.length - low.length
    bend = low.slope + high.slope - 3 * (low.loss - high.loss) / (low.length - high.length)
    under = bend * bend - low.slope * high.slope
    share = 0.5
    if np.isfinite(under) and under >= 0:
        root = float(np.copysign(np.sqrt(under), width))
        divisor = high.slope - low.slope + 2 * root
        if divisor:
            share = 1 - (high.slope + root - bend) / divisor
    return low.length + float(np.clip(share, _INSIDE, 1 - _INSIDE)) * width
