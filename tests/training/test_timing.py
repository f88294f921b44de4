"""How long a picture takes. In: a tiny network, devices. Out: seconds, what is refused. Next: test_planning.py."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tellapart.data.augment import build_augmentation, resolve
from tellapart.errors import TrainingError
from tellapart.models.blocks import Block
from tellapart.models.scratch import build_scratch
from tellapart.preprocessing import Preprocessing
from tellapart.runtime import cores
from tellapart.training.devices import Devices, default_workers
from tellapart.training.planning import Costs
from tellapart.training.timing import Speed, _settle, _step_seconds, _with_varying, measure

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


def timed(one: nn.Module, **changes: Any) -> Speed:
    settings: dict[str, Any] = {
        "start": 0,
        "shape": (SIDE, SIDE, 3),
        "lower": None,
        "devices": ONE,
        "batch_size": 8,
        "augment": build_augmentation(resolve("light"), size=SIDE),
        "preprocessing": Preprocessing(size=SIDE),
    }
    return measure(one, **{**settings, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(("patience", "tried"), [(None, {16}), (0.0, {2}), (1000.0, {2, 16})])
def test_little_time_is_not_spent_on_measuring(patience: float | None, tried: set[int]) -> None:
    room = Room(100)
    assert min(_step_seconds(network(room), 0, (SIDE, SIDE, 3), ONE, 16, patience)) > 0
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


@pytest.mark.parametrize("training", [True, False])
def test_fewer_pictures_where_memory_runs_out(training: bool) -> None:
    room = Room(5, training=training)
    train, look = _step_seconds(network(room), 0, (SIDE, SIDE, 3), ONE, 16)
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
        timed(network(), shape=(SIDE, SIDE, 5))


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
