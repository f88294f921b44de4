"""Who does the trials of a search. In: Orders. Out: Attempts, in the order in which they end. Next: finding.py.

This process does one at a time; others may do several elsewhere. One process asks for trials and writes down what they gave.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from tellapart.runs.run import WORK
from tellapart.workflows.searching.attempt import Attempt, Order, attempt
from tellapart.workflows.searching.bench import Bench
from tellapart.workflows.searching.study import Study
from tellapart.workflows.searching.trying import Told


class Crew(Protocol):
    """Workers that do trials."""

    @property
    def size(self) -> int:
        """Trials at once, which may change."""
        ...

    def begin(self, order: Order, told: Told) -> None:
        """Let a worker do it that has nothing to do; `told` is called in `next`, by the thread that waits there."""
        ...

    def next(self) -> tuple[Order, Attempt] | None:
        """The next that ends of those that were begun; None where more can be begun meanwhile. Raises: StorageError."""
        ...


class Alone:
    """This process by itself; what it writes meanwhile goes to the run's folder."""

    size = 1

    def __init__(self, bench: Bench, folder: Path) -> None:
        self._bench, self._folder = bench, folder
        self._begun: tuple[Order, Told] | None = None

    def begin(self, order: Order, told: Told) -> None:
        """It is done in `next`."""
        self._begun = (order, told)

    def next(self) -> tuple[Order, Attempt]:
        """Do it. Raises: StorageError."""
        assert self._begun is not None
        order, told = self._begun
        return order, attempt(self._bench, order, self._folder / WORK / f"trial-{order.number}", told)


Hire = Callable[[Study], AbstractContextManager[Crew]]  # workers for the trials of a study, who are let go afterwards
