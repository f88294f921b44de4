"""What the screen shows while a command works. In: a workflow's steps. Out: bars or plain lines on stderr. Next: extras.py."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator

from tellapart.cli.screen import harmless
from tellapart.cli.speaking import guard_screen, said, speaks_chinese, terminal
from tellapart.reporter import Reporter, Silent, duration

_PLAIN_SECONDS = 10.0  # between two lines of a step, where there is no terminal to redraw


class PlainReporter:
    """Plain lines: for logs, pipes and CI."""

    def say(self, text: str) -> None:
        """One line. That nobody reads it any more must not stop an hour's work."""
        with contextlib.suppress(BrokenPipeError):
            print(text, file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        """One line that begins with a mark."""
        self.say(f"! {text}")

    @contextlib.contextmanager
    def step(self, title: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """A line every ten seconds with the time left, and one at the end."""
        started = shown = time.monotonic()
        done, first = 0, None  # what a stopped run had done comes at once, and says nothing of the pace

        def advance(count: int) -> None:
            nonlocal done, shown, first
            done += count
            now = time.monotonic()
            if first is None:
                first = (now, done) if done > 1 else (started, 0)
            if now - shown < _PLAIN_SECONDS or done <= first[1]:
                return
            shown = now
            if total is None:
                self.say(f"{title}: {done:,} so far")
            elif done < total:
                left = (now - first[0]) / (done - first[1]) * (total - done)
                self.say(f"{title}: {done:,} of {total:,}, about {duration(left)} left")

        yield advance
        took = duration(time.monotonic() - started)
        if total is None:
            self.say(f"{title}: {done:,} in {took}" if done else f"{title}: {took}")
        else:
            self.say(f"{title}: {done:,} of {total:,} in {took}")


class BarReporter:
    """Progress bars with the time left, in a terminal."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(file=terminal(), highlight=False)

    def say(self, text: str) -> None:
        """One line."""
        self._console.print(harmless(said(text)), markup=False)

    def warn(self, text: str) -> None:
        """One line in yellow."""
        self._console.print(f"! {harmless(said(text))}", style="yellow", markup=False)

    @contextlib.contextmanager
    def step(self, title: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """A bar that stays on the screen when it is full."""
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description:<28}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn(said("time left")),
            TimeRemainingColumn(),
        )
        chinese = speaks_chinese()
        with Progress(*columns, console=self._console) as progress:
            guard_screen(chinese=chinese)  # rich puts its own streams in the place of ours, until the bar ends
            task = progress.add_task(harmless(said(title)), total=total)
            yield lambda count: progress.advance(task, count)
            if total is None:
                done = progress.tasks[task].completed or 1  # what counts nothing is one thing
                progress.update(task, total=done, completed=done)


def discard_output() -> None:
    """Send what is still to be printed to nowhere: its reader has gone, and Python would complain while it closes stdout."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class WarningsOnly(Silent):
    """No progress; what the user should not miss all the same."""

    def warn(self, text: str) -> None:
        """One line that begins with a mark."""
        PlainReporter().warn(text)


def make_reporter(*, quiet: bool, warnings: bool = False) -> Reporter:
    """Bars in a terminal, plain lines elsewhere; when quiet, nothing or `warnings` alone."""
    if quiet:
        return WarningsOnly() if warnings else Silent()
    return BarReporter() if sys.stderr.isatty() else PlainReporter()
