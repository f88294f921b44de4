"""A network of pixels becomes one file. In: PixelNetwork, Manifest. Out: the bytes of model.onnx. Next: answers/segmentation.py.

The graph: uint8 picture -> normalise -> encoder, decoder -> `logits` -> calibration -> `probabilities` of each pixel. Beside it the
means of the encoder's maps, `embedding`, and from that `novelty`. Height and width are free: what stands in front of it cuts
tiles, or gives it whole pictures, with sides that are multiples of 32.

Shapes: N pictures, H W their height and width, K classes, D length of the embedding.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tellapart.bundle import Manifest, SegmentationRecord
from tellapart.export.assemble import add_novelty, calibration, sealed
from tellapart.models.tracing import trace
from tellapart.storage import storage_errors
from tellapart.tasks.segmentation.decoders import STRIDE
from tellapart.tasks.segmentation.network import PixelNetwork

LOGITS, EMBEDDING = "logits", "embedding"
_TRACED = 2 * STRIDE  # pixels, side of the picture that the graph is recorded with


class _Everything(nn.Module):
    """uint8 [N, H, W, 3] -> float32 [N, K, H, W] and [N, D]."""

    def __init__(self, network: PixelNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.network.maps(image)
        return self.network.decode(maps), self.network.embed(maps)


class _FreePooling(nn.Module):
    """A block of the PSPNet: means over a grid of places, whatever the map's size, which the exporter writes for one size only."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.places: int = block.pool_size
        self.convolution: nn.Module = block.pool[1]

    def forward(self, features: Tensor) -> Tensor:
        height, width = features.shape[2], features.shape[3]
        pooled = self._weights(height) @ features @ self._weights(width).transpose(0, 1)
        found: Tensor = self.convolution(pooled)
        return functional.interpolate(found, size=(height, width), mode="bilinear", align_corners=True)

    def _weights(self, length: Any) -> Tensor:
        """How much each of `length` positions counts in each of P means, [P, length]; as torch's adaptive pooling has it."""
        numbers = torch.arange(self.places)[:, None]
        first, end = numbers * length // self.places, ((numbers + 1) * length + self.places - 1) // self.places
        position = torch.arange(length)[None]
        inside = ((position >= first) & (position < end)).float()
        weights: Tensor = inside / inside.sum(1, keepdim=True)
        return weights


def export_pixels(network: PixelNetwork, path: Path) -> int:
    """Write `logits` [N, K, H, W] and `embedding` [N, D] of uint8 [N, H, W, 3] as ONNX; returns D.

    Raises: BackboneError, StorageError.
    """
    import onnx

    module = _Everything(copy.deepcopy(network))
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if type(child).__name__ == "PSPBlock":
                setattr(parent, name, _FreePooling(child))
    trace(module, size=_TRACED, path=path, output=LOGITS, beside=[EMBEDDING], name="network of pixels", free=True)
    with storage_errors(path):
        model = onnx.load(path, load_external_data=False)
    return int(model.graph.output[1].type.tensor_type.shape.dim[1].dim_value)


def assemble(network: Path, manifest: Manifest, *, novelty: Mapping[str, NDArray[np.float32]] | None = None) -> bytes:
    """The bytes of model.onnx. `network` is what `export_pixels` wrote; the manifest's record says how logits end.

    Outputs: `probabilities` float32 [N, K, H, W] and `embedding` [N, D]; with `novelty`, the arrays of evaluation/novelty.py,
    `novelty` [N] too. Raises: StorageError when `network` cannot be read; ModelFileError for a manifest of another task.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    record = manifest.record_of(SegmentationRecord)
    with storage_errors(network):
        model = onnx.load(network)
    graph, classes = model.graph, len(manifest.classes)
    length = int(graph.output[1].type.tensor_type.shape.dim[1].dim_value)
    numbers, ending = calibration(record, part="pixels", last="probabilities")
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value, dtype=np.float32), name) for name, value in numbers.items()
    )
    graph.node.extend(ending)
    del graph.input[:], graph.output[:]
    graph.input.append(helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", "H", "W", 3]))
    graph.output.extend(
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", classes, "H", "W"]),
            helper.make_tensor_value_info(EMBEDDING, TensorProto.FLOAT, ["N", length]),
        ]
    )
    if novelty is not None:
        add_novelty(model, novelty, length)
    return sealed(model, manifest)
