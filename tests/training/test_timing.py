"""How long a picture takes. In: a tiny network, devices. Out: seconds, what is refused. Next: test_planning.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from tellapart.data.augment import build_augmentation
from tellapart.data.augmentation import resolve
from tellapart.errors import TrainingError
from tellapart.models.blocks import Block
from tellapart.models.scratch import build_scratch
from tellapart.preprocessing import Preprocessing
from tellapart.runtime import cores
from tellapart.training.devices import Devices, default_workers
from tellapart.training.learner import Batch, Judged, Losses
from tellapart.training.planning import Costs
from tellapart.training.timing import Speed, Trial, _settle, _step_seconds, _with_varying, measure

SIDE = 16
ONE = Devices(threads=1)
GPU = Devices(device=torch.device("cuda"), threads=1)  # only named: nothing is computed on it


class Room:
    """A hook that runs out of memory above `pictures`, and notes how many were tried."""

    def __init__(self, pictures: int, *, training: bool = True) -> None:
        self.pictures, self.training = pictures, training
        self.tried: list[int] = []

    def __call__(self, network: Any, arguments: tuple[Any, ...]) -> None:
        count = len(arguments[0])
        self.tried.append(count)
        if network.training is self.training and count > self.pictures:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    def __deepcopy__(self, memo: Any) -> Room:
        return self  # the network that is timed is a copy


def network(room: Room | None = None) -> Any:
    built = build_scratch("blocks", class_count=2, seed=0, size=SIDE, blocks=[Block(filters=4)]).network
    if room is not None:
        built.register_forward_pre_hook(room)
    return built


class Sums:
    """Learns to give the targets' sums, which none of our tasks does, and notes what it was given."""

    parts: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self.prepared: list[Batch] = []

    def prepare(self, batch: Batch, seed: int) -> Batch:
        self.prepared.append(batch)
        return batch

    def losses(self, network: nn.Module, batch: Batch) -> Losses:
        assert network.training
        return Losses(items=(network(batch.inputs).sum(1) - batch.targets.sum(1)) ** 2, parts={})

    def chunks(self, batch: Batch, count: int) -> Sequence[Batch]:
        return batch.split(count)

    def judge(self, network: nn.Module) -> Judged:
        raise AssertionError("nothing is judged while a step is timed")


def trial(one: nn.Module, **changes: Any) -> Trial:
    settings: dict[str, Any] = {
        "learner": Sums(),
        "targets": np.arange(6, dtype=np.float32).reshape(3, 2),
        "start": 0,
        "shape": (SIDE, SIDE, 3),
    }
    return Trial(network=one, **{**settings, **changes})  # type: ignore[arg-type]


def timed(one: nn.Module, made: Trial | None = None, **changes: Any) -> Speed:
    settings: dict[str, Any] = {
        "lower": None,
        "devices": ONE,
        "batch_size": 8,
        "augment": build_augmentation(resolve("light"), size=SIDE),
        "preprocessing": Preprocessing(size=SIDE),
    }
    return measure(made or trial(one), **{**settings, **changes})


@pytest.mark.parametrize(("patience", "tried"), [(None, {16}), (0.0, {2}), (1000.0, {2, 16})])
def test_little_time_is_not_spent_on_measuring(patience: float | None, tried: set[int]) -> None:
    room = Room(100)
    assert min(_step_seconds(trial(network(room)), ONE, 16, patience)) > 0
    assert set(room.tried) == tried


def test_a_fifth_of_what_is_left_goes_into_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float | None] = []

    def steps(*arguments: Any) -> tuple[float, float]:
        given.append(arguments[-2])
        return 1.0, 1.0

    monkeypatch.setattr("tellapart.training.timing._step_seconds", steps)
    for left in (None, 50.0, -3.0):
        timed(network(), left=left)
    assert given == [None, 10.0, 0.0]


