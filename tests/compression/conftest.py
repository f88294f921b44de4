"""A small residual network with planted redundancy, for the tests of this room. In: nothing. Out: Planted. Next: test_costs.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

WIDE = 16  # channels inside a block
THIN = 8  # channels between blocks


class Block(nn.Module):
    """Adds to a map what two convolutions make of it."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.expand, self.norm = nn.Conv2d(channels, hidden, 1, bias=False), nn.BatchNorm2d(hidden)
        self.depthwise = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden, bias=False)
        self.project, self.last = nn.Conv2d(hidden, channels, 1, bias=False), nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        inner: Tensor = self.last(self.project(self.depthwise(self.norm(self.expand(x)).relu())))
        return x + inner


class Planted(nn.Module):
    """float [B, 3, S, S] -> logits [B, 4]; `first`, `second` and `third` are blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, THIN, 3, padding=1)
        self.first, self.second, self.third = (Block(THIN, WIDE) for _ in range(3))
        self.classifier = nn.Linear(THIN, 4)

    def embed(self, x: Tensor) -> Tensor:
        """[B, 8]."""
        return self.third(self.second(self.first(self.stem(x)))).mean((2, 3))  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.embed(x))
        return logits


@pytest.fixture
def planted() -> Planted:
    """In evaluation mode, with norms that do something."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Planted()
        for norm in network.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.running_mean.uniform_(-0.2, 0.2)  # type: ignore[union-attr]
                norm.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
                norm.weight.data.uniform_(0.5, 1.5)
                norm.bias.data.uniform_(-0.2, 0.2)
    return network.eval()


@pytest.fixture
def pictures() -> Tensor:
    """Noise, float32 [32, 3, 8, 8]."""
    return torch.randn(32, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def run(pictures: Tensor) -> Callable[[nn.Module], object]:
    """Passes the pictures through a network in two batches."""
    return lambda network: [network(part) for part in pictures.split(16)]


@pytest.fixture
def duplicate() -> Callable[[Planted], None]:
    """Make the second half of the first block's inner channels copies of the first half."""

    def make(network: Planted) -> None:
        block, half = network.first, WIDE // 2
        with torch.no_grad():
            for tensor in (
                block.expand.weight,
                block.depthwise.weight,
                *block.norm.parameters(),
                *block.norm.buffers(),
            ):
                if tensor.ndim:
                    tensor[half:] = tensor[:half]

    return make
