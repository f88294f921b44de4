"""Which engine answers, and that it answers the same. In: a model's file, what was asked. Out: a network. Next: opened.py.

ONNX Runtime in float32 is what `tellapart predict` answers by, and what the test was made with. Another engine is held against it
on made pictures when a model is trained or opened, and must be within BOUNDS. Networks of whole numbers are rounded by each in
its own way: `auto` takes another for them where their test was taken through it, too, and is as good.
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

from tellapart.bundle import Manifest, open_model
from tellapart.errors import ModelFileError
from tellapart.openvino_session import OpenVinoSession, Precision, Refused
from tellapart.reporter import figure_name
from tellapart.runtime import OpenedNetwork, Session
from tellapart.serving.quickest import Quickest, measured, read_quickest, write_quickest

EngineName = Literal["auto", "onnxruntime", "openvino", "openvino-bfloat16"]

# How far an engine may be from ONNX Runtime in float32: every output, of its largest number or of 1; and in bfloat16, where a
# probability or the like is concerned, that being all that its digits suffice for.
BOUNDS: Mapping[Precision, float] = {"float32": 1e-4, "bfloat16": 0.05}
_PROBABLE = ("probabilities", "scores")
MOST_LOST = 0.002  # of the test's figure, that whole numbers may lose through another engine for `auto` to take it
QUICKER = 0.9  # of ONNX Runtime's time, from which on `auto` takes another engine
_ROUNDS, _MANY_ROUNDS = 5, 15  # pictures that both are timed on, in turn; more where what is found is kept
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

        `auto` takes the one that was quickest when the model was trained, where that was on such a machine. Of whole numbers the
        manifest says what they are worth through OpenVINO, where that was looked at.
        Raises: ModelFileError where ONNX Runtime cannot load it, or where the engine that was named cannot answer in its place.
        """
        if self.name == "auto":
            return self._open_quickest(data, manifest, path, say)
        usual = Session(data, source=str(path))
        return usual if self.name == "onnxruntime" else self._open_named(usual, data, manifest, path, say)

    def _open_quickest(self, data: bytes, manifest: Manifest, path: Path, say: Callable[[str], None]) -> OpenedNetwork:
        network: OpenedNetwork | None = None
        known = read_quickest(path, data) if _is_installed() else None
        if known is not None:
            network = _open_known(known, data, path, self.threads)
        remembered = network is not None
        if network is None:
            network, known = time_engines(data, manifest, path, threads=self.threads)
        if known is not None and known.engine == "openvino":
            called = getattr(network, "called", "OpenVINO")
            say(
                f"{path} is answered by {called} in {_digits(manifest, 'float32')}: {known.share:.2f} times ONNX Runtime's time, "
                f"{known.apart:.1g} from it on made pictures"
            )
            if remembered:
                say(f"that was measured when {path} was made, on this processor")
        return network

    def _open_named(
        self, usual: OpenedNetwork, data: bytes, manifest: Manifest, path: Path, say: Callable[[str], None]
    ) -> OpenedNetwork:
        precision = _PRECISIONS[self.name]
        try:
            other = OpenVinoSession(data, precision=precision, threads=self.threads)
            apart = _difference(usual, other, precision)
        except Refused as reason:
            raise self._not_served(path, f"it cannot be run by --engine {self.name}: {reason}") from None
        if not apart < BOUNDS[precision] and not _is_whole(manifest):
            rule = f"the rule is under {BOUNDS[precision]:g}"
            raise self._not_served(
                path, f"{other.called} is {apart:.1g} away from ONNX Runtime in {precision}, and {rule}"
            )
        say(
            f"{path} is answered by {other.called} in {_digits(manifest, precision)}: {apart:.1g} from it on made pictures"
        )
        return other

    def _not_served(self, path: Path, reason: str) -> ModelFileError:
        return ModelFileError(f"{path} is not served: {reason}. Serve it with --engine onnxruntime.")


def remember_quickest(path: Path) -> None:
    """Time the engines on the model at `path`, and keep beside it which is the quickest here, for who opens it with `auto`.

    Nothing where there is no choice. Raises: ModelFileError, StorageError for a file that is no model.
    """
    if not _is_installed():
        return
    found: list[Quickest | None] = []

    def look(data: bytes, manifest: Manifest, where: Path) -> OpenedNetwork:
        network, quickest = time_engines(data, manifest, where, rounds=_MANY_ROUNDS)
        found.append(quickest)
        return network

    open_model(path, look)
    if found and found[0] is not None:
        write_quickest(path, found[0])


def time_engines(
    data: bytes, manifest: Manifest, path: Path, *, threads: int | None = None, rounds: int = _ROUNDS
) -> tuple[OpenedNetwork, Quickest | None]:
    """The quicker engine for a model, opened for `threads` that will call, and what was measured; None where there is no choice.

    `rounds`: pictures that both are timed on, in turn. Raises: ModelFileError where ONNX Runtime cannot load it.
    """
    usual = Session(data, source=str(path))
    whole = _is_whole(manifest)
    suits = _IMAGE in usual.inputs and (not whole or _as_good(manifest))  # texts are not answered quicker
    if not (suits and _is_installed()):
        return usual, None
    try:
        other = OpenVinoSession(data, precision="float32", threads=threads)
        apart = _difference(usual, other, "float32")
    except Refused:
        return usual, None
    if not apart < BOUNDS["bfloat16" if whole else "float32"]:
        return usual, measured(data, "onnxruntime", share=None, apart=apart)
    share = _share_of_time(usual, other, rounds)
    if share > QUICKER:
        return usual, measured(data, "onnxruntime", share=share, apart=apart)
    return other, measured(data, "openvino", share=share, apart=apart)


def _open_known(known: Quickest, data: bytes, path: Path, threads: int | None) -> OpenedNetwork | None:
    """The engine that is known to be the quickest; None where it cannot run the model after all."""
    if known.engine == "onnxruntime":
        return Session(data, source=str(path))
    try:
        return OpenVinoSession(data, precision="float32", threads=threads)
    except Refused:
        return None


def _is_whole(manifest: Manifest) -> bool:
    return manifest.compression is not None and manifest.compression.integers


def _digits(manifest: Manifest, precision: Precision) -> str:
    return f"whole numbers of 8 bits{_told(manifest)}" if _is_whole(manifest) else precision


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


def _share_of_time(usual: OpenedNetwork, other: OpenedNetwork, rounds: int) -> float:
    """The other's time of ONNX Runtime's, of the medians of one picture at a time, in turn."""
    picture = _pictures(usual)[0]
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
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
