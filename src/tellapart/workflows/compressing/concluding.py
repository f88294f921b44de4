"""A smaller network becomes a run like any other. In: Compressible. Out: its folder, Compressed. Next: workflows/compress.py.

Calibration, thresholds and novelty are learned anew on the validation split; before and after are asked the same test pictures.
The folder is filled under another name: it is there whole, or not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tellapart.bundle import Manifest, open_bytes
from tellapart.compression.counting import heavy_layers
from tellapart.compression.float16 import halve
from tellapart.data.examples_csv import write_examples
from tellapart.errors import StorageError
from tellapart.evaluation.choosing import Candidate, Choice, only
from tellapart.export.assemble import sealed
from tellapart.manifest import CompressedSide, CompressionRecord, CompressionStep
from tellapart.record_parts import Score
from tellapart.runs.open import EXAMPLES, MODEL, RECIPE, WEIGHTS
from tellapart.runs.proving import PROOF, prepared, prove
from tellapart.runs.recipe import recipe_text, versions
from tellapart.runs.run import moved_data
from tellapart.runs.writing import Tested, weights_of, write_answers
from tellapart.runtime import cores
from tellapart.storage import current_umask, own_folder, storage_errors, write_bytes, write_json
from tellapart.workflows.compressing.compressible import Compressible
from tellapart.workflows.rating.asking import ask_split
from tellapart.workflows.rating.changed import Change, changed
from tellapart.workflows.rating.rated import Rated, compute_of, rate
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
    macs: int
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
class Compressed:
    """A model made smaller."""

    run: Path  # its folder
    before: MeasuredSide
    after: MeasuredSide
    change: Change
    pictures: int  # of the test split, that both were asked
    steps: tuple[CompressionStep, ...]
    warning: str = ""  # what a person should know of how it decides

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        same = {"flipped": 0, "flipped_share": 0.0, "largest_difference": 0.0}
        return {
            "run": str(self.run),
            "model": str(self.run / MODEL),
            "n_test": self.pictures,
            "before": self.before.as_json() | same,
            "after": self.after.as_json() | self.change.as_json(),
            "steps": [step.model_dump() for step in self.steps],
        }


def conclude(work: Compressible, out: Path, *, pictures: Path | None = None) -> Compressed:
    """Judge, test, compare and write what the steps have made. Raises: StorageError, ModelFileError, DataError."""
    run, task, settings = work.run, work.task, work.run.settings
    choice = task.correct(settings, only(task.validate(work.candidate, work.dataset)), work.dataset)
    tested = task.test(settings, choice, work.dataset)
    plain = _manifest(work, tested)
    # How good it is stands in its manifest, which its size hangs on by a few letters.
    model = _exported(work, choice, tested, plain)
    before, after, change, asked = _compared(work, model, plain, out / MODEL)
    record = CompressionRecord(
        of=hashlib.sha256(work.model).hexdigest(),
        steps=work.steps,
        before=_recorded(before),
        after=_recorded(after),
    )
    manifest = plain.model_copy(update={"compression": record})
    model = _exported(work, choice, tested, manifest)
    shown = [work.dataset.examples[index] for index in work.dataset.indices[tested.rows].tolist()]
    difference = prove(model, prepared(shown[:PROOF], run.preprocessing), tested.expected)
    found = Compressed(
        run=out, before=before, after=after, change=change, pictures=asked, steps=work.steps, warning=tested.warning
    )
    with _whole_folder(out) as folder:
        write_examples(folder / EXAMPLES, work.dataset.examples)
        write_json(folder / "audit.json", run.audit)
        write_answers(folder, tested, shown)
        write_json(folder / "metrics.json", _metrics(work, tested, difference, found))
        moved = {} if pictures is None else {"data": str(moved_data(Path(settings.data), pictures))}
        recipe = "# The run that this one was made from; what was done to it stands in model.onnx (tellapart info).\n"
        write_bytes(folder / RECIPE, (recipe + recipe_text(settings.model_copy(update=moved))).encode())
        if work.candidate.backbone.weights.is_file():
            write_bytes(folder / WEIGHTS, weights_of(choice.winner.candidate))
        line = {"time": manifest.created, "event": "compressed", "from": str(run.folder)}
        write_bytes(folder / "log.jsonl", (json.dumps(line, ensure_ascii=False) + "\n").encode())
        write_bytes(folder / MODEL, model)
    return found


def _exported(work: Compressible, choice: Choice[Candidate], tested: Tested, manifest: Manifest) -> bytes:
    """The bytes of model.onnx; with halved weights those are halved, too, by which what is unlike all is known."""
    model = work.task.export(choice, tested, manifest)
    if not any(step.kind == "float16" for step in work.steps):
        return model
    import onnx

    return sealed(onnx.load_model_from_string(halve(model, prefix="novelty.")), manifest)


def _compared(
    work: Compressible, model: bytes, manifest: Manifest, path: Path
) -> tuple[MeasuredSide, MeasuredSide, Change, int]:
    """Both on the test split; timed in turn, so that what else the machine does falls on both alike. `path`: of the new file."""
    asked = ask_split(work.run, "test", work.work, work.reporter)
    opened = open_bytes(model, source="the new model.onnx")
    sides = ((work.run.model, work.run.manifest, len(work.model)), (opened, manifest, len(model)))
    seed, computes = work.run.settings.seed, [compute_of(one) for one, _, _ in sides]
    rated = [
        rate(
            compute,
            asked,
            told,
            megabytes=size / 1e6,
            timed=False,
            workers=cores(),
            seed=seed,
            reporter=work.reporter,
            said=said,
        )
        for compute, (_, told, size), said in zip(
            computes, sides, ("Testing it before", "Testing it after"), strict=True
        )
    ]
    with work.reporter.step("Timing both in turn", 1) as advance:
        times = time_in_turn(computes, asked.inputs)
        advance(1)
    macs = [_macs(one, work) for one in (work.model, model)]
    paths = (work.run.file, path)
    before, after = (_measured(*one) for one in zip(paths, rated, times, macs, strict=True))
    first, second = rated
    change = changed(first, second, asked, work.run.manifest, manifest_after=manifest, seed=seed)
    return before, after, change, len(asked.pictures)


def _macs(model: bytes, work: Compressible) -> int:
    return sum(layer.macs for layer in heavy_layers(model, work.sample))


def _measured(path: Path, rated: Rated, milliseconds: Milliseconds, macs: int) -> MeasuredSide:
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


def _recorded(side: MeasuredSide) -> CompressedSide:
    score = Score(value=side.score.value, low=side.score.low, high=side.score.high)
    return CompressedSide(score=score, megabytes=side.megabytes, macs=side.macs)


def _manifest(work: Compressible, tested: Tested) -> Manifest:
    """That of the run, with what was learned anew."""
    backbone, now = work.run.manifest.backbone, work.candidate.backbone
    return work.run.manifest.model_copy(
        update={
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "backbone": backbone.model_copy(
                update={
                    "weights_fingerprint": now.fingerprint,
                    "test_time_augmentation": now.test_time_augmentation,
                }
            ),
            "scores": tested.scores,
            "scores_without_leaked": tested.scores_without_leaked,
            "versions": versions(),
            "record": tested.record,
            "compression": None,
        }
    )


def _metrics(work: Compressible, tested: Tested, difference: float, found: Compressed) -> dict[str, Any]:
    """Those of the run, with its test anew and what was done."""
    told = found.as_json()
    return {
        **work.run.metrics,
        "test": tested.metrics,
        "test_without_leaked": tested.metrics_without_leaked,
        **tested.beside,
        "leaked": tested.leaked,
        "onnx_difference": difference,
        "compression": {name: told[name] for name in ("n_test", "before", "after", "steps")},
    }


def check_out(out: Path) -> None:
    """Raises: StorageError where something is there already."""
    if out.exists():
        raise StorageError(
            f"{out} is there already, and nothing is overwritten unasked. Choose another --out, or move it away."
        )


@contextlib.contextmanager
def _whole_folder(out: Path) -> Iterator[Path]:
    """A folder to fill, which is called `out` once it is whole; after an error there is nothing. Raises: StorageError."""
    with storage_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}-"))
    try:
        with storage_errors(out):
            os.chmod(partial, 0o777 & ~current_umask())
            own_folder(partial)
        yield partial
        check_out(out)
        with storage_errors(out):
            os.rename(partial, out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
