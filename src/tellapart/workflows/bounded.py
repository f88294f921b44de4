"""What a network costs, and which keep a bound. In: 5ms or 4MB, networks. Out: SmallForms. Next: small.py."""

from __future__ import annotations

import math
import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.compression.cutting import cut_network
from tellapart.compression.int8 import Int8
from tellapart.errors import SettingsError
from tellapart.evaluation.novelty import FIT_PICTURES, directions_for
from tellapart.features.backbone import ReadyBackbone
from tellapart.runtime import Session
from tellapart.settings.tree import TrainSettings
from tellapart.storage import storage_errors
from tellapart.workflows.searching.bench import Bench

SIZES = (260, 240, 224, 192, 160, 128, 96)  # pixels, sides of pictures that are tried
_ENDS = ("embedding",)
_HEAD_MB = 0.02  # of what else stands behind a network in its file: the manifest, names
_SURE = 0.97  # of a bound of time: a measurement is not taken twice alike
_NEARLY = 1.2  # of the bound, that a side may be thought to need and still be tried
_TIMED = 9  # calls
_RANGES = 2  # pictures of noise, by which integers are made to be timed
_FORMS = ("float32", "int8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What a model may cost."""

    limit: float
    unit: str  # ms, for one picture on one thread, or MB

    def __str__(self) -> str:
        return f"{self.limit:g} {self.unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallForm:
    """One network that keeps the bound."""

    backbone: str
    size: int  # pixels
    form: str  # float32 or int8
    cost: float  # in the bound's unit

    @property
    def name(self) -> str:
        """For a person."""
        return f"{self.backbone}, {self.size} px{', int8' if self.form == 'int8' else ''}"


def parse_bound(text: str) -> Bound:
    """`5ms` or `4MB`. Raises: SettingsError."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|mb)\s*", text, re.IGNORECASE)
    if match is None or float(match[1]) <= 0:
        raise SettingsError(
            f"--small is {text!r}; it is milliseconds a picture or megabytes of the file, above 0. Give 5ms or 4MB, for example."
        )
    return Bound(limit=float(match[1]), unit="MB" if match[2].lower() == "mb" else "ms")


def keeping(
    bound: Bound, natives: Mapping[str, int], measure: Callable[[str, int, str], float]
) -> tuple[list[SmallForm], list[SmallForm]]:
    """Of each network and form the largest pictures that keep the bound, and all that was measured.

    `natives` are networks with the side that they were trained on; `measure` gives the cost of a network, side and form. A file's
    megabytes do not hang on the side, so that the network's own is taken.
    """
    kept, measured = [], []
    sure = _SURE if bound.unit == "ms" else 1.0
    for name, native in natives.items():
        sizes = [size for size in SIZES if size <= native] if bound.unit == "ms" else [native]
        for form in _FORMS:
            most = native
            for size in sizes:
                if size > most:
                    continue
                found = SmallForm(backbone=name, size=size, form=form, cost=measure(name, size, form))
                measured.append(found)
                if found.cost <= sure * bound.limit:
                    kept.append(found)
                    break
                # A picture's cost goes with its area, nearly: sides that are far too large are passed over.
                most = max(SIZES[-1], int(size * math.sqrt(_NEARLY * bound.limit / found.cost)))
    return kept, measured


class Measure:
    """What a network costs, of pictures of noise."""

    def __init__(self, settings: TrainSettings, bench: Bench, bound: Bound) -> None:
        self._settings, self._bench, self._bound = settings, bench, bound

    def __call__(self, name: str, size: int, form: str) -> float:
        """Milliseconds a picture, or megabytes of the file. Raises: BackboneError."""
        ready = self._bench.backbone(at_size(self._settings, name, size))
        assert ready is not None
        with storage_errors(ready.network):
            network = ready.network.read_bytes()
        noise = np.random.default_rng(0).integers(0, 256, (_RANGES, size, size, 3), dtype=np.uint8)
        if form == "int8":
            network = Int8(cut_network(network, _ENDS, noise[:1], source=name), noise).made()
        if self._bound.unit == "MB":
            return len(network) / 1e6 + self._behind(ready, 4 if form == "float32" else 2)
        session = Session(network, source=name)
        return _milliseconds(session, _ENDS, noise[:1])

    def _behind(self, ready: ReadyBackbone, width: int) -> float:
        """Megabytes of what stands behind a network: the classifier, and numbers of `width` bytes that novelty is told by."""
        last, dataset = ready.embedding - sum(ready.stages), self._bench.dataset
        novelty = last * directions_for(min(len(dataset.rows["train"]), FIT_PICTURES), last) * width
        return _HEAD_MB + (novelty + 4 * ready.embedding * len(dataset.classes)) / 1e6


def at_size(settings: TrainSettings, backbone: str, size: int) -> TrainSettings:
    """The settings with that network and side of the pictures, in pixels."""
    network = settings.network.model_copy(update={"size": size})
    return settings.model_copy(update={"backbone": backbone, "network": network})


def cost_of(run: Path, bound: Bound) -> float:
    """What the finished file of a run costs, in the bound's unit. Raises: ModelFileError, StorageError."""
    file = run / "model.onnx"
    if bound.unit == "MB":
        return file.stat().st_size / 1e6
    session = Session(file, source=str(file))
    size = int(session.inputs["image"][1])
    noise = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), dtype=np.uint8)
    return _milliseconds(session, ("probabilities",), noise)


def _milliseconds(session: Session, outputs: Sequence[str], image: NDArray[np.uint8]) -> float:
    """One picture on one thread, the median of a few: processor time, which other work hardly moves."""
    session.run(image, outputs)
    took = []
    for _ in range(_TIMED):
        began = time.thread_time()
        session.run(image, outputs)
        took.append(time.thread_time() - began)
    return 1000 * statistics.median(took)
