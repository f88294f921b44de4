"""Work in threads, a little ahead. In: units and slow or failing work. Out: results in order, and what was never begun."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from tellapart.threads import as_they_come, in_order, let_waiting_threads_sleep

WAYS: list[Callable[..., Generator[Any, None, None]]] = [in_order, as_they_come]


class Source:
    """Numbers from 0 on; counts how many were taken."""

    def __init__(self, count: int) -> None:
        self.count, self.taken = count, 0

    def __iter__(self) -> Iterator[int]:
        for number in range(self.count):
            self.taken += 1
            yield number


def test_results_stand_in_order_however_long_each_takes() -> None:
    last_is_done = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert last_is_done.wait(60)  # the first ends after all others that are under way
        if number == 4:
            last_is_done.set()
        return number * number

    assert list(in_order(range(9), work, workers=4, ahead=4, name="test")) == [number**2 for number in range(9)]


def test_results_come_as_they_are_done() -> None:
    others_are_taken = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert others_are_taken.wait(60)
        return number

    found = []
    for result in as_they_come(range(5), work, workers=2, name="test"):
        found.append(result)
        if len(found) == 4:
            others_are_taken.set()
    assert (sorted(found), found[-1]) == ([0, 1, 2, 3, 4], 0)


def test_no_more_units_are_taken_than_are_under_way() -> None:
    source = Source(100)
    results = in_order(source, lambda number: number, workers=2, ahead=3, name="test")
    assert source.taken == 0
    for number in range(4):
        assert next(results) == number
        assert source.taken == number + 4  # what was read, and three more
    results.close()
    assert source.taken == 7
    # By default two for each thread.
    source = Source(100)
    results = in_order(source, lambda number: number, workers=3, name="test")
    next(results)
    assert source.taken == 7
    results.close()
    source = Source(100)
    some = as_they_come(source, lambda number: number, workers=2, name="test")
    next(some)
    assert source.taken == 16
    some.close()


@pytest.mark.parametrize("way", WAYS)
def test_what_has_not_begun_when_nobody_wants_it_never_begins(way: Callable[..., Generator[Any, None, None]]) -> None:
    begun: list[int] = []
    stop = threading.Event()
    ends = threading.Event()

    def work(number: int) -> int:
        begun.append(number)
        if number:
            assert stop.wait(60)  # set before the threads are waited for
        return number

    results = way(range(100), work, workers=2, name="test", stop=stop)
    assert next(results) == 0
    results.close()
    assert stop.is_set()
    assert len(begun) <= 3  # the first, and one for each thread
    assert not any(thread.name.startswith("test") for thread in threading.enumerate())
    ends.set()


@pytest.mark.parametrize("way", WAYS)
def test_an_error_ends_all_once_what_was_computed_is_handed_on(way: Callable[..., Generator[Any, None, None]]) -> None:
    def work(number: int) -> int:
        if number == 1:
            raise ValueError("unit 1")
        return number

    results = way(range(2), work, workers=1, name="test")
    assert next(results) == 0
    with pytest.raises(ValueError, match="unit 1"):
        next(results)
    assert list(results) == []


def test_of_units_that_are_done_together_those_that_failed_come_last() -> None:
    both_are_done = threading.Barrier(2)

    def work(number: int) -> int:
        if number == 0:
            both_are_done.wait(60)
            raise ValueError("unit 0")
        both_are_done.wait(60)
        return number

    results = as_they_come(range(2), work, workers=2, name="test")
    # Both are finished before either is looked at, or the good one alone is.
    seen = []
    with pytest.raises(ValueError, match="unit 0"):
        seen.extend(results)
    assert seen in ([1], [])


@pytest.mark.parametrize("way", WAYS)
def test_an_error_of_the_units_themselves_is_raised(way: Callable[..., Generator[Any, None, None]]) -> None:
    def units() -> Iterator[int]:
        yield 0
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        list(way(units(), lambda number: number, workers=2, name="test"))


@pytest.mark.parametrize("way", WAYS)
def test_nothing_gives_nothing(way: Callable[..., Generator[Any, None, None]]) -> None:
    assert list(way([], str, workers=1, name="test")) == []


def test_waiting_threads_sleep_unless_the_environment_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    let_waiting_threads_sleep()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    let_waiting_threads_sleep()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"


def test_numpy_is_whole_before_a_thread_imports() -> None:
    """numpy.ma reads a table to which ml_dtypes, which onnx brings, adds while it is imported in another thread."""
    code = (
        "import sys, tellapart.threads as threads; assert 'numpy.ma' not in sys.modules;"
        "thread = threads.import_ahead('no_such_module', 'tomllib'); assert 'numpy.ma' in sys.modules;"
        "assert not thread.daemon;"  # torn out of a library's C++ at the program's end, it would end it by abort()
        "thread.join(); print('tomllib' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "True\n"
