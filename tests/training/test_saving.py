"""When a checkpoint is due. In: a clock. Out: verdicts. Next: test_loop.py."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tellapart.training.checkpoint import Checkpoints
from tellapart.training.saving import Saver


class Slow(Checkpoints):
    """Each save takes `seconds` of a clock that otherwise stands still."""

    def __init__(self, folder: Path, seconds: float) -> None:
        super().__init__(folder, fingerprint="mine")
        self.seconds, self.time = seconds, 0.0

    def save(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any], **places: int) -> None:
        super().save(tensors, state, **places)
        self.time += self.seconds


def _saver(folder: Path, seconds: float, steps: int | None = None) -> tuple[Slow, Saver]:
    checkpoints = Slow(folder, seconds)
    saver = Saver(checkpoints, seconds=30.0, steps=steps, now=lambda: checkpoints.time)
    saver.save({"w": torch.zeros(1)}, {}, epoch=0, step=1, best_epoch=0)
    return checkpoints, saver


def _due_after(checkpoints: Slow, saver: Saver) -> float:
    begun = checkpoints.time
    while not saver.is_time(1):
        checkpoints.time += 1.0
    return checkpoints.time - begun


def test_it_is_due_every_thirty_seconds(tmp_path: Path) -> None:
    assert _due_after(*_saver(tmp_path, 0.1)) == 30.0


def test_slow_saves_come_less_often(tmp_path: Path) -> None:
    assert _due_after(*_saver(tmp_path, 5.0)) == 100.0  # 5 s are 5 % of them


def test_every_so_many_steps(tmp_path: Path) -> None:
    _, saver = _saver(tmp_path, 0.0, steps=4)
    assert [step for step in range(1, 13) if saver.is_time(step)] == [4, 8, 12]


def test_without_checkpoints_nothing_is_ever_due() -> None:
    saver = Saver(None, seconds=0.0, steps=1, now=lambda: 0.0)
    assert not saver.is_time(1)
    saver.save({}, {}, epoch=0, step=0, best_epoch=0)
    saver.save_best({}, epoch=1)
