"""Trainings that meet trouble: damage, no numbers, no memory, no room. In: toy.py. Out: verdicts. Next: test_loop_processes.py."""

from __future__ import annotations

import dataclasses
import resource
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tellapart.errors import ForeignCheckpoint, StorageError, TrainingError
from tellapart.training.checkpoint import Checkpoints
from tellapart.training.devices import Devices


def test_a_resume_on_other_terms_is_told(toy: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(toy.Killed):
        toy.train(folder=tmp_path, on_step=toy.killed_at((2, 3)))
    _, fitted = toy.train(folder=tmp_path, devices=Devices(threads=1, precision="bfloat16"))
    message = (
        "begun with 1 x cpu, float32, 1 thread, resumed with 1 x cpu, bfloat16, 1 thread: the result is as good, but "
        "not the same to the last bit."
    )
    assert fitted.messages == (message,)


class Elsewhere(Devices):
    """One of two processes that see other checkpoints than each other."""

    def agreed(self, *numbers: float) -> tuple[float, ...]:
        return tuple(number + 1 for number in numbers)

    def share(self, tensor: Tensor) -> None:
        pass

    def add_up(self, tensor: Tensor) -> None:
        pass


def test_processes_that_see_other_checkpoints(toy: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match="^1 of 2 processes cannot go on from the checkpoints that process 0 finds; all"
    ):
        toy.train(folder=tmp_path, devices=Elsewhere(world=2, rank=1, threads=1))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Heard(Devices):
    """One of two processes that agree on everything; what this one sends is noted."""

    sent: list[float] = dataclasses.field(default_factory=list)

    def share(self, tensor: Tensor) -> None:
        pass

    def add_up(self, tensor: Tensor) -> None:
        self.sent.append(float(tensor[0]))


def test_the_others_are_told_of_a_checkpoint_that_is_refused_here(toy: ModuleType, tmp_path: Path) -> None:
    toy.train(folder=tmp_path, epochs=1)
    devices = Heard(world=2, threads=1)
    with pytest.raises(ForeignCheckpoint):
        toy.train(folder=tmp_path, epochs=1, fingerprint="other", devices=devices)
    assert devices.sent == [1.0]


def test_a_foreign_checkpoint_is_refused(toy: ModuleType, tmp_path: Path) -> None:
    toy.train(folder=tmp_path, epochs=1)
    with pytest.raises(ForeignCheckpoint, match="belongs to another training"):
        toy.train(folder=tmp_path, epochs=1, fingerprint="other")


def test_a_damaged_checkpoint_costs_only_time(toy: ModuleType, tmp_path: Path) -> None:
    whole, fitted = toy.train()
    with pytest.raises(toy.Killed):
        toy.train(folder=tmp_path, save_steps=5, on_step=toy.killed_at((3, 12)))
    newest = max(tmp_path.glob("checkpoint-*"))
    newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])
    told: list[str] = []
    resumed, again = toy.train(folder=tmp_path, on_message=told.append)
    assert toy.digest(resumed) == toy.digest(whole)
    assert toy.curve(again) == toy.curve(fitted)
    assert list(again.messages) == told
    assert f"{newest.name} is damaged" in told[0]


@dataclasses.dataclass
class Poison:
    """Pictures that are not numbers, in one batch."""

    toy: ModuleType
    epoch: int
    step: int

    def __call__(self, epoch: int, step: int, batch: Any) -> Any:
        images = self.toy.Picture()(batch.inputs)
        if (epoch, step) == (self.epoch, self.step):
            images = images * float("nan")
        return dataclasses.replace(batch, inputs=images)


def test_a_loss_that_is_no_number_stops_with_advice(toy: ModuleType, tmp_path: Path) -> None:
    batches = toy.Batches(change=Poison(toy, 2, 4))
    with pytest.raises(TrainingError) as caught:
        toy.train(batches=batches, folder=tmp_path, save_steps=5)
    assert str(caught.value) == (
        "epoch 3, step 5: the training loss is nan; it must stay finite. Lower the learning rate (try a tenth), warm "
        "up for longer, or clip the gradient at 1."
    )
    kept = Checkpoints(tmp_path, fingerprint="toy").load()
    assert kept is not None
    assert kept.best is not None
    two_epochs, _ = toy.train(batches=batches, epochs=2, schedule="constant", folder=tmp_path / "other")
    assert kept.best.keys() == two_epochs.state_dict().keys()
    assert all(tensor.isfinite().all() for tensor in kept.best.values())


