"""The graph inside a model.onnx, opened for looking. In: bytes. Out: Graph; copies that show what is inside. Next: activation.py.

Shapes: N pictures, S side of the picture, C H W channels, height and width of a map, D embedding, K classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ModelFileError
from tellapart.runtime import Session
from tellapart.storage import storage_errors

IMAGE, EMBEDDING, LOGITS = "image", "embedding", "logits"  # tensors that every tellapart model has
_MEASURES = ("Shape", "Size")  # operators whose output depends on the shape of their input alone


class Graph:
    """One ONNX network as nodes and tensors. The file itself, and the bytes given, stay as they are."""

    def __init__(self, model: bytes | Path) -> None:
        """Raises: ModelFileError when `model` is no ONNX network that takes `image`, StorageError without access."""
        import onnx

        self.source = str(model) if isinstance(model, Path) else "the model"
        if isinstance(model, Path):
            with storage_errors(model):
                model = model.read_bytes()
        try:
            self._model = onnx.load_model_from_string(model)
        # protobuf's own errors are of several classes and modules.
        except Exception:
            raise ModelFileError(f"{self.source} is not an ONNX file. Give the model.onnx of a run.") from None
        self.nodes: list[Any] = list(self._model.graph.node)
        self.position = {name: index for index, node in enumerate(self.nodes) for name in node.output}
        if IMAGE not in {item.name for item in self._model.graph.input} or EMBEDDING not in self.position:
            raise ModelFileError(f"{self.source} is not a tellapart model: no image to embedding. Train it again.")

    @cached_property
    def joined(self) -> tuple[str, ...]:
        """The tensors [N, C] of the means of stages that the embedding begins with, in order; () where there are none."""
        node = self.nodes[self.position[EMBEDDING]]
        before = [self.nodes[self.position[name]].op_type for name in node.input[:-1] if name in self.position]
        joined = node.op_type == "Concat" and len(before) == len(node.input) - 1
        return tuple(node.input[:-1]) if joined and set(before) <= {"Flatten", "ReduceMean"} else ()

    @cached_property
    def last(self) -> str:
        """The tensor of the last layer [N, d]: the embedding, or its end where it begins with the means of stages."""
        return str(self.nodes[self.position[EMBEDDING]].input[-1]) if self.joined else EMBEDDING

    @cached_property
    def weights(self) -> dict[str, Any]:
        """The initialisers, as ONNX tensors, by every name that the nodes know them by."""
        found = {item.name: item for item in self._model.graph.initializer}
        # torch keeps equal tensors once, and names them anew for the others that use them.
        for node in self.nodes:
            if node.op_type == "Identity" and node.input[0] in found:
                found[node.output[0]] = found[node.input[0]]
        return found

    def array(self, name: str) -> NDArray[Any]:
        """The values of an initialiser, of any shape. Raises: KeyError for a name that is none."""
        from onnx import numpy_helper

        found: NDArray[Any] = numpy_helper.to_array(self.weights[name])
        return found

    def classifier(self, part: str) -> NDArray[np.float32]:
        """The `weight` [K, D] or the `bias` [K] that the logits are made by.

        Raises: ModelFileError where several networks make them, of which the file holds the mean.
        """
        if f"classifier.{part}" not in self.weights:
            raise ModelFileError(
                f"{self.source} answers with the mean of several networks, which have no last map or layer in common. Take "
                "occlusion, or the model of one fold, in the folder folds/ of the run."
            )
        found: NDArray[np.float32] = self.array(f"classifier.{part}")
        return found

    @cached_property
    def data(self) -> set[str]:
        """The tensors that depend on the pictures' values, not on their number alone."""
        found = {IMAGE}
        for node in self.nodes:
            if node.op_type not in _MEASURES and found.intersection(node.input):
                found.update(node.output)
        return found

    def bottlenecks(self, tensor: str) -> list[str]:
        """The tensors that everything between the picture and `tensor` goes through, the last first, ending with image."""
        found, frontier = [], {tensor}
        while True:
            if len(frontier) == 1:
                found.append(next(iter(frontier)))
            last = max(frontier, key=lambda name: self.position.get(name, -1))
            if last not in self.position:
                return found
            frontier.remove(last)
            frontier.update(name for name in self.nodes[self.position[last]].input if name in self.data)

    def open(self, outputs: Sequence[str]) -> Session:
        """A session of the same network whose outputs are `outputs`, any tensors of the graph."""
        from onnx import ModelProto, helper

        copy = ModelProto()
        copy.CopyFrom(self._model)
        del copy.graph.output[:]
        # Without a type ONNX Runtime infers it, and without a shape it takes any.
        copy.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in outputs)
        return Session(copy.SerializeToString(), source=self.source)

    def open_tail(self, tensor: str, output: str) -> Session:
        """A session of what comes between `tensor` and `output` alone; `tensor`'s values are given as `image`.

        Raises: ModelFileError when that part looks at the picture too.
        """
        from onnx import ModelProto, TensorProto, helper

        nodes = self.between(tensor, output)
        used = {name for node in nodes for name in node.input}
        if IMAGE in used:
            raise ModelFileError(f"what follows {tensor} in {self.source} looks at the picture again. Take occlusion.")
        tail = ModelProto()
        tail.ir_version = self._model.ir_version
        tail.opset_import.extend(self._model.opset_import)
        tail.graph.name = "tail"
        tail.graph.node.append(helper.make_node("Identity", [IMAGE], [tensor]))
        tail.graph.node.extend(nodes)
        tail.graph.initializer.extend(item for item in self._model.graph.initializer if item.name in used)
        tail.graph.input.append(helper.make_tensor_value_info(IMAGE, TensorProto.FLOAT, None))
        tail.graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, None))
        return Session(tail.SerializeToString(), source=f"the end of {self.source}")

    def between(self, tensor: str, output: str) -> list[Any]:
        """The nodes that compute `output` from `tensor`, in order."""
        wanted, nodes = {output}, []
        for node in reversed(self.nodes):
            if wanted.intersection(node.output) and tensor not in node.output:
                nodes.append(node)
                wanted.update(node.input)
        return nodes[::-1]


def sample_picture(side: Iterable[int | str | None], size: int = 1) -> NDArray[np.uint8]:
    """One picture of noise, uint8 [1, S, S, 3], as the shape of the input `image` asks for; `size` where it takes any S."""
    shape = [value if isinstance(value, int) else size for value in side]
    return np.random.default_rng(0).integers(0, 256, [1, *shape[1:]], dtype=np.uint8)
