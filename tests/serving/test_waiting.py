"""The line that pictures wait in. In: requests and a clock of our own. Out: turns, estimates, refusals."""

from __future__ import annotations

import gc
import heapq
import math
import random
from dataclasses import dataclass
from typing import Any

import pytest

from tellapart.serving.refusals import Overloaded
from tellapart.serving.waiting import WaitingLine


class Network:
    """Anything that can be told from another."""


def line(**options: Any) -> WaitingLine[str]:
    return WaitingLine(**{"threads": 2, "limit": 100, "max_wait": 0.1, "max_batch": 8, "max_delay": 0.0, **options})


def names(taken: list[tuple[str, int, int]]) -> str:
    return " ".join(f"{name}{index}" for name, first, count in taken for index in range(first, first + count))


def test_requests_take_turns_a_picture_each() -> None:
    one, network = line(), Network()
    one.join("a", network, 4, now=0)
    one.join("b", network, 2, now=0)
    assert names(one.take(3)) == "a0 b0 a1"
    one.join("c", network, 1, now=0)
    assert one.pictures == 4
    assert names(one.take(100)) == "b1 a2 c0 a3"
    assert not one


def test_texts_count_for_less_than_pictures() -> None:
    one, texts = line(limit=10), Network()
    one.join("a", texts, 150, now=0, many=16, item="text")
    assert one.next_size(share=2, seconds=math.inf) == 75
    with pytest.raises(Overloaded, match="150 texts are waiting, and at most 160 may"):
        one.check(11, now=0, many=16)
    one.check(10, now=0, many=16)
    with pytest.raises(Overloaded, match="150 texts are waiting"):
        one.check(1, now=0)
    assert one.take(120) == [("a", 0, 120)]
    assert one.next_size(share=8, seconds=math.inf) == 16, "fewer take as long"
    assert one.next_size(share=8, seconds=0.0) == 16, "nothing is known of how long they take"
    one.take(20)
    assert one.next_size(share=2, seconds=math.inf) == 10
    one.join("c", texts, 300, now=0, many=16)
    assert one.next_size(share=1, seconds=math.inf) == 128


def test_texts_take_turns_sixteen_at_a_time_and_are_not_shared_by_threads() -> None:
    one, texts = line(), Network()
    one.join("a", texts, 40, now=0, many=16, together=128)
    one.join("b", texts, 20, now=0, many=16, together=128)
    assert one.next_size(share=2, seconds=math.inf) == 60
    assert one.take(44) == [("a", 0, 16), ("b", 0, 16), ("a", 16, 12)]
    assert one.pictures == 16
    assert one.take(100) == [("b", 16, 4), ("a", 28, 12)]
    assert not one


def test_many_single_pictures_starve_no_large_request() -> None:
    one, network = line(), Network()
    one.join("large", network, 3, now=0)
    for number in range(3):
        one.join(f"single{number}-", network, 1, now=0)
    order = []
    for number in range(3, 9):  # for each that is done another one comes
        order += one.take(1)
        one.join(f"single{number}-", network, 1, now=0)
    turns = [at for at, (name, _, _) in enumerate(order) if name == "large"]
    assert turns == [0, 4]  # every time that the four others had theirs


def test_a_batch_is_of_one_network_and_passes_nobody() -> None:
    one, cats, cells = line(), Network(), Network()
    for name, network in (("a", cats), ("b", cells), ("c", cats), ("d", cells)):
        one.join(name, network, 1, now=0)
    assert [names(one.take(8)) for _ in range(2)] == ["a0 c0", "b0 d0"]


def test_a_part_of_a_network_leaves_the_others_where_they_are() -> None:
    one, cats, cells = line(), Network(), Network()
    for name, network in (("a", cats), ("b", cells), ("c", cats)):
        one.join(name, network, 1, now=0)
    assert [names(one.take(1)) for _ in range(3)] == ["a0", "b0", "c0"]
    for name, network in (("a", cats), ("b", cells), ("c", cats), ("d", cats)):
        one.join(name, network, 1, now=0)
    assert [names(one.take(2)) for _ in range(3)] == ["a0 c0", "b0", "d0"]


