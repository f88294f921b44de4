"""What is left of a network makes up for what was cut, layer by layer. In: both networks, pictures. Out: weights. Next: norms.py.

From the lowest layer up, the last convolution of each block is fitted by least squares: what it reads now, to what the whole
network gave there. Errors of the layers below are met by it too, even those of blocks that are gone: they stand in what it reads.
No gradients are needed, and some hundred pictures. Source: He, Zhang and Sun 2017, arXiv 1707.06168, section 3.1, for whole blocks.

Shapes: C channels read, O channels given, P places of all pictures together.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

# How strongly weights stay as they are where pictures say little: in shares of the mean square that is read, at least, and for each
# number that is fitted to one place.
_TOWARDS_OLD, _FOR_EACH = 1e-4, 0.5
_SAME = 1e-4  # relative: a block's output is what its last norm gives, with or without what the block took
_LEAST_SCALE = 1e-6  # of a norm, by which what comes after it is divided
_MOST_READ = 4096  # channels times places of the kernel; wider layers stay as they are


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seam:
    """A convolution and the norm after it, which end a block."""

    block: str  # path
    convolution: str
    norm: str
    residual: bool  # whether the block adds what it takes


def reconstruct(network: nn.Module, whole: nn.Module, run: Callable[[nn.Module], object], sample: Tensor) -> int:
    """Fit the last convolution of each block of `network` to what `whole` gives; returns how many were.

    Both are in evaluation mode meanwhile; `run(network)` passes the same batches of pictures each time. Blocks are those that end
    in a convolution of one place and a batch norm, such as the inverted residuals of mobile networks.
    """
    modes = {one: one.training for one in (network, whole)}
    for one in modes:
        one.eval()
    try:
        with torch.no_grad():
            seams = [seam for seam in _seams(whole, sample) if _fits(network, whole, seam)]
            for seam in seams:
                _refit(network, whole, run, seam)
    finally:
        for one, training in modes.items():
            one.train(training)
    return len(seams)


def _fits(network: nn.Module, whole: nn.Module, seam: _Seam) -> bool:
    """Whether the seam is still there, with all its outputs."""
    try:
        layer: Any = network.get_submodule(seam.convolution)
        network.get_submodule(seam.norm)
    except AttributeError:
        return False
    before: Any = whole.get_submodule(seam.convolution)
    return isinstance(layer, nn.Conv2d) and layer.weight.shape[0] == before.weight.shape[0]


def _seams(network: nn.Module, sample: Tensor) -> list[_Seam]:
    """Where blocks end as described, in the order in which they run."""
    calls: list[tuple[str, nn.Module, Tensor, Tensor]] = []
    hooks = []

    def noting(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def note(module: nn.Module, inputs: Any, output: Any) -> None:
            if len(inputs) == 1 and isinstance(inputs[0], Tensor) and isinstance(output, Tensor) and output.ndim == 4:
                calls.append((path, module, inputs[0], output))

        return note

    for path, module in network.named_modules():
        hooks.append(module.register_forward_hook(noting(path)))
    try:
        network(sample)
    finally:
        for hook in hooks:
            hook.remove()
    seams: list[_Seam] = []
    for number, (path, _, given, output) in enumerate(calls):
        inner = [one for one in calls[:number] if one[0].startswith(f"{path}.")]
        ends = next(
            (
                (convolution, norm)
                for norm in reversed(inner)
                for convolution in inner
                if isinstance(norm[1], _BatchNorm) and convolution[3] is norm[2] and _is_plain(convolution[1])
            ),
            None,
        )
        if ends is None or any(seam.convolution == ends[0][0] for seam in seams):
            continue
        (convolution, _, _, _), (norm, _, _, last) = ends
        if _same(output, last):
            seams.append(_Seam(block=path, convolution=convolution, norm=norm, residual=False))
        elif given.shape == last.shape and _same(output, given + last):
            seams.append(_Seam(block=path, convolution=convolution, norm=norm, residual=True))
    return seams


def _is_plain(layer: nn.Module) -> bool:
    return (
        isinstance(layer, nn.Conv2d)
        and layer.kernel_size == (1, 1)
        and layer.stride == (1, 1)
        and layer.groups == 1
        and layer.in_channels <= _MOST_READ
    )


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool((one - other).abs().max() <= _SAME * other.abs().max().clamp_min(1e-12))


def _refit(network: nn.Module, whole: nn.Module, run: Callable[[nn.Module], object], seam: _Seam) -> None:
    layer: Any = network.get_submodule(seam.convolution)
    norm: Any = network.get_submodule(seam.norm)
    scale, shift = _line(norm)
    scale_whole, shift_whole = _line(whole.get_submodule(seam.norm))
    scale = torch.where(scale.abs() < _LEAST_SCALE, torch.full_like(scale, _LEAST_SCALE), scale)
    width, places = layer.in_channels, 0
    moments = torch.zeros(width + 1, width + 1, dtype=torch.float64)
    answers = torch.zeros(width + 1, layer.out_channels, dtype=torch.float64)

    def add(inputs: Tensor) -> None:
        nonlocal places
        before, _, given = wanted_of(inputs)
        taken, read, _ = found_of(inputs)
        wanted_of_norm = given * scale_whole[:, None, None] + shift_whole[:, None, None]
        if seam.residual:
            wanted_of_norm = wanted_of_norm + before - taken
        target = (wanted_of_norm - shift[:, None, None]) / scale[:, None, None]
        rows = read.movedim(1, -1).reshape(-1, width)
        rows = torch.cat([rows, torch.ones(len(rows), 1)], dim=1)
        places += len(rows)
        moments.add_((rows.T @ rows).double())
        answers.add_((rows.T @ target.movedim(1, -1).reshape(-1, layer.out_channels)).double())

    with _until(whole, seam) as wanted_of, _until(network, seam) as found_of:
        run(_Each(add))
    _write(layer, norm, moments, answers, places)


def _write(layer: Any, norm: Any, moments: Tensor, answers: Tensor, places: int) -> None:
    """The least squares of what was added up over so many places, towards the weights that are there."""
    width = layer.in_channels
    old = torch.cat([layer.weight.reshape(-1, width).double().T, torch.zeros(1, layer.out_channels).double()])
    if layer.bias is not None:
        old[-1] = layer.bias.double()
    strength = max(_TOWARDS_OLD, _FOR_EACH * width / max(places, 1))
    held = torch.full((width + 1,), float(moments.diagonal()[:-1].mean()) * strength, dtype=torch.float64)
    held[-1] = 1e-9
    found = torch.linalg.solve(moments + torch.diag(held), answers + held[:, None] * old)
    if not bool(torch.isfinite(found).all()):
        return
    layer.weight.copy_(found[:-1].T.reshape(layer.weight.shape).to(layer.weight.dtype))
    if layer.bias is not None:
        layer.bias.copy_(found[-1])
    else:
        norm.running_mean.sub_(found[-1].to(norm.running_mean.dtype))


def _line(norm: Any) -> tuple[Tensor, Tensor]:
    """What a norm does to a channel in evaluation mode, [O] each: it multiplies by the one, and adds the other."""
    scale = torch.rsqrt(norm.running_var + norm.eps)
    if not norm.affine:
        return scale, -norm.running_mean * scale
    scale = scale * norm.weight
    return scale, norm.bias - norm.running_mean * scale


class _Enough(Exception):
    """What a pass was for has been seen: the layers above need not run."""


@contextlib.contextmanager
def _until(network: nn.Module, seam: _Seam) -> Iterator[Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]]:
    """A function that runs a batch as far as the seam: what the block takes, what the convolution reads, and what it gives.

    One batch at a time is kept: all of them would be gigabytes, of the first layers and large pictures.
    """
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    taken: list[Tensor] = []

    def take(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        taken.append(inputs[0])

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        found.append((taken.pop(), inputs[0], output))
        raise _Enough

    def passed(inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with contextlib.suppress(_Enough):
            network(inputs)
        return found.pop()

    hooks = [
        network.get_submodule(seam.block).register_forward_pre_hook(take),
        network.get_submodule(seam.convolution).register_forward_hook(note),
    ]
    try:
        yield passed
    finally:
        for hook in hooks:
            hook.remove()


class _Each(nn.Module):
    """What is done with each batch, in a network's place."""

    def __init__(self, do: Callable[[Tensor], None]) -> None:
        super().__init__()
        self.do = do

    def forward(self, inputs: Tensor) -> None:
        self.do(inputs)
