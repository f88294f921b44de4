"""Sums over pictures that come out the same on every machine. In: a sum a piece of rows. Out: totals. Next: standardising.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from tellapart.runtime import cores
from tellapart.threads import one_thread_a_product

ROWS_AT_ONCE = 1024  # of 1,280 features they stay in the processor's cache between two products

_STRIPS = 8  # fixed, not the number of threads: sums must come out the same on every machine
_LEAST_ROWS = 256  # in a strip; less is not worth a thread


@contextmanager
def worker_threads() -> Iterator[ThreadPoolExecutor]:
    """Threads that each run single-threaded matrix products."""
    with one_thread_a_product(), ThreadPoolExecutor(min(_STRIPS, cores())) as threads:
        yield threads


def sum_over_rows(
    threads: ThreadPoolExecutor, count: int, piece: Callable[[slice], tuple[NDArray[np.floating], ...]]
) -> list[NDArray[np.float64]]:
    """Add up the arrays that `piece` gives for all of `count` rows, in the same order whatever the number of threads.

    `piece` of a slice of rows gives arrays of the same shapes [...] every time; the sums have these shapes, in float64.
    """
    edges = np.linspace(0, count, min(_STRIPS, -(-count // _LEAST_ROWS)) + 1).astype(int).tolist()

    def strip(first: int, last: int) -> list[NDArray[np.float64]]:
        pieces = range(first, last, ROWS_AT_ONCE)
        return _add(piece(slice(start, min(start + ROWS_AT_ONCE, last))) for start in pieces)

    return _add(threads.map(strip, edges[:-1], edges[1:]))


def _add(groups: Iterable[Sequence[NDArray[np.floating]]]) -> list[NDArray[np.float64]]:
    """The sums of the first, the second ... arrays of all groups, in double precision."""
    totals: list[NDArray[np.float64]] = []
    for parts in groups:
        if not totals:
            totals = [part.astype(np.float64) for part in parts]
            continue
        for total, part in zip(totals, parts, strict=True):
            total += part
    return totals
