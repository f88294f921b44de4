"""Trials are shared, survive their processes, and come out the same. In: spaces, made figures. Out: what is tried."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tellapart.errors import SettingsError
from tellapart.runs.search_record import SearchTrial
from tellapart.workflows.searching.journal import JOURNAL, Alive, is_alive
from tellapart.workflows.searching.study import ProposedTrial, Study

from .conftest import FACTS

OPENED: list[Study] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


def new(folder: Path, **facts: Any) -> Study:
    return opened(folder, {**FACTS, "given": {}, **facts})


def opened(folder: Path, facts: dict[str, Any] | None = None) -> Study:
    OPENED.append(Study(folder / "search", new=facts))
    return OPENED[-1]


def figure(settings: dict[str, Any]) -> float:
    """Best at a strength of 0.01 with balanced classes."""
    return (
        0.9 - 0.05 * abs(math.log10(settings["probe.strength"]) + 2) + 0.02 * (settings["class_weights"] == "balanced")
    )


def do(study: Study, asked: ProposedTrial, **facts: Any) -> None:
    told = {"state": "done", "validation": figure(asked.settings), **facts}
    study.tell(asked, SearchTrial(number=asked.number, settings=asked.settings, **told))


def finish(study: Study) -> list[SearchTrial]:
    while (asked := study.ask()) is not None:
        do(study, asked)
    return study.trials()


def test_tpe_finds_what_is_good_and_says_what_matters(tmp_path: Path) -> None:
    study = new(tmp_path, trials=40)
    trials = finish(study)
    assert [one.number for one in trials] == list(range(40))
    best = max(trials, key=lambda one: one.rank)
    assert best.settings["class_weights"] == "balanced"
    assert abs(math.log10(best.settings["probe.strength"]) + 2) < 0.3
    late = [figure(dict(one.settings)) for one in trials[20:]]
    early = [figure(dict(one.settings)) for one in trials[:10]]
    assert sum(late) / len(late) > sum(early) / len(early)
    importance = study.importance()
    assert importance["probe.strength"] > importance["class_weights"]
    assert sum(importance.values()) == pytest.approx(1)


@pytest.mark.parametrize("how", ["tpe", "random"])
def test_a_search_that_is_opened_again_goes_on_as_it_would_have(how: str, tmp_path: Path) -> None:
    whole = finish(new(tmp_path / "whole", how=how, trials=14))
    first = new(tmp_path / "cut", how=how, trials=14)
    for _ in range(6):
        asked = first.ask()
        assert asked is not None
        do(first, asked)
    first.close()
    again = finish(opened(tmp_path / "cut"))
    assert [one.settings for one in again] == [one.settings for one in whole]


def test_a_grid_is_shared_without_trying_anything_twice(tmp_path: Path) -> None:
    space = {"loop.epochs": [2, 3], "loop.optimizer": ["adamw", "sgd"]}
    one = new(tmp_path, space=space, how="grid", trials=4)
    grid = [{"loop.epochs": epochs, "loop.optimizer": name} for epochs in (2, 3) for name in ("adamw", "sgd")]
    one.plan(grid)
    other = opened(tmp_path)
    asked = [study.ask() for study in (one, other, other, one)]
    assert [found.settings for found in asked if found is not None] == grid
    assert one.ask() is None
    assert other.ask() is None
    assert one.at_work


def test_what_was_tried_is_known(tmp_path: Path) -> None:
    study = new(
        tmp_path,
        space={"class_weights": ["none", "balanced"], "loop.optimizer": ["adamw", "sgd"]},
        how="random",
        trials=9,
    )
    seen: list[dict[str, Any]] = []
    while (asked := study.ask()) is not None:
        assert (asked.known is not None) == (asked.settings in seen)
        seen.append(asked.settings)
        study.tell(asked, SearchTrial(number=asked.number, state="done", settings=asked.settings, validation=0.5))
    assert len(seen) == 9


def test_trials_of_a_process_that_was_killed_are_tried_again(tmp_path: Path) -> None:
    study = new(tmp_path, trials=3)
    code = (
        "import os, sys; from pathlib import Path; from tellapart.workflows.searching.study import Study\n"
        "asked = Study(Path(sys.argv[1])).ask(); print(asked.settings['probe.strength'], flush=True); os._exit(9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "search")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 9, done.stderr
    assert not study.at_work
    trials = finish(study)
    assert len(trials) == 3  # what was killed counts as none
    assert trials[0].settings["probe.strength"] == float(done.stdout)
    assert [one.number for one in trials] == [0, 1, 2]  # it left its number to what was tried in its place
    assert {one.state for one in trials} == {"done"}


def test_a_trial_that_was_killed_as_it_began_leaves_its_number(tmp_path: Path) -> None:
    study = new(tmp_path, trials=3)
    for _ in range(2):
        asked = study.ask()
        assert asked is not None
    study.tell(asked, SearchTrial(number=1, state="done", settings=asked.settings, validation=0.5))
    study.remember("free", [0])  # nobody knows what that one would have tried
    study.remember("buried", [0])
    asked = study.ask()
    assert asked is not None
    assert asked.number == 0
    again = study.ask()
    assert again is not None
    assert again.number == 2
    assert [one.number for one in study.trials()] == [0, 1, 2]


def test_half_a_line_that_a_kill_left_is_cut_off(tmp_path: Path) -> None:
    study = new(tmp_path, trials=3)
    asked = study.ask()
    assert asked is not None
    do(study, asked)
    study.close()
    with (tmp_path / "search" / JOURNAL).open("ab") as file:
        file.write(b'{"op_code":4,"worker_id":"x')
    again = opened(tmp_path)
    assert len(finish(again)) == 3


def test_a_training_below_the_others_is_stopped(tmp_path: Path) -> None:
    study = new(tmp_path, trials=9)
    for rank in (0.5, 0.6, 0.7, 0.8):
        asked = study.ask()
        assert asked is not None
        assert not any(study.stops(asked, epoch, rank + epoch / 100) for epoch in (1, 2, 3))
        do(study, asked, epochs=3)
    asked = study.ask()
    assert asked is not None
    assert not study.stops(asked, 1, 0.1)
    assert study.stops(asked, 2, 0.1)
    do(study, asked, state="stopped", validation=None, epochs=2)
    found = study.trials()[-1]
    assert (found.state, found.validation, found.epochs) == ("stopped", None, 2)
    never = new(tmp_path / "never", trials=9, pruner="none").ask()
    assert never is not None


def test_a_failure_is_written_down(tmp_path: Path) -> None:
    study = new(tmp_path, trials=2)
    asked = study.ask()
    assert asked is not None
    do(study, asked, state="failed", validation=None, reason="the loss is nan")
    assert [(one.state, one.reason) for one in opened(tmp_path).trials()] == [("failed", "the loss is nan")]


def test_of_equal_figures_the_lower_loss_wins() -> None:
    trials = [
        SearchTrial(number=n, state="done", settings={}, validation=0.9, loss=loss) for n, loss in enumerate((0.3, 0.2))
    ]
    assert max(trials, key=lambda one: one.rank).number == 1


def test_a_folder_without_a_search_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is no search: it has no search/journal.log. Give the folder of a search."):
        Study(tmp_path / "search")
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / JOURNAL).write_bytes(b"")
    with pytest.raises(SettingsError, match="journal.log holds no search that can be gone on with. Begin it anew."):
        Study(tmp_path / "search")


def test_only_who_lives_is_alive(tmp_path: Path) -> None:
    one = Alive(tmp_path)
    assert is_alive(tmp_path, one.name)
    one.end()
    assert not is_alive(tmp_path, one.name)
    assert not is_alive(tmp_path, "../elsewhere")


def test_a_figure_of_zero_is_a_figure(tmp_path: Path) -> None:
    study = new(tmp_path, trials=1)
    asked = study.ask()
    assert asked is not None
    do(study, asked, validation=0.0, loss=0.0)
    (kept,) = study.trials()
    assert (kept.state, kept.validation, kept.loss) == ("done", 0.0, 0.0)
