"""How long one picture takes a runtime. In: callables, inputs. Out: Milliseconds. Next: asking.py.

Several are timed in turn, so that whatever else the machine does falls on all of them alike. Each keeps the memory of its largest
call, which of masks at 512 pixels is 0.2 GB a picture: of large pictures fewer are timed at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

ONE, MANY = 1, 16  # inputs at once
LARGE, SIDE = (
    384,
    256,
)  # of pictures with a longer side than the first as many at once as have the pixels of MANY with the second
_TIMES, _TIMES_ONE = 6, 30  # how often at most
_PATIENCE = 6.0  # seconds of all, for each size; three calls of each are made in any case
_FEWEST = 3
_QUIET = 1.15  # wall time over processor time; above it the call waited for others
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Milliseconds:
    """A picture's share of a call, the median of those that were not held up."""

    one: float  # of a call with one input
    sixteen: float  # of one with sixteen, or as many as `at_once`
    at_once: int = MANY

    def as_json(self) -> dict[str, float | int]:
        """One JSON-ready object."""
        return {"one": round(self.one, 3), "sixteen": round(self.sixteen, 3), "at_once": self.at_once}


def many_at_once(inputs: NDArray[Any]) -> int:
    """How many of `inputs` [T, S, S, 3], or texts [T], are timed at once where it is not one: 16, of large pictures fewer."""
    side = max(inputs.shape[1:3], default=0)
    return MANY if side <= LARGE else max(1, MANY * SIDE**2 // side**2)


def time_in_turn(
    computes: Sequence[Callable[[NDArray[np.uint8]], Any]],
    inputs: NDArray[np.uint8],
    *,
    wall: Clock = time.perf_counter,
    processor: Clock = time.process_time,
) -> list[Milliseconds]:
    """Time each of `computes` on the first of `inputs` [T, S, S, 3], T at least 1; where there are fewer, they repeat."""
    found: list[list[float]] = [[] for _ in computes]
    many = many_at_once(inputs)
    for size in (ONE, many):
        batch = np.ascontiguousarray(np.resize(np.asarray(inputs[:size]), (size, *inputs.shape[1:])))
        for taken, seconds in zip(found, _medians(computes, batch, wall, processor), strict=True):
            taken.append(1000 * seconds / size)
    return [Milliseconds(one=one, sixteen=several, at_once=many) for one, several in found]


def _medians(
    computes: Sequence[Callable[[NDArray[np.uint8]], Any]], batch: NDArray[np.uint8], wall: Clock, processor: Clock
) -> list[float]:
    for compute in computes:  # the first call of all plans and allocates
        compute(batch)
    taken: list[list[tuple[float, float]]] = [[] for _ in computes]
    began = wall()
    for number in range(_TIMES_ONE if len(batch) == ONE else _TIMES):
        if number >= _FEWEST and wall() - began > _PATIENCE:
            break
        for own, compute in zip(taken, computes, strict=True):
            start, worked = wall(), processor()
            compute(batch)
            own.append((wall() - start, processor() - worked))
    return [_median(own) for own in taken]


def _median(calls: Sequence[tuple[float, float]]) -> float:
    """Of the calls that the processor worked through without a pause; of all where those are too few, as of another process."""
    quiet = [took for took, worked in calls if took <= _QUIET * worked]
    return median(quiet if len(quiet) >= _FEWEST else [took for took, _ in calls])
