"""A finished file answers as it was tested. In: model.onnx, what it must give. Out: the largest difference. Next: writing.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data.examples import Example
from tellapart.export.parity import check_parity
from tellapart.preprocessing import Preprocessing, load
from tellapart.runtime import Session
from tellapart.sources.reading import read_bytes
from tellapart.storage import storage_errors

PROOF = 4  # test pictures whose outputs the finished file must give as tested
NOVELTY_TOLERANCE = 0.01  # relative; squared distances lose digits, and none of the later ones decides anything


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Expected:
    """What an output of the finished file must be for the first test pictures."""

    of: str  # what a message calls it
    # The file's outputs by name, [n, ...] each, at least those of `reads` -> what this one must be, [n, ...].
    values: Callable[[Mapping[str, NDArray[Any]]], NDArray[np.float32]]
    reads: tuple[str, ...] = ()
    tolerance: float | None = None  # relative above 1; None: that of probabilities


def prepared(shown: Sequence[Example], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """The pictures [N, S, S, 3] as a network takes them. Raises: StorageError, PictureError."""
    with storage_errors(shown[0].path):
        return np.stack([load(read_bytes(example.path), preprocessing) for example in shown])


def prove(data: bytes, images: NDArray[Any], expected: Mapping[str, Expected]) -> float:
    """The largest difference between probabilities as tested and as the new file gives them. Raises: ModelFileError."""
    what = "the new model.onnx"
    session = Session(data, source=what)
    read = (name for one in expected.values() for name in one.reads)
    names = list(dict.fromkeys([*read, *expected]))
    outputs = dict(zip(names, session.run(images, names), strict=True))
    largest = 0.0
    for name, one in expected.items():
        wanted, value = one.values(outputs), outputs[name]
        if one.tolerance is None:
            largest = max(largest, check_parity(wanted, value, what=what, of=one.of))
            continue
        scale = np.maximum(wanted, 1)
        relative = (wanted / scale).astype(np.float32), (value / scale).astype(np.float32)
        check_parity(*relative, what=what, of=one.of, tolerance=one.tolerance)
    return largest


def expected_of(
    probabilities: NDArray[np.float32], novelty: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> dict[str, Expected]:
    """Of test pictures the probabilities [n, K], and what `novelty` [n] makes of the file's own embeddings [n, D]."""
    return {
        "novelty": Expected(
            of="novelty scores",
            values=lambda outputs: novelty(outputs["embedding"]),
            reads=("embedding",),
            tolerance=NOVELTY_TOLERANCE,
        ),
        "probabilities": Expected(of="probabilities", values=lambda _: probabilities[:PROOF]),
    }