def test_the_wait_is_estimated_from_the_pace_of_each_network() -> None:
    one, slow, quick = line(), Network(), Network()
    one.learn(slow, seconds=0.4, pictures=2)  # 0.2 s a picture
    one.learn(quick, seconds=0.01, pictures=1)
    assert one.estimate() == 0
    one.join("a", slow, 50, now=0)  # one turn before ours, not fifty
    one.join("b", quick, 1, now=0)
    assert one.estimate() == pytest.approx((0.2 + 0.01) / 2)
    one.learn(slow, seconds=0.3, pictures=1)
    assert one.estimate() == pytest.approx((0.2 + 0.1 * 0.1 + 0.01) / 2)


def test_a_burst_is_taken_and_a_standing_queue_is_not() -> None:
    one, network = line(), Network()
    one.learn(network, seconds=0.02, pictures=1)
    for number in range(30):  # all at once: 0.3 s of work for two threads
        one.check(1, now=5.0)
        one.join(str(number), network, 1, now=5.0)
    one.check(1, now=5.09)
    with pytest.raises(
        Overloaded, match=r"^a request waits 300 ms now, and at most 100 ms is allowed\. Send .* again later\.$"
    ):
        one.check(1, now=5.11)
    one.take(20)
    one.check(1, now=5.3)  # 100 ms: its turn comes in time
    one.take(10)
    one.join("later", network, 1, now=5.5)
    for _ in range(30):
        one.join("again", network, 1, now=5.5)
    one.check(1, now=5.59)  # it was empty a moment ago


def test_a_full_queue_says_when_to_come_again() -> None:
    one, network = line(limit=40), Network()
    one.learn(network, seconds=0.2, pictures=1)
    one.join("a", network, 39, now=0)
    one.check(1, now=0)
    with pytest.raises(Overloaded, match=r"^39 pictures are waiting, and at most 40 may\. Send") as refusal:
        one.check(2, now=0)
    assert refusal.value.retry_after == math.ceil(39 * 0.2 / 2)


@pytest.mark.parametrize(("pace", "most"), [(0.001, 0.05), (0.1, 0.4)])
def test_without_a_bound_four_pictures_a_thread_may_wait_and_fifty_milliseconds(pace: float, most: float) -> None:
    one, network = line(max_wait=None, limit=10_000), Network()
    one.learn(network, seconds=pace, pictures=1)
    one.join("first", network, 1, now=0)
    fitting = round(2 * most / pace)
    for _ in range(fitting - 1):
        one.join("more", network, 1, now=0)
    one.check(1, now=9)
    one.join("one too many", network, 1, now=0)
    with pytest.raises(Overloaded, match="a request waits"):
        one.check(1, now=9)


def test_a_delay_and_full_batches_have_their_time_too() -> None:
    one, network = line(max_wait=None, max_batch=64, max_delay=0.5, limit=1000), Network()
    one.learn(network, seconds=0.01, pictures=1)
    for _ in range(200):  # one second for two threads; 0.5 + 64 * 0.01 are allowed
        one.join("more", network, 1, now=0)
    one.check(1, now=9)
    for _ in range(100):
        one.join("more", network, 1, now=0)
    with pytest.raises(Overloaded, match=r"waits 1\.5 s now, and at most 1\.1 s is allowed"):
        one.check(1, now=9)


def test_a_request_that_would_be_late_is_not_begun() -> None:
    one, network = line(), Network()
    one.learn(network, seconds=0.1, pictures=1)
    one.join("a", network, 1, now=0)
    with pytest.raises(Overloaded, match=r"^a request waits 50 ms now, and this one allows 20 ms\. Send"):
        one.check(1, now=0, patience=0.02)
    one.check(1, now=0, patience=0.06)


