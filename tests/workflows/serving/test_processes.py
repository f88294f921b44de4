"""Several processes begin together. In: what a process tells, or does not. Out: its ports, or why there are none."""

from __future__ import annotations

import itertools
import multiprocessing
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import Any

import pytest

from tellapart.errors import SettingsError
from tellapart.workflows.serving.options import Ports
from tellapart.workflows.serving.processes import _Worker

PORTS = Ports(host="127.0.0.1", http=8501, grpc=None)


def begun() -> tuple[Any, Connection]:
    """A worker whose process does nothing, and where that would tell."""
    worker = _Worker.__new__(_Worker)
    worker._told, tell = multiprocessing.Pipe(duplex=False)
    worker.process = SimpleNamespace(pid=7)  # type: ignore[assignment]
    return worker, tell


def test_one_that_is_slow_to_start_is_told_once_and_waited_for() -> None:
    worker, tell = begun()
    said: list[str] = []
    looks = itertools.count()

    def stopped() -> bool:
        if next(looks) == 3:
            tell.send(PORTS)
        return False

    clock = itertools.count(0.0, 100.0)
    assert worker.wait(say=said.append, stopped=stopped, now=lambda: next(clock)) == PORTS
    assert said == ["process 7 does not listen yet after 60 s; it is waited for"]


def test_who_is_told_to_stop_waits_no_more() -> None:
    worker, _tell = begun()
    assert worker.wait(say=pytest.fail, stopped=lambda: True) is None


def test_one_that_cannot_start_ends_them_all() -> None:
    worker, tell = begun()
    tell.send("the port is taken")
    with pytest.raises(SettingsError, match="a process cannot serve: the port is taken"):
        worker.wait(say=pytest.fail, stopped=lambda: False)
    worker, tell = begun()
    tell.close()
    with pytest.raises(SettingsError, match="a process cannot serve: it ended before it listened"):
        worker.wait(say=pytest.fail, stopped=lambda: False)
