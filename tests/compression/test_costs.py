"""Multiply-adds, counted by hand. In: layers. Out: counts. Next: test_blocks.py."""

from __future__ import annotations

import torch
from torch import nn

from tellapart.compression.costs import below, multiply_adds


def test_each_kind_of_layer_costs_what_its_formula_says() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, stride=2),  # 4 x 4 places, 8 filters of 27
        nn.Conv2d(8, 8, 3, padding=1, groups=8),  # 16 places, 8 filters of 9
        nn.Conv2d(8, 4, 1, groups=2),  # 16 places, 4 filters of 4
        nn.Flatten(),
        nn.Linear(64, 5),
    )
    counts = multiply_adds(network, torch.zeros(1, 3, 8, 8))
    assert counts == {"0": 16 * 8 * 27, "1": 16 * 8 * 9, "2": 16 * 4 * 4, "4": 320}


def test_a_layer_that_runs_twice_counts_twice_and_the_mode_stays() -> None:
    layer = nn.Linear(4, 4)
    network = nn.Sequential(layer, nn.Dropout(0.5), layer)
    network.train()
    assert sum(multiply_adds(network, torch.zeros(1, 4)).values()) == 32
    assert network.training
    assert not layer._forward_hooks


def test_below_counts_what_lies_inside_and_no_namesake() -> None:
    assert below({"a.b": 1, "a.b.c": 2, "a.bc": 4}, "a.b") == 3
