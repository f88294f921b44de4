"""A network before and after, on the same test pictures. In: Compressible, a new model.onnx. Out: Compared. Next: concluding.py.

Each engine rounds integers in its own way. Where OpenVINO is installed the test is taken through it, too, so that who serves the
file by it knows what it is worth.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tellapart.bundle import Manifest, open_bytes
from tellapart.compression.counting import heavy_layers
from tellapart.manifest import CompressedSide, EngineScore
from tellapart.openvino_session import OpenVinoSession, Refused
from tellapart.record_parts import Score
from tellapart.runtime import cores
from tellapart.workflows.compressing.compressible import Compressible
from tellapart.workflows.rating.asking import AskedSplit, ask_split
from tellapart.workflows.rating.changed import Change, changed
from tellapart.workflows.rating.rated import Compute, Rated, compute_of, rate
from tellapart.workflows.rating.timing import Milliseconds, time_in_turn


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredSide:
    """The model before or after, on the same test pictures."""

    path: Path  # of the file
    name: str  # of the headline figure
    score: Score
    log_loss: float | None  # None where the task has none
    calibration_error: float | None
    megabytes: float
    macs: int  # 0 where they are not counted, as of texts
    milliseconds: Milliseconds  # both timed in turn

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        return {
            "format": "onnx",
            "path": str(self.path),
            "score": {"name": self.name, "value": self.score.value, "low": self.score.low, "high": self.score.high},
            "log_loss": self.log_loss,
            "calibration_error": self.calibration_error,
            "milliseconds": self.milliseconds.as_json(),
            "megabytes": round(self.megabytes, 3),
            "macs": self.macs,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Both sides, and what changed."""

    before: MeasuredSide
    after: MeasuredSide
    change: Change
    pictures: int  # of the test split
    by_openvino: EngineScore | None  # of integers, where that is installed


def compare_sides(work: Compressible, model: bytes, manifest: Manifest, path: Path) -> Compared:
    """The run's model and the bytes of a new one, which is to lie at `path`, on the test split.

    Timed in turn, so that what else the machine does falls on both alike. Raises: DataError, ModelFileError.
    """
    asked = ask_split(work.run, "test", work.work, work.reporter)
    opened = open_bytes(model, source="the new model.onnx")
    computes = [compute_of(one) for one in (work.run.model, opened)]
    first = _rate(work, computes[0], asked, work.run.manifest, len(work.model), "Testing it before")
    second = _rate(work, computes[1], asked, manifest, len(model), "Testing it after")
    with work.reporter.step("Timing both in turn", 1) as advance:
        times = time_in_turn(computes, asked.inputs)
        advance(1)
    change = changed(first, second, asked, work.run.manifest, manifest_after=manifest, seed=work.run.settings.seed)
    return Compared(
        before=measured(work.run.file, first, times[0], _macs(work.model, work)),
        after=measured(path, second, times[1], _macs(model, work)),
        change=change,
        pictures=len(asked.pictures),
        by_openvino=_by_openvino(work, model, manifest, asked, second),
    )


def recorded(side: MeasuredSide) -> CompressedSide:
    """What a manifest tells of a side."""
    return CompressedSide(score=_score(side.score), megabytes=side.megabytes, macs=side.macs)


def _rate(work: Compressible, compute: Compute, asked: AskedSplit, manifest: Manifest, size: int, said: str) -> Rated:
    return rate(
        compute,
        asked,
        manifest,
        megabytes=size / 1e6,
        timed=False,
        workers=cores(),
        seed=work.run.settings.seed,
        reporter=work.reporter,
        said=said,
    )


def _by_openvino(
    work: Compressible, model: bytes, manifest: Manifest, asked: AskedSplit, usual: Rated
) -> EngineScore | None:
    """The test of integers through OpenVINO; None of other networks, or where it cannot be had."""
    if not any(step.kind == "int8" for step in work.steps) or importlib.util.find_spec("openvino") is None:
        return None
    names = work.task.answering.outputs
    try:
        session = OpenVinoSession(model, precision="float32")
        there = [name for name in names if name in session.outputs]
        session.tried(asked.inputs[:1], there)
    except Refused:
        return None

    def compute(inputs: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        return dict(zip(there, session.run(inputs, there), strict=True))

    rated = _rate(work, compute, asked, manifest, len(model), "Testing it by OpenVINO")
    change = changed(usual, rated, asked, manifest, seed=work.run.settings.seed)
    return EngineScore(
        engine=session.called.partition("-")[0],
        score=_score(rated.score),
        flipped=change.flipped,
        largest=change.largest,
    )


def _macs(model: bytes, work: Compressible) -> int:
    return sum(layer.macs for layer in heavy_layers(model, work.sample))


def measured(path: Path, rated: Rated, milliseconds: Milliseconds, macs: int) -> MeasuredSide:
    """A side, as it was rated."""
    return MeasuredSide(
        path=path,
        name=rated.name,
        score=rated.score,
        log_loss=_figure(rated.metrics.get("log_loss")),
        calibration_error=_figure(rated.metrics.get("calibration_error")),
        megabytes=rated.megabytes,
        macs=macs,
        milliseconds=milliseconds,
    )


def _figure(found: Any) -> float | None:
    """A figure of metrics.json, whether it has an interval, was taken before and after calibration, or stands alone."""
    if isinstance(found, Mapping):
        found = found.get("value", found.get("after"))
    return None if found is None else float(found)


def _score(found: Score) -> Score:
    """Its value and interval alone."""
    return Score(value=found.value, low=found.low, high=found.high)
