"""Whole blocks that a network could do without. In: nn.Module. Out: their paths; a network without one. Next: channels.py.

A block that gives maps of the shape that it takes can be left out: what came in goes on. Residual blocks are made for it, as
each adds a little to what passes by (Huang et al. 2016, arXiv 1603.09382). On a CPU a network with fewer layers gains more than
one with thinner ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from tellapart.compression.costs import COUNTED, run_quietly


def removable_blocks(network: nn.Module, sample: Tensor) -> tuple[str, ...]:
    """The paths of the outermost blocks that give the shape that they take, in the order in which they run.

    `sample` [1, ...] is one item as the network takes it. A block has convolutions or linear layers inside it, and is no such
    layer itself; the network is none of its own blocks.
    """
    found: list[str] = []

    def noting(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def note(block: nn.Module, inputs: Any, output: Any) -> None:
            if len(inputs) != 1 or not isinstance(inputs[0], Tensor) or not isinstance(output, Tensor):
                return
            if inputs[0].shape == output.shape and inputs[0].dtype == output.dtype and path not in found:
                found.append(path)

        return note

    hooks = [
        block.register_forward_hook(noting(path))
        for path, block in network.named_modules()
        if path and not isinstance(block, COUNTED) and any(isinstance(part, COUNTED) for part in block.modules())
    ]
    run_quietly(network, sample, hooks)
    return tuple(path for path in found if not any(path.startswith(f"{other}.") for other in found))


def leave_out(network: nn.Module, path: str) -> None:
    """Replace the block at `path` by one that passes on what it takes. Raises: ValueError where there is none."""
    parent, _, name = path.rpartition(".")
    try:
        network.get_submodule(path)
        holder = network.get_submodule(parent)
    except AttributeError:
        raise ValueError(f"there is no block {path!r}") from None
    setattr(holder, name, nn.Identity())
