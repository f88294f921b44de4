"""A linear classifier on the vectors of a network of sentences. In: texts. Out: SentenceCandidate. Next: choosing.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import BackboneRecord
from tellapart.data.dataset import Dataset
from tellapart.evaluation.choosing import HeldOut
from tellapart.evaluation.novelty import Novelty, choose_pictures, fit_novelty
from tellapart.export.sentences import SentenceGraph
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.caching import open_cache
from tellapart.features.sentence_network import SentenceNetwork, open_sentence_network
from tellapart.features.sentences import SentenceEmbedder
from tellapart.records_text import PieceRecord
from tellapart.reporter import Reporter
from tellapart.settings.tree import TrainSettings
from tellapart.texts.inputs import TextInputs
from tellapart.training.probe import Probe, fit_probe


@dataclass(frozen=True, kw_only=True, eq=False)
class SentenceCandidate:
    """A fitted classifier, and the N texts of the data set with their vectors of D numbers; a TextCandidate."""

    network: SentenceNetwork
    probe: Probe
    novelty: Novelty
    texts: Sequence[str]  # [N], as they were given
    vectors: NDArray[np.float32]  # [N, D]
    held_out: HeldOut | None
    strategy: str = "probe"
    precision: float = 0.01  # of `unknown`: squared distances lose digits

    @property
    def called(self) -> str:
        """See TextCandidate."""
        return f"classifier on {self.network.name}"

    @property
    def backbone(self) -> ReadyBackbone:
        """There is none that takes pictures. Raises: ValueError."""
        raise ValueError("a classifier of sentence embeddings has no backbone of pictures")

    @property
    def details(self) -> Mapping[str, Any]:
        """What cross-validation tried and took."""
        probe = self.probe
        trials = [{"strength": one, "log_loss": loss} for one, loss in probe.trials.items()]
        return {
            "method": "sentence embeddings",
            "sentences_by": self.network.name,
            "strength": probe.strength,
            "converged": probe.converged,
            "trials": trials,
        }

    @property
    def inputs(self) -> TextInputs:
        """See TextCandidate."""
        return TextInputs(parts=(self.network.inputs,))

    @property
    def graphs(self) -> tuple[SentenceGraph]:
        """See TextCandidate."""
        own = self.probe
        return (SentenceGraph(network=self.network, weight=own.weight, bias=own.bias, novelty=self.novelty.arrays()),)

    @property
    def records(self) -> Mapping[str, Any]:
        """See TextCandidate."""
        own = self.network.inputs
        names = ("lowercase", "unmarked", "apart", "first", "last", "unknown", "padding", "most")
        return {"pieces": PieceRecord(network=self.network.name, **{name: getattr(own, name) for name in names})}

    @property
    def described(self) -> BackboneRecord:
        """See TextCandidate."""
        return BackboneRecord(
            name=self.network.name,
            embedding=self.vectors.shape[1],
            weights_source="given with --embeddings",
            weights_license=self.network.license,
            weights_fingerprint=self.network.fingerprint,
        )

    def head(self) -> Mapping[str, NDArray[np.float32]]:
        """The linear layer."""
        return {"classifier.weight": self.probe.weight, "classifier.bias": self.probe.bias}

    def logits(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """See TextCandidate."""
        found: NDArray[np.float32] = self.vectors[rows] @ self.probe.weight.T + self.probe.bias
        return found

    def unknown(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """The distance to the nearest class, in units of how far its training texts lie apart."""
        return np.asarray(self.novelty.score(self.vectors[rows]), dtype=np.float64)


def fit_sentences(
    settings: TrainSettings, dataset: Dataset, texts: Sequence[str], named: str, reporter: Reporter
) -> SentenceCandidate:
    """Embed all texts by the network `named`, and fit on the train split. Raises: DataError, SettingsError, BackboneError."""
    network = open_sentence_network(named)
    with open_cache(reporter) as cache, reporter.step(f"Embedding by {network.name}", len(texts)) as advance:
        vectors = SentenceEmbedder(network, cache).embed(texts, advance)
    train = dataset.rows["train"]
    labels = np.asarray(dataset.targets[train], dtype=np.int64)
    with reporter.step("Fitting the classifier on them", None) as moved:
        probe = fit_probe(
            vectors[train],
            labels,
            groups=dataset.groups[train],
            class_count=len(dataset.classes),
            class_weights=settings.class_weights,
            folds=settings.folds,
            seed=settings.seed,
            advance=moved,
        )
    chosen = train[choose_pictures(labels, seed=settings.seed)]
    return SentenceCandidate(
        network=network,
        probe=probe,
        novelty=fit_novelty(vectors[chosen], dataset.targets[chosen]),
        texts=texts,
        vectors=vectors,
        held_out=None if probe.held_out is None else HeldOut(rows=train, logits=probe.held_out),
    )
