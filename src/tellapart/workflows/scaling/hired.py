"""Workers of a Ray cluster that do one order after another. In: work, orders. Out: what came of them. Next: connection.py.

A worker is an actor, which keeps what its work needs from one order to the next. Where one is lost another is asked for, wherever
there is room, and its order is handed back as lost. Who was asked for and has not come holds no order: it may never come.
"""

from __future__ import annotations

import asyncio
import importlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from tellapart.errors import MachineError, SettingsError, TellapartError, one_line
from tellapart.reporter import counted

Told = Callable[[int, float], bool]  # an epoch, from 1, and its rank -> whether to stop here
Work = Callable[[Any, Told], Any]  # an order, who is told of its epochs -> what came of it
_NEVER_CAME = 5  # workers one after another that could not begin, before it is given up


class Numbered(Protocol):
    """An order."""

    @property
    def number(self) -> int:
        """By which it is known."""
        ...


_Order = TypeVar("_Order", bound=Numbered)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRoom:
    """How many work at once, and what each gets."""

    parallel: int
    cpus: float
    gpus: float


def room_for(
    nodes: Sequence[Mapping[str, float]], *, parallel: int | None, cpus: float, gpus: float | None, device: str
) -> TrialRoom:
    """How many workers find room on machines with these resources, each with so many CPUs and GPUs or parts of them.

    `gpus` None: one, where there are some and the device may be one. Raises: SettingsError where there is no room, or less.
    """
    if parallel is not None and parallel < 1:
        raise SettingsError(
            f"--parallel is {parallel}; it is how many trials run at once, 1 or more. Give another number."
        )
    if not 0 < cpus < 10_000 or not 0 <= (gpus or 0.0) < 10_000:
        raise SettingsError(
            f"a trial cannot have --cpus {cpus:g} and --gpus {gpus or 0.0:g}: CPUs are more than 0, such as 0.5 or 2, GPUs 0 or "
            "more. Give other numbers."
        )
    cpu_count, gpu_count = (sum(node.get(name, 0.0) for node in nodes) for name in ("CPU", "GPU"))
    if gpus is None:
        gpus = 1.0 if device != "cpu" and gpu_count else 0.0
    if device == "cuda" and not gpus:
        raise SettingsError(
            f"--device {device} was asked for, and a trial has no GPU of the Ray cluster. Use --device cpu, or add machines."
        )
    fits = sum(
        int(min([node.get("CPU", 0.0) / cpus, *([node.get("GPU", 0.0) / gpus] if gpus else [])]) + 1e-9)
        for node in nodes
    )
    if fits < (parallel or 1):
        raise SettingsError(
            f"--ray has no room for {counted(parallel or 1, 'trial')} with {cpus:g} CPUs and {gpus:g} GPUs each: there are "
            f"{counted(int(cpu_count), 'CPU')} and {counted(int(gpu_count), 'GPU')} on {counted(len(nodes), 'machine')}. Ask for "
            "fewer or smaller ones, or add machines."
        )
    return TrialRoom(parallel=parallel or fits, cpus=cpus, gpus=gpus)


@dataclass(slots=True, eq=False)
class _Place:
    """One worker, or one that was asked for."""

    actor: Any
    coming: Any | None  # answers as soon as it is there; None: it is
    busy: bool = False


