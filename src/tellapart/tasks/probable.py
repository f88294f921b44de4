"""What tasks whose answers are probabilities share: a file, answers as arrays. In: Choice, Tested. Out: bytes. Next: table.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tellapart.bundle import Manifest
    from tellapart.evaluation.choosing import Choice, LinearCandidate
    from tellapart.features.backbone import ReadyBackbone
    from tellapart.runs.writing import Tested


class Probable(Protocol):
    """The answer for one picture that could be read, with a probability for each of K classes."""

    @property
    def probabilities(self) -> NDArray[np.float32] | None:
        """[K]; None of an unread picture."""
        ...

    @property
    def novelty(self) -> float | None:
        """None where the model cannot tell it."""
        ...


def probabilities_of(answers: Sequence[Probable]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Probabilities [n, K] and novelty [n], NaN where there is none, of n pictures that could be read."""
    novelty = [np.nan if answer.novelty is None else answer.novelty for answer in answers]
    return np.array([answer.probabilities for answer in answers], np.float32), np.array(novelty, np.float32)


def largest_of(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """The largest difference of two pictures' or files' probabilities, each [K]."""
    return float(np.abs(first.astype(np.float64) - second).max())


ENDS = ("embedding",)  # of a linear classifier's model.onnx: where its network ends


def reopen_linear(
    model: bytes,
    backbone: ReadyBackbone,
    strategy: str,
    embeddings: Callable[[NDArray[np.int64]], NDArray[np.float32]],
) -> LinearCandidate:
    """The classifier of a model.onnx, on a network that gives such embeddings. Raises: ModelFileError where it has none."""
    from tellapart.evaluation.choosing import LinearCandidate
    from tellapart.explanation.graph import Graph

    graph = Graph(model)
    return LinearCandidate(
        strategy=strategy,
        backbone=backbone,
        weight=graph.classifier("weight"),
        bias=graph.classifier("bias"),
        embeddings=embeddings,
        details={},
    )


def export_linear(choice: Choice[LinearCandidate], tested: Tested, manifest: Manifest) -> bytes:
    """The bytes of a linear classifier's model.onnx, with the novelty that its test has in `details`.

    Raises: StorageError when the network's file cannot be read.
    """
    from tellapart.export.assemble import assemble

    candidate = choice.winner.candidate
    return assemble(
        candidate.backbone.network,
        weight=candidate.weight,
        bias=candidate.bias,
        manifest=manifest,
        novelty=tested.details.novelty.arrays(),
    )
