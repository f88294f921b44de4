"""The moving average against other implementations. In: networks. Out: verdicts. Next: test_checkpoint.py."""

from __future__ import annotations

import pytest
import torch
from timm.utils import ModelEmaV3
from torch import nn

from tellapart.errors import SettingsError
from tellapart.training.average import WeightAverage


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.LazyLinear(2))


def _nudge(network: nn.Module) -> None:
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += torch.randn_like(parameter)
    network.train()(torch.randn(4, 3, 5, 5))


def test_it_is_timms_average_once_the_decay_has_grown() -> None:
    network = _network()
    network(torch.zeros(2, 3, 5, 5))  # lazy shapes
    average, reference = WeightAverage(network, decay=0.3), ModelEmaV3(network, decay=0.3)
    for update in range(5, 12):  # (1 + 5) / (10 + 5) is over 0.3
        _nudge(network)
        average.update(update)
        reference.update(network)
    torch.testing.assert_close(average.network.state_dict(), reference.module.state_dict())


def test_the_decay_grows_as_by_hand() -> None:
    layer = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(0.0)
        average = WeightAverage(layer, decay=0.25)
        layer.weight.fill_(1.0)
        average.update(1)
        assert average.network.weight.item() == pytest.approx(1 - 2 / 11)
        average.update(2)
        assert average.network.weight.item() == pytest.approx(1 - 2 / 11 * 0.25)  # 3 / 12 is the given decay


def test_frozen_weights_stay_and_the_twin_is_for_evaluation_only() -> None:
    network = _network()
    network(torch.zeros(2, 3, 5, 5))
    network[0].requires_grad_(False)
    before = network[0].weight.clone()
    average = WeightAverage(network, decay=0.9)
    average.update(1)
    assert torch.equal(average.network[0].weight, before)
    assert not average.network.training
    assert not any(parameter.requires_grad for parameter in average.network.parameters())
    assert network.training
    assert network[3].weight.requires_grad


def test_refusal() -> None:
    with pytest.raises(
        SettingsError, match=r"the average's decay is 1; it must be at least 0 and under 1\. Try 0\.999"
    ):
        WeightAverage(_network(), decay=1)