class Work:
    """A clock of the work that is done: a second for each picture that goes through the network, two for each back."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def __deepcopy__(self, memo: Any) -> Work:
        return self  # the network that is timed is a copy

    def watch(self, one: nn.Module) -> None:
        one.register_forward_hook(self._forward)

    def _forward(self, one: nn.Module, arguments: tuple[Any, ...], given: torch.Tensor) -> None:
        self.seconds += len(given)
        if given.requires_grad:
            given.register_hook(self._backward)

    def _backward(self, gradient: torch.Tensor) -> None:
        self.seconds += 2 * len(gradient)


def test_every_cost_is_found_and_the_network_stays_as_it_was() -> None:
    one, work = network(), Work()
    work.watch(one)
    before = {name: tensor.clone() for name, tensor in one.state_dict().items()}
    speed = timed(one, now=work)
    assert speed.costs == Costs(view=0.0, train=3.0, validate=1.0)
    assert speed.deployed == pytest.approx(0.003 / cores() + 1.0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in one.state_dict().items())
    assert all(parameter.grad is None for parameter in one.parameters())


def test_the_learner_is_asked_for_the_losses_of_pictures_with_targets_of_its_own() -> None:
    learner = Sums()
    _step_seconds(trial(network(), learner=learner), ONE, 8)
    (batch,) = learner.prepared
    assert (batch.inputs.shape, batch.inputs.dtype) == ((8, SIDE, SIDE, 3), torch.uint8)
    assert batch.targets.tolist() == [[0, 1], [2, 3], [4, 5], [0, 1], [2, 3], [4, 5], [0, 1], [2, 3]]
    assert batch.rows.tolist() == [0, 1, 2, 0, 1, 2, 0, 1]


def test_above_frozen_stages_a_step_begins_with_activations() -> None:
    one = build_scratch("resnet18", class_count=2, seed=0, size=64).network
    seen: list[tuple[Any, ...]] = []
    one.register_forward_pre_hook(
        lambda network, given, named: seen.append((given[0].dtype, named["start"])), with_kwargs=True
    )

    class Above(Sums):
        def losses(self, network: nn.Module, batch: Batch) -> Losses:
            assert batch.inputs.dtype == torch.float16
            return Losses(items=network(batch.inputs.float(), start=3).sum(1), parts={})

    assert min(_step_seconds(trial(one, learner=Above(), start=3, shape=(256, 4, 4)), ONE, 2)) > 0
    assert set(seen) == {(torch.float32, 3)}


@pytest.mark.parametrize("training", [True, False])
def test_fewer_pictures_where_memory_runs_out(training: bool) -> None:
    room = Room(5, training=training)
    train, look = _step_seconds(trial(network(room)), ONE, 16)
    assert train > 0
    assert look > 0
    assert list(dict.fromkeys(room.tried)) == [16, 8, 4]


def test_memory_for_less_than_two_pictures_is_refused() -> None:
    room = Room(1)
    with pytest.raises(
        TrainingError, match="memory does not suffice to train on 2 pictures at a time; .* Choose smaller"
    ):
        timed(network(room))
    assert room.tried == [8, 4, 2]


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="must match the size"):
        timed(network(), trial(network(), shape=(SIDE, SIDE, 5)))


def test_on_a_gpu_the_slower_of_training_and_varying_counts() -> None:
    assert _with_varying(0.001, 0.012, GPU, 4) == pytest.approx(0.003)
    assert _with_varying(0.005, 0.012, GPU, 4) == pytest.approx(0.005)
    assert _with_varying(0.001, 0.012, GPU, 0) == pytest.approx(0.012)  # a thread of this process
    assert _with_varying(0.001, 0.012, GPU, None) == pytest.approx(0.012 / max(1, default_workers(GPU)))
    assert _with_varying(0.001, 0.012, ONE, None) == pytest.approx(0.001 + 0.012 / cores())


def test_apples_gpu_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[str] = []
    monkeypatch.setattr(torch.mps, "synchronize", lambda: waited.append("mps"))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: waited.append(str(device)))
    for name in ("mps", "cuda:1", "cpu"):
        _settle(Devices(device=torch.device(name), threads=1))
    assert waited == ["mps", "cuda:1"]