class Hired(Generic[_Order]):
    """So many workers of the cluster that we are connected to."""

    def __init__(
        self,
        work: Callable[[Any], Work],
        facts: Any,
        room: TrialRoom,
        *,
        lost: Callable[[str], Any],
        listens: bool,
        ray: Any = None,
    ) -> None:
        """Each calls `work(facts)` once, and what that gives for each order.

        `lost` makes of a reason what came of an order whose worker is gone; who does not listen is not told of epochs. `ray` is
        the package, unless it is another that does the same.
        """
        if ray is None:
            ray = importlib.import_module("ray")
        self._ray, self._lost = ray, lost
        options = {"num_cpus": room.cpus, "num_gpus": room.gpus, "max_restarts": 0, "max_concurrency": 1}
        self._hire: Callable[[], Any] = lambda: ray.remote(_Worker).options(**options).remote(work, facts)
        self._desk = _desk(ray) if listens else None
        self._asking = None if self._desk is None else self._desk.take.remote()
        self._never_came = 0
        self._waiting: deque[tuple[_Order, Told]] = deque()  # for who comes, or is done, next
        self._at_work: dict[Any, tuple[_Place, _Order, Told]] = {}
        self._places: list[_Place] = []
        for _ in range(room.parallel):
            self._ask_for_one()

    @property
    def size(self) -> int:
        """Workers that are there; one where none is yet."""
        return max(1, sum(place.coming is None for place in self._places))

    def begin(self, order: _Order, told: Told) -> None:
        """Let one do it that has nothing to do, or the first that is done or comes."""
        self._waiting.append((order, told))
        self._hand_out()

    def _hand_out(self) -> None:
        for place in self._places:
            if self._waiting and place.coming is None and not place.busy:
                order, told = self._waiting.popleft()
                place.busy = True
                self._at_work[place.actor.do.remote(order, self._desk)] = (place, order, told)

    def next(self) -> tuple[_Order, Any] | None:
        """What ends next; None where a worker has come that has nothing to do.

        Raises: SettingsError where one cannot do any order; MachineError where none can be had; what an order raised.
        """
        while True:
            self._hand_out()
            comings = {place.coming: place for place in self._places if place.coming is not None}
            waited = [*self._at_work, *comings, *([] if self._asking is None else [self._asking])]
            ready = self._ray.wait(waited, num_returns=1)[0][0]
            if ready in comings:
                if self._has_come(comings[ready]) and not self._waiting:
                    return None
            elif ready in self._at_work:
                return self._ended(ready)
            else:
                self._answer(*self._ray.get(ready))

    def close(self) -> None:
        """They are let go."""
        for place in self._places:
            self._ray.kill(place.actor)
        if self._desk is not None:
            self._ray.kill(self._desk)

    def _ask_for_one(self) -> None:
        actor = self._hire()
        self._places.append(_Place(actor, actor.here.remote()))

    def _has_come(self, place: _Place) -> bool:
        """Whether a worker that was asked for is there; otherwise another is asked for. Raises: MachineError."""
        try:
            self._ray.get(place.coming)
        except self._ray.exceptions.RayError as error:
            self._never_came += 1
            if self._never_came >= _NEVER_CAME:
                raise MachineError(
                    f"{_NEVER_CAME} workers of the Ray cluster ended before they could begin, at last: {one_line(error, most=300)} "
                    "Its own log, under /tmp/ray on its head machine, says more."
                ) from None
            self._places.remove(place)
            self._ask_for_one()
            return False
        place.coming, self._never_came = None, 0
        return True

    def _ended(self, ready: Any) -> tuple[_Order, Any]:
        place, order, _ = self._at_work.pop(ready)
        place.busy = False
        try:
            found = self._ray.get(ready)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except self._ray.exceptions.RayError as error:
            self._places.remove(place)
            self._ask_for_one()
            return order, self._lost(_reason(error))
        if isinstance(found, _Refused):
            raise SettingsError(found.reason)
        return order, found

    def _answer(self, number: int, epoch: int, rank: float) -> None:
        """Whether an order that has told an epoch is to stop."""
        assert self._desk is not None
        told = next((told for _, order, told in self._at_work.values() if order.number == number), None)
        self._desk.answer.remote(number, told is not None and told(epoch, rank))
        self._asking = self._desk.take.remote()


@dataclass(frozen=True, slots=True)
class _Refused:
    """A worker cannot do any order."""

    reason: str


class _Worker:
    """Runs in a process of its own, somewhere in the cluster."""

    def __init__(self, work: Callable[[Any], Work], facts: Any) -> None:
        self._work, self._facts = work, facts
        self._do: Work | None = None

    def here(self) -> bool:
        """It answers."""
        return True

    def do(self, order: Any, desk: Any) -> Any:
        """One order."""
        if self._do is None:
            try:
                self._do = self._work(self._facts)
            except TellapartError as error:
                return _Refused(str(error))

        def told(epoch: int, rank: float) -> bool:
            if desk is None:
                return False
            import ray

            return bool(ray.get(desk.ask.remote(order.number, epoch, rank)))

        return self._do(order, told)


class _Desk:
    """Where workers ask whether to stop, and who began the orders answers."""

    def __init__(self) -> None:
        self._asked: asyncio.Queue[tuple[int, int, float]] = asyncio.Queue()
        self._answers: dict[int, asyncio.Future[bool]] = {}

    async def ask(self, number: int, epoch: int, rank: float) -> bool:
        """Wait for the answer."""
        self._answers[number] = asyncio.get_running_loop().create_future()
        self._asked.put_nowait((number, epoch, rank))
        return await self._answers[number]

    async def take(self) -> tuple[int, int, float]:
        """The next question."""
        return await self._asked.get()

    async def answer(self, number: int, stop: bool) -> None:
        """Answer the last one of this order."""
        waiting = self._answers.pop(number, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(stop)


def _desk(ray: Any) -> Any:
    """One on this machine, which ends with who began the orders."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(node_id=ray.get_runtime_context().get_node_id(), soft=True)
    return ray.remote(_Desk).options(num_cpus=0, max_concurrency=1_000, scheduling_strategy=here).remote()


def _reason(error: Exception) -> str:
    """Why a worker is gone; Ray's own words name all that may have been."""
    if type(error).__name__ == "OutOfMemoryError":
        return "its memory ran out"
    return "its machine is gone" if "node has died" in str(error) else "its process has ended"
