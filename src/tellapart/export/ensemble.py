"""Several networks as one file, whose answer is the mean of theirs. In: files of model.onnx. Out: bytes. Next: parity.py.

What they share is in it once: a frozen backbone under several classifiers, or its lower stages under several that were trained. So
an ensemble of probes costs no more than one of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tellapart.bundle import MAX_MODEL_BYTES, Manifest
from tellapart.errors import ModelFileError
from tellapart.export.assemble import sealed

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, TensorProto

_IMAGE, _EMBEDDING, _MEANS = "image", "embedding", ("probabilities", "novelty")
_LEAST = 1e-30  # of a probability whose logarithm is taken


@dataclass(slots=True, eq=False)
class _Merged:
    """A graph that grows by one network after the other; what is the same is there once."""

    graph: GraphProto
    _constants: dict[str, str] = field(default_factory=dict)  # digest of a tensor -> its name
    _results: dict[tuple[Any, ...], list[str]] = field(default_factory=dict)  # what a node does -> its outputs

    def add(self, other: GraphProto, prefix: str) -> dict[str, str]:
        """Add a network; the name here of each of its tensors. Raises: ValueError for a node with a graph of its own."""
        names = {_IMAGE: _IMAGE, "": ""}
        for tensor in other.initializer:
            names[tensor.name] = self._constant(tensor, prefix)
        for node in other.node:
            self._node(node, names, prefix)
        return names

    def _constant(self, tensor: TensorProto, prefix: str) -> str:
        from onnx import numpy_helper

        values = np.ascontiguousarray(numpy_helper.to_array(tensor))
        digest = hashlib.sha256(f"{values.dtype}{values.shape}".encode() + values.tobytes()).hexdigest()
        if digest not in self._constants:
            self._constants[digest] = prefix + tensor.name
            added = self.graph.initializer.add()
            added.CopyFrom(tensor)
            added.name = prefix + tensor.name
        return self._constants[digest]

    def _node(self, node: NodeProto, names: dict[str, str], prefix: str) -> None:
        from onnx import AttributeProto

        if any(one.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) for one in node.attribute):
            raise ValueError(f"the node {node.name} has a graph of its own")
        inputs = [names[name] for name in node.input]
        attributes = sorted((one.name, one.SerializeToString(deterministic=True)) for one in node.attribute)
        key = (node.domain, node.op_type, tuple(inputs), tuple(attributes), len(node.output))
        if key not in self._results:
            self._results[key] = [prefix + name if name else "" for name in node.output]
            added = self.graph.node.add()
            added.CopyFrom(node)
            added.name = ""  # names of nodes must differ, and say nothing
            added.input[:], added.output[:] = inputs, self._results[key]
        names.update(zip(node.output, self._results[key], strict=True))


def average(files: Sequence[bytes], manifest: Manifest) -> bytes:
    """The bytes of model.onnx: `probabilities` and `novelty` are the means of those of `files`, all of one task and network.

    `embedding` is one after the other, or the one that they share. `logits` are those of the mean, as the record's ending undoes
    them. Raises: ModelFileError where they cannot be one file.
    """
    import onnx
    from onnx import helper

    models = [onnx.load_model_from_string(data) for data in files]
    versions = {tuple(sorted((one.domain, one.version) for one in model.opset_import)) for model in models}
    if len(versions) > 1 or sum(map(len, files)) > 2 * MAX_MODEL_BYTES:
        raise ModelFileError(
            f"the {len(files)} networks cannot be one file: they are of different versions of ONNX, or too large. Keep one of them."
        )
    merged = onnx.ModelProto()
    merged.CopyFrom(models[0])
    del merged.graph.node[:], merged.graph.initializer[:], merged.graph.value_info[:], merged.graph.output[:]
    parts = _Merged(merged.graph)
    names = [parts.add(model.graph, f"part{number}.") for number, model in enumerate(models, start=1)]
    there = {output.name: output for output in models[0].graph.output}
    for name in _MEANS:
        if name in there:
            merged.graph.node.append(helper.make_node("Mean", [one[name] for one in names], [name]))
            merged.graph.output.add().CopyFrom(there[name])
    if _EMBEDDING in there:
        _embed(merged.graph, names, [_length(model.graph) for model in models])
    _logits(merged.graph, manifest)
    data = sealed(merged, manifest)
    if len(data) > MAX_MODEL_BYTES:
        raise ModelFileError(
            f"the {len(files)} networks are {len(data):,} bytes, more than a file may be. Keep one of them."
        )
    return data


def embedding_length(files: Sequence[bytes]) -> tuple[int, bool]:
    """How long the embedding of their mean is, and whether it is one that they share."""
    import onnx

    graphs = [onnx.load_model_from_string(data).graph for data in files]
    parts = _Merged(onnx.GraphProto())
    names = [parts.add(graph, f"part{number}.") for number, graph in enumerate(graphs, start=1)]
    lengths = {one[_EMBEDDING]: _length(graph) for one, graph in zip(names, graphs, strict=True)}
    return sum(lengths.values()), len(lengths) == 1


def _length(graph: GraphProto) -> int:
    (found,) = (one for one in graph.output if one.name == _EMBEDDING)
    return int(found.type.tensor_type.shape.dim[1].dim_value)


def _embed(graph: GraphProto, names: Sequence[Mapping[str, str]], lengths: Sequence[int]) -> None:
    from onnx import TensorProto, helper

    own = dict(zip((one[_EMBEDDING] for one in names), lengths, strict=True))
    # Not joined as they are: an embedding that begins with the means of stages looks like that (explanation/graph.py).
    alone = [f"mean.{name}" for name in own]
    graph.node.extend(helper.make_node("Identity", [name], [one]) for name, one in zip(own, alone, strict=True))
    graph.node.append(helper.make_node("Concat", alone, [_EMBEDDING], axis=1))
    graph.output.append(helper.make_tensor_value_info(_EMBEDDING, TensorProto.FLOAT, ["N", sum(own.values())]))


def _logits(graph: GraphProto, manifest: Manifest) -> None:
    """What the record's ending turns into the mean again: the logarithm of its probabilities, or of their odds."""
    from onnx import helper, numpy_helper

    graph.initializer.append(numpy_helper.from_array(np.array(_LEAST, dtype=np.float32), "mean.least"))
    graph.node.append(helper.make_node("Max", ["probabilities", "mean.least"], ["mean.above"]))
    if manifest.record.ending[-1].operator != "Sigmoid":
        graph.node.append(helper.make_node("Log", ["mean.above"], ["logits"]))
        return
    graph.initializer.append(numpy_helper.from_array(np.array(1, dtype=np.float32), "mean.one"))
    graph.node.extend(
        [
            helper.make_node("Sub", ["mean.one", "probabilities"], ["mean.other"]),
            helper.make_node("Max", ["mean.other", "mean.least"], ["mean.other_above"]),
            helper.make_node("Div", ["mean.above", "mean.other_above"], ["mean.odds"]),
            helper.make_node("Log", ["mean.odds"], ["logits"]),
        ]
    )
