"""A Reporter whose person sits elsewhere. In: steps and sentences. Out: lines of a file, told again there. Next: together.py."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tellapart.reporter import Reporter
from tellapart.storage import storage_errors

_PAUSE = 0.25  # seconds between two lines about how far a step is


class WritingReporter:
    """A Reporter that writes each thing as one line of JSON, which several processes may do one after another."""

    def __init__(self, path: Path, *, now: Callable[[], float] = time.monotonic) -> None:
        self._path, self._now, self._steps = path, now, 0

    def tell(self, event: str, **facts: Any) -> None:
        """Add a line. Raises: StorageError."""
        line = json.dumps({"event": event, **facts}, ensure_ascii=False).encode() + b"\n"
        with storage_errors(self._path), self._path.open("ab", buffering=0) as file:
            file.write(line)

    def began(self, place: str) -> None:
        """This process takes part from now on; `place` is where it goes on from."""
        self.tell("began", host=socket.gethostname(), process=os.getpid(), place=place)

    @contextlib.contextmanager
    def step(self, title: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Told as it opens, every now and then, and as it closes."""
        self._steps += 1
        number, waiting, shown = self._steps, 0, self._now()
        self.tell("step", step=number, title=title, total=total)

        def advance(count: int) -> None:
            nonlocal waiting, shown
            waiting += count
            if self._now() - shown >= _PAUSE:
                self.tell("advance", step=number, count=waiting)
                waiting, shown = 0, self._now()

        try:
            yield advance
        finally:
            self.tell("end", step=number, count=waiting)

    def say(self, text: str) -> None:
        """One line."""
        self.tell("say", text=text)

    def warn(self, text: str) -> None:
        """One line that the user should not miss."""
        self.tell("warn", text=text)


class Retelling:
    """Tells a Reporter here what WritingReporter has written there."""

    def __init__(self, path: Path, reporter: Reporter, *, whole: Callable[[], None]) -> None:
        """`whole` is called once the run is, before its report is written."""
        self._path, self._reporter, self._whole = path, reporter, whole
        self._place, self._begun, self._told = 0, 0, False
        self._steps: list[tuple[int, contextlib.ExitStack, Callable[[int], None]]] = []

    def poll(self) -> None:
        """Tell what is new."""
        if not self._path.exists():
            return
        with storage_errors(self._path), self._path.open("rb") as file:
            file.seek(self._place)
            lines = file.read()
        whole = lines[: lines.rfind(b"\n") + 1]  # a line may be half written
        self._place += len(whole)
        for line in whole.splitlines():
            self._tell(json.loads(line))

    def close(self) -> None:
        """Close what is open."""
        self._close(0)

    def _tell(self, told: dict[str, Any]) -> None:
        event = told["event"]
        if event == "began":
            self._begun += 1
            if self._begun > 1:
                self._close(0)
                self._reporter.warn("A process of the training was lost; all go on from what is saved.")
        elif event == "step":
            stack = contextlib.ExitStack()
            advance = stack.enter_context(self._reporter.step(told["title"], told["total"]))
            self._steps.append((told["step"], stack, advance))
        elif event in ("advance", "end"):
            self._advance(told["step"], told["count"], ends=event == "end")
        elif event == "whole":
            if not self._told:
                self._told = True
                self._whole()
        elif event == "warn":
            self._reporter.warn(told["text"])
        else:
            self._reporter.say(told["text"])

    def _advance(self, number: int, count: int, *, ends: bool) -> None:
        for place, (step, _, advance) in enumerate(self._steps):
            if step == number:
                if count:
                    advance(count)
                if ends:
                    self._close(place)
                return

    def _close(self, place: int) -> None:
        """Close the steps from a place on, the last first."""
        while len(self._steps) > place:
            self._steps.pop()[1].close()
