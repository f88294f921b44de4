"""What one process of several does, here alone. In: Orders. Out: refusals, the run that those before it left."""

from __future__ import annotations

import json
import os
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tellapart.errors import DataError, SettingsError
from tellapart.runs.places import RunAtWork
from tellapart.runs.run import start_run
from tellapart.settings.reading import make_settings
from tellapart.workflows.scaling.launch import TOLD, Launch, launching
from tellapart.workflows.scaling.telling import WritingReporter
from tellapart.workflows.take_part import TrainingOrder, _opened, another_is_lost, begun_run, take_part

from ..walk.conftest import save_digits  # noqa: TID252


def order_of(launch: Launch, given: Mapping[str, Any], cache: Path) -> TrainingOrder:
    return TrainingOrder(
        launch=launch,
        given=make_settings(given).model_dump(mode="json", exclude_unset=True),
        run=None,
        changes={},
        seen=tuple(map(str, launch.tokens)),
        cache=str(cache),
        on_cpu=True,
    )


@pytest.fixture
def order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TrainingOrder]:
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    (tmp_path / "pets").mkdir()
    given = {"data": str(tmp_path / "pets"), "out": str(tmp_path / "runs"), "strategy": "scratch"}
    with launching(tmp_path / "runs", tmp_path / "cache") as launch:
        yield order_of(launch, given, tmp_path / "cache")


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


@pytest.mark.parametrize(
    ("error", "world", "lost"),
    [
        (
            RuntimeError("[gloo/transport/tcp/pair.cc:545] Read error [127.0.0.1]:1439: Connection reset by peer"),
            2,
            True,
        ),
        (torch.distributed.DistBackendError("NCCL communicator was aborted on rank 0"), 2, True),
        (RuntimeError("Connection closed by peer [10.0.0.2]:44155"), 2, True),
        (RuntimeError("Connection closed by peer [10.0.0.2]:44155"), 1, False),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), 2, False),
        (KeyError("gloo"), 2, False),
    ],
)
def test_a_step_that_failed_since_another_process_is_gone_is_no_end(
    error: Exception, world: int, lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", str(world))
    assert another_is_lost(error) is lost


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


PART = """
import pickle, sys
from pathlib import Path
from typing import Any
from tellapart.workflows.take_part import take_part
print(take_part(pickle.loads(Path(sys.argv[1]).read_bytes())))
"""


@pytest.mark.long
def test_begun_again_after_a_kill_it_gives_the_same_run(own_cache: Path, tmp_path: Path) -> None:
    """As Ray begins processes again, without Ray: one is killed, the next finds its run and goes on."""
    save_digits(tmp_path / "digits", each=20)
    network = {"size": 16, "channels": 1, "blocks": [{"filters": 4}]}
    loop = {"epochs": 4, "batch_size": 16, "learning_rate": 0.01}
    given = {"data": str(tmp_path / "digits"), "strategy": "scratch", "device": "cpu", "report": False}
    runs = []
    for name, killed in (("undisturbed", False), ("killed", True)):
        out = tmp_path / name
        with launching(out, own_cache) as launch:
            order = order_of(launch, {**given, "out": str(out), "network": network, "loop": loop}, own_cache)
            (tmp_path / "order").write_bytes(pickle.dumps(order))
            for again in (False, True) if killed else (True,):
                process = subprocess.Popen(
                    [sys.executable, "-c", PART, str(tmp_path / "order")], stdout=subprocess.PIPE
                )
                while not again and process.poll() is None and not list(out.glob("*/checkpoints/checkpoint-00001*")):
                    time.sleep(0.005)
                if not again:
                    process.kill()
                said, _ = process.communicate()
            assert (process.returncode, said) == (0, b"None\n")
            result, began = launch.result(), launch.began()
        assert result is not None
        assert len(began) == 1 + killed
        assert [path.parent for path in out.glob("digits-*/recipe.toml")] == [result.run]  # one run, not two
        runs.append(result)
    events = [json.loads(line)["event"] for line in (runs[1].run / "log.jsonl").read_text().splitlines()]
    assert events.count("started") == events.count("resumed") == 1
    for file in ("weights.safetensors", "predictions.csv"):
        assert (runs[0].run / file).read_bytes() == (runs[1].run / file).read_bytes()
    assert runs[0].scores == runs[1].scores
