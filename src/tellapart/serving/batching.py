"""Pictures of many requests in one batch. In: pictures, one network each. Out: outputs, in order. Next: pictures.py.

asyncio in front, one thread a core behind. A free thread takes what waits, so batches grow by themselves while all threads
are busy, and a single picture is never kept waiting for company unless a delay is asked for. Each thread decodes its own
batch and runs the network on it, one thread a session: the fast way on a CPU, as runtime.py says.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import PictureError
from tellapart.serving.refusals import Late, Overloaded, Stopping, TooLarge

_PACE_WEIGHT = 0.1  # of the newest batch in the running mean of seconds a picture


class Network(Protocol):
    """What a batch needs of a model."""

    def prepare(self, picture: Any) -> NDArray[np.uint8]:
        """A picture to the network's input, uint8 [S, S, 3]. Raises: PictureError."""

    def run(self, images: NDArray[np.uint8]) -> tuple[NDArray[Any], ...]:
        """Inputs [N, S, S, 3] to outputs, each [N, ...]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTimes:
    """How long the stages of one batch took, in seconds."""

    pictures: int  # that were decoded and run
    waited: tuple[float, ...]  # in the queue, one a picture taken
    decoding: float
    running: float


class Observer(Protocol):
    """Who counts batches; called from the worker threads."""

    def __call__(self, network: Network, times: BatchTimes) -> None:
        """One batch is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What the network says of the pictures of one request."""

    rows: tuple[tuple[NDArray[Any], ...] | None, ...]  # one a picture: each output's row; None where it was unreadable
    errors: tuple[str, ...]  # one a picture: why it could not be read; "" where it could


@dataclass(slots=True, kw_only=True, eq=False)
class _Request:
    network: Network
    pictures: Sequence[Any]
    deadline: float  # time.monotonic()
    entered: float
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Outputs]
    rows: list[tuple[NDArray[Any], ...] | None]
    errors: list[str]
    missing: int  # pictures without a result
    given_up: bool = False  # nobody waits for it any more
    failure: BaseException | None = None


@dataclass(slots=True, eq=False)
class _Taken:
    """A batch on its way: pictures of several requests, one network."""

    items: list[tuple[_Request, int]]
    finished: list[_Request] = field(default_factory=list)


class Batcher:
    """The queue, bounded, and the threads behind it. Close it with `close`, which finishes what was taken."""

    def __init__(
        self, *, threads: int, max_batch: int, max_delay: float, queue: int, observe: Observer | None = None
    ) -> None:
        """`max_delay` in seconds: how long a free thread waits for a batch to fill; `queue` in pictures that wait."""
        self.max_batch, self.max_delay, self.limit = max_batch, max_delay, queue
        self._observe = observe
        self._changed = threading.Condition()
        # One queue a network; the oldest picture's goes first.
        self._queues: dict[int, deque[tuple[_Request, int]]] = {}
        self._waiting = self._free = 0
        self._closing = False
        self._pace = 0.0  # seconds a picture, of one thread
        self._threads = [threading.Thread(target=self._work, name=f"serve-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Pictures in the queue."""
        return self._waiting

    def check_room(self, count: int) -> None:
        """Raises: Stopping, or Overloaded when `count` pictures more do not fit into the queue now."""
        if self._closing:
            raise Stopping("the server is shutting down. Send the request again, to another one.")
        if self._waiting + count > self.limit:
            raise Overloaded(
                f"{self._waiting:,} pictures are waiting, and at most {self.limit:,} may. Send the request again later.",
                retry_after=self._seconds_to_empty(),
            )

    async def submit(self, network: Network, pictures: Sequence[Any], *, timeout: float) -> Outputs:
        """Run `pictures` through `network`; several batches may share the work.

        All of a request is taken or nothing. `timeout` is in seconds.
        Raises: TooLarge, Overloaded, Stopping before anything is begun; Late when the deadline passes.
        """
        if not pictures:
            return Outputs(rows=(), errors=())
        request = self._enter(network, pictures, timeout)
        try:
            async with asyncio.timeout(timeout):
                return await request.answer
        except TimeoutError:
            raise Late(
                f"the answer was not there within {timeout:g} s. Send fewer pictures, or allow more time."
            ) from None
        finally:
            request.given_up = True

    async def close(self) -> None:
        """Take nothing more, finish what was taken, end the threads."""
        self.stop_taking()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    def stop_taking(self) -> None:
        """From now on refuse; what was taken goes on."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def _enter(self, network: Network, pictures: Sequence[Any], timeout: float) -> _Request:
        count, now = len(pictures), time.monotonic()
        if count > self.limit:
            raise TooLarge(
                f"{count:,} pictures in one request; at most {self.limit:,} are taken. Send several requests."
            )
        loop = asyncio.get_running_loop()
        request = _Request(
            network=network, pictures=pictures, deadline=now + timeout, entered=now, loop=loop,
            answer=loop.create_future(), rows=[None] * count, errors=[""] * count, missing=count,
        )  # fmt: skip
        with self._changed:
            self.check_room(count)
            queue = self._queues.setdefault(id(network), deque())
            queue.extend((request, index) for index in range(count))
            self._waiting += count
            self._changed.notify(count)
        return request

    def _seconds_to_empty(self) -> int:
        return min(60, max(1, math.ceil(self._waiting * self._pace / len(self._threads))))

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            self._process(taken)
            if taken.finished:
                self._tell(taken.finished)

    def _take(self) -> _Taken | None:
        """The next batch, or None when all is done and no more comes."""
        with self._changed:
            self._free += 1
            try:
                while True:
                    queue = min(self._queues.values(), key=lambda one: one[0][0].entered, default=None)
                    if queue is None:
                        if self._closing:
                            return None
                        self._changed.wait()
                        continue
                    left = queue[0][0].entered + self.max_delay - time.monotonic()
                    if len(queue) >= self.max_batch or left <= 0 or self._closing:
                        return self._pop(queue)
                    self._changed.wait(left)
            finally:
                self._free -= 1

    def _pop(self, queue: deque[tuple[_Request, int]]) -> _Taken:
        # A thread leaves their share to those that will be free soon: on a CPU a batch of eight takes eight times as long as
        # one picture. Who asks for a delay wants full batches, and only threads that are free now share them.
        share = len(self._threads) if self.max_delay == 0 else self._free
        count = min(self.max_batch, math.ceil(len(queue) / share))
        items = [queue.popleft() for _ in range(count)]
        self._waiting -= count
        if not queue:
            self._queues = {key: one for key, one in self._queues.items() if one is not queue}
        return _Taken(items)

    def _process(self, taken: _Taken) -> None:
        """Decode and run a batch; every picture of it has a result or an error afterwards."""
        started = time.monotonic()
        images, owners = self._decode(taken, started)
        decoded = time.monotonic()
        if not images:
            return
        network = owners[0][0].network
        try:
            outputs = network.run(np.stack(images))
        # Whatever the network raises (no memory, most likely) belongs to these requests; the thread must live on.
        except Exception as error:
            for request, _ in owners:
                request.failure = error
            outputs = ()
        done = time.monotonic()
        for row, (request, index) in enumerate(owners):
            self._settle(taken, request, index, tuple(output[row] for output in outputs), "")
        self._pace += _PACE_WEIGHT * ((done - started) / len(images) - self._pace)
        if self._observe is not None:
            waited = tuple(started - request.entered for request, _ in taken.items)
            times = BatchTimes(pictures=len(images), waited=waited, decoding=decoded - started, running=done - decoded)
            self._observe(network, times)

    def _decode(self, taken: _Taken, now: float) -> tuple[list[NDArray[np.uint8]], list[tuple[_Request, int]]]:
        images: list[NDArray[np.uint8]] = []
        owners: list[tuple[_Request, int]] = []
        for request, index in taken.items:
            if request.given_up or request.deadline < now:
                request.failure = Late("the deadline passed while the request waited. Allow more time, or ask less.")
                self._settle(taken, request, index, None, "")
                continue
            try:
                images.append(request.network.prepare(request.pictures[index]))
                owners.append((request, index))
            except PictureError as error:
                self._settle(taken, request, index, None, str(error))
            except Exception as error:
                request.failure = error
                self._settle(taken, request, index, None, "")
        return images, owners

    def _settle(
        self, taken: _Taken, request: _Request, index: int, row: tuple[NDArray[Any], ...] | None, error: str
    ) -> None:
        request.rows[index], request.errors[index] = row, error
        with self._changed:  # two threads may hold pictures of one request
            request.missing -= 1
            if request.missing == 0:
                taken.finished.append(request)

    def _tell(self, finished: list[_Request]) -> None:
        loops = {request.loop for request in finished}
        for loop in loops:
            mine = [request for request in finished if request.loop is loop]
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(_answer, mine)


def _answer(requests: list[_Request]) -> None:
    for request in requests:
        if request.answer.done():
            continue
        if request.failure is not None:
            request.answer.set_exception(request.failure)
        else:
            request.answer.set_result(Outputs(rows=tuple(request.rows), errors=tuple(request.errors)))
