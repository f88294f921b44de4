"""What a workflow tells the person who waits. In: steps and sentences. Out: nothing. Next: workflows/train.py.

A workflow does not know whether it runs in a terminal, a log or a notebook; the command line brings its own Reporter.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol


class Reporter(Protocol):
    """Receives progress and messages."""

    def step(self, title: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Open a step of `total` units; the callable is told how many more are done."""
        ...

    def say(self, text: str) -> None:
        """Show one line of plain information."""
        ...

    def warn(self, text: str) -> None:
        """Show one line that the user should not miss."""
        ...


class Silent:
    """A Reporter that shows nothing: for Python callers and `--quiet`."""

    @contextlib.contextmanager
    def step(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        """Count nothing."""
        yield lambda count: None

    def say(self, text: str) -> None:
        """Say nothing."""

    def warn(self, text: str) -> None:
        """Say nothing."""
