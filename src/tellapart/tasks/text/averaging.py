"""The mean of two classifiers of texts. In: Validated candidates. Out: MeanOfTwo. Next: choosing.py.

Each one's logits are divided by its own temperature; the mean of the probabilities counts, and its logarithm is the mean's logits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import BackboneRecord
from tellapart.evaluation.calibration import softmax
from tellapart.evaluation.choosing import HeldOut, Validated
from tellapart.export.texts import LEAST_PROBABILITY, TextGraph
from tellapart.features.backbone import ReadyBackbone
from tellapart.tasks.text.candidates import TextCandidate
from tellapart.texts.inputs import TextInputs


@dataclass(frozen=True, kw_only=True, eq=False)
class MeanOfTwo:
    """Both of them, the simpler one first; a TextCandidate."""

    parts: tuple[TextCandidate, TextCandidate]
    temperatures: tuple[float, float]

    @classmethod
    def of(cls, simpler: Validated[TextCandidate], other: Validated[TextCandidate]) -> MeanOfTwo:
        """Of two that were validated, neither of them a mean."""
        both = (simpler, other)
        return cls(
            parts=(simpler.candidate, other.candidate),
            temperatures=(both[0].calibration.temperature, both[1].calibration.temperature),
        )

    @property
    def strategy(self) -> str:
        """That of the other: the simpler one is trained by the way."""
        return self.parts[1].strategy

    @property
    def called(self) -> str:
        """See TextCandidate."""
        return f"mean of the {self.parts[0].called} and the {self.parts[1].called}"

    @property
    def texts(self) -> Sequence[str]:
        """See TextCandidate."""
        return self.parts[0].texts

    @property
    def precision(self) -> float:
        """That of the first part, which says what is unknown."""
        return self.parts[0].precision

    @property
    def backbone(self) -> ReadyBackbone:
        """There is none. Raises: ValueError."""
        raise ValueError("a mean of classifiers of texts has no backbone")

    @property
    def details(self) -> Mapping[str, Any]:
        """Those of both."""
        own = [{"called": one.called, **one.details} for one in self.parts]
        return {"method": "mean", "temperatures": list(self.temperatures), "parts": own}

    @property
    def inputs(self) -> TextInputs:
        """The parts of both."""
        return TextInputs(parts=tuple(part for one in self.parts for part in one.inputs.parts))

    @property
    def graphs(self) -> Sequence[TextGraph]:
        """See TextCandidate."""
        return [graph for one in self.parts for graph in one.graphs]

    @property
    def records(self) -> Mapping[str, Any]:
        """See TextCandidate."""
        return {name: record for one in self.parts for name, record in one.records.items()}

    @property
    def described(self) -> BackboneRecord:
        """What both say of themselves."""
        first, second = (one.described for one in self.parts)
        licences = dict.fromkeys([first.weights_license, second.weights_license])
        fingerprints = f"{first.weights_fingerprint}{second.weights_fingerprint}"
        return BackboneRecord(
            name=f"{first.name} and {second.name}",
            embedding=first.embedding + second.embedding,
            weights_source=f"{first.weights_source}; {second.weights_source}",
            weights_license="; ".join(licences),
            weights_fingerprint=hashlib.sha256(fingerprints.encode()).hexdigest(),
        )

    @cached_property
    def held_out(self) -> HeldOut | None:
        """Of the training texts that both held out."""
        own, others = (one.held_out for one in self.parts)
        if own is None or others is None:
            return None
        rows, at, there = np.intersect1d(own.rows, others.rows, return_indices=True)
        return HeldOut(rows=rows, logits=self._mean([own.logits[at], others.logits[there]]))

    def head(self) -> Mapping[str, NDArray[np.float32]]:
        """The weights of both."""
        return {
            f"part{place}.{key}": value for place, one in enumerate(self.parts) for key, value in one.head().items()
        }

    def logits(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """See TextCandidate."""
        return self._mean([one.logits(rows) for one in self.parts])

    def unknown(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """What the first part says."""
        return self.parts[0].unknown(rows)

    def _mean(self, logits: Sequence[NDArray[np.floating]]) -> NDArray[np.float32]:
        """The logarithm of the mean of both probabilities [n, K]; NaN where one of them is."""
        each = [softmax(one / warmth) for one, warmth in zip(logits, self.temperatures, strict=True)]
        return np.log(np.maximum((each[0] + each[1]) / 2, LEAST_PROBABILITY)).astype(np.float32)


def temperatures_of(candidate: TextCandidate) -> tuple[float, ...]:
    """Those of the parts before the mean; 1 for one that stands alone."""
    return candidate.temperatures if isinstance(candidate, MeanOfTwo) else (1.0,)