def test_a_validation_loss_that_is_no_number_stops_too(toy: ModuleType) -> None:
    with pytest.raises(TrainingError, match=r"^after epoch 2: the validation loss is inf; it must stay finite\."):
        toy.train(validate=toy.one_after_another([1.0, float("inf")]))


def test_a_rank_that_is_no_number_stops_too(toy: ModuleType) -> None:
    with pytest.raises(ValueError, match="^after epoch 1: the learner's rank is nan; epochs cannot be compared by it"):
        toy.train(rank=lambda loss, accuracy: float("nan"))
    _, fitted = toy.train(epochs=2, rank=lambda loss, accuracy: float("-inf"))
    assert fitted.best_epoch == 1


def test_a_batch_that_the_learner_cannot_take_stops(toy: ModuleType) -> None:
    def refuse(images: Tensor, targets: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        raise TrainingError("row 3 is of class number -100")

    with pytest.raises(TrainingError, match="^row 3 is of class number -100$"):
        toy.train(mix=refuse)


def test_checkpoints_of_an_older_version_are_told(toy: ModuleType, tmp_path: Path) -> None:
    save_file({}, tmp_path / "checkpoint-00001-0000000.safetensors", {"version": "1", "state": "{}"})
    with pytest.raises(
        TrainingError, match=r"is of checkpoint version 1, this program reads 2\. Resume with the version"
    ):
        toy.train(folder=tmp_path)


def test_out_of_memory_in_the_middle_is_resumed_exactly(toy: ModuleType, tmp_path: Path) -> None:
    def narrow() -> nn.Module:
        network = toy.build()
        network.register_forward_pre_hook(_no_room_from_the_14th)
        network.calls = 0
        return network

    whole, fitted = toy.train(narrow(), batches=toy.Batches())
    with pytest.raises(toy.Killed):
        toy.train(narrow(), folder=tmp_path, save_steps=3, on_step=toy.killed_at((2, 8)))
    resumed, again = toy.train(folder=tmp_path)
    assert fitted.chunk == again.chunk == 4
    assert len(fitted.messages) == 1
    assert toy.digest(resumed) == toy.digest(whole)


def _no_room_from_the_14th(network: Any, arguments: tuple[Tensor, ...]) -> None:
    network.calls += network.training
    if network.training and network.calls >= 14 and len(arguments[0]) > 4:
        raise torch.OutOfMemoryError("CUDA out of memory.")


def test_a_disk_that_fills_up_stops_and_loses_nothing(toy: ModuleType, tmp_path: Path) -> None:
    whole, _ = toy.train()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_up(progress: Any) -> None:
        if (progress.epoch, progress.step) == (2, 5):
            resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, before[1]))

    try:
        with pytest.raises(StorageError, match="cannot use .*checkpoint-00001-0000006"):
            toy.train(folder=tmp_path, save_steps=3, on_step=fill_up)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert max(tmp_path.glob("checkpoint-*")).name == "checkpoint-00001-0000003.safetensors"
    assert not list(tmp_path.glob(".*.part"))
    resumed, fitted = toy.train(folder=tmp_path)
    assert fitted.messages == ()
    assert toy.digest(resumed) == toy.digest(whole)


def test_an_epochs_threads_are_stopped_with_it(toy: ModuleType) -> None:
    closed: list[int] = []

    class Guarded(toy.Batches):  # type: ignore[name-defined, misc]
        def epoch(self, number: int, start_step: int = 0) -> Any:
            try:
                yield from super().epoch(number, start_step)
            finally:
                closed.append(number)

    with pytest.raises(toy.Killed) as kept:  # the error keeps the frames alive
        toy.train(batches=Guarded(), on_step=toy.killed_at((2, 3)))
    assert closed == [0, 1]
    assert kept.value is not None
