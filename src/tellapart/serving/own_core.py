"""A core for each thread that classifies. In: threads, processes. Out: cores to keep to, while nobody disturbs. Next: batching.py.

A kernel puts a thread that wakes where there is room, and moves it later if that was wrong. Threads that wait for each other
many times a picture, as those of an interpreter do for its lock, are put together on one core too often: over gRPC a twelfth
of all time was lost so (docs/results.md). Hence each keeps to a core of its own, as the threads of ONNX Runtime do by
themselves. That is only right while the core is ours: a thread that hardly gets to run there lets go for a while, and the
kernel moves it again.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator

_NICENESS = 10  # of the threads that classify, above that of the one that talks
_LEAST_SHARE = 0.5  # of its time that a thread must have had its core, to stay; undisturbed it has 0.9
_NEWEST_WEIGHT = 0.4  # of a batch in the running mean of that: two bad ones in a row, not one
_AWAY_SECONDS = (1.0, 30.0)  # until it tries again: at first, and at most where each try has been in vain


def yield_to_others() -> None:
    """Let the thread that talks to clients go first: it needs little, and on full cores it would wait for its turn to say no."""
    if sys.platform == "linux":  # where niceness is a thread's, not a process's
        own = threading.get_native_id()
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, own, os.getpriority(os.PRIO_PROCESS, own) + _NICENESS)


def allot(*, threads: int, worker: int = 0, workers: int = 1) -> tuple[int, ...]:
    """A core for each of the `threads` of process `worker`, counted from 0.

    Empty where there are more or fewer threads than cores, since then the kernel must share or choose, and where a
    system has no such setting.
    """
    if sys.platform != "linux":
        return ()
    cores = sorted(os.sched_getaffinity(0))
    if threads * workers != len(cores):
        return ()
    return tuple(cores[worker * threads : (worker + 1) * threads])


class OwnCore:
    """The calling thread's core; made, used and dropped by that thread alone."""

    def __init__(self, core: int | None) -> None:
        """`core` as `allot` gives it; None: wherever the kernel likes."""
        self._core, self._share = core, 1.0
        self._away, self._back_at = 0.0, 0.0  # how long it stays away, and until when; 0: it is there
        self._since = 0.0  # when it last came back
        if core is not None:
            self._everywhere = self._bound = os.sched_getaffinity(0)
            self._bind({core})

    @property
    def kept(self) -> bool:
        """Whether the thread keeps to its core now."""
        return self._core is not None and not self._back_at

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Around a batch: afterwards the thread stays, lets go or comes back."""
        wall, own = time.monotonic(), time.thread_time()
        yield
        if self._core is not None:
            now = time.monotonic()
            self._judge(share=(time.thread_time() - own) / max(now - wall, 1e-9), now=now)

    def _judge(self, *, share: float, now: float) -> None:
        if self._back_at:
            if now >= self._back_at and self._core is not None:
                self._since, self._back_at, self._share = now, 0.0, 1.0
                self._bind({self._core})
            return
        self._share += _NEWEST_WEIGHT * (share - self._share)
        if self._share < _LEAST_SHARE:
            first, most = _AWAY_SECONDS
            in_vain = now - self._since < self._away
            self._away = min(most, 2 * self._away) if in_vain else first
            self._back_at = now + self._away
            self._bind(self._everywhere)

    def _bind(self, cores: set[int]) -> None:
        try:
            if os.sched_getaffinity(0) == self._bound:
                os.sched_setaffinity(0, cores)
                self._bound = cores
                return
        except OSError:
            pass
        self._core = None  # the machine's owner has chosen since, by `taskset` or a cpuset, and his choice counts
