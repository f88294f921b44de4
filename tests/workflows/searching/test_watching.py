"""A step that would not end in time is ended at once. In: a clock that a test moves. Out: TooLong, or nothing."""

from __future__ import annotations

import pytest

from tellapart.reporter import Silent
from tellapart.workflows.searching.watching import TooLong, Watching


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_step_is_judged_by_its_pace() -> None:
    clock = _Clock()
    with pytest.raises(TooLong) as found, Watching(Silent(), 50.0, now=clock).step("Embedding", 100) as advance:
        clock.now = 2.0
        advance(1)  # 200 s at that pace, but it has just begun
        clock.now = 5.0
        advance(9)  # ten of a hundred after 5 s: 45 more, just in time
        clock.now = 6.0
        advance(1)
    assert found.value.seconds == pytest.approx(6.0 * 89 / 11)


def test_a_step_in_time_ends() -> None:
    clock, done = _Clock(), []
    with Watching(Silent(), 50.0, now=clock).step("Embedding", 4) as advance:
        for second in (10.0, 20.0, 30.0, 40.0):
            clock.now = second
            advance(1)
            done.append(second)
    assert len(done) == 4
    with Watching(Silent(), 50.0, now=clock).step("Reading", None) as advance:  # nobody knows how much there is
        clock.now = 49.0
        advance(1)


def test_no_step_begins_too_late() -> None:
    clock = _Clock()
    clock.now = 51.0
    with pytest.raises(TooLong), Watching(Silent(), 50.0, now=clock).step("Exporting", 1):
        pass
