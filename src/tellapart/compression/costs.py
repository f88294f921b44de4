"""What a network costs: multiplications and additions, layer by layer. In: nn.Module. Out: counts by path. Next: blocks.py.

One multiplication with its addition counts once. Activations, norms and poolings are left out: they are a few per cent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

COUNTED = (nn.Conv1d, nn.Conv2d, nn.Linear)


def multiply_adds(network: nn.Module, sample: Tensor) -> dict[str, int]:
    """Multiply-adds of each convolution and linear layer for one item, by path, in the order in which they run.

    `sample` [1, ...] is one item as the network takes it. A layer that runs twice counts twice; one that does not run is left out.
    """
    counts: dict[str, int] = {}

    def counting(path: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def count(layer: nn.Module, inputs: Any, output: Tensor) -> None:
            weight: Any = layer.weight
            # Each number of the output is a sum over one filter; a linear layer's filter is a row.
            counts[path] = counts.get(path, 0) + output.numel() // len(output) * (weight.numel() // len(weight))

        return count

    hooks = [
        layer.register_forward_hook(counting(path))
        for path, layer in network.named_modules()
        if isinstance(layer, COUNTED)
    ]
    run_quietly(network, sample, hooks)
    return counts


def run_quietly(network: nn.Module, sample: Tensor, hooks: list[Any]) -> None:
    """Run the network once in evaluation mode without gradients, then take the hooks off and put its mode back."""
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            network(sample)
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()


def below(counts: dict[str, int], path: str) -> int:
    """The multiply-adds of what lies at `path` or in it."""
    return sum(count for name, count in counts.items() if name == path or name.startswith(f"{path}."))
