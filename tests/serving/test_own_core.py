"""A core for each thread that classifies, while nobody disturbs. In: threads, busy neighbours. Out: where they may run."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.serving import own_core
from tellapart.serving.batching import Batcher
from tellapart.serving.own_core import OwnCore, allot, yield_to_others

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="threads have no cores of their own elsewhere")


@pytest.fixture
def cores() -> Iterator[set[int]]:
    """The cores of the calling thread, given back afterwards."""
    before = os.sched_getaffinity(0)
    yield set(before)
    os.sched_setaffinity(0, before)


@pytest.fixture
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {11, 3, 5, 7, 2, 13, 17, 19})


@pytest.mark.usefixtures("eight")
def test_each_thread_has_a_core_where_there_are_as_many_of_both() -> None:
    assert allot(threads=8) == (2, 3, 5, 7, 11, 13, 17, 19)


@pytest.mark.usefixtures("eight")
def test_processes_share_the_cores_out() -> None:
    assert [allot(threads=4, worker=worker, workers=2) for worker in (0, 1)] == [(2, 3, 5, 7), (11, 13, 17, 19)]


@pytest.mark.usefixtures("eight")
@pytest.mark.parametrize(("threads", "workers"), [(1, 1), (7, 1), (9, 1), (3, 2), (8, 2)])
def test_the_kernel_chooses_where_there_are_more_or_fewer(threads: int, workers: int) -> None:
    assert allot(threads=threads, workers=workers) == ()


def test_elsewhere_there_is_nothing_to_keep_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert allot(threads=len(os.sched_getaffinity(0))) == ()


def test_a_thread_keeps_to_its_core_while_it_runs_there(cores: set[int]) -> None:
    own = OwnCore(max(cores))
    assert os.sched_getaffinity(0) == {max(cores)}
    for _ in range(50):
        own._judge(share=0.51, now=1.0)
    assert own.kept
    assert os.sched_getaffinity(0) == {max(cores)}


def starve(own: OwnCore, *, now: float) -> None:
    """Two bad batches in a row."""
    own._judge(share=0.0, now=now)
    assert own.kept  # one is no neighbour
    own._judge(share=0.3, now=now)
    assert not own.kept


def starve_quietly(own: OwnCore, now: float = 100.0) -> None:
    for _ in range(3):
        own._judge(share=0.0, now=now)


def test_a_thread_that_hardly_runs_lets_go_and_comes_back(cores: set[int]) -> None:
    own = OwnCore(max(cores))
    starve(own, now=100.0)
    assert os.sched_getaffinity(0) == cores
    own._judge(share=1.0, now=100.9)
    assert not own.kept
    assert os.sched_getaffinity(0) == cores
    own._judge(share=1.0, now=101.0)
    assert own.kept
    assert os.sched_getaffinity(0) == {max(cores)}


def test_tries_in_vain_become_rare_and_a_good_one_makes_them_often_again(cores: set[int]) -> None:
    own, now, away = OwnCore(max(cores)), 100.0, []
    for _ in range(7):
        starve(own, now=now)
        begun = now
        while not own.kept:
            now += 0.25
            own._judge(share=1.0, now=now)
        away.append(now - begun)
        now += 0.25
    assert away == [1, 2, 4, 8, 16, 30, 30]
    starve(own, now=now + 30.0)
    own._judge(share=1.0, now=now + 31.0)
    assert own.kept


@pytest.mark.parametrize(("ran", "kept"), [(0.49, False), (0.51, True)])
def test_the_share_is_what_the_thread_ran_of_the_time_that_went_by(
    cores: set[int], monkeypatch: pytest.MonkeyPatch, ran: float, kept: bool
) -> None:
    own = OwnCore(max(cores))
    wall, spent = iter([10.0, 11.0]), iter([3.0, 3.0 + ran])
    clocks = SimpleNamespace(monotonic=lambda: next(wall), thread_time=lambda: next(spent))
    monkeypatch.setattr(own_core, "time", clocks)
    monkeypatch.setattr(own_core, "_NEWEST_WEIGHT", 1.0)
    with own.working():
        pass
    assert own.kept == kept
    assert os.sched_getaffinity(0) == ({max(cores)} if kept else cores)


def test_without_a_core_nothing_is_set(cores: set[int]) -> None:
    own = OwnCore(None)
    with own.working():
        time.sleep(0.01)
    assert not own.kept
    assert os.sched_getaffinity(0) == cores


def test_a_core_that_is_not_there_is_no_failure(cores: set[int]) -> None:
    own = OwnCore(max(cores) + 1000)
    starve_quietly(own)
    assert not own.kept
    assert os.sched_getaffinity(0) == cores


@pytest.mark.skipif(sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2, reason="one core leaves no choice")
@pytest.mark.parametrize("away", [False, True])
def test_where_the_owner_of_the_machine_has_chosen_since_that_counts(cores: set[int], away: bool) -> None:
    own = OwnCore(max(cores))
    if away:
        starve(own, now=100.0)
    chosen = {min(cores)}
    os.sched_setaffinity(0, chosen)  # as `taskset -ap` does from outside
    for now in (200.0, 300.0, 400.0):
        starve_quietly(own, now=now)
        assert not own.kept
        assert os.sched_getaffinity(0) == chosen


_PATIENCE = 500  # batches; by nice levels the busy one has ten times as much of the core


def test_beside_somebody_busy_a_thread_lets_go(cores: set[int]) -> None:
    core = max(cores)
    loop = f"import os; os.sched_setaffinity(0, {{{core}}}); print(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", loop], stdout=subprocess.PIPE) as busy:
        assert busy.stdout is not None
        assert busy.stdout.readline()
        kept = []

        def classify() -> None:
            yield_to_others()
            own = OwnCore(core)
            for _ in range(_PATIENCE):  # the kernel may give it a whole turn or more before the other has his
                with own.working():
                    end = time.thread_time() + 0.02
                    while time.thread_time() < end:
                        pass
                if not own.kept:
                    break
            kept.append(own.kept)

        thread = threading.Thread(target=classify)
        thread.start()
        thread.join()
        busy.kill()
    assert kept == [False]


class _Where:
    """A network that says on which cores it may run."""

    tiled, many, together, item = False, 1, 1, "picture"

    def __init__(self) -> None:
        self.seen: dict[str, set[int]] = {}

    def prepare(self, picture: int) -> tuple[NDArray[np.uint8], None]:
        return np.zeros((1, 1, 3), dtype=np.uint8), None

    def run(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.int64]]:
        self.seen[threading.current_thread().name] = os.sched_getaffinity(0)
        return {"nothing": np.zeros(len(images), dtype=np.int64)}


def test_threads_that_classify_keep_to_what_they_were_allotted_and_the_one_that_talks_does_not(
    cores: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_core, "_LEAST_SHARE", 0.0)
    network = _Where()

    async def classify() -> None:
        one = Batcher(threads=1, max_batch=1, max_delay=0.0, queue=64, cores=(min(cores),))
        await one.submit(network, [1, 2, 3], timeout=300)
        await one.close()

    asyncio.run(classify())
    assert network.seen == {"serve-0": {min(cores)}}
    assert os.sched_getaffinity(0) == cores
