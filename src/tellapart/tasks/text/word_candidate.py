"""A trained network of texts, which answers as its model.onnx will. In: weights, texts. Out: logits. Next: candidates.py.

Nothing here needs torch. Shapes: N texts of the data set, K classes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import BackboneRecord
from tellapart.evaluation.choosing import HeldOut
from tellapart.export.sequences import Weights, WordGraph, network_alone
from tellapart.features.backbone import ReadyBackbone
from tellapart.records_text import WordRecord
from tellapart.runtime import BATCH, Session, cores
from tellapart.tasks.text.networks.describing import layers_of
from tellapart.tasks.text.networks.plan import NetworkPlan
from tellapart.texts.inputs import TextInputs
from tellapart.texts.sequences import Sequences, WordInputs, unknown_shares

_CALLED: Mapping[str, str] = {"text_cnn": "text CNN", "dpcnn": "deep pyramid CNN"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GivenTexts:
    """What a network of texts is trained on, and how it was planned."""

    plan: NetworkPlan
    inputs: WordInputs
    sequences: Sequences  # of all N texts
    texts: Sequence[str]  # [N], as they were given


@dataclass(frozen=True, kw_only=True, eq=False)
class WordCandidate:
    """A trained network, and the N texts of the data set."""

    given: GivenTexts
    weights: Weights
    source: str  # of the first weights
    license: str
    how: Mapping[str, Any]  # the training went
    strategy: str = "scratch"
    held_out: HeldOut | None = None  # it was not trained over and over
    precision: float = 1e-5  # of `unknown`

    @property
    def plan(self) -> NetworkPlan:
        """Which network it is."""
        return self.given.plan

    @property
    def called(self) -> str:
        """See TextCandidate."""
        return _CALLED[self.plan.name]

    @property
    def words(self) -> WordInputs:
        """How the network takes texts."""
        return self.given.inputs

    @property
    def inputs(self) -> TextInputs:
        """How its file does."""
        return TextInputs(parts=(self.words,))

    @property
    def graphs(self) -> tuple[WordGraph]:
        """What makes its logits, in the file."""
        return (WordGraph(inputs=self.words, network=self.plan.name, weights=self.weights),)

    @property
    def records(self) -> Mapping[str, Any]:
        """What its file's record says of its part."""
        unit: Literal["words", "characters"] = "words" if self.words.rules.words else "characters"
        return {"words": WordRecord(unit=unit, window=self.words.window)}

    @property
    def texts(self) -> Sequence[str]:
        """[N], as they were given."""
        return self.given.texts

    @property
    def backbone(self) -> ReadyBackbone:
        """There is none. Raises: ValueError."""
        raise ValueError("a network of texts has no backbone")

    @property
    def details(self) -> Mapping[str, Any]:
        """What was trained, and how it went."""
        plan = self.plan
        shape = {"widths": list(plan.widths)} if plan.name == "text_cnn" else {"depth": plan.depth}
        network = {
            "name": plan.name,
            "unit": self.words.unit,
            "known": plan.known,
            "window": self.words.window,
            "channels": plan.channels,
            "embedding": plan.embedding,
            "filters": plan.filters,
            "dropout": plan.dropout,
            "max_norm": plan.max_norm,
            **shape,
        }
        return {**self.how, "method": plan.name, "network": network, "layers": layers_of(plan, self._typical)}

    @property
    def _typical(self) -> int:
        return max(1, int(np.median(self.given.sequences.lengths)))

    def head(self) -> Mapping[str, NDArray[np.float32]]:
        """All of its weights."""
        return self.weights

    def logits(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits [n, K] of rows of the data set, before any calibration, as model.onnx will say; each text is asked once."""
        told, known = self._told
        missing = np.unique(rows[~known[rows]])
        if len(missing):
            told[missing], known[missing] = self._answers(missing), True
        return told[rows]

    def _answers(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """[n, K]"""
        order = np.argsort(self.given.sequences.lengths[rows], kind="stable")  # of like length together
        parts = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
        found = np.zeros((len(rows), self.plan.classes), dtype=np.float32)
        with ThreadPoolExecutor(cores()) as pool:
            for part, logits in zip(parts, pool.map(lambda part: self._run(rows[part]), parts), strict=True):
                found[part] = logits
        return found

    def unknown(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """The share of the words of each text that the model does not know, [n]."""
        return self._unknown[rows]

    @property
    def described(self) -> BackboneRecord:
        """What a manifest says in the place of a backbone."""
        digest = hashlib.sha256()
        for name in sorted(self.weights):
            digest.update(name.encode() + np.ascontiguousarray(self.weights[name]).tobytes())
        return BackboneRecord(
            name=self.plan.name,
            embedding=self.plan.features,
            weights_source=self.source,
            weights_license=self.license,
            weights_fingerprint=digest.hexdigest(),
        )

    def ask(self, numbers: NDArray[np.int32]) -> NDArray[np.float32]:
        """Logits [n, K] of numbers of words [n, L]."""
        logits: NDArray[np.float32] = self._session.run(numbers[:, None], ("logits",))[0]
        return logits

    def _run(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.ask(self.given.sequences.padded(rows, nothing=len(self.words.known)))

    @cached_property
    def _told(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Logits [N, K], and of which texts they are there."""
        count = len(self.texts)
        return np.zeros((count, self.plan.classes), dtype=np.float32), np.zeros(count, dtype=np.bool_)

    @cached_property
    def _session(self) -> Session:
        return Session(network_alone(self.graphs[0]), source="the trained network")

    @cached_property
    def _unknown(self) -> NDArray[np.float64]:
        return unknown_shares(self.given.sequences, self.words)
