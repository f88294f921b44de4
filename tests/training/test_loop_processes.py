"""Trainings in processes of their own: killed, several at once, compiled. In: toy.py. Out: verdicts. Next: test_curves.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from tellapart.training.devices import Devices


def _check_killed(outcome: dict[str, Any], kills: int) -> None:
    for kind, found in outcome.items():
        assert found["status"] == 0
        assert found["resumed"] == found["reference"], kind
        assert len(found["reference"]["curve"]) == 4
        assert len(found["places"]) == kills
        assert any(status == -9 for _, status, _ in found["places"])
        assert len(found["left"]) <= 4
        assert not any(name.endswith(".part") for name in found["left"])
    rates = [epoch[-1] for epoch in outcome["sgd"]["reference"]["curve"]]
    assert rates[-1] < rates[0]  # the plateau was found, so its counters matter


@pytest.mark.slow
def test_killed_twice_it_ends_in_the_same_weights(run_toy: Callable[..., str], tmp_path: Path) -> None:
    outcome = json.loads(run_toy("serve", tmp_path / "runs", 2, 1))
    assert outcome.pop("imported") == []  # nothing that only several processes or TensorBoard need
    _check_killed(outcome, 2)


@pytest.mark.long
@pytest.mark.parametrize("seed", [2, 3])
def test_killed_twenty_times_it_ends_in_the_same_weights(
    run_toy: Callable[..., str], tmp_path: Path, seed: int
) -> None:
    outcome = json.loads(run_toy("serve", tmp_path / "runs", 20, seed))
    del outcome["imported"]
    _check_killed(outcome, 20)
    for found in outcome.values():
        assert sum(parts for _, _, parts in found["places"]) > 0  # some fell into a save
        assert any(not name.endswith("-0000000.safetensors") for name, _, _ in found["places"] if name)


_TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")


@pytest.mark.long
def test_two_processes_train_as_one(toy: ModuleType, run_toy: Callable[..., str], tmp_path: Path) -> None:
    _, fitted = toy.train(toy.build(batch_norm=False, dropout=0.0, seed=0), optimizer="sgd", clip=1.0, rate=0.2)
    run_toy("several", tmp_path, 9, before=_TORCHRUN)  # a deadline stops both at the same step ...
    run_toy("several", tmp_path, 0, before=_TORCHRUN)  # ... and both go on from there
    for deadline, stopped in ((9, "budget"), (0, "finished")):
        zero, one = (json.loads((tmp_path / f"process-{rank}-{deadline}.json").read_text()) for rank in (0, 1))
        assert zero["world"] == one["world"] == 2
        assert zero["stopped"] == one["stopped"] == stopped
        assert zero["digest"] == one["digest"]
        assert zero["patience"] == one["patience"] == 24 * 3600  # the first may audit for hours
        assert len(zero["moved"]) > 0
        assert one["moved"] == one["seen"] == []  # only the first writes and reports
    assert zero["seen"][-1] == 4
    torch.testing.assert_close(torch.tensor(zero["curve"]), torch.tensor(toy.curve(fitted)), rtol=0, atol=1e-5)


@pytest.mark.long
def test_trouble_in_one_process_stops_both_and_leaves_nothing_open(run_toy: Callable[..., str], tmp_path: Path) -> None:
    run_toy(tmp_path, before=_TORCHRUN, script="troubled.py")
    zero, one = (json.loads((tmp_path / f"process-{rank}.json").read_text()) for rank in (0, 1))
    assert zero["nan"] == one["nan"]
    assert zero["nan"].startswith("epoch 2, step 4: the training loss is nan")
    assert zero["memory"].startswith("epoch 1, step 1: 1 of 2 processes could not train on their part of the batch")
    assert one["memory"].startswith("epoch 1, step 1: memory does not suffice for 1 picture at a time")
    assert zero["validation"] == "memory does not suffice to validate"
    assert one["validation"] == "after epoch 1: process 0 could not validate; all stop with it. Mend what it says."
    assert zero["checkpoints"] == one["checkpoints"]
    assert zero["checkpoints"].startswith("1 of 2 processes cannot go on from the checkpoints that process 0 finds")


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")  # of the compiler
def test_compiled_on_request(toy: ModuleType) -> None:
    def network() -> nn.Module:
        return toy.build(batch_norm=False, dropout=0.0)

    compiled, fitted = toy.train(network(), epochs=1, devices=Devices(threads=1, compiled=True))
    plain, again = toy.train(network(), epochs=1)
    assert type(compiled) is type(plain)
    torch.testing.assert_close(compiled.state_dict(), plain.state_dict(), rtol=0, atol=1e-4)
    assert fitted.history[0].train_loss == pytest.approx(again.history[0].train_loss, abs=1e-5)
