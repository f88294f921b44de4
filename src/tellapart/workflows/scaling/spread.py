"""Units of work over a cluster, each done once. In: what works, units. Out: results, as they come. Next: parts.py.

A worker is an actor of Ray on nine tenths of a CPU, which makes ready once (opens a model) and then takes one unit at a time. It
may be lost at any moment, with its machine or alone: its unit goes to another, and a new worker is asked for. Near the end, idle
workers take units once more that a slow machine is long with; what comes first counts. Whoever does a unit must give the same.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tellapart.errors import MachineError
from tellapart.workflows.scaling.connection import WORKER_CPUS

# Makes what works from what all workers are given, such as a model's bytes.
Make: TypeAlias = Callable[[Any], Callable[[Any], Any]]
# make, given, units -> the number of a unit and its result, as they come; each once.
Spread: TypeAlias = Callable[[Make, Any, Sequence[Any]], Generator[tuple[int, Any], None, None]]

_MOST_LOSSES = 4  # workers that end over one unit, before it is taken for the reason
_SLOW = 3.0  # times as long as the others took: then another worker takes the unit, too
_WAIT_SECONDS = 1.0


@dataclass(eq=False)
class _Worker:
    """An actor, and what it is busy with."""

    actor: Any
    waits_for: Any  # a promise of Ray: that it is ready, or its result
    unit: int | None = None  # None: it makes ready
    since: float = 0.0


@dataclass(eq=False)
class _Work:
    """What is to be done, and how far it is."""

    units: Sequence[Any]
    waiting: deque[int]
    done: set[int] = field(default_factory=set)
    took: list[float] = field(default_factory=list)  # seconds of each unit that is done
    losses: dict[int, int] = field(default_factory=dict)


def over_ray(workers: int) -> Spread:
    """Spread over so many workers; `ray` must be connected."""

    def each(make: Make, given: Any, units: Sequence[Any]) -> Generator[tuple[int, Any], None, None]:
        return _each(make, given, units, workers)

    return each


def _each(make: Make, given: Any, units: Sequence[Any], workers: int) -> Generator[tuple[int, Any], None, None]:
    """Raises: what a unit raises; MachineError where workers end over one unit again and again."""
    import ray

    start = _starting(make, ray.put(given))
    work = _Work(units=units, waiting=deque(range(len(units))))
    team = [start() for _ in range(min(workers, len(units)))]
    try:
        while len(work.done) < len(units):
            promised = {one.waits_for: one for one in team if one.waits_for is not None}
            finished, _ = ray.wait(list(promised), num_returns=1, timeout=_WAIT_SECONDS)
            for promise in finished:
                worker = promised[promise]
                try:
                    result = ray.get(promise)
                except ray.exceptions.RayTaskError as error:
                    raise (error.cause if isinstance(error.cause, Exception) else error) from None
                except ray.exceptions.RayError as error:
                    ray.kill(worker.actor)  # it may live, and only its result be lost
                    team.remove(worker)
                    _lost(work, worker, error)
                    team.append(start())
                    continue
                number, worker.unit, worker.waits_for = worker.unit, None, None
                if number is not None and number not in work.done:
                    work.done.add(number)
                    work.took.append(time.monotonic() - worker.since)
                    yield number, result
            _hand_out(work, team)
    finally:
        for one in team:
            ray.kill(one.actor)


def _starting(make: Make, given: Any) -> Callable[[], _Worker]:
    import ray

    # Not restarted by Ray: a worker of a lost machine would wait for another with a free CPU, and its unit with it.
    actor: Any = ray.remote(num_cpus=WORKER_CPUS, max_restarts=0, max_task_retries=0)(Works)

    def start() -> _Worker:
        made = actor.remote(make, given)
        return _Worker(actor=made, waits_for=made.ready.remote())

    return start


class Works:
    """In a process of Ray's: one that works."""

    def __init__(self, make: Make, given: Any) -> None:
        from tellapart.runtime import share_cores

        share_cores(1)
        self._make, self._given = make, given
        self._work: Callable[[Any], Any] | None = None

    def ready(self) -> None:
        """Make what works. Raises: what that raises, which Ray tells of a task and not of what an actor begins with."""
        self._work = self._make(self._given)

    def do(self, unit: Any) -> Any:
        """One unit."""
        if self._work is None:
            raise RuntimeError
        return self._work(unit)


def _lost(work: _Work, worker: _Worker, error: Exception) -> None:
    """Its unit is to be done again, first of all. Raises: MachineError."""
    number = -1 if worker.unit is None else worker.unit
    work.losses[number] = work.losses.get(number, 0) + 1
    if work.losses[number] >= _MOST_LOSSES and (number >= 0 or not work.done):
        what = "while they made ready" if number < 0 else f"over part {number + 1:,} of {len(work.units):,}"
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)[:160]
        raise MachineError(
            f"{_MOST_LOSSES} workers of Ray ended {what} ({reason.strip().rstrip('.')}). See that its machines have memory "
            "enough; what is done is kept."
        )
    if number >= 0 and number not in work.done and number not in work.waiting:
        work.waiting.appendleft(number)


def _hand_out(work: _Work, team: Sequence[_Worker]) -> None:
    """A unit for each worker that has none: one that nobody has, else one that somebody is long with."""
    for worker in team:
        if worker.waits_for is not None:
            continue
        while work.waiting and work.waiting[0] in work.done:
            work.waiting.popleft()
        number = work.waiting.popleft() if work.waiting else _slow(work, team)
        if number is None:
            continue
        worker.unit, worker.since = number, time.monotonic()
        worker.waits_for = worker.actor.do.remote(work.units[number])


def _slow(work: _Work, team: Sequence[_Worker]) -> int | None:
    """The unit that is under way for the longest, where one worker alone has it and others took far less."""
    busy = [one for one in team if one.unit is not None and one.unit not in work.done]
    alone = [one for one in busy if sum(other.unit == one.unit for other in busy) == 1]
    if not alone or not work.took:
        return None
    oldest = min(alone, key=lambda one: one.since)
    usual = sorted(work.took)[len(work.took) // 2]
    return oldest.unit if time.monotonic() - oldest.since > max(_WAIT_SECONDS, _SLOW * usual) else None
