"""Trials done by several at once, who are pretended. In: Orders. Out: the trials of one at a time, none lost, none twice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tellapart.errors import StorageError
from tellapart.reporter import Silent
from tellapart.workflows.searching.attempt import Attempt, Order
from tellapart.workflows.searching.finding import Finder
from tellapart.workflows.searching.pace import BudgetTooShort, SearchClock
from tellapart.workflows.searching.study import Study
from tellapart.workflows.searching.trying import Told, Tried

from .conftest import FACTS

GRID = {"probe.strength": [0.001, 0.01, 0.1, 1.0], "class_weights": ["none", "balanced"]}


class Pretended:
    """Workers whose trials end in an order of their own: the last begun first. What is `lost` is lost so many times."""

    def __init__(self, size: int, *, lost: dict[int, int] | None = None, epochs: int = 0) -> None:
        self.size, self.lost, self.epochs = size, dict(lost or {}), epochs
        self.begun: list[tuple[Order, Told]] = []
        self.orders: list[Order] = []
        self.most = 0

    def begin(self, order: Order, told: Told) -> None:
        self.begun.append((order, told))
        self.orders.append(order)
        self.most = max(self.most, len(self.begun))
        assert len(self.begun) <= self.size

    def next(self) -> tuple[Order, Attempt]:
        order, told = self.begun.pop()
        if self.lost.get(order.number, 0):
            self.lost[order.number] -= 1
            return order, Attempt(state="lost", reason="its node is gone")
        for epoch in range(1, self.epochs + 1):
            if told(epoch, _figure(order)):
                return order, Attempt(state="stopped", epochs=epoch, seconds=0.5)
        tried = Tried(figure_name="accuracy", figure=_figure(order), loss=0.5, planned={"loop.epochs": 7})
        return order, Attempt(state="done", tried=tried, seconds=1.0)


class Warned(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def warn(self, text: str) -> None:
        self.lines.append(text)


def _figure(order: Order) -> float:
    return 0.5 + float(order.changes.get("probe.strength", 0.0)) / 4


@pytest.fixture
def opened() -> Iterator[list[Study]]:
    studies: list[Study] = []
    yield studies
    for study in studies:
        study.close()


def found_by(crew: Pretended, folder: Path, opened: list[Study], *, reporter: Any = None, **facts: Any) -> Finder:
    study = Study(folder / "search", new={**FACTS, "given": {"strategy": "probe"}, **facts})
    if facts.get("how") == "grid":
        study.plan(
            [{"probe.strength": a, "class_weights": b} for a in (0.001, 0.01, 0.1, 1.0) for b in ("none", "balanced")]
        )
    opened.append(study)
    bench: Any = None  # only workers have one
    clock = SearchClock(facts.get("seconds"), started=time.monotonic(), finish=0.0)
    return Finder(study=study, bench=bench, folder=folder, clock=clock, reporter=reporter or Silent(), crew=crew)


def told(finder: Finder) -> list[tuple[Any, ...]]:
    return [(one.number, one.state, dict(one.settings), one.validation, one.loss) for one in finder.study.trials()]


@pytest.mark.parametrize(
    "facts", [{"how": "random"}, {"how": "grid", "space": GRID, "trials": 8}], ids=["random", "grid"]
)
def test_several_give_what_one_gives(facts: dict[str, Any], tmp_path: Path, opened: list[Study]) -> None:
    alone = found_by(Pretended(1), tmp_path / "one", opened, **facts)
    alone.run()
    crew = Pretended(3, lost={0: 1, 4: 2})
    warned = Warned()
    several = found_by(crew, tmp_path / "three", opened, reporter=warned, **facts)
    several.run()
    assert told(several) == told(alone)
    assert len(told(alone)) == (8 if facts["how"] == "grid" else 12)
    assert crew.most == 3
    assert len(crew.orders) == len(told(alone)) + 3
    assert sorted(warned.lines) == [
        "The worker of trial 0 was lost (its node is gone); the trial is begun again.",
        *["The worker of trial 4 was lost (its node is gone); the trial is begun again."] * 2,
    ]


def test_what_costs_three_workers_has_failed(tmp_path: Path, opened: list[Study]) -> None:
    found = found_by(Pretended(2, lost={1: 3}), tmp_path, opened, how="random", trials=4)
    found.run()
    assert [one.state for one in found.study.trials()] == ["done", "failed", "done", "done"]
    assert found.study.trials()[1].reason == "its worker was lost 3 times, at last: its node is gone"


def test_the_usual_settings_are_begun_again_too(tmp_path: Path, opened: list[Study]) -> None:
    warned = Warned()
    found = found_by(Pretended(2, lost={-1: 1}), tmp_path, opened, reporter=warned)
    found.try_usual()
    assert found.study.remembered("usual")["validation"] == 0.5
    assert warned.lines == [
        "The worker that tried the usual settings was lost (its node is gone); they are tried again."
    ]
    assert found.study.trials() == []


def test_the_same_settings_are_not_tried_by_two_at_once(tmp_path: Path, opened: list[Study]) -> None:
    space = {"class_weights": ["none", "balanced"]}
    crew = Pretended(4)
    found = found_by(crew, tmp_path, opened, how="random", space=space, trials=8)
    found.run()
    assert len(crew.orders) == 2
    states = [(one.state, one.reason) for one in found.study.trials()]
    assert len(states) == 8
    assert sum(reason.startswith("as trial ") for _, reason in states) == 6


def test_within_a_budget_the_first_plans_before_others_begin(tmp_path: Path, opened: list[Study]) -> None:
    crew = Pretended(3)
    found = found_by(crew, tmp_path, opened, how="random", seconds=1000.0, trials=5)
    found.run()
    assert [order.plans for order in crew.orders] == [True, *[False] * 4]
    assert "loop.epochs" not in crew.orders[0].changes
    assert {order.changes["loop.epochs"] for order in crew.orders[1:]} == {7}
    first, last = crew.orders[0], crew.orders[-1]
    assert first.planned_seconds is not None
    assert 200 < first.planned_seconds <= 250  # a quarter of the budget
    assert last.seconds is not None
    assert 400 < last.seconds < 1000

    class TooLong(Pretended):
        def next(self) -> tuple[Order, Attempt]:
            return self.begun.pop()[0], Attempt(state="late", seconds=10.0, more=490.0)

    short = found_by(TooLong(3), tmp_path / "short", opened, how="random", seconds=1000.0)
    with pytest.raises(BudgetTooShort, match=r"a trial takes at least 8 min .* Give --budget"):
        short.run()


def test_who_waits_is_asked_whether_to_stop(tmp_path: Path, opened: list[Study]) -> None:
    found = found_by(Pretended(2, epochs=4), tmp_path, opened, how="random", trials=12)
    found.run()
    stopped = [one for one in found.study.trials() if one.state == "stopped"]
    assert stopped
    assert {one.epochs for one in stopped} == {2}  # a first epoch tells little
    assert {one.reason for one in stopped} == {"others were better after as many epochs"}


def test_a_search_that_was_killed_asks_again_for_what_several_were_at_work_on(
    tmp_path: Path, opened: list[Study]
) -> None:
    whole = found_by(Pretended(1), tmp_path / "whole", opened, how="random")
    whole.run()

    class Full(Pretended):
        def next(self) -> tuple[Order, Attempt]:
            if len(self.orders) > 5:
                raise StorageError("the disk is full.")
            return super().next()

    first = found_by(Full(3), tmp_path / "killed", opened, how="random")
    with pytest.raises(StorageError):
        first.run()
    assert [one.state for one in first.study.trials()].count("running") == 3
    opened.pop().close()  # as the end of its process does
    study = Study(tmp_path / "killed" / "search")
    opened.append(study)
    crew = Pretended(3)
    again = replace(first, study=study, crew=crew, _at_work={}, _twins=[])
    again.run()
    assert told(again) == told(whole)
    assert len(crew.orders) == 12 - 3
