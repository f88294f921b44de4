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

    def step(self, title: str, total: int | None) -> AbstractContextManager[Callable[[int], None]]:
        """Open a step of `total` units, None where nobody knows; the callable is told how many more are done."""
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
    def step(self, title: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Count nothing."""
        yield lambda count: None

    def say(self, text: str) -> None:
        """Say nothing."""

    def warn(self, text: str) -> None:
        """Say nothing."""


class WithinStep(Silent):
    """Hands sentences on, and shows no steps: for what is done within a step that is shown."""

    def __init__(self, outer: Reporter) -> None:
        self._outer = outer

    def say(self, text: str) -> None:
        """One line."""
        self._outer.say(text)

    def warn(self, text: str) -> None:
        """One line that the user should not miss."""
        self._outer.warn(text)


def duration(seconds: float) -> str:
    """Seconds in words that a person reads: 4.2 s, 3 min 20 s, 2 h 05 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min {int(seconds % 60):02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def counted(number: int, noun: str) -> str:
    """A number with its noun, in the singular or with an s: 1 picture, 1,000 pictures."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percent(value: float) -> str:
    """A share in [0, 1] as 98.9 %."""
    return f"{100 * value:.1f} %"


def figure_name(name: str) -> str:
    """What a figure of metrics.json is called at the beginning of a sentence: Balanced accuracy, AUROC, AP50, IOU."""
    short = name in ("auroc", "ap", "iou") or (name.isalnum() and not name.isalpha())
    return name.upper() if short else name.replace("_", " ").capitalize()


def figure(name: str, value: float, low: float | None, high: float | None) -> str:
    """A metric with its interval; shares in percent, losses and areas as they are."""
    share = name not in ("auroc", "log_loss", "brier")

    def shown(number: float) -> str:
        return percent(number) if share else f"{number:.4f}"

    return shown(value) if low is None or high is None else f"{shown(value)} (95 %: {shown(low)} to {shown(high)})"
