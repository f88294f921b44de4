"""A torch module becomes an ONNX file that gives the same. In: nn.Module. Out: an ONNX file. Next: export.py.

Shapes: N pictures, S side of the picture, C H W channels, height and width of a stage's output, D embedding.
"""

from __future__ import annotations

import contextlib
import copy
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from timm.layers.conv2d_same import Conv2dSame
from timm.models.vgg import ConvMlp
from torch import Tensor, nn
from torch.nn import functional

from tellapart.errors import BackboneError, ModelFileError, one_line
from tellapart.models.folding import fold
from tellapart.models.kept_graph import same_padding
from tellapart.models.symmetry import VIEWS, TestTimeAugmentation
from tellapart.runtime import Session
from tellapart.storage import write_bytes

if TYPE_CHECKING:
    from tellapart.models.staged import StagedNetwork

OPSET = 18
_TOLERANCE = 1e-3  # relative to the largest value that the module gives
_HALF_TOLERANCE = 4e-3  # two neighbouring float16 values are up to 1e-3 apart
_HALF_LARGEST = 65504.0


# How far apart two results [N, ...] are, relative to what they are; what is found and what is expected.
Difference = Callable[[NDArray[Any], NDArray[Any]], float]


def relative_difference(found: NDArray[Any], expected: NDArray[Any]) -> float:
    """The largest difference of numbers at the same place, [...] alike, relative to the largest number."""
    expected = expected.astype(np.float32)
    return float(np.abs(found.astype(np.float32) - expected).max() / max(float(np.abs(expected).max()), 1e-6))


def trace(
    module: nn.Module,
    *,
    size: int,
    path: Path,
    output: str,
    beside: Sequence[str] = (),
    name: str = "network",
    difference: Difference = relative_difference,
    free: bool = False,
) -> tuple[int, ...]:
    """Write `module`, which turns uint8 [N, size, size, 3] into [N, ...], as ONNX; returns the shape without N.

    The ONNX input is called `image`, its output `output`. Where it gives more than one array, the others are called as in
    `beside`, and are not compared. The module itself stays as it is. What ONNX Runtime gives
    for two pictures is compared with torch before anything is written, by `difference`. Where the size is `free`, the file takes
    pictures [N, H, W, 3] of any height and width that `size` divides, its output is [N, ..., H, W], and another shape is compared.
    Raises: BackboneError when it cannot be exported or the two differ, StorageError.
    """
    copied = copy.deepcopy(module).cpu().eval()
    chance = np.random.default_rng(0)
    sample = torch.from_numpy(chance.integers(0, 256, (2, size, size, 3), dtype=np.uint8))
    other = torch.from_numpy(chance.integers(0, 256, (1, 2 * size, 3 * size, 3), dtype=np.uint8)) if free else sample
    with torch.inference_mode():
        (expected, compared) = (_first(copied(one)).numpy() for one in (sample, other))
    fix_sizes(copied, sample)
    data = fold(_export(copied, sample, _axes((output, *beside), expected.ndim, free=free), name))
    _check(data, other.numpy(), compared, output, name, difference)
    write_bytes(path, data)
    return tuple(expected.shape[1:])


def _first(given: Any) -> Tensor:
    """Of what a module gives the array that is compared."""
    first: Tensor = given[0] if isinstance(given, tuple) else given
    return first


def _axes(outputs: Sequence[str], dimensions: int, *, free: bool) -> dict[str, dict[int, str]]:
    """Which axes of the picture and of the outputs have no fixed length, by name; the first output has so many dimensions."""
    axes = {one: {0: "N"} for one in ("image", *outputs)}
    if free:
        axes["image"] |= {1: "H", 2: "W"}
        axes[outputs[0]] |= {dimensions - 2: "H", dimensions - 1: "W"}
    return axes


