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
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tellapart.bundle import Manifest
from tellapart.compression.float16 import halve
from tellapart.data.examples_csv import write_examples
from tellapart.errors import StorageError
from tellapart.evaluation.choosing import Candidate, Choice, LinearCandidate, only
from tellapart.export.assemble import sealed
from tellapart.manifest import CompressionRecord, CompressionStep
from tellapart.runs.open import EXAMPLES, MODEL, RECIPE, WEIGHTS
from tellapart.runs.places import moved_data
from tellapart.runs.proving import PROOF, prepared, prove
from tellapart.runs.recipe import recipe_text, versions
from tellapart.runs.writing import Tested, weights_of, write_answers
from tellapart.storage import current_umask, own_folder, storage_errors, write_bytes, write_json
from tellapart.workflows.compressing.compared import Compared, MeasuredSide, compare_sides, recorded
from tellapart.workflows.compressing.compressible import Compressible
from tellapart.workflows.rating.changed import Change

_ROUNDED = ("int8", "float16")  # steps that learn nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Compressed:
    """A model made smaller."""

    run: Path  # its folder
    compared: Compared
    steps: tuple[CompressionStep, ...]
    warning: str = ""  # what a person should know of how it decides
    item: str = "picture"  # what they are, in a word

    @property
    def before(self) -> MeasuredSide:
        """The run's model."""
        return self.compared.before

    @property
    def after(self) -> MeasuredSide:
        """The new one."""
        return self.compared.after

    @property
    def change(self) -> Change:
        """From one to the other."""
        return self.compared.change

    @property
    def pictures(self) -> int:
        """Of the test split, that both were asked."""
        return self.compared.pictures

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        same = {"flipped": 0, "flipped_share": 0.0, "largest_difference": 0.0}
        return {
            "run": str(self.run),
            "model": str(self.run / MODEL),
            "n_test": self.pictures,
            "before": self.before.as_json() | same,
            "after": self.after.as_json() | self.change.as_json() | self._by_openvino(),
            "steps": [step.model_dump() for step in self.steps],
        }

    def _by_openvino(self) -> dict[str, Any]:
        found = self.compared.by_openvino
        return {} if found is None else {"openvino": found.model_dump()}


def conclude(work: Compressible, out: Path, *, pictures: Path | None = None) -> Compressed:
    """Judge, test, compare and write what the steps have made. Raises: StorageError, ModelFileError, DataError."""
    run, task, settings = work.run, work.task, work.run.settings
    choice = task.correct(settings, only(task.validate(_with_known(work), work.dataset)), work.dataset)
    tested = task.test(settings, choice, work.dataset)
    plain = _manifest(work, tested)
    # How good it is stands in its manifest, which its size hangs on by a few letters.
    model = _exported(work, choice, tested, plain)
    compared = compare_sides(work, model, plain, out / MODEL)
    record = CompressionRecord(
        of=hashlib.sha256(work.model).hexdigest(),
        steps=work.steps,
        before=recorded(compared.before),
        after=recorded(compared.after),
        by_openvino=compared.by_openvino,
    )
    manifest = plain.model_copy(update={"compression": record})
    model = _exported(work, choice, tested, manifest)
    shown = [work.dataset.examples[index] for index in work.dataset.indices[tested.rows].tolist()]
    difference = prove(model, prepared(shown[:PROOF], run.preprocessing), tested.expected)
    found = Compressed(run=out, compared=compared, steps=work.steps, warning=tested.warning)
    with whole_folder(out) as folder:
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


def _with_known(work: Compressible) -> Candidate:
    """The network with the run's own calibration, where its weights were only rounded: what it says is nearly what it said."""
    rounded = all(step.kind in _ROUNDED for step in work.steps)
    if not rounded or not isinstance(work.candidate, LinearCandidate) or work.candidate.held_out is not None:
        return work.candidate
    return replace(work.candidate, known=work.run.manifest.record)


def _exported(work: Compressible, choice: Choice[Candidate], tested: Tested, manifest: Manifest) -> bytes:
    """The bytes of model.onnx; with halved weights those are halved, too, by which what is unlike all is known."""
    model = work.task.export(choice, tested, manifest)
    if not any(step.kind == "float16" for step in work.steps):
        return model
    import onnx

    return sealed(onnx.load_model_from_string(halve(model, prefix="novelty.")), manifest)


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
    """Raises: StorageError where something is there already, or nothing can be written there; hours later would be too late."""
    if out.exists():
        raise StorageError(
            f"{out} is there already, and nothing is overwritten unasked. Choose another --out, or move it away."
        )
    above = next(one for one in out.absolute().parents if one.exists())
    with storage_errors(above):
        os.rmdir(tempfile.mkdtemp(dir=above, prefix=f".{out.name}-"))


@contextlib.contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
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