def test_a_batch_is_a_share_and_no_longer_than_asked() -> None:
    one, network = line(), Network()
    one.join("a", network, 10, now=0)
    assert one.next_size(share=2, seconds=0.005) == 5  # nothing is known of its pace
    one.learn(network, seconds=0.002, pictures=1)
    assert one.next_size(share=2, seconds=0.005) == 2
    assert one.next_size(share=1, seconds=math.inf) == 8
    assert one.next_size(share=2, seconds=0.0) == 1


def test_a_delay_counts_from_the_oldest_picture() -> None:
    one, network, other = line(max_delay=0.2), Network(), Network()
    one.join("a", network, 3, now=1.0)
    one.join("other", other, 9, now=0.5)
    one.take(1)
    one.join("b", network, 1, now=1.1)
    one.take(1)  # the other one's first; `a` is not in front any more
    assert one.seconds_to_fill(now=1.15) == pytest.approx(0.05)
    one.join("c", network, 8, now=1.1)
    assert one.seconds_to_fill(now=1.15) == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """Requests of a picture each that come at random, and threads that take 12 ms for each, more or less."""

    slowest: float  # seconds, of all but one in a hundred that were taken
    refused: float  # share


def simulate(load: float, *, threads: int = 2, seconds: float = 0.012, count: int = 4000) -> Simulated:
    """`load`: 1 is as much as the threads can do."""
    chance, network = random.Random(0), Network()
    one: WaitingLine[float] = WaitingLine(threads=threads, limit=128, max_wait=None, max_batch=8, max_delay=0.0)
    running: list[tuple[float, float, float]] = []  # when it ends, how long it takes, when it came
    took, refused, due = [], 0, 0.0
    while count or running:
        if running and (not count or running[0][0] <= due):
            now, spent, came = heapq.heappop(running)
            one.learn(network, seconds=spent, pictures=1)
            took.append(now - came)
        else:
            now, count, due = due, count - 1, due + chance.expovariate(load * threads / seconds)
            try:
                one.check(1, now=now)
                one.join(now, network, 1, now=now)
            except Overloaded:
                refused += 1
        while one and len(running) < threads:
            (came, _, _), *more = one.take(one.next_size(share=threads, seconds=0.005))
            assert not more
            spent = seconds * chance.uniform(0.7, 1.3)
            heapq.heappush(running, (now + spent, spent, came))
    settled = sorted(took[200:])
    return Simulated(slowest=settled[len(settled) * 99 // 100], refused=refused / (refused + len(took)))


def test_seventy_percent_of_the_capacity_waits_little_and_is_never_refused() -> None:
    found = simulate(0.7)
    assert found.slowest < 5 * 0.012
    assert found.refused < 0.005


def test_three_times_the_capacity_leaves_those_taken_their_time() -> None:
    found = simulate(3.0)
    assert found.slowest < 2 * simulate(0.7).slowest
    assert found.refused == pytest.approx(2 / 3, abs=0.02)  # the threads are never idle


def test_networks_that_are_gone_are_forgotten() -> None:
    one, network = line(), Network()
    one.join("a", network, 1, now=0)
    one.learn(network, seconds=0.1, pictures=1)
    one.take(1)
    del network
    gc.collect()
    assert len(one._lanes) == 0


def test_a_thread_that_does_not_get_on_with_its_batch_is_a_sign_before_it_is_done() -> None:
    one, network = line(threads=1), Network()
    one.learn(network, seconds=0.01, pictures=1)
    one.begin(7, network, pictures=2, now=0)
    for name in "abc":
        one.join(name, network, 1, now=0)
    one.check(1, now=3.0, patience=5.0)  # three wait, and each would take 1.5 s
    with pytest.raises(Overloaded, match=r"a request waits 6\.0 s now, and this one allows 5\.0 s"):
        one.check(1, now=4.0, patience=5.0)
    one.end(7)
    one.check(1, now=4.0, patience=5.0)
