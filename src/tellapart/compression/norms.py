"""Batch norms after a cut follow what changed. In: a network before and after. Out: the latter, aligned. Next: pruning.py.

The statistics themselves are not measured anew: those of a few pictures of one data set are far from those that a pretrained
network was trained with, and its embedding would be another. Only the difference that the cut makes on the same pictures is added.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

_LEAST, _MOST = 0.25, 4.0  # how far a cut may scale a variance
Statistics = dict[str, list[tuple[Tensor, Tensor]]]  # path -> mean and variance [C] of what a norm read, batch by batch


def norm_statistics(network: nn.Module, run: Callable[[nn.Module], object]) -> Statistics:
    """What every batch norm reads while `run(network)` passes batches of pictures; the network is in evaluation mode meanwhile."""
    found: Statistics = {}

    def note(path: str, norm: Any, mean: Tensor, variance: Tensor) -> None:
        found.setdefault(path, []).append((mean, variance))

    _watch(network, run, note)
    return found


def align_norms(network: nn.Module, before: Statistics, run: Callable[[nn.Module], object]) -> None:
    """Move each norm's statistics by what has changed since `before`, from the lowest up, on the same batches that `run` passes.

    Norms that have become narrower read the channels that are left as they were, and stay as they are.
    """
    norms = _norms(network)
    first = {path: (_tensor(norm.running_mean), _tensor(norm.running_var)) for path, norm in norms.items()}
    moved: Statistics = {}

    def move(path: str, norm: Any, mean: Tensor, variance: Tensor) -> None:
        seen = moved.setdefault(path, [])
        known = before.get(path, [])
        if len(seen) >= len(known) or known[len(seen)][0].shape != mean.shape:
            return
        old_mean, old_variance = known[len(seen)]
        scale = (variance / old_variance.clamp_min(1e-12)).clamp(_LEAST, _MOST)
        seen.append((first[path][0] + mean - old_mean, first[path][1] * scale))
        # What comes after this norm reads what it gives now.
        norm.running_mean.copy_(seen[-1][0])
        norm.running_var.copy_(seen[-1][1])

    _watch(network, run, move)
    for path, seen in moved.items():
        if seen:
            norm: Any = norms[path]
            norm.running_mean.copy_(torch.stack([mean for mean, _ in seen]).mean(0))
            norm.running_var.copy_(torch.stack([variance for _, variance in seen]).mean(0))


def _norms(network: nn.Module) -> dict[str, _BatchNorm]:
    return {
        path: norm
        for path, norm in network.named_modules()
        if isinstance(norm, _BatchNorm) and norm.running_mean is not None
    }


def _watch(network: nn.Module, run: Callable[[nn.Module], object], note: Callable[..., None]) -> None:
    """Call `note(path, norm, mean, variance)` before each batch norm reads a batch."""

    def watching(path: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def watch(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            places = [axis for axis in range(inputs[0].ndim) if axis != 1]
            variance, mean = torch.var_mean(inputs[0], places, correction=0)
            note(path, norm, mean, variance)

        return watch

    hooks = [norm.register_forward_pre_hook(watching(path)) for path, norm in _norms(network).items()]
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            run(network)
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()


def _tensor(values: Any) -> Tensor:
    copied: Tensor = values.detach().clone()
    return copied
