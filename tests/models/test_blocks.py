"""Blocks become the layers that they describe. In: Block, Dense. Out: torch's own layers, worked numbers, SettingsError."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from tellapart.errors import SettingsError
from tellapart.models.blocks import ACTIVATIONS, Block, Dense, blocks_network
from tellapart.models.penalties import layer_penalties

PLAIN = {"batch_norm": False, "pooling": "none"}


def test_a_network_is_what_torchs_layers_give() -> None:
    torch.manual_seed(0)
    network = blocks_network(
        [
            Block(filters=6, kernel=5, padding=2),
            Block(filters=8, stride=2, padding=0, activation="silu", pooling="average", pool_size=3, batch_norm=False),
        ],
        [Dense(units=7, activation="tanh", batch_norm=True), Dense(units=5, activation="elu")],
        size=20,
    )
    # 20 -> 20 -> 10 by pooling; (10 - 3) // 2 + 1 = 4, of which pooling of 3 leaves 1.
    by_hand = nn.Sequential(
        nn.Conv2d(3, 6, 5, padding=2, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, stride=2),
        nn.SiLU(),
        nn.AvgPool2d(3),
        nn.Flatten(),
        nn.Linear(8, 7, bias=False),
        nn.BatchNorm1d(7),
        nn.Tanh(),
        nn.Linear(7, 5),
        nn.ELU(),
    )
    for own, other in zip(network.state_dict().values(), by_hand.state_dict().values(), strict=True):
        other.copy_(own)
    pictures = torch.randn(4, 3, 20, 20)
    network.train(), by_hand.train()
    torch.testing.assert_close(network(pictures), by_hand(pictures))
    network.eval(), by_hand.eval()  # with the statistics that the first call left
    torch.testing.assert_close(network(pictures), by_hand(pictures))
    assert network.forward_features(pictures).shape == (4, 8, 1, 1)
    assert network.head_hidden_size == 5


@pytest.mark.parametrize(
    ("kernel", "stride", "size"), [(3, 1, 7), (4, 1, 7), (3, 2, 7), (3, 2, 8), (5, 3, 8), (2, 2, 7)]
)
def test_same_is_tensorflows_padding(kernel: int, stride: int, size: int) -> None:
    network = blocks_network([Block(filters=2, kernel=kernel, stride=stride, **PLAIN)], size=size, channels=1)
    picture = torch.randn(1, 1, size, size)
    # TensorFlow's rule, worked pixel by pixel: output i starts at i * stride - total // 2.
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + kernel - size, 0)
    padded = np.zeros((size + total, size + total))
    padded[total // 2 : total // 2 + size, total // 2 : total // 2 + size] = picture[0, 0].numpy()
    weight = network.state_dict()["stages.0.convolution.weight"].numpy()
    expected = np.zeros((2, outputs, outputs))
    for filter_, row, column in np.ndindex(2, outputs, outputs):
        patch = padded[row * stride : row * stride + kernel, column * stride : column * stride + kernel]
        expected[filter_, row, column] = max((patch * weight[filter_, 0]).sum(), 0)
    np.testing.assert_allclose(network.forward_features(picture)[0].detach().numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("relu", functional.relu),
        ("leaky_relu", lambda x: torch.where(x > 0, x, 0.01 * x)),
        ("elu", functional.elu),
        ("gelu", functional.gelu),
        ("silu", lambda x: x / (1 + (-x).exp())),
        ("tanh", torch.tanh),
        ("sigmoid", lambda x: 1 / (1 + (-x).exp())),
    ],
)
def test_each_activation(name: str, function: Any) -> None:
    network = blocks_network([Block(filters=4, kernel=1, activation=name, **PLAIN)], size=3)
    picture = torch.randn(2, 3, 3, 3)
    linear = functional.conv2d(picture, network.state_dict()["stages.0.convolution.weight"])
    torch.testing.assert_close(network.forward_features(picture), function(linear))


def test_every_activation_is_tested() -> None:
    assert set(ACTIVATIONS) == {"relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid"}


def test_response_norm_is_alexnets() -> None:
    network = blocks_network([Block(filters=7, kernel=1, local_response_norm=True, **PLAIN)], size=2)
    picture = torch.randn(1, 3, 2, 2) * 100  # large, so that alpha matters
    weight = network.state_dict()["stages.0.convolution.weight"]
    activity = functional.relu(functional.conv2d(picture, weight))[0].double().numpy()
    # Krizhevsky et al. 2012, section 3.3: b_i = a_i / (k + alpha * sum of a_j^2 over i - 2 ... i + 2) ^ beta
    expected = np.empty_like(activity)
    for channel in range(7):
        near = activity[max(0, channel - 2) : channel + 3]
        expected[channel] = activity[channel] / (2 + 1e-4 * (near**2).sum(0)) ** 0.75
    np.testing.assert_allclose(network.forward_features(picture)[0].detach().numpy(), expected, rtol=1e-4)


def test_dense_layers_see_every_position_unless_told_otherwise() -> None:
    blocks, dense = [Block(filters=4)], [Dense(units=3)]
    assert blocks_network(blocks, dense, size=8).dense[0][0].in_features == 4 * 4 * 4
    assert blocks_network(blocks, dense, size=8, pooling="average").dense[0][0].in_features == 4
    assert blocks_network(blocks, size=8).head_hidden_size == 4
    assert blocks_network(blocks, size=8, pooling="flatten").head_hidden_size == 64
    network, pictures = blocks_network(blocks, size=8).eval(), torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(network(pictures), network.forward_features(pictures).mean((2, 3)))


def test_the_largest_of_each_map_and_dense_layers_alone() -> None:
    pictures = torch.randn(2, 3, 8, 8)
    largest = blocks_network([Block(filters=4)], size=8, pooling="max").eval()
    torch.testing.assert_close(largest(pictures), largest.forward_features(pictures).amax((2, 3)))
    alone = blocks_network([], [Dense(units=5)], size=8).eval()
    weight, bias = alone.dense[0].linear.weight, alone.dense[0].linear.bias
    torch.testing.assert_close(alone(pictures), functional.relu(functional.linear(pictures.flatten(1), weight, bias)))


def test_valid_pads_nothing_and_poolings_may_overlap() -> None:
    block = Block(filters=2, kernel=3, padding="valid", pool_size=3, pool_stride=2, batch_norm=False)
    network = blocks_network([block], size=11).eval()
    weight, bias = network.stages[0].convolution.weight, network.stages[0].convolution.bias
    pictures = torch.randn(2, 3, 11, 11)
    expected = functional.max_pool2d(functional.relu(functional.conv2d(pictures, weight, bias)), 3, 2)
    torch.testing.assert_close(network.forward_features(pictures), expected)


def test_a_norm_may_come_after_the_activation() -> None:
    blocks = [Block(filters=4, batch_norm_after=True, pooling="none")]
    network = blocks_network(blocks, [Dense(units=3, batch_norm=True, batch_norm_after=True)], size=4)
    assert [type(layer).__name__ for layer in network.stages[0]][:3] == ["Conv2d", "ReLU", "BatchNorm2d"]
    assert [type(layer).__name__ for layer in network.dense[0]] == ["Linear", "ReLU", "BatchNorm1d"]
    # The layer before a norm that follows the activation keeps its bias, and what comes out has mean 0.
    assert network.stages[0].convolution.bias is not None
    assert network.dense[0].linear.bias is not None
    given = network(torch.randn(16, 3, 4, 4))
    torch.testing.assert_close(given.mean(0), torch.zeros(3), atol=1e-5, rtol=0)


def test_each_layer_may_have_a_penalty_of_its_own() -> None:
    network = blocks_network([Block(filters=4, l2=0.01), Block(filters=4)], [Dense(units=3, l1=0.1)], size=8)
    found = {weight.shape: (l1, l2) for weight, l1, l2 in layer_penalties(network)}
    assert found == {(4, 3, 3, 3): (0.0, 0.01), (3, 16): (0.1, 0.0)}


def test_dropout_acts_in_training_only() -> None:
    network = blocks_network([Block(filters=4, dropout=0.5)], [Dense(units=50, dropout=0.9)], size=8)
    pictures = torch.randn(2, 3, 8, 8)
    assert not torch.equal(network(pictures), network(pictures))
    network.eval()
    assert torch.equal(network(pictures), network(pictures))
    drops = [module.p for module in network.modules() if isinstance(module, nn.Dropout)]
    assert drops == [0.5, 0.9]


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_initial_weights_keep_the_signals_size(activation: str) -> None:
    torch.manual_seed(0)
    blocks = [Block(filters=64, activation=activation, **PLAIN)] * 12
    spread = blocks_network(blocks, size=16).forward_features(torch.randn(2, 3, 16, 16)).std()
    assert 0.1 < spread < 3  # with torch's own initial weights it is 0.01 after twelve layers


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"filters": 0}, "block 1 of 1: filters is 0; it is a whole number from 1"),
        ({"kernel": 2.5}, "kernel is 2.5; it is a whole number from 1"),
        ({"stride": -1}, "stride is -1; it is a whole number from 1"),
        ({"pool_size": 0}, "pool_size is 0; it is a whole number from 1"),
        ({"pool_stride": 0}, "pool_stride is 0; it is a whole number from 1"),
        ({"groups": 2}, "groups is 2; it must divide both the 3 channels that come in and the 4 filters"),
        (
            {"padding": "full"},
            'padding is \'full\'; it is "same", "valid" .none. or a whole number below the kernel\'s side, 3',
        ),
        ({"padding": 3}, 'padding is 3; it is "same", "valid" .none. or a whole number below'),
        ({"batch_norm": False, "batch_norm_after": True}, "batch_norm_after is true, and batch_norm is false"),
        ({"padding": -1}, "padding is -1"),
        ({"activation": "rellu"}, "activation is 'rellu'; it is one of relu, leaky_relu, .*Did you mean relu?"),
        ({"activation": "xyz"}, "activation is 'xyz'; .* Take relu."),
        ({"pooling": "avg"}, "pooling is 'avg'; it is one of max, average, none. Did you mean average?"),
        ({"dropout": 1.0}, "dropout is 1.0; it is a probability from 0 to below 1"),
        ({"dropout": -0.1}, "dropout is -0.1; it is a probability"),
        ({"kernel": 9, "padding": 0}, "map of 8 x 8 from a picture of 8 pixels, and its kernel of 9 x 9 is too large"),
        ({"kernel": 16}, "its kernel of 16 x 16 is too large for that. Take fewer or smaller poolings"),
        ({"pool_size": 9}, "its pooling over 9 x 9 has only 8 x 8 left: too many poolings"),
    ],
)
def test_a_block_that_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        blocks_network([dataclasses.replace(Block(filters=4), **change)], size=8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"units": 0}, "dense layer 2 of 2: units is 0; it is a whole number from 1"),
        ({"activation": "softmax"}, "dense layer 2 of 2: activation is 'softmax'; it is one of relu"),
        ({"dropout": 2}, "dense layer 2 of 2: dropout is 2"),
        ({"batch_norm_after": True}, "dense layer 2 of 2: batch_norm_after is true, and batch_norm is false"),
        ({"units": 100_000_001}, "would have 2 x 100,000,001 = 200,000,002 weights; the limit is 200,000,000"),
    ],
)
def test_a_dense_layer_that_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        blocks_network([Block(filters=4)], [Dense(units=2), dataclasses.replace(Dense(units=2), **change)], size=8)


def test_too_many_poolings_say_where_the_map_ends() -> None:
    assert blocks_network([Block(filters=2)] * 3, size=8).forward_features(torch.zeros(2, 3, 8, 8)).shape[-1] == 1
    with pytest.raises(SettingsError, match="block 4 of 4 gets a map of 1 x 1 from a picture of 8 pixels"):
        blocks_network([Block(filters=2, kernel=1)] * 4, size=8)


def test_no_block_is_no_network() -> None:
    with pytest.raises(SettingsError, match="no block; it needs at least 1. Give"):
        blocks_network([], size=8)
