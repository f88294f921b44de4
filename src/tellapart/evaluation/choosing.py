"""Which of several trained networks to keep. In: Validated candidates. Out: Choice. Next: tasks/task.py.

The validation split decides; the test split is looked at once, after that. A candidate that was trained longer must
beat the simpler one by more than chance would: its mean loss must be lower by at least one standard error of the
difference, item by item, and the figure that people look at must be no worse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tellapart.features.backbone import ReadyBackbone
from tellapart.half_rows import AT_ONCE, blocks


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeldOut:
    """What classifiers fitted on the other training pictures say of n of them; none saw the picture or its group."""

    rows: NDArray[np.int64]  # [n], of the dataset
    logits: NDArray[np.floating]  # [n, K]; NaN where the others could not teach it


class Candidate(Protocol):
    """A trained network, whatever its task; what it answers with is the task's own."""

    @property
    def strategy(self) -> str:
        """How it was trained: probe, finetune or scratch."""
        ...

    @property
    def backbone(self) -> ReadyBackbone:
        """Its network as ONNX, and where that came from."""
        ...

    @property
    def details(self) -> Mapping[str, Any]:
        """How the training went, for metrics.json."""
        ...

    def head(self) -> Mapping[str, NDArray[np.float32]]:
        """The weights that the backbone's own file lacks or has otherwise, by name, of any shape."""
        ...


AnyCandidate = TypeVar("AnyCandidate", bound=Candidate, covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinearCandidate:
    """A trained classifier: a network to the embedding, and a linear layer on it."""

    strategy: str  # probe, finetune or scratch
    backbone: ReadyBackbone  # its ONNX file gives the embedding
    weight: NDArray[np.float32]  # [K, D]
    bias: NDArray[np.float32]  # [K]
    # Rows of the dataset -> [n, D], as model.onnx will say; each picture is embedded once.
    embeddings: Callable[[NDArray[np.int64]], NDArray[np.float32]]
    details: Mapping[str, Any]  # for metrics.json
    held_out: HeldOut | None = None  # more to calibrate on, of a classifier quick enough to be fitted again
    known: Any = None  # the record by which its logits are calibrated already: it stays where too few pictures can choose another

    def head(self) -> dict[str, NDArray[np.float32]]:
        """The linear layer, under the names of models/build.network_state."""
        return {"classifier.weight": self.weight, "classifier.bias": self.bias}

    def last_layer(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The embeddings [n, d] without the means of the stages: foreign pictures are better told apart by the last layer."""
        return self.embeddings(rows)[:, sum(self.backbone.stages) :]

    def logits(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits [n, K] of rows of the dataset, before any calibration, as model.onnx will say."""
        return self.over(rows, self._logits)

    def over(
        self, rows: NDArray[np.int64], function: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        """What a function of embeddings [n, D] gives for each row, [N, ...]; of very many rows, part by part."""
        if len(rows) <= AT_ONCE:
            return function(self.embeddings(rows))
        return np.concatenate([function(self.embeddings(rows[some])) for some in blocks(len(rows))])

    def _logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = embeddings @ self.weight.T
        logits += self.bias  # not in a second array, which of very many classes is half a gigabyte
        return logits


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Validated(Generic[AnyCandidate]):
    """A candidate on the validation split, calibrated there."""

    candidate: AnyCandidate
    # [n], log loss of each item in nats, calibrated on others; empty where the task compares candidates by figures alone.
    losses: NDArray[np.float64]
    figure_name: str  # what people look at, such as accuracy
    figure: float  # in [0, 1]; the higher, the better
    calibration: Any  # the task's own: what turns logits into probabilities
    facts: Mapping[str, Any] = field(default_factory=dict)  # more for metrics.json


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choice(Generic[AnyCandidate]):
    """The one that is kept, and why."""

    winner: Validated[AnyCandidate]
    reason: str  # a sentence; empty where there was nothing to choose
    compared: tuple[Validated[AnyCandidate], ...]


def choose(simpler: Validated[AnyCandidate], other: Validated[AnyCandidate]) -> Choice[AnyCandidate]:
    """Keep `other` when it is better than `simpler` by more than chance would make it."""
    gains = simpler.losses - other.losses
    gain = float(gains.mean())
    error = float(gains.std(ddof=1) / np.sqrt(len(gains))) if len(gains) > 1 else np.inf
    wins = gain > error and other.figure >= simpler.figure
    kept, left = (other, simpler) if wins else (simpler, other)
    because = (
        "is better"
        if wins
        else "is no better"
        if gain <= 0 or other.figure < simpler.figure
        else "is better by no more than chance"
    )
    reason = (
        f"Kept the {_NAMES[kept.candidate.strategy]}: on {len(gains):,} validation pictures the "
        f"{_NAMES[other.candidate.strategy]} {because} "
        f"(log loss {other.losses.mean():.3f} against {simpler.losses.mean():.3f}, "
        f"{other.figure_name.replace('_', ' ')} {100 * other.figure:.1f} % against {100 * simpler.figure:.1f} %)."
    )
    return Choice(winner=kept, reason=reason, compared=(kept, left))


def only(validated: Validated[AnyCandidate], reason: str = "") -> Choice[AnyCandidate]:
    """There is nothing to compare with."""
    return Choice(winner=validated, reason=reason, compared=(validated,))


def comparison(choice: Choice[Candidate]) -> Sequence[dict[str, Any]]:
    """The candidates as JSON, the winner first."""
    return [
        {
            "strategy": one.candidate.strategy,
            **({"log_loss": float(one.losses.mean())} if len(one.losses) else {}),
            one.figure_name: one.figure,
            **one.facts,
        }
        for one in choice.compared
    ]


# What a linear classifier came to be, by strategy, as a person is told it.
LINEAR_KEPT: Mapping[str, str] = MappingProxyType(
    {
        "probe": "a classifier on the frozen network",
        "finetune": "the pretrained network, trained on",
        "scratch": "a network trained from random weights",
    }
)
_NAMES = {
    "probe": "classifier on the frozen network",
    "finetune": "fine-tuned network",
    "scratch": "network from scratch",
}
