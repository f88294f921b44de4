"""What one process of several does, here alone. In: Orders. Out: refusals, the run that those before it left."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from tellapart.errors import DataError, SettingsError
from tellapart.runs.places import RunAtWork
from tellapart.runs.run import start_run
from tellapart.settings.reading import make_settings
from tellapart.workflows.scaling.launch import TOLD, begin_launch
from tellapart.workflows.scaling.telling import WritingReporter
from tellapart.workflows.take_part import TrainingOrder, _opened, begun_run, take_part


@pytest.fixture
def order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingOrder:
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    (tmp_path / "pets").mkdir()
    settings = make_settings({"data": str(tmp_path / "pets"), "out": str(tmp_path / "runs"), "strategy": "scratch"})
    launch = begin_launch(tmp_path / "runs", tmp_path / "cache")
    return TrainingOrder(
        launch=launch,
        settings=settings,
        run=None,
        changes={},
        seen=tuple(map(str, launch.tokens)),
        cache=str(tmp_path / "cache"),
        on_cpu=True,
    )


def test_a_machine_that_does_not_see_what_it_must_is_named(order: TrainingOrder) -> None:
    refused = take_part(replace(order, seen=("/elsewhere/pets",)))
    assert refused == (
        f"{socket.gethostname()}, a machine of the Ray cluster, does not see /elsewhere/pets. Each must see pictures, --out and "
        "the cache under the same path: put them into a folder that all share, the cache by TELLAPART_CACHE."
    )


def test_what_cannot_be_trained_on_ends_it_once(order: TrainingOrder) -> None:
    assert take_part(order) is None
    error = order.launch.outcome()
    assert isinstance(error, DataError)
    assert len(order.launch.began()) == 1
    assert take_part(order) is None  # begun again, it sees that it is over
    assert len(order.launch.began()) == 1


def test_the_run_of_a_lost_process_is_found_and_no_other(order: TrainingOrder) -> None:
    assert begun_run(order) is None
    assert _opened(order) is None
    run = start_run(order.settings)
    assert begun_run(order) is None  # nobody of this launch has begun
    WritingReporter(order.launch.folder / TOLD).began("")
    assert begun_run(order) == run.folder
    with pytest.raises(RunAtWork, match="is at work in another process"):
        raise_at_once(order)
    run.release()
    opened = _opened(order)
    assert opened is not None
    assert opened.folder == run.folder
    opened.release()
    marker = run.folder / "unfinished.json"
    os.utime(marker, (1, 1))  # of a process of the same number, long ago
    assert begun_run(order) is None


def raise_at_once(order: TrainingOrder) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tellapart.workflows.take_part._LET_GO_SECONDS", -1.0)
        _opened(order)


def test_a_run_that_is_gone_on_with_is_that_run(order: TrainingOrder, tmp_path: Path) -> None:
    assert begun_run(replace(order, run=tmp_path / "runs" / "pets-1")) == tmp_path / "runs" / "pets-1"
    with pytest.raises(SettingsError):
        _opened(replace(order, run=tmp_path / "runs" / "pets-1"))
