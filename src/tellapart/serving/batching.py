"""Inputs of many requests in one batch. In: pictures, one network each. Out: outputs, in order. Next: pictures.py.

asyncio in front, one thread a core behind. A free thread takes what waits, so a picture is never kept waiting for company
unless a delay is asked for. Each thread decodes its own batch and runs the network on it, one thread a session: the fast way on
a CPU, as runtime.py says. On a CPU the network needs as long for eight pictures at once as one by one, and all eight wait for
the last; what a batch saves is handing over between threads: two pictures at a time 8 % of all time where each takes 14 ms, four
10 %, but then one request in a hundred waits 5 times as long as a lone one at 70 % load, not 4.4 (docs/results.md). Hence a bound
in time, and no thread takes more than its share of what waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import PictureError
from tellapart.serving.batches import BatchTimes, Network, Observer, OutputColumns, Outputs, QueuedRequest, TakenBatch
from tellapart.serving.own_core import OwnCore, yield_to_others
from tellapart.serving.refusals import Late, Stopping, TooLarge
from tellapart.serving.settling import answer, give_up, joined, parted, settle, settle_spans
from tellapart.serving.waiting import WaitingLine

BATCH_SECONDS = 0.036  # for which a thread takes pictures at a time, where nobody asked for a delay


class Batcher:
    """The queue, bounded, and the threads behind it. Close it with `close`, which finishes what was taken."""

    def __init__(
        self,
        *,
        threads: int,
        max_batch: int,
        max_delay: float,
        queue: int,
        max_wait: float | None = None,
        batch_seconds: float = BATCH_SECONDS,
        observe: Observer | None = None,
        cores: Sequence[int] = (),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`max_delay` in seconds: how long a free thread waits for a batch to fill; `queue` in pictures that wait.

        `max_wait` in seconds: how long a queue that stands may be; None: what waiting.py says. A batch takes `batch_seconds`
        at most, if more than one picture, unless there is a `max_delay`. `cores`: what own_core.py allots to the threads.
        `now` is a clock in seconds that never goes back.
        """
        self._delayed, self._batch_seconds, self.limit = max_delay > 0, batch_seconds, queue
        self._observe, self._now = observe, now
        self._changed = threading.Condition()  # around the line
        self._line: WaitingLine[QueuedRequest] = WaitingLine(
            threads=threads, limit=queue, max_wait=max_wait, max_batch=max_batch, max_delay=max_delay
        )
        self._free, self._closing = 0, False
        self._threads = [
            threading.Thread(target=self._work, args=(core,), name=f"serve-{n}", daemon=True)
            for n, core in enumerate(cores or [None] * threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Pictures in the queue."""
        return self._line.pictures

    @property
    def free(self) -> int:
        """Threads that wait for pictures."""
        return self._free

    def check_room(self, count: int) -> None:
        """Raises: Stopping, or Overloaded when a request of `count` pictures would not be taken now."""
        with self._changed:
            self._check(count, now=self._now())

    async def submit(self, network: Network, pictures: Sequence[Any], *, timeout: float) -> Outputs | OutputColumns:
        """Run `pictures` through `network`; several batches may share the work. OutputColumns of one that takes many together.

        All of a request is taken or nothing. `timeout` is in seconds.
        Raises: TooLarge, Overloaded, Stopping before anything is begun; Late when the deadline passes.
        """
        if not pictures:
            return Outputs(rows=(), beside=(), errors=())
        request = self._enter(network, pictures, timeout)
        # A third of what asyncio.timeout costs, which is what a request costs in the end.
        late = request.loop.call_later(timeout, give_up, request, timeout)
        try:
            return await request.answer
        finally:
            late.cancel()
            request.given_up = True
            # What is raised holds this frame, and the answer holds what is raised: a ring, which would keep the network and the
            # pictures until Python looks for rings, long after a new version.
            del request

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

    def _enter(self, network: Network, pictures: Sequence[Any], timeout: float) -> QueuedRequest:
        count, now = len(pictures), self._now()
        if count > (most := self.limit * network.many):
            raise TooLarge(
                f"{count:,} {network.item}s in one request; at most {most:,} are taken, as many as may wait (--queue). "
                "Send several requests."
            )
        loop = asyncio.get_running_loop()
        single = count if network.together == 1 else 0
        request = QueuedRequest(
            network=network,
            pictures=pictures,
            deadline=now + timeout,
            entered=now,
            loop=loop,
            answer=loop.create_future(),
            rows=[None] * single,
            beside=[None] * single,
            errors=[""] * single,
            missing=count,
        )
        with self._changed:
            self._check(count, now=now, patience=timeout, many=network.many)
            self._line.join(
                request, network, count, now=now, many=network.many, together=network.together, item=network.item
            )
            self._changed.notify(-(-count // network.together))
        return request

    def _check(self, count: int, *, now: float, patience: float = math.inf, many: int = 1) -> None:
        if self._closing:
            raise Stopping("the server is shutting down. Send the request again, to another one.")
        self._line.check(count, now=now, patience=patience, many=many)

    def _work(self, core: int | None) -> None:
        yield_to_others()
        own = OwnCore(core)
        while (taken := self._take()) is not None:
            with own.working():
                self._process(taken)
            if taken.finished:
                self._tell(taken.finished)

    def _take(self) -> TakenBatch | None:
        """The next batch, or None when all is done and no more comes."""
        own = threading.get_ident()
        with self._changed:
            self._line.end(own)
            self._free += 1
            try:
                while True:
                    if not self._line:
                        if self._closing:
                            return None
                        self._changed.wait()
                        continue
                    left = self._line.seconds_to_fill(now=self._now())
                    if left <= 0 or self._closing:
                        taken = TakenBatch(self._line.take(self._size()))
                        self._line.begin(own, taken.network, pictures=taken.count, now=self._now())
                        return taken
                    self._changed.wait(left)
            finally:
                self._free -= 1

    def _size(self) -> int:
        # A thread leaves their share to those that will be free soon. Who asks for a delay wants full batches, and only threads
        # that are free now share them.
        if self._delayed:
            return self._line.next_size(share=self._free, seconds=math.inf)
        return self._line.next_size(share=len(self._threads), seconds=self._batch_seconds)

    def _process(self, taken: TakenBatch) -> None:
        """Decode and run a batch; every picture of it has a result or an error afterwards."""
        started, network = self._now(), taken.network
        if network.together > 1:
            self._process_columns(taken, started)
            return
        if network.tiled:
            self._process_tiles(taken, started)
            return
        inputs, owners = self._decode(taken)
        decoded = self._now()
        if not inputs:
            return
        outputs: Mapping[str, NDArray[Any]] = {}
        try:
            outputs = network.run(np.stack(inputs))
        # Whatever the network raises (no memory, most likely) belongs to these requests; the thread must live on.
        except Exception as error:
            for request, _ in owners:
                request.failure = error
        done = self._now()
        with self._changed:
            for row, (request, index) in enumerate(owners):
                settle(taken, request, index, {name: output[row] for name, output in outputs.items()}, "")
        self._learn(taken, len(inputs), started, decoded, done)

    def _process_columns(self, taken: TakenBatch, started: float) -> None:
        """The same of inputs that are read and run together; each request gets its part of what came out."""
        wanted = []
        for request, first, count in taken.spans:
            try:
                self._check_wanted(request)
                wanted.append((request, first, count))
            except Late as error:
                request.failure = error.with_traceback(None)  # as in `submit`
        try:
            if wanted:
                found = wanted[0][0].network.run_columns(joined(wanted))
                for (request, first, _), part in zip(wanted, parted(found, [one[2] for one in wanted]), strict=True):
                    request.parts.append((first, part))
        # Whatever the network raises belongs to these requests; the thread must live on.
        except Exception as error:
            for request, _, _ in wanted:
                request.failure = error
        with self._changed:
            settle_spans(taken)
        if wanted:
            self._learn(taken, sum(count for _, _, count in wanted), started, started, self._now())

    def _process_tiles(self, taken: TakenBatch, started: float) -> None:
        """The same one picture after the other, each in batches of its own tiles."""
        read = 0
        for request, index in taken.items:
            try:
                self._check_wanted(request)
                check = functools.partial(self._check_wanted, request)
                row, request.beside[index] = request.network.run_tiles(request.pictures[index], check)
                with self._changed:
                    settle(taken, request, index, row, "")
                read += 1
            except Exception as error:
                self._fail(taken, request, index, error)
        if read:
            self._learn(taken, read, started, started, self._now())

    def _check_wanted(self, request: QueuedRequest) -> None:
        """Raises: Late when nobody waits for the answer any more."""
        if request.given_up or request.deadline < self._now():
            raise Late("the deadline passed while the request waited. Allow more time, or ask less.")

    def _learn(self, taken: TakenBatch, pictures: int, started: float, decoded: float, done: float) -> None:
        network = taken.network
        with self._changed:
            self._line.learn(network, seconds=done - started, pictures=pictures)
        if self._observe is not None:
            spans = taken.spans if network.together > 1 else [(request, 0, 1) for request, _ in taken.items]
            times = BatchTimes(
                pictures=pictures,
                waited=tuple(started - request.entered for request, _, _ in spans),
                counts=tuple(count for _, _, count in spans),
                decoding=decoded - started,
                running=done - decoded,
            )
            self._observe(network, times)

    def _decode(self, taken: TakenBatch) -> tuple[list[NDArray[Any]], list[tuple[QueuedRequest, int]]]:
        inputs: list[NDArray[Any]] = []
        owners: list[tuple[QueuedRequest, int]] = []
        for request, index in taken.items:
            try:
                self._check_wanted(request)
                array, request.beside[index] = request.network.prepare(request.pictures[index])
                inputs.append(array)
                owners.append((request, index))
            except Exception as error:
                self._fail(taken, request, index, error)
        return inputs, owners

    def _fail(self, taken: TakenBatch, request: QueuedRequest, index: int, error: Exception) -> None:
        """A picture that cannot be read is told; whatever else is raised belongs to its request; the thread must live on."""
        told = str(error) if isinstance(error, PictureError) else ""
        if not isinstance(error, PictureError):
            request.failure = error.with_traceback(None) if isinstance(error, Late) else error  # as in `submit`
        with self._changed:
            settle(taken, request, index, None, told)

    def _tell(self, finished: list[QueuedRequest]) -> None:
        for loop in {request.loop for request in finished}:
            mine = [request for request in finished if request.loop is loop]
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(answer, mine)
