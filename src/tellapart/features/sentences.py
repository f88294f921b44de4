"""Texts to vectors, each once. In: texts, SentenceNetwork, Cache. Out: float32 [N, D]. Next: export/sentences.py.

Texts of one length go together, so that little is computed of what fills rows up; what was computed is kept by text and network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tellapart.features.cache import Cache
from tellapart.features.sentence_graph import embedding_nodes
from tellapart.features.sentence_network import SentenceNetwork
from tellapart.runtime import Session, cores

KIND = "sentence"
_PIECES_AT_ONCE = 1_024  # numbers of a batch, those that fill up among them
_KEPT_AT_ONCE = 2_000  # texts between two writes of the cache

Floats = NDArray[np.float32]


class SentenceEmbedder:
    """A network of sentences that runs."""

    def __init__(self, network: SentenceNetwork, cache: Cache) -> None:
        self.network, self._cache = network, cache
        self.computed = 0  # texts that went through the network

    @cached_property
    def _session(self) -> Session:
        """Raises: BackboneError, ModelFileError."""
        from onnx import TensorProto, helper

        found = embedding_nodes(self.network, "tokens", "")
        graph = helper.make_graph(
            found.nodes,
            "tellapart",
            [helper.make_tensor_value_info("tokens", TensorProto.INT32, ["N", 1, "L"])],
            [helper.make_tensor_value_info(found.vectors, TensorProto.FLOAT, ["N", "D"])],
            found.numbers,
        )
        imports = [helper.make_opsetid("", found.opset), *(helper.make_opsetid(*one) for one in found.opsets.items())]
        model = helper.make_model(graph, opset_imports=imports, ir_version=8)
        return Session(model.SerializeToString(), source=str(self.network.model))

    def embed(self, texts: Sequence[str], advance: Callable[[int], object] = int) -> Floats:
        """The vectors of N texts, float32 [N, D], in their order. Raises: BackboneError, ModelFileError, StorageError."""
        keys = [self._key(text) for text in texts]
        distinct = dict(zip(reversed(keys), reversed(texts), strict=True))  # each text once
        kept = self._cache.get_many(KIND, list(distinct))
        vectors = {key: np.frombuffer(value, dtype=np.float32) for key, value in kept.items()}
        advance(sum(key in vectors for key in keys))
        missing = [key for key in distinct if key not in vectors]
        for start in range(0, len(missing), _KEPT_AT_ONCE):
            part = missing[start : start + _KEPT_AT_ONCE]
            found = self._compute([distinct[key] for key in part], advance)
            self._cache.put_many(KIND, {key: one.tobytes() for key, one in zip(part, found, strict=True)})
            vectors |= dict(zip(part, found, strict=True))
            self.computed += len(part)
        return np.stack([vectors[key] for key in keys])

    def _key(self, text: str) -> str:
        return f"{self.network.fingerprint}:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"

    def _compute(self, texts: Sequence[str], advance: Callable[[int], object]) -> Floats:
        rows = [self.network.inputs.numbers(text) for text in texts]
        batches = list(self._batches(rows))
        found: list[Floats] = [np.zeros(0, dtype=np.float32)] * len(texts)
        with ThreadPoolExecutor(cores()) as pool:
            session = self._session

            def run(batch: list[int]) -> Floats:
                width = max(len(rows[row]) for row in batch)
                tokens = np.full((len(batch), 1, width), self.network.inputs.padding, dtype=np.int32)
                for place, row in enumerate(batch):
                    tokens[place, 0, : len(rows[row])] = rows[row]
                (vectors,) = session.run(tokens, ("vectors",))
                return vectors

            for batch, vectors in zip(batches, pool.map(run, batches), strict=True):
                for row, vector in zip(batch, vectors, strict=True):
                    found[row] = vector
                advance(len(batch))
        return np.stack(found)

    def _batches(self, rows: Sequence[Sequence[int]]) -> Iterator[list[int]]:
        """Their positions, those of like lengths together."""
        batch: list[int] = []
        for row in sorted(range(len(rows)), key=lambda row: len(rows[row])):
            if batch and (len(batch) + 1) * len(rows[row]) > _PIECES_AT_ONCE:
                yield batch
                batch = []
            batch.append(row)
        if batch:
            yield batch
