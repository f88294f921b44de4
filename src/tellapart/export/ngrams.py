"""A classifier of n-grams as a part of model.onnx. In: weights, GramInputs. Out: GramGraph. Next: texts.py.

Its rows of tokens, int32 [N, B, L] -> a row of a table each -> sums over L -> each block by its length -> logits.
A table's row holds K weights, the square of the n-gram's frequency, and 0; those that tell the share of unknown n-grams have it
in the next column, which becomes the novelty. Where n-grams are known of another writing than most are in, those have the
square in a last column: what share of what is known of a text they are is its novelty where that is more. `vocabulary` are
the numbers of the known n-grams, whatever goes in.
Shapes: F known n-grams, K classes, B blocks of L n-grams a text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.export.texts import WrittenPart
from tellapart.texts.vocabulary import STEPS, GramInputs

TABLE, BIAS = "table", "classifier.bias"  # what these numbers are called, behind the part's name
_LEAST = 1e-9  # of a squared length: a text of which nothing is known


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GramGraph:
    """A TextGraph."""

    inputs: GramInputs
    frequency: NDArray[np.float32]  # [F]
    weight: NDArray[np.float32]  # [K, F], of features as training/ngram_counts.py has them
    bias: NDArray[np.float32]  # [K]
    other: NDArray[np.bool_] | None = None  # [F], those of another writing than most; None where none is

    @property
    def known(self) -> Mapping[str, NDArray[Any]]:
        """The numbers of the n-grams, int64 [F]."""
        return {"vocabulary": self.inputs.known.view(np.int64)}

    def write(self, tokens: str, name: str) -> WrittenPart:
        """See TextGraph."""
        from onnx import helper

        def node(operator: str, given: list[str], *found: str, **attributes: Any) -> Any:
            names = [one if one == tokens else f"{name}{one}" for one in given]
            return helper.make_node(operator, names, [f"{name}{one}" for one in found], **attributes)

        numbers: dict[str, NDArray[Any]] = {
            TABLE: table(self.inputs, frequency=self.frequency, weight=self.weight, other=self.other),
            BIAS: self.bias,
            "least": np.array(_LEAST, dtype=np.float32),
            "along": np.array([2], dtype=np.int64),
            "blocks": np.array([1], dtype=np.int64),
            "split": np.array([len(self.bias), 1, 1, *([] if self.other is None else [1])], dtype=np.int64),
        }
        parts = ["votes", "squares", "unknown", *([] if self.other is None else ["other"])]
        nodes = [
            node("Gather", [TABLE, tokens], "rows", axis=0),
            node("ReduceSum", ["rows", "along"], "sums", keepdims=0),
            node("Split", ["sums", "split"], *parts, axis=2),
            node("Max", ["squares", "least"], "squares_above"),
            node("Sqrt", ["squares_above"], "lengths"),
            node("Div", ["votes", "lengths"], "scaled"),
            node("ReduceSum", ["scaled", "blocks"], "joined", keepdims=0),
            node("Add", ["joined", BIAS], "logits"),
            node("Squeeze", ["unknown", "along"], "unknown_each"),
            node("ReduceSum", ["unknown_each", "blocks"], "unknown_share", keepdims=0),
        ]
        if self.other is not None:
            numbers["each"] = np.array(1 / self.inputs.rules.blocks, dtype=np.float32)
            nodes += [
                node("Div", ["other", "squares_above"], "other_each"),
                node("ReduceSum", ["other_each", "other_along"], "other_sum", keepdims=0),
                node("Mul", ["other_sum", "each"], "other_share"),
                # Its sixth power, as training/other_writing.py says why.
                node("Mul", ["other_share", "other_share"], "other_second"),
                node("Mul", ["other_second", "other_second"], "other_fourth"),
                node("Mul", ["other_fourth", "other_second"], "other_sixth"),
                node("Max", ["unknown_share", "other_sixth"], "strange"),
            ]
            numbers["other_along"] = np.array([1, 2], dtype=np.int64)
        return WrittenPart(
            nodes=nodes,
            parameters={f"{name}{key}": value for key, value in numbers.items()},
            logits=f"{name}logits",
            novelty=f"{name}{'unknown_share' if self.other is None else 'strange'}",
        )


def table(
    inputs: GramInputs,
    *,
    frequency: NDArray[np.float32],
    weight: NDArray[np.float32],
    other: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """Float32 [F + STEPS + 2, K + 2], or K + 3 where some n-grams are of another writing."""
    count, classes = len(inputs.known), len(weight)
    found = np.zeros((inputs.rows, classes + (2 if other is None else 3)), dtype=np.float32)
    found[:count, :classes] = (weight * frequency).T
    found[:count, classes] = np.square(frequency)
    found[count + 1 :, classes + 1] = np.arange(STEPS + 1) / STEPS
    if other is not None:
        found[:count, classes + 2] = np.where(other, np.square(frequency), 0)
    return found
