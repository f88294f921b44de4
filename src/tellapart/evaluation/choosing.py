"""Which of several trained classifiers to keep. In: Candidates, the validation split. Out: Choice. Next: runs/writing.py.

The validation split decides; the test split is looked at once, after that. A candidate that was trained longer must
beat the simpler one by more than chance would: its mean log loss must be lower by at least one standard error of the
difference, picture by picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.calibration import apply_temperature, fit_class_biases, fit_temperature
from tellapart.features.backbone import ReadyBackbone


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """A trained classifier: a network to the embedding, and a linear layer on it."""

    strategy: str  # probe, finetune or scratch
    backbone: ReadyBackbone  # its ONNX file gives the embedding
    weight: NDArray[np.float32]  # [K, D]
    bias: NDArray[np.float32]  # [K]
    # Rows of the dataset -> [n, D], as model.onnx will say; each picture is embedded once.
    embeddings: Callable[[NDArray[np.int64]], NDArray[np.float32]]
    details: Mapping[str, Any]  # for metrics.json

    def logits(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits [n, K] of rows of the dataset, before the temperature, as model.onnx will say."""
        return self.embeddings(rows) @ self.weight.T + self.bias


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Validated:
    """A candidate on the validation split."""

    candidate: Candidate
    temperature: float
    log_losses: NDArray[np.float64]  # [n], in nats, calibrated
    accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choice:
    """The one that is kept, and why."""

    winner: Validated
    reason: str  # a sentence; empty where there was nothing to choose
    compared: tuple[Validated, ...]


def validate(candidate: Candidate, rows: NDArray[np.int64], labels: NDArray[np.int64]) -> Validated:
    """Fit the temperature on the validation rows and score them. `labels` are those of `rows`."""
    logits_NK = candidate.logits(rows)
    temperature = fit_temperature(logits_NK, labels)
    probabilities = apply_temperature(logits_NK, temperature).astype(np.float64)
    own = probabilities[np.arange(len(labels)), labels]
    return Validated(
        candidate=candidate,
        temperature=temperature,
        log_losses=-np.log(np.maximum(own, 1e-12)),
        accuracy=float((probabilities.argmax(axis=1) == labels).mean()),
    )


def choose(simpler: Validated, other: Validated) -> Choice:
    """Keep `other` when it is better than `simpler` by more than chance would make it."""
    gains = simpler.log_losses - other.log_losses
    gain = float(gains.mean())
    error = float(gains.std(ddof=1) / np.sqrt(len(gains))) if len(gains) > 1 else np.inf
    wins = gain > error and other.accuracy >= simpler.accuracy
    kept, left = (other, simpler) if wins else (simpler, other)
    because = (
        "is better"
        if wins
        else "is no better"
        if gain <= 0 or other.accuracy < simpler.accuracy
        else "is better by no more than chance"
    )
    reason = (
        f"Kept the {_NAMES[kept.candidate.strategy]}: on {len(gains):,} validation pictures the "
        f"{_NAMES[other.candidate.strategy]} {because} "
        f"(log loss {other.log_losses.mean():.3f} against {simpler.log_losses.mean():.3f}, "
        f"accuracy {100 * other.accuracy:.1f} % against {100 * simpler.accuracy:.1f} %)."
    )
    return Choice(winner=kept, reason=reason, compared=(kept, left))


def only(validated: Validated, reason: str = "") -> Choice:
    """There is nothing to compare with."""
    return Choice(winner=validated, reason=reason, compared=(validated,))


def with_class_biases(choice: Choice, rows: NDArray[np.int64], labels: NDArray[np.int64]) -> Choice:
    """The same choice; the biases of the winner's classes are set by the validation rows, together with its temperature.

    They were not chosen by: what was compared had its temperature alone.
    """
    candidate = choice.winner.candidate
    temperature, biases = fit_class_biases(candidate.logits(rows), labels)
    corrected = replace(candidate, bias=(candidate.bias + biases).astype(np.float32))
    return replace(choice, winner=replace(choice.winner, candidate=corrected, temperature=temperature))


def comparison(choice: Choice) -> Sequence[dict[str, Any]]:
    """The candidates as JSON, the winner first."""
    return [
        {
            "strategy": one.candidate.strategy,
            "log_loss": float(one.log_losses.mean()),
            "accuracy": one.accuracy,
            "temperature": one.temperature,
        }
        for one in choice.compared
    ]


_NAMES = {
    "probe": "classifier on the frozen network",
    "finetune": "fine-tuned network",
    "scratch": "network from scratch",
}
