"""Requests that arrive by themselves, each answer compared. In: requests, right answers. Out: minutes. Next: soak_faults.py.

A request counts as failed when it came to nothing for good: another status than 200, 429 or 503, an answer that is not right, or no
answer after several tries. A connection that is cut, as by a process that is killed, is what any client meets; the request
is sent again, as `tellapart.Client` does, and counted as cut. What a server refuses (429, 503) it never took.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from serving_load import MOST_OUTSTANDING, Http

TRIES = 8
PAUSE_SECONDS = 0.1  # before the second try; twice as long before each further
ANSWER_SECONDS = 60.0  # longer than the server's own limit
AFTER_A_KILL = 5.0  # seconds in which a connection that is cut is put down to it
APART = 0.05  # of a probability, between engines
REFUSED, CUT = "refused", ("connection lost", "no connection")


@dataclass(slots=True)
class Minute:
    """What happened to the requests that were due in one minute."""

    asked: int = 0
    counts: Counter[str] = field(
        default_factory=Counter
    )  # outcomes; "cut" and "cut without a kill" are tries, not requests
    seconds: list[float] = field(default_factory=list)  # from when a request was due to its answer

    def row(self) -> dict[str, Any]:
        """For JSON."""
        times, row = sorted(self.seconds), {"asked": self.asked, **self.counts}
        for percent in (50, 95, 99, 100):
            if times:
                row[f"p{percent}_ms"] = round(1000 * times[min(len(times) - 1, len(times) * percent // 100)], 1)
        return row


@dataclass(slots=True)
class Seen:
    """When a version was first and last seen in an answer, in seconds from the start."""

    first: float
    last: float
    count: int = 0


Right = Mapping[str, float]  # class -> probability, of one picture


class Load:
    """Asks at a rate (Poisson), until told to stop."""

    def __init__(
        self, port: int, requests: Sequence[bytes], right: Sequence[Sequence[Right]], *, rate: float, seed: int
    ) -> None:
        """`right[kind][at]`: what request `at` is answered by a model of that kind; a version's kind is its number's rest."""
        self.http, self._requests, self._right = Http({"port": port}), requests, right
        self._rate, self._chance = rate, random.Random(seed)
        self.minutes: dict[int, Minute] = {}
        self.versions: dict[int, Seen] = {}
        self.kills: list[float] = []  # when a process was killed, in seconds from the start
        self.wrong: list[str] = []  # the first few failures, in words
        self.furthest = 0.0  # a probability from the right one
        self.started = time.perf_counter()

    def now(self) -> float:
        """Seconds from the start."""
        return time.perf_counter() - self.started

    async def run(self, seconds: float) -> None:
        """Ask for so long, then wait for the last answers."""
        waiting: set[asyncio.Task[None]] = set()
        due, number = self.now(), 0
        end = due + seconds
        while (due := due + self._chance.expovariate(self._rate)) < end:
            if (ahead := due - self.now()) > 0:
                await asyncio.sleep(ahead)
            minute = self.minutes.setdefault(int(due // 60), Minute())
            minute.asked += 1
            if len(waiting) >= MOST_OUTSTANDING:
                minute.counts["not sent"] += 1
                continue
            task = asyncio.create_task(self._one(number % len(self._requests), due, minute))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
            number += 1
        while waiting:
            await asyncio.wait(waiting)

    async def _one(self, at: int, due: float, minute: Minute) -> None:
        outcome, body = await self.sent(self._requests[at], minute)
        if outcome == "ok" and (problem := self._problem(at, body)):
            outcome = problem
        minute.counts["ok" if outcome == "ok" else "refused" if outcome == REFUSED else "failed"] += 1
        if outcome == "ok":
            minute.seconds.append(self.now() - due)
        elif outcome != REFUSED and len(self.wrong) < 50:
            self.wrong.append(f"at {self.now():.1f} s: {outcome}: {body[:200]!r}")

    async def sent(self, request: bytes, minute: Minute) -> tuple[str, bytes]:
        """The last outcome of a request that is sent again where its connection is cut."""
        outcome, body = "", b""
        for tried in range(TRIES):
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    outcome, body = await self.http.ask_and_read(request)
            except TimeoutError:
                return f"not answered in {ANSWER_SECONDS:g} s", b""
            if outcome not in CUT:
                return outcome, body
            minute.counts["cut"] += 1
            if not any(0 <= self.now() - kill <= AFTER_A_KILL for kill in self.kills[-3:]):
                minute.counts["cut without a kill"] += 1
            await asyncio.sleep(PAUSE_SECONDS * 2**tried)
        return outcome, body

    def _problem(self, at: int, body: bytes) -> str:
        """What is wrong with an answer; "" where nothing is."""
        told = json.loads(body)
        number, (row,) = told["version"], told["predictions"]
        now = self.now()
        seen = self.versions.setdefault(number, Seen(now, now))
        seen.last, seen.count = now, seen.count + 1
        right = self._right[number % len(self._right)][at]
        for one in row["classes"]:
            apart = abs(one["probability"] - right[one["label"]])
            self.furthest = max(self.furthest, apart)
            if apart > APART:
                return f"version {number} says {one}, the model {right[one['label']]}"
        return ""
