"""A linear classifier on sentence embeddings as a part of model.onnx. In: weights. Out: SentenceGraph. Next: texts.py.

Its row of tokens, int32 [N, 1, L] -> the network -> a vector a text -> logits; the vector's distance to those of the training texts
becomes the novelty. `pieces` is the vocabulary, whatever goes in: UTF-8, a line a piece. Shapes: D numbers of a vector, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.export.assemble import novelty_nodes
from tellapart.export.texts import WrittenPart
from tellapart.features.sentence_graph import embedding_nodes
from tellapart.features.sentence_network import SentenceNetwork
from tellapart.texts.pieces import PieceInputs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SentenceGraph:
    """A TextGraph."""

    network: SentenceNetwork
    weight: NDArray[np.float32]  # [K, D]
    bias: NDArray[np.float32]  # [K]
    novelty: Mapping[str, NDArray[np.float32]]  # the arrays of evaluation/novelty.py

    @property
    def inputs(self) -> PieceInputs:
        """How the network takes texts."""
        return self.network.inputs

    @property
    def known(self) -> Mapping[str, NDArray[Any]]:
        """The vocabulary as bytes, uint8."""
        return {"pieces": np.frombuffer(self.inputs.written(), dtype=np.uint8)}

    def write(self, tokens: str, name: str) -> WrittenPart:
        """See TextGraph. Raises: BackboneError, StorageError."""
        from onnx import helper

        own = embedding_nodes(self.network, tokens, name)
        nodes, output = novelty_nodes(own.opset, own.vectors, f"{name}novelty.")
        numbers = {"weight": self.weight, "bias": self.bias}
        numbers |= {f"novelty.{key}": value for key, value in self.novelty.items()}
        parameters: dict[str, NDArray[Any]] = {f"{name}{key}": value for key, value in numbers.items()}
        parameters[f"{name}novelty.axes"] = np.array([1], dtype=np.int64)
        return WrittenPart(
            nodes=[
                *own.nodes,
                helper.make_node("Gemm", [own.vectors, f"{name}weight", f"{name}bias"], [f"{name}logits"], transB=1),
                *nodes,
            ],
            parameters=parameters,
            tensors=own.numbers,
            logits=f"{name}logits",
            novelty=output,
            embedding=own.vectors,
            opset=own.opset,
            opsets=own.opsets,
        )
