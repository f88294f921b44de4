"""Batches of many requests. In: a network that can be held up. Out: what ran together, and what was refused."""

from __future__ import annotations

import asyncio
import gc
import math
import os
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from tellapart.errors import PictureError
from tellapart.serving.batches import BatchTimes, OutputColumns, Outputs
from tellapart.serving.batching import Batcher
from tellapart.serving.refusals import Late, Overloaded, Stopping, TooLarge

PATIENCE = 300.0  # seconds; only what hangs takes as long


class Clock:
    """It stands still until it is told how much has gone by."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Doubling:
    """Pictures are numbers; the outputs are twice and three times as much. `gate` holds it up."""

    tiled, many, together, item = False, 1, 1, "picture"

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)
        self.ran: list[list[int]] = []

    def prepare(self, picture: Any) -> tuple[np.ndarray, str]:
        if picture == "broken":
            raise PictureError("not a picture")
        return np.full((1, 1, 3), picture, dtype=np.uint8), f"beside {picture}"

    def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
        numbers = images[:, 0, 0, 0].astype(int)
        self.ran.append(numbers.tolist())
        self.entered.release()
        assert self.gate.wait(PATIENCE)
        if 99 in numbers:
            raise MemoryError("no memory")
        return {"twice": 2 * numbers, "thrice": np.stack([3 * numbers] * 2, axis=1)}


@asynccontextmanager
async def batcher(**options: Any) -> AsyncIterator[Batcher]:
    defaults = {"threads": 1, "max_batch": 4, "max_delay": 0.0, "queue": 16, "batch_seconds": math.inf}
    one = Batcher(**{**defaults, **options})
    try:
        yield one
    finally:
        await one.close()


async def held_up(one: Batcher, network: Doubling) -> asyncio.Task[Outputs]:
    """The only thread is busy with picture 0 from here on."""
    network.gate.clear()
    first = asyncio.create_task(one.submit(network, [0], timeout=PATIENCE))
    assert await asyncio.to_thread(network.entered.acquire, timeout=PATIENCE)
    return first


async def entered(one: Batcher, pictures: int) -> None:
    """So many pictures wait from here on."""
    async with asyncio.timeout(PATIENCE):
        while one.waiting != pictures:
            await asyncio.sleep(0)


def doubles(outputs: Outputs) -> list[Any]:
    return [None if row is None else int(row["twice"]) for row in outputs.rows]


def test_a_request_is_split_into_batches_and_answered_in_order() -> None:
    async def main() -> None:
        network = Doubling()
        async with batcher(threads=3) as one:
            outputs = await one.submit(network, list(range(10)), timeout=PATIENCE)
        assert doubles(outputs) == [2 * number for number in range(10)]
        assert [row["thrice"].tolist() for row in outputs.rows if row] == [[3 * n, 3 * n] for n in range(10)]
        assert outputs.beside == tuple(f"beside {n}" for n in range(10))
        assert max(map(len, network.ran)) <= 4
        assert sorted(number for batch in network.ran for number in batch) == list(range(10))

    asyncio.run(main())


def test_requests_that_wait_together_run_together() -> None:
    async def main() -> None:
        network = Doubling()
        async with batcher() as one:
            first = await held_up(one, network)
            others = [asyncio.create_task(one.submit(network, [n], timeout=PATIENCE)) for n in range(1, 6)]
            await entered(one, 5)
            network.gate.set()
            answers = [doubles(answer) for answer in await asyncio.gather(first, *others)]
        assert answers == [[0], [2], [4], [6], [8], [10]]
        assert network.ran == [[0], [1, 2, 3, 4], [5]]

    asyncio.run(main())


def test_free_threads_share_a_request() -> None:
    async def main() -> None:
        network = Doubling()
        async with batcher(threads=2, max_batch=8) as one:
            network.gate.clear()
            asked = asyncio.create_task(one.submit(network, list(range(8)), timeout=PATIENCE))
            for _ in range(2):
                assert await asyncio.to_thread(network.entered.acquire, timeout=PATIENCE)
            assert [len(batch) for batch in network.ran] == [4, 2]  # half, and half of what is left
            network.gate.set()
            await asked
        assert sorted(number for batch in network.ran for number in batch) == list(range(8))

    asyncio.run(main())


def test_a_thread_leaves_their_share_to_busy_ones() -> None:
    async def main() -> None:
        network, others = Doubling(), Doubling()
        async with batcher(threads=2, max_batch=8) as one:
            first = await held_up(one, network)
            second = await held_up(one, others)
            waiting = [asyncio.create_task(one.submit(network, [n], timeout=PATIENCE)) for n in range(1, 7)]
            await entered(one, 6)
            others.gate.set()
            assert await asyncio.to_thread(network.entered.acquire, timeout=PATIENCE)
            assert network.ran == [[0], [1, 2, 3]]
            network.gate.set()
            await asyncio.gather(first, second, *waiting)

    asyncio.run(main())


def test_a_delay_lets_a_batch_fill_and_no_longer_than_that() -> None:
    async def main() -> None:
        network, clock = Doubling(), Clock()
        async with batcher(max_delay=PATIENCE / 2, now=clock) as one:
            others = [asyncio.create_task(one.submit(network, [n], timeout=PATIENCE)) for n in range(2)]
            assert not await asyncio.to_thread(network.entered.acquire, timeout=0.05)  # the thread waits for more
            clock.seconds = PATIENCE / 2 + 1
            await asyncio.gather(one.submit(network, [2], timeout=PATIENCE), *others)
            await one.submit(network, [4, 5, 6, 7], timeout=PATIENCE)  # a full one waits for nobody
        assert network.ran == [[0, 1, 2], [4, 5, 6, 7]]

    asyncio.run(main())


def test_a_delay_ends_by_itself() -> None:
    async def main() -> None:
        async with batcher(max_delay=0.05) as one:
            assert doubles(await one.submit(Doubling(), [1], timeout=PATIENCE)) == [2]

    asyncio.run(main())


def test_a_full_queue_refuses_at_once_and_keeps_what_it_took() -> None:
    async def main() -> None:
        network = Doubling()
        async with batcher(queue=3) as one:
            first = await held_up(one, network)
            second = asyncio.create_task(one.submit(network, [1, 2], timeout=PATIENCE))
            await entered(one, 2)
            with pytest.raises(
                Overloaded, match=r"2 pictures are waiting, and at most 3 may\. Send .* later"
            ) as refusal:
                await one.submit(network, [3, 4], timeout=PATIENCE)
            assert refusal.value.status == 429
            assert refusal.value.retry_after is not None
            assert refusal.value.retry_after >= 1
            third = asyncio.create_task(one.submit(network, [5], timeout=PATIENCE))
            await entered(one, 3)
            network.gate.set()
            assert [doubles(answer) for answer in await asyncio.gather(first, second, third)] == [[0], [2, 4], [10]]
        assert 3 not in {number for batch in network.ran for number in batch}

    asyncio.run(main())


def test_more_pictures_than_the_queue_holds_can_never_be_taken() -> None:
    async def main() -> None:
        async with batcher(queue=3) as one:
            with pytest.raises(
                TooLarge,
                match=r"4 pictures in one request; at most 3 are taken, as many as may wait",
            ):
                await one.submit(Doubling(), [0] * 4, timeout=PATIENCE)

    asyncio.run(main())


def test_a_deadline_answers_in_time_and_saves_the_work() -> None:
    async def main() -> None:
        network = Doubling()
        async with batcher() as one:
            first = await held_up(one, network)
            with pytest.raises(Late, match=r"not there within 0\.1 s"):
                await one.submit(network, [7], timeout=0.1)
            assert not first.done()  # nor could it be: the only thread is held up
            network.gate.set()
            await first
            assert doubles(await one.submit(network, [8], timeout=PATIENCE)) == [16]
        assert network.ran == [[0], [8]]

    asyncio.run(main())


def test_an_unreadable_picture_spoils_nothing_else() -> None:
    async def main() -> None:
        network = Doubling()
        async with batcher() as one:
            first = await held_up(one, network)
            mixed = asyncio.create_task(one.submit(network, [1, "broken"], timeout=PATIENCE))
            whole = asyncio.create_task(one.submit(network, [2], timeout=PATIENCE))
            await entered(one, 3)
            network.gate.set()
            _, answer, other = await asyncio.gather(first, mixed, whole)
        assert doubles(answer) == [2, None]
        assert answer.errors == ("", "not a picture")
        assert doubles(other) == [4]
        assert network.ran[1] == [1, 2]

    asyncio.run(main())


def test_a_network_that_fails_fails_its_requests_and_no_thread() -> None:
    async def main() -> None:
        network = Doubling()
        async with batcher() as one:
            with pytest.raises(MemoryError):
                await one.submit(network, [99], timeout=PATIENCE)
            assert doubles(await one.submit(network, [1], timeout=PATIENCE)) == [2]

    asyncio.run(main())


def test_closing_finishes_what_was_taken_and_takes_no_more() -> None:
    async def main() -> None:
        network = Doubling()
        one = Batcher(threads=1, max_batch=2, max_delay=0.0, queue=16)
        first = await held_up(one, network)
        others = [asyncio.create_task(one.submit(network, [n], timeout=PATIENCE)) for n in range(1, 6)]
        await entered(one, 5)
        closing = asyncio.create_task(one.close())
        await asyncio.sleep(0)
        with pytest.raises(Stopping, match=r"shutting down\. Send the request again"):
            await one.submit(network, [9], timeout=PATIENCE)
        network.gate.set()
        answers = await asyncio.gather(first, *others)
        assert [doubles(answer) for answer in answers] == [[2 * n] for n in range(6)]
        await closing

    asyncio.run(main())


def test_a_batch_takes_no_longer_than_it_saves() -> None:
    async def main() -> None:
        network, clock = Doubling(), Clock()
        async with batcher(batch_seconds=0.2, now=clock) as one:
            first = await held_up(one, network)
            others = [asyncio.create_task(one.submit(network, [n], timeout=PATIENCE)) for n in range(1, 4)]
            await entered(one, 3)
            clock.seconds = 0.3  # the thread learns that a picture takes so long
            network.gate.set()
            await asyncio.gather(first, *others)
            assert network.ran == [[0], [1], [2], [3]]
            quick = Doubling()
            await one.submit(quick, [1], timeout=PATIENCE)
            await one.submit(quick, [2, 3, 4, 5], timeout=PATIENCE)
            assert quick.ran == [[1], [2, 3, 4, 5]]

    asyncio.run(main())


def test_one_picture_does_not_wait_for_the_many_of_another_request() -> None:
    async def main() -> None:
        network = Doubling()
        async with batcher(batch_seconds=0.0) as one:
            first = await held_up(one, network)
            many = asyncio.create_task(one.submit(network, [1, 2, 3], timeout=PATIENCE))
            await entered(one, 3)
            single = asyncio.create_task(one.submit(network, [9], timeout=PATIENCE))
            await entered(one, 4)
            network.gate.set()
            assert doubles(await single) == [18]
            assert doubles(await many) == [2, 4, 6]
            await first
        assert network.ran == [[0], [1], [9], [2], [3]]

    asyncio.run(main())


def test_a_queue_that_stands_is_kept_short_in_time() -> None:
    async def main() -> None:
        network, clock = Doubling(), Clock()
        async with batcher(batch_seconds=0.0, max_wait=0.2, now=clock) as one:
            first = await held_up(one, network)
            clock.seconds = 0.4
            network.gate.set()
            await first  # a picture takes 400 ms here
            second = await held_up(one, network)
            burst = [asyncio.create_task(one.submit(network, [n], timeout=PATIENCE)) for n in (1, 2)]
            await entered(one, 2)  # a burst is taken
            clock.seconds = 0.65
            with pytest.raises(Overloaded, match=r"a request waits 800 ms now, and at most 200 ms is allowed\. Send"):
                one.check_room(1)
            with pytest.raises(Overloaded):
                await one.submit(network, [3], timeout=PATIENCE)
            network.gate.set()
            assert [doubles(answer) for answer in await asyncio.gather(second, *burst)] == [[0], [2], [4]]
            assert doubles(await one.submit(network, [4], timeout=PATIENCE)) == [8]

    asyncio.run(main())


def test_with_a_delay_only_free_threads_share() -> None:
    async def main() -> None:
        network, other, clock = Doubling(), Doubling(), Clock()
        async with batcher(threads=3, max_batch=8, max_delay=PATIENCE / 2, now=clock) as one:
            async with asyncio.timeout(PATIENCE):
                while one.free < 3:
                    await asyncio.sleep(0)
            other.gate.clear()
            busy = asyncio.create_task(one.submit(other, list(range(8)), timeout=PATIENCE))
            assert await asyncio.to_thread(other.entered.acquire, timeout=PATIENCE)
            clock.seconds = PATIENCE / 2 + 1  # what is left is no full batch, and has waited for long enough
            asked = asyncio.create_task(one.submit(network, list(range(8)), timeout=PATIENCE))
            for _ in range(2):
                assert await asyncio.to_thread(other.entered.acquire, timeout=PATIENCE)
            other.gate.set()
            await asyncio.gather(busy, asked)
        assert [len(batch) for batch in other.ran] == [3, 3, 2]
        assert sum(map(len, network.ran)) == 8

    asyncio.run(main())


def test_the_time_of_a_batch_is_that_of_its_pictures() -> None:
    async def main() -> None:
        network, clock = Doubling(), Clock()
        async with batcher(now=clock) as one:
            network.gate.clear()
            many = asyncio.create_task(one.submit(network, [1, 2, 3, 4], timeout=PATIENCE))
            assert await asyncio.to_thread(network.entered.acquire, timeout=PATIENCE)
            clock.seconds = 0.3  # the four of them, or 75 ms each
            network.gate.set()
            await many
            first = await held_up(one, network)
            second = asyncio.create_task(one.submit(network, [5], timeout=PATIENCE))
            await entered(one, 1)
            with pytest.raises(Late):  # it was taken
                await one.submit(network, [6], timeout=0.2)
            network.gate.set()
            await asyncio.gather(first, second)

    asyncio.run(main())


def test_who_would_be_late_is_told_before_it_is_begun() -> None:
    async def main() -> None:
        network, clock = Doubling(), Clock()
        async with batcher(batch_seconds=0.0, now=clock) as one:
            first = await held_up(one, network)
            clock.seconds = 0.05
            network.gate.set()
            await first
            first = await held_up(one, network)
            second = asyncio.create_task(one.submit(network, [1], timeout=PATIENCE))
            await entered(one, 1)
            with pytest.raises(Overloaded, match=r"a request waits 50 ms now, and this one allows 10 ms"):
                await one.submit(network, [2], timeout=0.01)
            network.gate.set()
            await asyncio.gather(first, second)
        assert network.ran == [[0], [0], [1]]

    asyncio.run(main())


def test_the_oldest_picture_goes_first_whatever_its_network() -> None:
    async def main() -> None:
        order: list[str] = []
        networks = {name: Doubling() for name in "ab"}

        def observe(network: Any, times: BatchTimes) -> None:
            order.append("a" if network is networks["a"] else "b")

        async with batcher(observe=observe) as one:
            first = await held_up(one, networks["a"])
            later = [asyncio.create_task(one.submit(networks[name], [1], timeout=PATIENCE)) for name in "bab"]
            await entered(one, 3)
            networks["a"].gate.set()
            await asyncio.gather(first, *later)
        assert order == ["a", "b", "a"]  # both of b in one batch

    asyncio.run(main())


def test_times_are_told_of_each_batch() -> None:
    async def main() -> Sequence[BatchTimes]:
        told: list[BatchTimes] = []
        network, clock = Doubling(), Clock()
        async with batcher(observe=lambda _, times: told.append(times), now=clock) as one:
            first = await held_up(one, network)
            second = asyncio.create_task(one.submit(network, [1, "broken"], timeout=PATIENCE))
            await entered(one, 2)
            clock.seconds = 0.5
            network.gate.set()
            await asyncio.gather(first, second)
        return told

    first, second = asyncio.run(main())
    assert (first.waited, first.decoding, first.running) == ((0.0,), 0.0, 0.5)
    assert second.pictures == 1
    assert second.waited == (0.5, 0.5)


@pytest.mark.skipif(sys.platform != "linux", reason="niceness is a thread's on Linux only")
def test_threads_that_classify_let_the_one_that_talks_go_first() -> None:
    class Asking(Doubling):
        def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
            niceness.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
            return super().run(images)

    async def main() -> None:
        async with batcher() as one:
            await one.submit(Asking(), [1], timeout=PATIENCE)

    niceness: list[int] = []
    asyncio.run(main())
    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert niceness == [min(19, own + 10)]


def test_nothing_asked_is_nothing_answered() -> None:
    async def main() -> None:
        async with batcher() as one:
            assert await one.submit(Doubling(), [], timeout=PATIENCE) == Outputs(rows=(), beside=(), errors=())

    asyncio.run(main())


class Together(Doubling):
    """Four inputs together; halves come back, and what is broken has its reason."""

    together, many = 4, 2

    def run_columns(self, inputs: Sequence[Any]) -> OutputColumns:
        read = [one for one in inputs if one != "broken"]
        errors = tuple("not a number" if one == "broken" else "" for one in inputs)
        self.ran.append(list(inputs))
        self.entered.release()
        assert self.gate.wait(PATIENCE)
        if 99 in read:
            raise MemoryError("no memory")
        arrays = {"twice": np.array([2 * one for one in read])} if read else {}
        return OutputColumns(arrays=arrays, beside=tuple(f"beside {one}" for one in read), errors=errors)


def told(columns: Outputs | OutputColumns) -> tuple[list[int], tuple[str, ...], tuple[str, ...]]:
    assert isinstance(columns, OutputColumns)
    return columns.arrays["twice"].tolist() if columns.arrays else [], columns.beside, columns.errors


def test_columns_of_several_batches_come_back_in_order() -> None:
    async def main() -> None:
        network = Together()
        async with batcher(max_batch=2) as one:
            found = await one.submit(network, [1, "broken", *range(2, 9)], timeout=PATIENCE)
        numbers, beside, errors = told(found)
        assert numbers == [2, *(2 * number for number in range(2, 9))]
        assert beside == tuple(f"beside {number}" for number in range(1, 9))
        assert errors == ("", "not a number", *[""] * 7)
        assert list(map(len, network.ran)) == [4, 4, 1]

    asyncio.run(main())


def test_requests_share_columns_and_each_gets_its_own() -> None:
    async def main() -> None:
        network, seen = Together(), []
        async with batcher(max_batch=4, observe=lambda _, times: seen.append(times)) as one:
            first = await held_up(one, network)
            asked = [["broken"], [1, "broken", 2], [3, 4, 5]]
            others = [asyncio.create_task(one.submit(network, part, timeout=PATIENCE)) for part in asked]
            await entered(one, 7)
            network.gate.set()
            await first
            answers = [told(found) for found in await asyncio.gather(*others)]
        assert answers == [
            ([], (), ("not a number",)),
            ([2, 4], ("beside 1", "beside 2"), ("", "not a number", "")),
            ([6, 8, 10], ("beside 3", "beside 4", "beside 5"), ("", "", "")),
        ]
        assert network.ran == [[0], ["broken", 1, "broken", 3, 4, 2, 5]]
        assert [(times.pictures, times.counts) for times in seen] == [(1, (1,)), (7, (1, 2, 2, 1, 1))]
        assert seen[1].waited_in_all == pytest.approx(7 * seen[1].waited[0], rel=1)

    asyncio.run(main())


def test_columns_that_fail_or_come_too_late_fail_their_request_alone() -> None:
    async def main() -> None:
        network = Together()
        async with batcher() as one:
            with pytest.raises(MemoryError):
                await one.submit(network, [99], timeout=PATIENCE)
            network.gate.clear()
            first = asyncio.create_task(one.submit(network, [1], timeout=PATIENCE))
            while not network.ran or network.ran[-1] != [1]:
                await asyncio.sleep(0.001)
            with pytest.raises(Late, match=r"not there within 0\.1 s"):
                await one.submit(network, [7], timeout=0.1)
            network.gate.set()
            await first
            assert told(await one.submit(network, [8], timeout=PATIENCE))[0] == [16]
        assert network.ran == [[99], [1], [8]]

    asyncio.run(main())


def test_a_request_that_was_late_keeps_nothing_alive() -> None:
    """Neither its network nor its pictures, though nobody looks for rings of references."""

    class Picture:
        """Can be pointed at weakly."""

    async def main() -> list[weakref.ref[Any]]:
        network, other, picture = Doubling(), Doubling(), Picture()
        async with batcher() as one:
            first = await held_up(one, network)
            with pytest.raises(Late, match="was not there within"):
                await one.submit(other, [picture], timeout=0.001)
            network.gate.set()
            await first
            await one.submit(network, [1], timeout=PATIENCE)  # the thread has let go of what it did before
        return [weakref.ref(other), weakref.ref(picture)]

    gc.collect()
    gc.disable()
    try:
        assert [one() for one in asyncio.run(main())] == [None, None]
    finally:
        gc.enable()
