"""A tiny backbone for detectors, and one thread for it. In: nothing. Out: make_body. Next: test_network.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from tellapart.models.staged import StagedNetwork
from tellapart.preprocessing import Preprocessing

SIZE = 64  # pixels: 8 x 8, 4 x 4 and 2 x 2 places


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """On a machine that has other work, threads of tiny operations wait for each other ten times as long as they work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Trunk(nn.Module):
    """A chain of convolutions, each of which halves the picture or not, with a batch norm; in timm's manner."""

    def __init__(self, strides: tuple[int, ...], *, channels_last: bool) -> None:
        super().__init__()
        self.output_fmt = "NHWC" if channels_last else "NCHW"
        widths = [3, *(8 + 2 * number for number in range(len(strides)))]
        self.blocks = nn.ModuleList(
            nn.Sequential(
                *([_Turned(to_first=True)] if channels_last and number else []),
                nn.Conv2d(widths[number], widths[number + 1], 3, stride=stride, padding=1),
                nn.BatchNorm2d(widths[number + 1]),
                nn.ReLU(),
                *([_Turned(to_first=False)] if channels_last else []),
            )
            for number, stride in enumerate(strides)
        )

    def forward_features(self, inputs: Tensor) -> Tensor:
        """The last stage's output."""
        for block in self.blocks:
            inputs = block(inputs)
        return inputs


class _Turned(nn.Module):
    def __init__(self, *, to_first: bool) -> None:
        super().__init__()
        self.order = (0, 3, 1, 2) if to_first else (0, 2, 3, 1)

    def forward(self, features: Tensor) -> Tensor:
        return features.permute(*self.order)


@pytest.fixture
def make_body() -> Callable[..., StagedNetwork]:
    """A backbone of one convolution a stage with these `strides`, initialised alike each time."""

    def made(strides: tuple[int, ...] = (2, 2, 2, 1, 2, 2), *, channels_last: bool = False) -> StagedNetwork:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            trunk = Trunk(strides, channels_last=channels_last)
        return StagedNetwork(
            trunk,
            stages=[[f"blocks.{number}"] for number in range(len(strides))],
            embedding=4,
            class_count=2,
            preprocessing=Preprocessing(size=SIZE, crop=1.0, fit="pad"),
        )

    return made
