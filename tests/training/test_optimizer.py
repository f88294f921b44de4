"""Rates and decay of each layer group. In: named parameters. Out: verdicts. Next: test_schedule.py."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import nn

from tellapart.errors import SettingsError
from tellapart.settings import loop
from tellapart.tasks.text import preparing
from tellapart.training.optimizer import OPTIMIZERS, OptimizerName, build_optimizer, trained_parameters
from tellapart.training.schedule import SCHEDULES
from tellapart.workflows.learning import finetune, scratch


def _groups() -> list[list[tuple[str, nn.Parameter]]]:
    def parameter(*shape: int) -> nn.Parameter:
        return nn.Parameter(torch.ones(shape))

    return [
        [("low.weight", parameter(2, 3)), ("low.norm", parameter(2))],
        [("top.weight", parameter(2, 2))],
        [("head.weight", parameter(2, 2)), ("head.bias", parameter(2))],
    ]


def test_rates_fall_from_the_head_down() -> None:
    optimizer = build_optimizer(_groups(), learning_rate=0.1, layer_decay=0.5, weight_decay=0.01)
    rates = {name: group["lr"] for group in optimizer.param_groups for name in group["param_names"]}
    assert rates == {
        "low.weight": 0.025,
        "low.norm": 0.025,
        "top.weight": 0.05,
        "head.weight": 0.1,
        "head.bias": 0.1,
    }


def test_the_head_may_have_a_rate_of_its_own() -> None:
    optimizer = build_optimizer(_groups(), learning_rate=0.1, layer_decay=0.5, head_learning_rate=0.7)
    assert [group["lr"] for group in optimizer.param_groups] == [0.025, 0.025, 0.05, 0.7, 0.7]


def test_norms_and_biases_do_not_decay() -> None:
    optimizer = build_optimizer(_groups(), learning_rate=0.1, weight_decay=0.01)
    spared = [name for g in optimizer.param_groups if not g["weight_decay"] for name in g["param_names"]]
    assert spared == ["low.norm", "head.bias"]
    assert {g["weight_decay"] for g in optimizer.param_groups} == {0.0, 0.01}


def test_adamw_steps_as_by_hand() -> None:
    weight = nn.Parameter(torch.full((1, 1), 2.0))
    optimizer = build_optimizer([[("w", weight)]], learning_rate=0.1, weight_decay=0.5)
    weight.grad = torch.full((1, 1), 3.0)
    optimizer.step()
    # Decoupled decay, then the first step of Adam, which is the rate: 2 x (1 - 0.1 x 0.5) - 0.1.
    assert weight.item() == pytest.approx(1.8, abs=1e-6)


def test_sgd_steps_with_nesterov_momentum_as_by_hand() -> None:
    weight = nn.Parameter(torch.zeros(1, 1))
    optimizer = build_optimizer([[("w", weight)]], name="sgd", learning_rate=0.1, momentum=0.5)
    for _ in range(2):
        weight.grad = torch.ones(1, 1)
        optimizer.step()
    # velocities 1 and 1.5; a step takes gradient + 0.5 x velocity: 1.5, then 1.75
    assert weight.item() == pytest.approx(-0.325)


def test_sgd_may_look_no_further_than_its_velocity() -> None:
    weight = nn.Parameter(torch.zeros(1, 1))
    optimizer = build_optimizer([[("w", weight)]], name="sgd", learning_rate=0.1, momentum=0.5, nesterov=False)
    for _ in range(2):
        weight.grad = torch.ones(1, 1)
        optimizer.step()
    assert weight.item() == pytest.approx(-0.25)  # velocities 1 and 1.5


_FIRST = 3 * (1e-6 / (0.45 + 1e-6)) ** 0.5  # what Adadelta steps first, at a rate of 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("adam", [1.9, 1.8]),  # of gradients that stay, each step is the rate
        # The mean square of gradients of 3 is 0.9, then 1.71: as Keras counts it.
        ("rmsprop", [2 - 0.1 * 3 / 0.9**0.5, 2 - 0.1 * 3 / 0.9**0.5 - 0.1 * 3 / 1.71**0.5]),
        # The mean squares of gradients of 3 are 0.45 and 0.8775, that of the first step 0.05 of its square.
        (
            "adadelta",
            [2 - 0.1 * _FIRST, 2 - 0.1 * _FIRST - 0.1 * 3 * ((1e-6 + 0.05 * _FIRST**2) / (0.8775 + 1e-6)) ** 0.5],
        ),
        ("adagrad", [2 - 0.1 * 3 / 9.1**0.5, 2 - 0.1 * 3 / 9.1**0.5 - 0.1 * 3 / 18.1**0.5]),
    ],
)
def test_other_optimizers_step_as_by_hand(name: OptimizerName, expected: list[float]) -> None:
    weight = nn.Parameter(torch.full((1, 1), 2.0))
    optimizer = build_optimizer([[("w", weight)]], name=name, learning_rate=0.1, momentum=0.0)
    found = []
    for _ in expected:
        weight.grad = torch.full((1, 1), 3.0)
        optimizer.step()
        found.append(weight.item())
    assert found == pytest.approx(expected, abs=1e-6)


def test_recipes_know_the_same_names() -> None:
    assert get_args(loop.OptimizerName) == OPTIMIZERS
    assert get_args(loop.ScheduleName) == SCHEDULES
    for rates in (finetune.LEARNING_RATES, scratch.LEARNING_RATES, preparing.LEARNING_RATES):
        assert set(rates) == set(OPTIMIZERS)


def test_parameters_by_name() -> None:
    groups = _groups()
    named = trained_parameters(build_optimizer(groups, learning_rate=0.1))
    assert {name: id(parameter) for name, parameter in named.items()} == {
        name: id(parameter) for group in groups for name, parameter in group
    }


@pytest.mark.parametrize(
    ("groups", "name", "message"),
    [
        (
            _groups(),
            "lion",
            r"optimizer is 'lion'; it must be adamw, adam, sgd, rmsprop, adagrad or adadelta\. Choose one of these\.",
        ),
        ([[], []], "sgd", r"0 parameters are to be trained; .* Unfreeze the head or a stage\."),
    ],
)
def test_refusals(groups: list[list[tuple[str, nn.Parameter]]], name: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        build_optimizer(groups, name=name, learning_rate=0.1)
