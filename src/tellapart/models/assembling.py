"""A kept graph and a weights' file become an ONNX file, without PyTorch. In: KeptGraph. Out: a folder. Next: features/backbone.py.

What comes out is what export.py would have written, but for the last bit of some weights: torch rounds square roots in its own
way. It proves itself: the weights are those of one SHA-256, what is made of them is, and so is the embedding of a picture.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import BackboneError, ModelFileError
from tellapart.models.catalog import EmbeddedWeights, embedded_file
from tellapart.models.kept_graph import KeptGraph, Source, read_tensors, same_padding, sample_picture, unpack
from tellapart.runtime import Session
from tellapart.storage import write_bytes, write_json

_TOLERANCE = 1e-3  # relative to the largest number of the embedding, as an export has it


def assemble(
    graph: Path, embedded: EmbeddedWeights, folder: Path, *, size: int | None = None, crop: float | None = None
) -> None:
    """Write network.onnx (uint8 [N, S, S, 3] -> embedding float32 [N, D]), weights.safetensors and, last, backbone.json.

    `size` (pixels) and `crop` (share of the shorter side) take the place of those that the weights were made with.
    Raises: BackboneError when the graph and the installed weights do not belong together, StorageError.
    """
    import safetensors.numpy

    kept = unpack(graph)
    tensors = read_tensors(kept, _weights(kept, embedded))
    weights = safetensors.numpy.save(tensors)
    if hashlib.sha256(weights).hexdigest() != kept.record["weights_fingerprint"]:
        raise BackboneError("the tensors are not those that the graph was kept for.")
    model = fill(kept, tensors)
    prove(kept, model.SerializeToString())
    changes = {key: value for key, value in (("size", size), ("crop", crop)) if value is not None}
    preprocessing = {**kept.record["preprocessing"], **changes}
    fit_size(model, kept.same, int(preprocessing["size"]))
    network = model.SerializeToString()
    write_bytes(folder / "weights.safetensors", weights)
    write_bytes(folder / "network.onnx", network)
    digest = hashlib.sha256(network).hexdigest()
    write_json(folder / "backbone.json", {**kept.record, "preprocessing": preprocessing, "onnx_sha256": digest})


def fill(kept: KeptGraph, tensors: Mapping[str, NDArray[Any]]) -> Any:
    """The graph as an onnx.ModelProto with its weights in place.

    Raises: BackboneError when they are not, bit for bit, those that the graph was kept for.
    """
    import onnx

    model: Any = onnx.load_model_from_string(kept.graph)
    places = {item.name: item for item in model.graph.initializer}
    values = initialisers(kept.sources, tensors)
    if digest_of(values.values()) != kept.values_sha256 or not values.keys() <= places.keys():
        raise BackboneError("the weights made of the tensors are not those that the graph was kept for.")
    for name, value in values.items():
        if list(places[name].dims) != list(value.shape):
            raise BackboneError(f"{name} of the graph wants {list(places[name].dims)}, not {list(value.shape)}.")
        places[name].raw_data = value.astype("<f4").tobytes()
    return model


def initialisers(sources: Mapping[str, Source], tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
    """What the graph's weights are: float32, in the order of `sources`. Raises: BackboneError for a tensor that is not there."""
    try:
        return {name: initialiser(source, tensors) for name, source in sources.items()}
    except KeyError as error:
        raise BackboneError(f"the weights have no tensor {error}.") from None


def initialiser(source: Source, tensors: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """One of them: float32 of any shape. A batch norm after a convolution is part of its weight [C, ...] and bias [C]."""
    if source.norm is None:
        return np.ascontiguousarray(tensors[source.tensor or ""], dtype=np.float32)
    gain, shift, mean, variance = (
        tensors[f"{source.norm}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
    )
    scale_C = gain / np.sqrt(variance + np.float32(source.epsilon))
    weight = None if source.tensor is None else tensors[source.tensor]
    found: NDArray[Any] = (
        shift - mean * scale_C if weight is None else weight * scale_C.reshape(-1, *[1] * (weight.ndim - 1))
    )
    return found.astype(np.float32, copy=False)


def digest_of(values: Iterable[NDArray[Any]]) -> str:
    """The SHA-256, 64 hex digits, of the bytes of arrays of any shape, row by row, one array after another."""
    found = hashlib.sha256()
    for value in values:
        found.update(np.ascontiguousarray(value).tobytes())
    return found.hexdigest()


def prove(kept: KeptGraph, network: bytes) -> None:
    """Raises: BackboneError when the network does not give the embedding that the export gave where the graph was kept."""
    picture = sample_picture(int(kept.record["preprocessing"]["size"]))
    try:
        (found,) = Session(network, source="the kept graph").run(picture, ["embedding"])
    except ModelFileError as error:
        raise BackboneError(str(error)) from None
    largest = float(np.abs(kept.expected).max())
    fits = found.shape == (1, *kept.expected.shape)
    difference = float(np.abs(found[0] - kept.expected).max() / largest) if fits else math.inf
    if not difference < _TOLERANCE:
        raise BackboneError(
            f"the embedding of a picture differs from the export's by {difference:.2g} of its largest number."
        )


def fit_size(model: Any, same: Iterable[str], size: int) -> None:
    """Make the model take pictures of `size` pixels: the padding of its convolutions depends on it, and nothing else."""
    nodes = {node.name: node for node in model.graph.node}
    length = size
    for name in same:
        whole = {one.name: [int(value) for value in one.ints] for one in nodes[name].attribute}
        places = [
            same_padding(length, kernel=kernel, stride=stride, dilation=dilation)
            for kernel, stride, dilation in zip(
                whole["kernel_shape"], whole["strides"], whole["dilations"], strict=True
            )
        ]
        pads = next(one for one in nodes[name].attribute if one.name == "pads")
        del pads.ints[:]
        pads.ints.extend([before for before, _ in places] + [after for _, after in places])
        length = math.ceil(length / whole["strides"][0])
    (image,) = model.graph.input
    for axis in (1, 2):
        image.type.tensor_type.shape.dim[axis].dim_value = size


def _weights(kept: KeptGraph, embedded: EmbeddedWeights) -> bytes:
    path = embedded_file(embedded)
    if path is None:
        raise BackboneError(f"the package {embedded.package!r} is missing.")
    try:
        data = path.read_bytes() if path.stat().st_size == kept.file_bytes else b""
    except OSError as error:
        raise BackboneError(f"{path} cannot be read: {error.strerror}.") from None
    if hashlib.sha256(data).hexdigest() != kept.file_sha256:
        raise BackboneError(f"the file of the package {embedded.package!r} is another than the graph was kept for.")
    return data
