"""What processes leave for those after them, and tell who waits. In: a folder. Out: the same errors, results, steps."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tellapart.bundle import Score
from tellapart.errors import DataError, MachineError, MissingExtra, SettingsError, TellapartError
from tellapart.runs.result import TrainResult
from tellapart.workflows.scaling.launch import TOLD, Launch, launching
from tellapart.workflows.scaling.telling import Retelling, WritingReporter

RESULT = TrainResult(
    run=Path("/runs/pets"),
    model=Path("/runs/pets/model.onnx"),
    task="classification",
    headline="accuracy",
    scores={"accuracy": Score(value=0.1 + 0.2, low=0.25, high=0.5)},
    scores_without_leaked=None,
    n_train=7,
    n_validation=2,
    n_test=3,
    classes=("cat", "狗"),
    unreadable=0,
    duplicates=0,
    leaked=0,
    seconds=1.5,
    computed=1,
    reused=0,
    strategy="scratch",
    choice="",
    metrics={"training": {"history": [{"train_loss": 1 / 3}]}, "nothing": None},
)


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    with launching(tmp_path / "runs", tmp_path / "cache") as begun:
        yield begun


def test_its_files_are_seen_or_not_and_go(tmp_path: Path) -> None:
    with launching(tmp_path / "runs", tmp_path / "cache") as launch:
        assert all(path.is_file() for path in launch.tokens)
        assert {path.parent.parent for path in launch.tokens} == {tmp_path / "runs", tmp_path / "cache"}
    assert list((tmp_path / "runs").iterdir()) == list((tmp_path / "cache").iterdir()) == []


def test_what_a_killed_caller_left_goes_when_the_next_one_begins(tmp_path: Path) -> None:
    out, cache = tmp_path / "runs", tmp_path / "cache"
    with launching(out, cache) as first, launching(out, cache) as second:
        shutil.copytree(second.folder, out / ".launch-killed")  # nobody holds this one
        shutil.copytree(second.cache, cache / ".launch-killed")
        with launching(out, cache) as third:
            mine = {one.folder.name for one in (first, second, third)}
            assert {path.name for path in out.iterdir()} == {path.name for path in cache.iterdir()} == mine


def test_a_result_is_the_same_to_the_last_bit(launch: Launch) -> None:
    assert launch.result() is None
    launch.keep(RESULT)
    assert launch.result() == RESULT


class Own(DataError):
    """An error of a kind that only one file knows."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (SettingsError("--x is 3."), SettingsError),
        (Own("no picture."), DataError),
        (MissingExtra("train", "train", "torch"), TellapartError),
    ],
)
def test_an_error_of_ours_ends_it_by_its_kind_and_text(launch: Launch, error: TellapartError, kind: type) -> None:
    assert launch.outcome() is None
    launch.end(error)
    found = launch.outcome()
    assert type(found) is kind
    assert str(found) == str(error)


def test_another_error_shows_where_it_came_from(launch: Launch) -> None:
    try:
        {}["gone"]
    except KeyError as error:
        launch.end(error)
    found = launch.outcome()
    assert type(found) is RuntimeError
    assert "test_launch.py" in str(found)
    assert str(found).startswith("a process of the training ended with an error that is none of ours:\nTraceback")


def test_who_is_lost_at_one_place_again_and_again_is_not_begun_once_more(launch: Launch) -> None:
    telling = WritingReporter(launch.folder / TOLD)
    for place in ("", "checkpoint-00001", "checkpoint-00001", "checkpoint-00002", "checkpoint-00002"):
        launch.check_gets_on(place)
        telling.began(place)
    launch.check_gets_on("checkpoint-00002")
    telling.began("checkpoint-00002")
    launch.check_gets_on("checkpoint-00003")
    with pytest.raises(MachineError) as found:
        launch.check_gets_on("checkpoint-00002")
    assert str(found.value) == (
        "3 times processes of the training were lost after checkpoint-00002, most likely because their memory ran out, and a "
        "fourth time would be no different. Give each more memory, or train with a smaller --batch-size."
    )
    assert [one["place"] for one in launch.began()][:2] == ["", "checkpoint-00001"]


class Screen:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    @contextlib.contextmanager
    def step(self, title: str, total: int | None) -> Iterator[Callable[[int], None]]:
        self.seen.append(("step", title, total))
        yield lambda count: self.seen.append((title, count))
        self.seen.append(("end", title))

    def say(self, text: str) -> None:
        self.seen.append(text)

    def warn(self, text: str) -> None:
        self.seen.append(f"! {text}")


def test_what_is_told_there_is_told_here(tmp_path: Path) -> None:
    path, screen, clock = tmp_path / TOLD, Screen(), [0.0]
    telling = WritingReporter(path, now=lambda: clock[0])
    here = Retelling(path, screen, whole=lambda: screen.seen.append("whole"))
    here.poll()  # nothing yet
    telling.began("")
    telling.say("第一")
    with telling.step("Reading", 10) as advance:
        for second in range(8):
            clock[0] = second / 8
            advance(1)
        telling.warn("slow")
    telling.tell("whole")
    telling.tell("whole")
    with path.open("ab") as file:
        file.write(b'{"event": "say", "te')
    here.poll()
    assert screen.seen == [
        "第一",
        ("step", "Reading", 10),
        ("Reading", 3),
        ("Reading", 2),
        ("Reading", 2),
        "! slow",
        ("Reading", 1),
        ("end", "Reading"),
        "whole",
    ]
    with path.open("ab") as file:
        file.write(b'xt": "whole line"}\n')
    here.poll()
    assert screen.seen[-1] == "whole line"


def test_what_a_lost_process_left_open_is_closed(tmp_path: Path) -> None:
    path, screen = tmp_path / TOLD, Screen()
    here = Retelling(path, screen, whole=lambda: None)
    lost = WritingReporter(path)
    lost.began("")
    with lost.step("Training", 9), lost.step("Saving", None):
        here.poll()
        again = WritingReporter(path)
        again.began("checkpoint-1")
        here.poll()
    assert screen.seen == [
        ("step", "Training", 9),
        ("step", "Saving", None),
        ("end", "Saving"),
        ("end", "Training"),
        "! A process of the training was lost; all go on from what is saved.",
    ]
    here.close()
    assert all(json.loads(line) for line in path.read_text().splitlines())
