"""A training's state, out and in again. In: networks. Out: verdicts. Next: test_checkpoint.py."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from types import ModuleType

import pytest
import torch
from torch import nn

from tellapart.training.average import WeightAverage
from tellapart.training.devices import Devices
from tellapart.training.optimizer import OPTIMIZERS, build_optimizer
from tellapart.training.progress import Epoch
from tellapart.training.schedule import Schedule
from tellapart.training.state import Parts, Position
from tellapart.training.update import Seen


def _parts(name: str, *, channels_last: bool) -> Parts:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 2, 2))
    devices = Devices(threads=1, channels_last=channels_last)
    devices.prepare(network)
    optimizer = build_optimizer([list(network.named_parameters())], name=name, learning_rate=0.001)
    return Parts(
        network=network,
        optimizer=optimizer,
        schedule=Schedule(optimizer, epochs=9, steps=9, warmup_epochs=1),
        scaler=devices.scaler(),
        average=WeightAverage(network, decay=0.5),
    )


def _train(parts: Parts, first: int, last: int) -> None:
    for update in range(first, last):
        torch.manual_seed(update)
        parts.schedule.before_update(update)
        images = torch.randn(2, 4, 6, 6).contiguous(memory_format=torch.channels_last)
        parts.optimizer.zero_grad()
        parts.network(images).square().sum().backward()
        parts.optimizer.step()
        assert parts.average is not None
        parts.average.update(update + 1)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("channels_last", [True, False])
def test_it_goes_on_bit_by_bit(toy: ModuleType, name: str, channels_last: bool) -> None:
    whole, first, second = (_parts(name, channels_last=channels_last) for _ in range(3))
    _train(whole, 0, 8)
    _train(first, 0, 5)
    tensors, state = first.gather()
    second.restore({key: tensor.contiguous().clone() for key, tensor in tensors.items()}, state)
    _train(second, 5, 8)
    assert toy.digest(second.judged) == toy.digest(whole.judged)
    assert toy.digest(second.network) == toy.digest(whole.network)
    for key, tensor in second.gather()[0].items():
        assert tensor.isfinite().all()
        assert torch.equal(tensor, whole.gather()[0][key]), key
        assert tensor.stride() == whole.gather()[0][key].stride(), key


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")
@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_all_of_the_optimizers_state_is_on_the_parameters_device(name: str) -> None:
    first = _parts(name, channels_last=False)
    _train(first, 0, 2)
    network = copy.deepcopy(first.network).to("meta")  # a device that every machine has
    optimizer = build_optimizer([list(network.named_parameters())], name=name, learning_rate=0.001)
    second = Parts(
        network=network,
        optimizer=optimizer,
        schedule=Schedule(optimizer, epochs=9, steps=9, warmup_epochs=1),
        scaler=first.scaler,
        average=None,
    )
    second.restore(*first.gather())
    kept = [value for state in optimizer.state.values() for value in state.values()]
    assert len(kept) == len(list(network.parameters())) * {"adamw": 3, "sgd": 1}[name]
    assert {value.device.type for value in kept} == {"meta"}


def test_position_as_json_values() -> None:
    epoch = Epoch(
        number=1,
        train_loss=0.1,
        validation_loss=0.3,
        train={"accuracy": 0.5},
        validation={"mAP": 0.5},
        rank=-0.3,
        learning_rate=0.1,
        seconds=1.0,
        pictures_per_second=8.0,
    )
    position = Position(epoch=1, step=3, loss=1.5, parts={"accuracy": 2.0}, items=24, seconds=0.5, history=[epoch])
    assert Position.restored(json.loads(json.dumps(position.state()))) == position


def test_what_updates_saw_is_summed_up_and_forgotten_with_the_epoch() -> None:
    position = Position()
    for number in (1, 2):
        position.add(Seen(loss=0.5 * number, parts={"accuracy": 3.0, "box loss": 0.25}, items=4, stop=False))
    assert (position.loss, position.parts, position.items) == (1.5, {"accuracy": 6.0, "box loss": 0.5}, 8)
    position.begin_epoch(1)
    assert position == Position(epoch=1)


def _epoch(number: int, rank: float, loss: float = 1.0) -> Epoch:
    return Epoch(
        number=number,
        train_loss=1.0,
        validation_loss=loss,
        train={},
        validation={},
        rank=rank,
        learning_rate=0.1,
        seconds=1.0,
        pictures_per_second=1.0,
    )


def test_the_best_epoch_is_the_first_of_the_highest_rank() -> None:
    # The least loss is not what counts.
    history = [_epoch(1, -3.0, 0.1), _epoch(2, -1.0, 0.9), _epoch(3, -2.0, 0.05), _epoch(4, -1.0, 0.01)]
    assert Position(history=history).best_epoch == 2
    assert Position().best_epoch == 0


def test_what_is_drawn_next_comes_back() -> None:
    """Validation and callbacks draw from torch's own numbers, beside the steps, which seed anew."""
    parts = _parts("adamw", channels_last=False)
    _train(parts, 0, 2)
    torch.manual_seed(7)
    torch.rand(3)
    tensors, state = parts.gather()
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    drawn = torch.rand(5)
    torch.manual_seed(1)
    parts.restore(tensors, state)
    assert torch.equal(torch.rand(5), drawn)


def test_the_scale_of_the_loss_comes_back() -> None:
    """Half precision multiplies the loss by a number that grows and shrinks as training goes on."""
    first, second = (_parts("sgd", channels_last=False) for _ in range(2))
    first, second = (
        replace(parts, scaler=torch.amp.GradScaler("cpu", init_scale=2.0**10)) for parts in (first, second)
    )
    for finite in (True, True, False):
        loss = first.network(torch.ones(1, 4, 6, 6)).sum() * (1.0 if finite else torch.inf)
        first.optimizer.zero_grad()
        first.scaler.scale(loss).backward()
        first.scaler.step(first.optimizer)
        first.scaler.update()
    assert first.scaler.get_scale() == 2.0**9  # halved once
    second.restore(*first.gather())
    second.scaler.scale(torch.ones(1))
    assert second.scaler.state_dict() == first.scaler.state_dict()
    assert second.scaler.get_scale() == 2.0**9


def test_the_learning_rate_comes_back() -> None:
    first, second = (_parts("sgd", channels_last=False) for _ in range(2))
    _train(first, 0, 5)
    rate = first.optimizer.param_groups[0]["lr"]
    assert second.optimizer.param_groups[0]["lr"] != rate
    second.restore(*first.gather())
    assert second.schedule.state() == first.schedule.state()


def test_without_an_average_the_network_itself_is_judged_and_kept() -> None:
    parts = replace(_parts("sgd", channels_last=False), average=None)
    assert parts.judged is parts.network
    assert {name.split(".")[0] for name in parts.gather()[0]} == {"network", "random"}
    parts = _parts("adamw", channels_last=False)
    assert parts.average is not None
    assert parts.judged is parts.average.network
    _train(parts, 0, 1)
    assert {name.split(".")[0] for name in parts.gather()[0]} == {"network", "average", "optimizer", "random"}


def test_an_epoch_begins_at_nothing_and_keeps_what_was() -> None:
    history = [_epoch(1, -0.4), _epoch(2, -0.2)]
    position = Position(
        epoch=1, step=2, loss=1.0, parts={"accuracy": 3.0}, items=8, seconds=2.0, ended="early", history=history
    )
    position.begin_epoch(2)
    assert position == Position(epoch=2, ended="early", history=history)