def export_lower(network: StagedNetwork, *, stop: int, size: int, path: Path) -> tuple[int, ...]:
    """Write the stages below `stop`: uint8 [N, size, size, 3] -> `activations` float16 [N, C, H, W].

    Values beyond float16's range become its largest. Returns (C, H, W); of a transformer (tokens, C).
    Raises: BackboneError, StorageError.
    """
    return trace(_Lower(network, stop), size=size, path=path, output="activations", name=f"network below stage {stop}")


def export_embedding(
    network: StagedNetwork, *, size: int, path: Path, views: TestTimeAugmentation = "none", name: str = "network"
) -> int:
    """Write the network without its classifier: uint8 [N, size, size, 3] -> `embedding` float32 [N, D]. Returns D.

    With `views` the embedding is its mean over these views of the picture, each run through the network; a linear classifier
    on it gives the mean of the views' logits. Raises: BackboneError, StorageError.
    """
    module = _Embedding(network) if views == "none" else _MeanEmbedding(network, VIEWS[views])
    (width,) = trace(module, size=size, path=path, output="embedding", name=name)
    return width


def fix_sizes(network: nn.Module, sample: Tensor) -> None:
    """Replace what computes its padding or pooling from its input's size on every call: that size is known here.

    `sample` is what the network takes, float [1, C, S, S]. timm's TensorFlow-style convolutions get fixed padding
    (source of the rule: TensorFlow's `SAME`), which ONNX Runtime fuses into the convolution and so runs the network 1.6
    times as fast. timm's VGG stretches what is smaller than its first dense layer's kernel, which the older exporter
    cannot write.
    """
    sizes: dict[nn.Module, tuple[int, int]] = {}

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        height, width = inputs[0].shape[-2:]
        sizes[module] = (height, width)

    named = [(name, module) for name, module in network.named_modules() if isinstance(module, (Conv2dSame, ConvMlp))]
    hooks = [module.register_forward_pre_hook(note) for _, module in named]
    with torch.inference_mode():
        network(sample)
    for hook in hooks:
        hook.remove()
    for name, module in named:
        if module in sizes:
            parent, _, child = name.rpartition(".")
            fixed = _fixed_convolution if isinstance(module, Conv2dSame) else _fixed_pooling
            setattr(network.get_submodule(parent), child, fixed(module, sizes[module]).eval())


class _Lower(nn.Module):
    def __init__(self, network: StagedNetwork, stop: int) -> None:
        super().__init__()
        self.network, self.stop = network, stop

    def forward(self, image: Tensor) -> Tensor:
        activations = self.network.run_stages(image, 0, self.stop)
        return activations.clamp(-_HALF_LARGEST, _HALF_LARGEST).half()


