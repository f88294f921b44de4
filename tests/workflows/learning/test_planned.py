"""How long a training may be. In: a clock that is told. Out: plans that stay. Next: test_strategies.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tellapart.data.dataset import Dataset
from tellapart.models.blocks import Block
from tellapart.models.scratch import build_scratch
from tellapart.reporter import Reporter, Silent
from tellapart.runs.run import Run, replan, resume_run, start_run
from tellapart.settings.reading import make_settings, read_recipe
from tellapart.tasks.table import TASKS
from tellapart.training.devices import Devices
from tellapart.training.planning import Clock, TooShort
from tellapart.workflows.learning.planned import Planned, plan_training
from tellapart.workflows.learning.shrunk import shrink_splits
from tellapart.workflows.searching.trying import TrialRun
from tests.workflows.learning.test_assemble import SIDE, prepared


@dataclass
class Session:
    """What of a session is asked for."""

    run: Run
    clock: Clock
    reporter: Reporter

    def join(self) -> Devices:
        """One core."""
        return Devices(threads=1)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    (tmp_path / "pictures").mkdir()
    started = start_run(make_settings({"data": str(tmp_path / "pictures"), "out": str(tmp_path / "runs")}))
    yield started
    started.release()


def planned(session: Session, dataset: Dataset, **changes: Any) -> Planned | TooShort:
    whole: Any = session
    classes, task = len(dataset.classes), TASKS["classification"]
    network = build_scratch("blocks", class_count=classes, seed=0, size=SIDE, blocks=[Block(filters=4)]).network
    ready = replace(prepared(), network=network, shape=(SIDE, SIDE, 3), **changes)
    lesson = shrink_splits(session.run.settings, task, dataset, ready, Silent()).lesson
    return plan_training(whole, task, lesson, ready, scored=len(dataset.rows["validation"]) + len(dataset.rows["test"]))


def clock(seconds: float | None) -> Clock:
    """On which no time goes by."""
    return Clock(seconds, started=0.0, now=lambda: 0.0)


def resumed(run: Run, seconds: float | None) -> Session:
    """The same run in another process, which has so many seconds."""
    run.release()
    return Session(resume_run(run.folder), clock(seconds), Silent())


def test_a_budget_is_filled_and_the_plan_is_kept(run: Run, dataset: Dataset) -> None:
    session = Session(run, clock(3600.0), Silent())
    found = planned(session, dataset, most_epochs=5)
    assert isinstance(found, Planned)
    assert (found.epochs, found.views) == (5, 0)
    assert found.deadline is not None
    assert 0.0 < found.deadline < 3600.0 - 8.0  # exporting and testing need their part
    assert session.run.planned
    assert read_recipe(run.folder / "recipe.toml")["loop"]["epochs"] == 5


def test_a_clock_that_does_not_fill_its_budget_plans_what_is_usual(run: Run, dataset: Dataset) -> None:
    session = Session(run, Clock(3600.0, started=0.0, fills=False, now=lambda: 0.0), Silent())
    found = planned(session, dataset, epochs=3, most_epochs=5)
    assert isinstance(found, Planned)
    assert found.epochs == 3


@pytest.mark.parametrize("seconds", [1e-3, -5.0])
def test_a_budget_that_no_epoch_fits_into_is_told_before_anything_is_trained(
    run: Run, dataset: Dataset, seconds: float
) -> None:
    session = Session(run, clock(seconds), Silent())
    found = planned(session, dataset)
    assert isinstance(found, TooShort)
    assert (found.seconds > 0.0, found.left, found.reserve > 8.0) == (True, seconds, True)
    assert not session.run.planned
    again = resumed(run, seconds)
    assert isinstance(planned(again, dataset), TooShort)  # nothing was planned, so this is decided anew
    again.run.release()


@pytest.mark.parametrize("seconds", [1e-3, -5.0])
def test_a_plan_outlives_a_machine_that_has_become_busy(run: Run, dataset: Dataset, seconds: float) -> None:
    replan(run, epochs=5, views=3).log("planned")
    again = resumed(run, seconds)
    views = again.run.settings.finetune.views
    found = planned(again, dataset, most_epochs=9, strategy="finetune", views=views)
    assert isinstance(found, Planned)
    assert (found.epochs, found.views) == (5, 3)
    assert found.deadline is not None  # the budget is no less an end
    assert found.deadline < seconds
    again.run.release()


class Titles(Silent):
    """Keeps what is done."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def step(self, title: str, total: int) -> Any:
        self.told.append(title)
        return super().step(title, total)


def test_without_an_end_nothing_is_timed_and_the_plan_is_kept(run: Run, dataset: Dataset) -> None:
    titles = Titles()
    session = Session(run, clock(None), titles)
    first = planned(session, dataset, epochs=4, most_epochs=9)
    assert first == Planned(epochs=4, views=0, deadline=None)
    assert session.run.planned
    again = resumed(run, None)
    again.reporter = titles
    assert planned(again, dataset, epochs=7) == first
    assert titles.told == []
    again.run.release()


def test_without_an_end_frozen_stages_see_a_view_an_epoch_up_to_a_limit(run: Run, dataset: Dataset) -> None:
    found = {}
    for epochs, views in ((3, None), (40, None), (40, 5)):
        session = Session(run, clock(None), Silent())
        changes = {"strategy": "finetune", "lower": run.folder / "lower.onnx", "epochs": epochs, "views": views}
        one = planned(session, dataset, **changes)
        assert isinstance(one, Planned)
        found[epochs, views] = one.views
        assert session.run.settings.finetune.views == one.views
        (run.folder / "log.jsonl").unlink()  # the next one plans anew
    assert found == {(3, None): 3, (40, None): 8, (40, 5): 5}


def test_what_a_search_ends_is_timed_all_the_same(run: Run, dataset: Dataset) -> None:
    titles = Titles()
    trial = TrialRun(folder=run.folder, settings=run.settings, lock=None, told=lambda *_: False, end=1e12)
    assert isinstance(planned(Session(trial, clock(None), titles), dataset), Planned)
    assert titles.told == ["Timing the machine"]
