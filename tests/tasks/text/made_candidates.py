"""Candidates with planted logits, and a data set for them. In: logits. Out: MadeCandidate, Dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import BackboneRecord
from tellapart.data.dataset import Dataset
from tellapart.evaluation.choosing import HeldOut
from tellapart.export.texts import WrittenPart
from tellapart.features.backbone import ReadyBackbone
from tellapart.texts.inputs import TextInputs


class MadePart:
    """A TextPart and TextGraph of K classes: its row of tokens holds the logits' hundredths, in turn."""

    height, padding, at_once = 1, 0, 8

    def __init__(self, classes: int, called: str) -> None:
        self._classes, self.known = classes, {called: np.arange(3, dtype=np.int64)}
        self.inputs = self

    def encode(self, texts: Sequence[str]) -> NDArray[np.int32]:
        return np.array([[[int(number) for number in text.split()]] for text in texts], dtype=np.int32)

    def write(self, tokens: str, name: str) -> WrittenPart:
        from onnx import TensorProto, helper

        numbers = {
            f"{name}hundred": np.array(100, dtype=np.float32),
            f"{name}from": np.array([0], dtype=np.int64),
            f"{name}to": np.array([self._classes], dtype=np.int64),
            f"{name}along": np.array([1], dtype=np.int64),
        }
        nodes = [
            helper.make_node("Cast", [tokens], [f"{name}cast"], to=TensorProto.FLOAT),
            helper.make_node("Squeeze", [f"{name}cast", f"{name}along"], [f"{name}row"]),
            helper.make_node("Slice", [f"{name}row", f"{name}from", f"{name}to", f"{name}along"], [f"{name}cut"]),
            helper.make_node("Div", [f"{name}cut", f"{name}hundred"], [f"{name}logits"]),
            helper.make_node("ReduceSum", [f"{name}cut", f"{name}along"], [f"{name}sum"], keepdims=0),
        ]
        return WrittenPart(nodes=nodes, parameters=numbers, logits=f"{name}logits", novelty=f"{name}sum")


@dataclass(frozen=True, kw_only=True, eq=False)
class MadeCandidate:
    """A TextCandidate whose logits [N, K] are given."""

    planted: NDArray[np.float32]
    called: str = "classifier of made numbers"
    strategy: str = "probe"
    held_out: HeldOut | None = None
    precision: float = 1e-3
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def texts(self) -> list[str]:
        return [" ".join(str(round(100 * one)) for one in row) for row in self.planted.tolist()]

    @property
    def part(self) -> MadePart:
        return MadePart(self.planted.shape[1], self.called.split()[-1])

    @property
    def inputs(self) -> TextInputs:
        return TextInputs(parts=(self.part,))

    @property
    def graphs(self) -> Sequence[MadePart]:
        return (self.part,)

    @property
    def records(self) -> Mapping[str, Any]:
        return {self.called.split()[-1]: 1}

    @property
    def described(self) -> BackboneRecord:
        return BackboneRecord(
            name=self.called, embedding=2, weights_source="made", weights_license="none", weights_fingerprint="0"
        )

    @property
    def backbone(self) -> ReadyBackbone:
        raise ValueError

    def head(self) -> dict[str, NDArray[np.float32]]:
        return {"weight": self.planted}

    def logits(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.planted[rows]

    def unknown(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(self.planted[rows].sum(axis=1), dtype=np.float64)


def made_dataset(labels: NDArray[np.int64], classes: int) -> Dataset:
    """Of N rows, which are all for validation."""
    from pathlib import Path

    from tellapart.data.examples import Example, PictureFile
    from tellapart.data.targets import ClassName

    names = tuple(f"class {number}" for number in range(classes))
    examples = [
        Example(
            path=Path(f"{row}"),
            target=ClassName(names[label]),
            split="validation",
            group=str(row),
            content_hash=f"{row:05}",
            width=1,
            height=1,
        )
        for row, label in enumerate(labels.tolist())
    ]
    return Dataset(
        classes=names,
        examples=examples,
        indices=np.arange(len(labels)),
        targets=labels,
        groups=np.arange(len(labels)),
        splits=np.array(["validation"] * len(labels)),
        leaked=np.zeros(len(labels), dtype=np.bool_),
        pictures=tuple(PictureFile(path=one.path, file_hash="", content_hash="") for one in examples),
    )
