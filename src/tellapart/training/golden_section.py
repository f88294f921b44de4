"""Where a function of one number is lowest. In: a function, two ends. Out: the place. Next: analysis.py.

Golden section search (Kiefer 1953, Proceedings of the AMS 4:502-506), and a parabola through the last three places.
"""

from __future__ import annotations

import math
from collections.abc import Callable

_GOLDEN = (math.sqrt(5) - 1) / 2


def lowest(function: Callable[[float], float], low: float, high: float, *, width: float) -> float:
    """A place in [low, high] at which `function` is least, when it falls and then rises; no further than `width` from it.

    Near a minimum that is smooth it is much closer: a parabola tells.
    """
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > width:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = function(right)
    middle, at_middle = (left, at_left) if at_left <= at_right else (right, at_right)
    at_low, at_high = function(low), function(high)
    rise, fall = (middle - low) * (at_high - at_middle), (high - middle) * (at_low - at_middle)
    if rise + fall <= 0:  # a straight line, or an end that is lowest
        return min((at_low, low), (at_middle, middle), (at_high, high))[1]
    vertex = middle - 0.5 * ((middle - low) * rise - (high - middle) * fall) / (rise + fall)
    return min(max(vertex, low), high)
