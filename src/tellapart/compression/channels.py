"""Channels that a network could do without. In: nn.Module, pictures. Out: ChannelGroups; a thinner one. Next: sensitivity.py.

Which layers must lose the same channels torch-pruning finds (Fang et al. 2023, arXiv 2301.12900). Which channels go, and what makes
up for them, is worked out from what the layers after them read: a channel that the others foretell costs nothing, and the weights
that read it move to these (Hassibi and Stork 1993, the optimal brain surgeon, for channels instead of weights).

Shapes: C channels of a group, O outputs of a layer that reads them, T places of its kernel. Moments are float64 [C, C]: the mean
products of two channels at one place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Moments = dict[str, NDArray[np.float64]]  # by the path of the layer that reads

# Channels: what processors compute at once; a number between costs as much as the next. Of few channels finer steps are needed.
_MULTIPLE, _FINE, _FEW = 8, 4, 64
_DAMPING = 1e-6  # of the mean square of a channel, so that channels which are alike can be told apart from none


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelGroup:
    """Channels that can only go from several layers at once."""

    root: str  # path of the layer that makes them
    count: int  # C
    readers: tuple[str, ...]  # paths of the layers that read all of them


def channel_groups(
    network: nn.Module, sample: Tensor, *, whole: Sequence[nn.Module] = (), traced: nn.Module | None = None
) -> tuple[ChannelGroup, ...]:
    """The groups whose channels can be fewer without another output of the network; `whole` are layers that must read all.

    Groups are left out whose channels nothing reads (outputs), or that a layer reads among others or spread out (DenseNet's, or
    those that are flattened). `sample` [1, ...] is one item as the network takes it. `traced` runs that part of the network alone
    in which channels may go, up to layers of `whole`; None: all of it.
    """
    paths = {layer: path for path, layer in network.named_modules()}
    order = {path: place for place, path in enumerate(paths.values())}
    graph, kept, groups = _graph(traced or network, sample), set(whole), []
    for found in graph.get_all_groups(ignored_layers=list(whole), root_module_types=[nn.Conv2d, nn.Linear]):
        layers = [(one.dep.target.module, one.dep.handler.__name__) for one in found]
        if kept.intersection(layer for layer, _ in layers):
            continue
        group = _group([one for one in layers if one[0] in paths], paths, order)
        if group is not None:
            groups.append(group)
    return tuple(sorted(groups, key=lambda group: order[group.root]))


def _group(
    ways: Sequence[tuple[nn.Module, str]], paths: dict[nn.Module, str], order: dict[str, int]
) -> ChannelGroup | None:
    """The group of these layers, each with what it would lose; None where it must stay."""
    weighted = [(paths[layer], way, layer) for layer, way in ways if isinstance(layer, (nn.Conv2d, nn.Linear))]
    readers, makers = (
        sorted({path for path, way, _ in weighted if way == wanted}, key=order.__getitem__)
        for wanted in ("prune_in_channels", "prune_out_channels")
    )
    if not readers or not makers:
        return None
    sizes = {path: layer.weight.shape for path, _, layer in weighted}
    count = int(sizes[makers[0]][0])
    # A grouped convolution's filters read a part of the channels, and what is flattened is read place by place.
    if any(sizes[path][1] != count for path in readers):
        return None
    return ChannelGroup(root=makers[0], count=count, readers=tuple(readers))


def read_channels(network: nn.Module, groups: Sequence[ChannelGroup], run: Callable[[nn.Module], object]) -> Moments:
    """By path the moments of what each reader of the groups reads while `run` passes pictures through the network."""
    sums: dict[str, Tensor] = {}
    places: dict[str, int] = {}

    def adding(path: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def add(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            read = inputs[0].detach()
            rows = (
                read.movedim(1, -1).reshape(-1, read.shape[1])
                if isinstance(layer, nn.Conv2d)
                else read.reshape(-1, read.shape[-1])
            )
            product = (rows.T @ rows).double()
            sums[path] = sums[path] + product if path in sums else product
            places[path] = places.get(path, 0) + len(rows)

        return add

    readers = dict.fromkeys(path for group in groups for path in group.readers)
    hooks = [network.get_submodule(path).register_forward_pre_hook(adding(path)) for path in readers]
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            run(network)
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    return {path: (total / places[path]).cpu().numpy() for path, total in sums.items()}


def kept_count(count: int, share: float) -> int:
    """How many of `count` channels stay when `share` of them may go: a multiple of eight, of less than 64 one of four."""
    left, multiple = max(1, round(count * (1 - share))), _FINE if count < _FEW else _MULTIPLE
    return min(count, max(multiple, -(-left // multiple) * multiple)) if count > multiple else left


def choose_channels(
    read: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], keep: int
) -> tuple[NDArray[np.int64], list[NDArray[np.float64]], float]:
    """Which `keep` of C channels stay, in order; the weights [O * T, keep] of each reader on them; the share of its output lost.

    `read` holds for each reader its weights [O * T, C] and the moments of what it reads. One channel after another goes: that
    one whose loss the readers' other weights can make up for best. Of several readers the shares add up. Raises: ValueError for a
    number beyond C.
    """
    count = len(read[0][1])
    if not 1 <= keep <= count:
        raise ValueError(f"{keep} of {count} channels cannot stay; give 1 to {count}")
    weights, inverses = [weight.copy() for weight, _ in read], [_inverse(moments) for _, moments in read]
    wholes = [max(float(((weight @ moments) * weight).sum()), 1e-30) for weight, moments in read]
    left, lost = np.ones(count, dtype=bool), 0.0
    for _ in range(count - keep):
        costs = np.full(count, np.inf)
        costs[left] = sum(
            (weight[:, left] ** 2).sum(0) / np.diag(inverse)[left] / whole
            for weight, inverse, whole in zip(weights, inverses, wholes, strict=True)
        )
        gone = int(costs.argmin())
        lost += float(costs[gone])
        left[gone] = False
        for weight, inverse in zip(weights, inverses, strict=True):
            row = inverse[gone] / inverse[gone, gone]
            weight -= np.outer(weight[:, gone], row)
            inverse -= np.outer(inverse[:, gone], row)
            # Rounding would let what is gone come back.
            weight[:, gone], inverse[gone, :], inverse[:, gone] = 0.0, 0.0, 0.0
    stay = np.flatnonzero(left).astype(np.int64)
    return stay, [weight[:, stay] for weight in weights], lost


def thin_out(
    network: nn.Module,
    group: ChannelGroup,
    moments: Moments,
    keep: int,
    sample: Tensor,
    *,
    traced: nn.Module | None = None,
) -> float:
    """Leave `keep` channels of the group in the network, and let its readers make up for the others; returns the share lost.

    `traced` is as for `channel_groups`. Raises: ValueError for a number beyond the group's, or a group that was not read.
    """
    readers = [path for path in group.readers if path in moments]
    if not readers:
        raise ValueError(f"nothing is known of what is read of {group.root!r}")
    stay, weights, lost = choose_channels(
        [(_rows(network.get_submodule(path)), moments[path]) for path in readers], keep
    )
    gone = sorted(set(range(group.count)) - set(stay.tolist()))
    if not gone:
        return 0.0
    import torch_pruning

    root = network.get_submodule(group.root)
    way = (
        torch_pruning.prune_conv_out_channels
        if isinstance(root, nn.Conv2d)
        else torch_pruning.prune_linear_out_channels
    )
    _graph(traced or network, sample).get_pruning_group(root, way, idxs=gone).prune()
    with torch.no_grad():
        for path, weight in zip(readers, weights, strict=True):
            layer: Any = network.get_submodule(path)
            layer.weight.copy_(_unrowed(torch.from_numpy(weight), layer))
    return lost


def _graph(network: nn.Module, sample: Tensor) -> Any:
    """torch-pruning's graph, which needs gradients everywhere to follow the network's steps."""
    import torch_pruning

    needed = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    modes = [(module, module.training) for module in network.modules()]  # not all are as the whole is
    network.eval()
    try:
        for parameter, _ in needed:
            parameter.requires_grad_(True)
        with torch.enable_grad():
            return torch_pruning.DependencyGraph().build_dependency(network, example_inputs=sample, verbose=False)
    finally:
        for module, training in modes:
            module.training = training
        for parameter, before in needed:
            parameter.requires_grad_(before)


def _rows(layer: nn.Module) -> NDArray[np.float64]:
    """Its weights [O * T, C]."""
    weight: Any = layer.weight
    return weight.detach().movedim(1, -1).reshape(-1, weight.shape[1]).double().cpu().numpy()  # type: ignore[no-any-return]


def _unrowed(rows: Tensor, layer: Any) -> Tensor:
    """Weights [O * T, c] in the layer's own shape [O, c, ...]."""
    shape = layer.weight.shape
    return rows.reshape(shape[0], *shape[2:], rows.shape[1]).movedim(-1, 1).to(layer.weight.dtype)


def _inverse(moments: NDArray[np.float64]) -> NDArray[np.float64]:
    damped = moments + np.eye(len(moments)) * max(_DAMPING * float(np.trace(moments)) / len(moments), 1e-12)
    return np.linalg.inv(damped).astype(np.float64)
