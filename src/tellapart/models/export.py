"""A backbone becomes an ONNX file, in a process of its own. In: a timm name. Out: a folder. Next: features/backbone.py.

Run as `python -m tellapart.models.export NAME FOLDER [WEIGHTS]`. The own process lets the export run beside the
audit on the other core, and keeps torch's half gigabyte out of the process that trains.
"""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import json
import math
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tellapart.errors import BackboneError, TellapartError
from tellapart.models.weights import Loaded, load_backbone
from tellapart.storage import write_bytes, write_json

if TYPE_CHECKING:
    from torch import nn

OPSET = 18
_TOLERANCE = 1e-3  # relative to the largest value of the embedding


def export_backbone(name: str, folder: Path, weights: Path | None) -> None:
    """Write network.onnx (uint8 [N, S, S, 3] -> embedding float32 [N, D]), weights.safetensors and, last, backbone.json.

    A folder without backbone.json is unfinished. The ONNX file is compared with the torch network before it counts.
    Raises: BackboneError, StorageError.
    """
    import safetensors.torch
    import torch

    torch.set_num_threads(1)  # the other cores are busy with the audit
    loaded = load_backbone(name, weights)
    write_bytes(folder / "weights.safetensors", safetensors.torch.save(dict(loaded.network.state_dict())))
    size = loaded.preprocessing.size
    sample = torch.from_numpy(_sample_picture(size))
    wrapped = _with_normalisation(loaded)
    with torch.inference_mode():
        expected = wrapped(sample).numpy()
    if expected.ndim != 2:
        raise BackboneError(f"{name} gives {expected.shape}, not one vector a picture. Choose another backbone.")
    fix_padding(wrapped, sample)
    path = folder / "network.onnx"
    _export(wrapped, sample, path)
    _check(path, sample.numpy(), expected, name)
    write_json(
        folder / "backbone.json",
        {
            "name": name,
            "preprocessing": dataclasses.asdict(loaded.preprocessing),
            "embedding": int(expected.shape[1]),
            "weights_source": loaded.source,
            "weights_license": loaded.license,
            "weights_fingerprint": _digest(folder / "weights.safetensors"),
            "onnx_sha256": _digest(path),
        },
    )


def fix_padding(network: nn.Module, sample: Any) -> None:
    """Replace timm's TensorFlow-style convolutions, which compute their padding on every call, by fixed padding.

    The input's size is fixed, so the padding is too; ONNX Runtime then fuses it into the convolution and runs the
    network 1.6 times as fast. Source of the rule: TensorFlow's `SAME` padding.
    """
    import torch
    from timm.layers.conv2d_same import Conv2dSame
    from torch import nn

    sizes: dict[nn.Module, tuple[int, ...]] = {}
    same = [(name, module) for name, module in network.named_modules() if isinstance(module, Conv2dSame)]
    hooks = [
        module.register_forward_pre_hook(lambda module, inputs: sizes.update({module: tuple(inputs[0].shape[-2:])}))
        for _, module in same
    ]
    with torch.inference_mode():
        network(sample)
    for hook in hooks:
        hook.remove()
    for name, module in same:
        if module not in sizes:
            continue
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
        parent, _, child = name.rpartition(".")
        setattr(network.get_submodule(parent), child, nn.Sequential(_zero_padding(module, sizes[module]), plain).eval())


def _zero_padding(module: nn.Conv2d, size: tuple[int, ...]) -> nn.Module:
    from torch import nn

    sides: list[tuple[int, int]] = []
    for length, kernel, stride, dilation in zip(size, module.kernel_size, module.stride, module.dilation, strict=True):
        total = max((math.ceil(length / stride) - 1) * stride + (kernel - 1) * dilation + 1 - length, 0)
        sides.append((total // 2, total - total // 2))
    (top, bottom), (left, right) = sides
    return nn.ZeroPad2d((left, right, top, bottom))


def _pair(values: tuple[int, ...]) -> tuple[int, int]:
    height, width = values
    return height, width


def _with_normalisation(loaded: Loaded) -> nn.Module:
    import torch
    from torch import Tensor, nn

    class Normalised(nn.Module):
        """uint8 [N, H, W, 3] -> the network's embedding; (x / 255 - mean) / std as one multiplication and addition."""

        def __init__(self) -> None:
            super().__init__()
            mean = torch.tensor(loaded.preprocessing.mean, dtype=torch.float64)
            std = torch.tensor(loaded.preprocessing.std, dtype=torch.float64)
            self.scale: Tensor
            self.shift: Tensor
            self.register_buffer("scale", (1 / (255 * std)).float().view(1, 3, 1, 1))
            self.register_buffer("shift", (-mean / std).float().view(1, 3, 1, 1))
            self.network = loaded.network

        def forward(self, image: Tensor) -> Tensor:
            images_BCHW = image.permute(0, 3, 1, 2).to(self.scale.dtype)
            embedding: Tensor = self.network(images_BCHW * self.scale + self.shift)
            return embedding

    return Normalised().eval()


def _export(network: nn.Module, sample: Any, path: Path) -> None:
    import torch

    partial = path.with_suffix(".part")
    names: dict[str, Any] = {"input_names": ["image"], "output_names": ["embedding"], "opset_version": OPSET}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # The older exporter takes 1 s where the newer takes 12, and ONNX Runtime runs both graphs equally fast.
            axes = {"image": {0: "N"}, "embedding": {0: "N"}}
            torch.onnx.export(network, (sample,), str(partial), dynamo=False, dynamic_axes=axes, **names)
        except Exception:
            # Networks that it cannot trace, or a torch that has dropped it.
            shapes = ({0: torch.export.Dim("N")},)
            torch.onnx.export(
                network, (sample,), str(partial), dynamo=True, dynamic_shapes=shapes, external_data=False,
                verbose=False, **names,
            )  # fmt: skip
    os.replace(partial, path)


def _check(path: Path, sample: Any, expected: Any, name: str) -> None:
    import numpy as np

    from tellapart.runtime import Session

    (embedding,) = Session(path, source=str(path)).run(sample, ["embedding"])
    difference = float(np.abs(embedding - expected).max() / max(float(np.abs(expected).max()), 1e-6))
    if not difference < _TOLERANCE:
        raise BackboneError(
            f"the exported {name} differs from the torch network by {difference:.2g} of its largest value; "
            f"the rule is under {_TOLERANCE}. Choose another backbone."
        )


def _sample_picture(size: int) -> Any:
    import numpy as np

    return np.random.default_rng(0).integers(0, 256, (2, size, size, 3), dtype=np.uint8)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(arguments: list[str]) -> int:
    """Export, and print one JSON line: what went wrong, or nothing."""
    name, folder = arguments[0], Path(arguments[1])
    weights = Path(arguments[2]) if len(arguments) > 2 else None
    try:
        export_backbone(name, folder, weights)
    except TellapartError as error:
        print(json.dumps({"error": type(error).__name__, "message": str(error)}))
        return error.exit_code
    return 0


if __name__ == "__main__":
    # A training waits for this process: neither collecting garbage while torch is imported nor taking torch down
    # afterwards does it any good.
    gc.disable()
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)
