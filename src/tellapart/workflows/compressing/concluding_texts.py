"""What has become of a model of texts. In: its file and what was done. Out: before and after, a run's folder. Next: compared.py."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tellapart.bundle import Manifest, open_bytes
from tellapart.data.dataset import Dataset
from tellapart.data.examples_csv import write_examples
from tellapart.export.assemble import sealed
from tellapart.manifest import CompressionRecord, CompressionStep
from tellapart.reporter import Reporter
from tellapart.runs.open import EXAMPLES, MODEL, RECIPE, OpenRun
from tellapart.runs.proving import PROOF, prove
from tellapart.runs.recipe import recipe_text, versions
from tellapart.runs.writing import Tested, write_answers
from tellapart.storage import storage_errors, write_bytes, write_json
from tellapart.workflows.compressing.compared import Compared, measured, recorded
from tellapart.workflows.compressing.concluding import Compressed, whole_folder
from tellapart.workflows.rating.asking import ask_texts
from tellapart.workflows.rating.changed import changed
from tellapart.workflows.rating.rated import compute_of, rate
from tellapart.workflows.rating.timing import time_in_turn


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallerTexts:
    """A model of texts as the steps have made it."""

    model: bytes
    manifest: Manifest
    steps: tuple[CompressionStep, ...]
    tested: Tested | None = None  # None: what decides is as it was


def conclude_texts(
    run: OpenRun,
    dataset: Dataset,
    texts: list[str],
    before: bytes,
    made: SmallerTexts,
    out: Path,
    reporter: Reporter,
) -> Compressed:
    """Compare on the test split, and write the run's folder. Raises: SettingsError, DataError, ModelFileError, StorageError."""
    rows = np.flatnonzero(dataset.splits == "test").tolist()
    compared = _compare(run, dataset, [texts[row] for row in rows], rows, before, made, out, reporter)
    record = CompressionRecord(
        of=hashlib.sha256(before).hexdigest(),
        steps=made.steps,
        before=recorded(compared.before),
        after=recorded(compared.after),
    )
    created = datetime.now(UTC).isoformat(timespec="seconds")
    manifest = made.manifest.model_copy(update={"created": created, "versions": versions(), "compression": record})
    found = Compressed(run=out, compared=compared, steps=made.steps, item="text")
    _write(run, dataset, made, _resealed(made.model, manifest), found, rows)
    return found


def _compare(
    run: OpenRun,
    dataset: Dataset,
    texts: list[str],
    rows: list[int],
    before: bytes,
    made: SmallerTexts,
    out: Path,
    reporter: Reporter,
) -> Compared:
    """Both models with the texts of the test split, which are these rows of the data set."""
    asked = ask_texts([dataset.examples[dataset.indices[row]] for row in rows], texts, run.manifest)
    opened, seed = open_bytes(made.model, source="the new model.onnx"), run.settings.seed
    computes = [compute_of(run.model), compute_of(opened)]
    told = ((run.manifest, len(before), "Testing it before"), (made.manifest, len(made.model), "Testing it after"))
    rated = [
        rate(
            compute,
            asked,
            manifest,
            megabytes=size / 1e6,
            timed=False,
            batch=128,
            seed=seed,
            reporter=reporter,
            said=said,
        )
        for compute, (manifest, size, said) in zip(computes, told, strict=True)
    ]
    times = time_in_turn(computes, asked.inputs)
    paths = (run.file, out / MODEL)
    first, second = (measured(path, one, took, 0) for path, one, took in zip(paths, rated, times, strict=True))
    return Compared(
        before=first,
        after=second,
        change=changed(rated[0], rated[1], asked, run.manifest, manifest_after=made.manifest, seed=seed),
        pictures=len(asked.pictures),
        by_openvino=None,
    )


def _resealed(model: bytes, manifest: Manifest) -> bytes:
    import onnx

    graph = onnx.load_model_from_string(model)
    del graph.metadata_props[:]
    return sealed(graph, manifest)


def _write(
    run: OpenRun, dataset: Dataset, made: SmallerTexts, model: bytes, found: Compressed, rows: list[int]
) -> None:
    """The folder of a run, whole or not at all. Raises: StorageError, ModelFileError where the file is not what was tested."""
    tested, told = made.tested, found.as_json()
    metrics = {
        **run.metrics,
        "compression": {name: told[name] for name in ("n_test", "before", "after", "steps")},
    }
    if tested is not None:
        halved = any(step.kind in ("float16", "int8_weights") for step in made.steps)
        metrics |= {"test": tested.metrics, "test_without_leaked": tested.metrics_without_leaked, **tested.beside}
        if tested.feed is not None and not halved:
            metrics["onnx_difference"] = prove(model, tested.feed.inputs(PROOF), tested.expected)
    with whole_folder(found.run) as folder:
        write_examples(folder / EXAMPLES, dataset.examples)
        write_json(folder / "audit.json", run.audit)
        if tested is None:
            with storage_errors(folder):
                shutil.copy(run.folder / run.manifest.record.told_in, folder / run.manifest.record.told_in)
        else:
            write_answers(folder, tested, [dataset.examples[dataset.indices[row]] for row in rows])
        write_json(folder / "metrics.json", metrics)
        head = "# The run that this one was made from; what was done to it stands in model.onnx (tellapart info).\n"
        write_bytes(folder / RECIPE, (head + recipe_text(run.settings)).encode())
        line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "event": "compressed", "from": str(run.folder)}
        write_bytes(folder / "log.jsonl", (json.dumps(line, ensure_ascii=False) + "\n").encode())
        write_bytes(folder / MODEL, model)