class _Embedding(nn.Module):
    def __init__(self, network: StagedNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return self.network.embed(image)


class _MeanEmbedding(nn.Module):
    """The embedding's mean over views. They run as one batch, view by view, the picture itself first."""

    def __init__(self, network: StagedNetwork, views: Sequence[tuple[int, bool]]) -> None:
        super().__init__()
        self.network, self.views = network, tuple(views)

    def forward(self, image: Tensor) -> Tensor:
        # A turn as an exchange of the axes and a flip: the older exporter writes no rot90.
        turned = [_turn(image, turns, mirrored) for turns, mirrored in self.views]
        embedding_VD = self.network.embed(torch.cat(turned))
        return embedding_VD.reshape(len(self.views), -1, embedding_VD.shape[-1]).mean(0)


def _turn(images_NSSC: Tensor, turns: int, mirrored: bool) -> Tensor:
    """`numpy.rot90(images, turns, axes=(1, 2))`, and then left and right exchanged where `mirrored`."""
    found = images_NSSC.transpose(1, 2) if turns % 2 else images_NSSC
    # One quarter turn is a transposition and then a flip of the rows; two are both flips; three a flip of the columns.
    axes = [axis for axis, wanted in ((1, turns in (1, 2)), (2, (turns in (2, 3)) != mirrored)) if wanted]
    return found.flip(axes) if axes else found


class _Pooling(nn.Module):
    """Adaptive average pooling of [N, C, H, W] from one size to another, as two matrix products."""

    def __init__(self, size: tuple[int, int], wanted: int) -> None:
        super().__init__()
        # Pooling the unit matrix gives the weight of each position in each average.
        height, width = (functional.adaptive_avg_pool1d(torch.eye(length)[None], wanted)[0] for length in size)
        self.rows: Tensor
        self.columns: Tensor
        self.register_buffer("rows", height.T.contiguous())
        self.register_buffer("columns", width)

    def forward(self, features: Tensor) -> Tensor:
        return self.rows @ features @ self.columns


def _fixed_pooling(module: Any, size: tuple[int, int]) -> nn.Module:
    wanted: int = module.input_kernel_size
    return nn.Sequential(_Pooling(size, wanted), module) if min(size) < wanted else module


def _fixed_convolution(module: Any, size: tuple[int, int]) -> nn.Module:
    plain = nn.Conv2d(
        module.in_channels,
        module.out_channels,
        _pair(module.kernel_size),
        _pair(module.stride),
        padding=0,
        dilation=_pair(module.dilation),
        groups=module.groups,
        bias=module.bias is not None,
    )
    plain.load_state_dict(module.state_dict())
    (top, bottom), (left, right) = (
        same_padding(length, kernel=kernel, stride=stride, dilation=dilation)
        for length, kernel, stride, dilation in zip(
            size, module.kernel_size, module.stride, module.dilation, strict=True
        )
    )
    return nn.Sequential(nn.ZeroPad2d((left, right, top, bottom)), plain)


def _pair(values: tuple[int, ...]) -> tuple[int, int]:
    height, width = values
    return height, width


def _export(network: nn.Module, sample: Tensor, axes: Mapping[str, dict[int, str]], name: str) -> bytes:
    """`axes` of the picture and of each output, in order."""
    names: dict[str, Any] = {"input_names": ["image"], "output_names": list(axes)[1:], "opset_version": OPSET}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # The older exporter takes 1 s where the newer takes 12, and ONNX Runtime runs both graphs equally fast.
            buffer: Any = io.BytesIO()  # it writes there too, but its types speak of paths only
            with _silent():
                torch.onnx.export(network, (sample,), buffer, dynamo=False, dynamic_axes=dict(axes), **names)
            data: bytes = buffer.getvalue()
            return data
        except Exception:
            # Networks that it cannot trace, or a torch that has dropped it.
            return _export_newer(network, sample, axes["image"], names, name)


def _export_newer(
    network: nn.Module, sample: Tensor, axes: Mapping[int, str], names: dict[str, Any], name: str
) -> bytes:
    shapes = ({axis: torch.export.Dim(one) for axis, one in axes.items()},)
    try:
        program: Any = torch.onnx.export(
            network, (sample,), None, dynamo=True, dynamic_shapes=shapes, verbose=False, **names
        )
        data: bytes = program.model_proto.SerializeToString()
    # torch.export and the exporter have dozens of ways to refuse a network.
    except Exception as error:
        reason = one_line(error, most=160)
        raise BackboneError(f"the {name} cannot be exported as ONNX ({reason}). Choose another backbone.") from None
    return data


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Nothing on standard output: torch's C++ code writes a whole graph there when it cannot export it."""
    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # standard output is closed
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _check(
    data: bytes, sample: NDArray[np.uint8], expected: NDArray[Any], output: str, name: str, difference: Difference
) -> None:
    half = expected.dtype == np.float16
    tolerance = _HALF_TOLERANCE if half else _TOLERANCE
    try:
        (found,) = Session(data, source=f"the exported {name}").run(sample, [output])
    except ModelFileError as error:
        raise BackboneError(f"{error} Or choose another backbone.") from None
    apart = difference(found, expected)
    if not apart < tolerance:
        raise BackboneError(
            f"the exported {name} differs from the torch network by {apart:.2g} of its largest value; "
            f"the rule is under {tolerance}. Choose another backbone."
        )
