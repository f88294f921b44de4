"""Which engine answers, and that it answers the same. In: a model's file, what was asked. Out: a network. Next: opened.py.

ONNX Runtime in float32 is what `tellapart predict` answers by, and what the test was made with. Another engine is held against it
on made pictures when a model is opened, and must be within BOUNDS. Networks of whole numbers are rounded by each in its own way:
`auto` takes another for them where their test was taken through it, too, and is as good.
"""

from __future__ import annotations

import importlib.util
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import Manifest
from tellapart.errors import ModelFileError
from tellapart.openvino_session import OpenVinoSession, Precision, Refused
from tellapart.reporter import figure_name
from tellapart.runtime import OpenedNetwork, Session

EngineName = Literal["auto", "onnxruntime", "openvino", "openvino-bfloat16"]

# How far an engine may be from ONNX Runtime in float32: every output, of its largest number or of 1; and in bfloat16, where a
# probability or the like is concerned, that being all that its digits suffice for.
BOUNDS: Mapping[Precision, float] = {"float32": 1e-4, "bfloat16": 0.05}
_PROBABLE = ("probabilities", "scores")
MOST_LOST = 0.002  # of the test's figure, that whole numbers may lose through another engine for `auto` to take it
QUICKER = 0.9  # of ONNX Runtime's time, from which on `auto` takes another engine
_ROUNDS = 5  # pictures that both are timed on, in turn
_MADE = 6  # pictures that both are compared on

_PRECISIONS: dict[EngineName, Precision] = {
    "auto": "float32",
    "openvino": "float32",
    "openvino-bfloat16": "bfloat16",
}
_IMAGE = "image"  # the input of a network of pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChoice:
    """What is to answer, as a server was told."""

    name: EngineName = "onnxruntime"
    threads: int | None = None  # that will call; None: one a core

    def open(self, data: bytes, manifest: Manifest, path: Path, say: Callable[[str], None]) -> OpenedNetwork:
        """The network in the bytes of the model at `path`; `say` is told of an engine other than ONNX Runtime.

        Of whole numbers the manifest says what they are worth through OpenVINO, where that was looked at.
        Raises: ModelFileError where ONNX Runtime cannot load it, or where the engine that was named cannot answer in its place.
        """
        usual = Session(data, source=str(path))
        whole = manifest.compression is not None and manifest.compression.integers
        suits = _IMAGE in usual.inputs and (not whole or _as_good(manifest))  # texts are not answered quicker
        if self.name == "onnxruntime" or (self.name == "auto" and not (suits and _is_installed())):
            return usual
        precision = _PRECISIONS[self.name]
        try:
            other = OpenVinoSession(data, precision=precision, threads=self.threads)
            apart = _difference(usual, other, precision)
        except Refused as reason:
            return self._stay(usual, f"it cannot be run by --engine {self.name}: {reason}", path)
        bound = BOUNDS["bfloat16" if whole else precision]
        if not apart < bound and not (whole and self.name != "auto"):
            rule = f"the rule is under {bound:g}"
            return self._stay(
                usual, f"{other.called} is {apart:.1g} away from ONNX Runtime in {precision}, and {rule}", path
            )
        if self.name == "auto" and (share := _share_of_time(usual, other)) > QUICKER:
            return usual
        gain = f"{share:.2f} times ONNX Runtime's time, " if self.name == "auto" else ""
        digits = f"whole numbers of 8 bits{_told(manifest)}" if whole else precision
        say(f"{path} is answered by {other.called} in {digits}: {gain}{apart:.1g} from it on made pictures")
        return other

    def _stay(self, usual: OpenedNetwork, reason: str, path: Path) -> OpenedNetwork:
        if self.name == "auto":
            return usual
        raise ModelFileError(f"{path} is not served: {reason}. Serve it with --engine onnxruntime.")


def _as_good(manifest: Manifest) -> bool:
    """Whether whole numbers were tested by OpenVINO, too, and did as well but for MOST_LOST."""
    story = manifest.compression
    if story is None or story.by_openvino is None:
        return False
    return story.by_openvino.score.value >= story.after.score.value - MOST_LOST


def _told(manifest: Manifest) -> str:
    """What they are worth by it."""
    if manifest.compression is None or manifest.compression.by_openvino is None:
        return ""
    tested = manifest.compression.by_openvino
    of = figure_name(next(iter(manifest.scores), "score"))
    return f" ({of} {100 * tested.score.value:.1f} % on its test by {tested.engine})"


def _is_installed() -> bool:
    return importlib.util.find_spec("openvino") is not None


def _difference(usual: OpenedNetwork, other: OpenVinoSession, precision: Precision) -> float:
    """The largest difference of an output, where numbers above 1 count as parts of its largest. Raises: Refused."""
    if not set(usual.outputs) <= set(other.outputs):
        raise Refused(f"{other.called} gives {sorted(other.outputs)}, not {sorted(usual.outputs)}")
    compared = [name for name in usual.outputs if precision == "float32" or name in _PROBABLE]
    largest = 0.0
    for picture in _pictures(usual):
        for expected, found in zip(usual.run(picture, compared), other.tried(picture, compared), strict=True):
            if expected.shape != found.shape:
                return math.inf
            scale = max(1.0, float(np.abs(expected).max(initial=0)))
            largest = max(largest, float(np.abs(expected - found).max(initial=0)) / scale)
    return largest


def _share_of_time(usual: OpenedNetwork, other: OpenedNetwork) -> float:
    """The other's time of ONNX Runtime's, of the medians of one picture at a time, in turn."""
    picture = _pictures(usual)[0]
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(_ROUNDS):
        for seconds, network in zip(spent, (usual, other), strict=True):
            started = time.perf_counter()
            network.run(picture, list(network.outputs))
            seconds.append(time.perf_counter() - started)
    return statistics.median(spent[1]) / statistics.median(spent[0])


def _pictures(network: OpenedNetwork) -> Sequence[NDArray[np.uint8]]:
    """Made pictures [1, H, W, 3], from coarse to fine; a side that is free is 128."""
    height, width = (side if isinstance(side, int) else 128 for side in network.inputs[_IMAGE][1:3])
    random = np.random.default_rng(0)
    made = []
    for number in range(_MADE):
        cells = 2 ** (number + 1)
        coarse = random.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        rows, columns = np.arange(height) * cells // height, np.arange(width) * cells // width
        made.append(coarse[rows][:, columns][None])
    return made
