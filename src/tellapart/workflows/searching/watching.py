"""A step that would not end in time is ended at once. In: a Reporter, a time. Out: TooLong. Next: trying.py."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from tellapart.reporter import Reporter

_PATIENCE = 3.0  # seconds before a step is judged by its pace: it begins slowly
_SHARE = 0.1  # of the time that it has, likewise


class TooLong(Exception):
    """A trial would not end in its time. No error: only who tries sees it."""

    def __init__(self, seconds: float) -> None:
        """`seconds` more it would take; 0 where nobody knows."""
        super().__init__(seconds)
        self.seconds = seconds


class Watching:
    """A Reporter that hands all on, and ends a step that by its pace so far would end after a time of `now`."""

    def __init__(self, outer: Reporter, end: float, *, now: Callable[[], float] = time.monotonic) -> None:
        self._outer, self._end, self._now = outer, end, now

    @contextlib.contextmanager
    def step(self, title: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """The outer step. Raises: TooLong where it is too late already; so does what advances it."""
        began, done = self._now(), 0
        if began > self._end:
            raise TooLong(0.0)
        patience = max(_PATIENCE, _SHARE * (self._end - began))
        with self._outer.step(title, total) as advance:

            def watched(count: int) -> None:
                nonlocal done
                advance(count)
                done += count
                took = self._now() - began
                if total is None or not 0 < done < total or took < patience:
                    return
                more = took * (total - done) / done
                if began + took + more > self._end:
                    raise TooLong(more)

            yield watched

    def say(self, text: str) -> None:
        """One line."""
        self._outer.say(text)

    def warn(self, text: str) -> None:
        """One line that the user should not miss."""
        self._outer.warn(text)
