"""A finished file must answer as was tested. In: a tiny model, coloured pictures. Out: what passes, what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.errors import ModelFileError
from tellapart.preprocessing import Preprocessing
from tellapart.runs.proving import Expected, prepared
from tellapart.runs.proving import prove as prove_file

SQUARE = Preprocessing(size=16, crop=1.0)


def logits(outputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Of the tiny model, by hand: ten times the mean of blue, green and red, and 0.1, 0.2 and 0.3."""
    return 10 * outputs["embedding"][:, ::-1] + np.array([0.1, 0.2, 0.3], dtype=np.float32)


def halved(outputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Probabilities at the file's temperature of one half, by hand."""
    powers = np.exp(logits(outputs) / 0.5)
    return (powers / powers.sum(1, keepdims=True)).astype(np.float32)


def prove(tiny_bytes: bytes, dataset: Dataset, **expected: Expected) -> float:
    return prove_file(tiny_bytes, prepared(dataset.examples[:4], SQUARE), expected)


def test_an_output_is_compared_with_what_others_of_the_file_make_it(tiny_bytes: bytes, dataset: Dataset) -> None:
    whole = Expected(of="probabilities", values=halved, reads=("embedding",))
    assert prove(tiny_bytes, dataset, probabilities=whole) < 1e-5


def test_an_output_alone_needs_no_embedding(tiny_bytes: bytes, dataset: Dataset) -> None:
    seen: list[set[str]] = []

    def itself(outputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        seen.append(set(outputs))
        return np.asarray(outputs["probabilities"] - np.float32(1e-6))

    assert prove(tiny_bytes, dataset, probabilities=Expected(of="shares", values=itself)) == pytest.approx(
        1e-6, rel=0.1
    )
    assert seen == [{"probabilities"}]


def test_another_answer_is_refused_absolutely_or_relative_to_its_size(tiny_bytes: bytes, dataset: Dataset) -> None:
    def off(outputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        return np.asarray(1000 * outputs["embedding"] + np.float32(0.01))

    with pytest.raises(ModelFileError, match="the new model.onnx gives other means than the network that was tested"):
        prove(tiny_bytes, dataset, embedding=Expected(of="means", values=lambda outputs: outputs["embedding"] + 0.01))
    with pytest.raises(ModelFileError, match="gives other means"):
        prove(tiny_bytes, dataset, embedding=Expected(of="means", values=off, tolerance=0.5))
    relative = Expected(of="means", values=lambda outputs: outputs["embedding"] + np.float32(0.01), tolerance=0.02)
    assert prove(tiny_bytes, dataset, embedding=relative) == 0.0
