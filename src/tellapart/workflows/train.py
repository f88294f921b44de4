"""The main job: pictures become a tested model. In: TrainSettings. Out: TrainResult, a run's folder. Next: results.py.

Only wires rooms together: audit, split, embeddings, classifier, calibration, test, model.onnx. The test split is
looked at once, at the end; the classifier's strength is chosen inside train, the temperature on validation.
"""

from __future__ import annotations

import importlib
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.audit import check_strict, check_trainable, findings
from tellapart.data.examples import SPLITS, Example, Split
from tellapart.data.split import assign_splits
from tellapart.errors import DataError, TellapartError
from tellapart.evaluation.calibration import apply_temperature, fit_temperature
from tellapart.evaluation.metrics import evaluate
from tellapart.features.backbone import PendingBackbone, ReadyBackbone, prepare_backbone
from tellapart.features.cache import Cache
from tellapart.features.engine import choose_device, open_engine
from tellapart.features.extract import Features, Picture, extract
from tellapart.runtime import cores
from tellapart.settings import TrainSettings
from tellapart.storage import cache_folder
from tellapart.training.probe import Probe, fit_probe
from tellapart.workflows.caching import open_cache
from tellapart.workflows.examine import Examined, examine
from tellapart.workflows.reporter import Reporter
from tellapart.workflows.results import Learned, TrainResult, write_results
from tellapart.workflows.runs import Run, check_writable, start_run, with_absolute_inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class _Data:
    """What is left to learn from: one row a usable picture."""

    examples: list[Example]  # every entry, in the listing's order, with problems
    rows: list[int]  # indices into `examples` that have a vector
    vectors: NDArray[np.float32]  # [N, D], in the order of `rows`
    labels: NDArray[np.int64]  # [N]
    groups: NDArray[np.int64]  # [N]
    splits: NDArray[np.str_]  # [N]
    leaked: NDArray[np.bool_]  # [N]


def train(settings: TrainSettings, *, reporter: Reporter, run: Run | None = None) -> TrainResult:
    """Train, test and write a run; `run` is given when a stopped one is resumed.

    Raises: DataError, SettingsError, BackboneError, StorageError; nothing is written for data that cannot be trained on.
    """
    started = time.monotonic()
    device = choose_device(settings.device)
    check_writable(Path(settings.out))
    settings = with_absolute_inputs(settings)
    weights = Path(settings.weights) if settings.weights else None
    threading.Thread(target=_import_ahead, name="import ahead", daemon=True).start()
    with open_cache() as cache:
        pending = prepare_backbone(settings.backbone, cache=cache_folder(), weights=weights)
        try:
            # An export at work gets a core to itself: everything after the audit waits for it.
            workers = max(1, cores() - 1) if pending.running else cores()
            examined = examine(Path(settings.pictures), cache=cache, reporter=reporter, workers=workers)
            _report_findings(examined, reporter)
            check_trainable(examined.audit)
            if settings.strict:
                check_strict(examined.audit)
            examples = split_examples(examined, seed=settings.seed)
            backbone = _wait(pending, reporter)
            run = run or start_run(settings)
            return _learn(run, examined, examples, backbone, device, cache, reporter, started)
        except (KeyboardInterrupt, TellapartError):
            if run is not None:
                reporter.warn(f"Stopped. Nothing is lost; go on with: tellapart train --resume {run.folder}")
            raise
        finally:
            pending.cancel()
            if run is not None:
                run.release()


def _import_ahead() -> None:
    """Import what the later steps need while the audit reads files: a second that a short run would feel."""
    for name in ("scipy.optimize", "sklearn.metrics", "onnx", "safetensors.numpy"):
        importlib.import_module(name)


def split_examples(examined: Examined, *, seed: int) -> list[Example]:
    """Every entry as an Example, with its split; entries with a problem have none. Raises: DataError."""
    entries, inspections, audit = examined.listing.entries, examined.inspections, examined.audit
    usable = [index for index, inspection in enumerate(inspections) if not inspection.problem]
    splits = assign_splits(
        labels=[entries[index].label for index in usable],
        content_hashes=[inspections[index].content_hash for index in usable],
        groups=[audit.groups[index] for index in usable],
        given=[entries[index].split for index in usable],
        seed=seed,
    )
    chosen: dict[int, Split] = dict(zip(usable, splits, strict=True))
    return [
        Example(
            path=entry.path,
            label=entry.label,
            split=chosen.get(index),
            group=audit.groups[index] if index in chosen else "",
            content_hash=inspection.content_hash,
            width=inspection.width,
            height=inspection.height,
            problem=inspection.problem,
        )
        for index, (entry, inspection) in enumerate(zip(entries, inspections, strict=True))
    ]


def _report_findings(examined: Examined, reporter: Reporter) -> None:
    for finding in findings(examined.audit):
        if finding.severity == "note":
            reporter.say(finding.message)
        elif finding.severity == "warning":  # errors are raised a moment later
            reporter.warn(finding.message)


def _wait(pending: PendingBackbone, reporter: Reporter) -> ReadyBackbone:
    if not pending.running:
        return pending.wait()
    with reporter.step("Exporting the network (once)", 1) as advance:
        ready = pending.wait()
        advance(1)
    return ready


def _learn(
    run: Run, examined: Examined, examples: list[Example], backbone: ReadyBackbone, device: str, cache: Cache,
    reporter: Reporter, started: float,
) -> TrainResult:  # fmt: skip
    audited = time.monotonic()
    features = _extract(examined, examples, backbone, device, cache, reporter)
    extracted = time.monotonic()
    data = _gather(examined, examples, features)
    with reporter.step("Fitting the classifier", 1) as advance:
        probe = _fit(run.settings, examined, data)
        advance(1)
    if device != "cpu":
        data = _as_deployed(data, examined, backbone, cache, reporter)
    learned = _test(run.settings, examined, data, probe)
    seconds = {
        "audit and export": audited - started,
        "embeddings": extracted - audited,
        "classifier and test": time.monotonic() - extracted,
    }
    with reporter.step("Writing the model", 1) as advance:
        result = write_results(
            run,
            examined=examined,
            learned=learned,
            backbone=backbone,
            features=features,
            seconds=seconds,
            started=started,
        )
        advance(1)
    return result


def _extract(
    examined: Examined, examples: list[Example], backbone: ReadyBackbone, device: str, cache: Cache, reporter: Reporter
) -> Features:
    hashes = {
        entry.path: inspection.file_hash
        for entry, inspection in zip(examined.listing.entries, examined.inspections, strict=True)
    }
    pictures = [
        Picture(path=example.path, file_hash=hashes[example.path], content_hash=example.content_hash)
        for example in examples
        if not example.problem
    ]
    with reporter.step("Computing embeddings", len(pictures)) as advance:
        return extract(
            pictures,
            engine=open_engine(backbone, device),
            preprocessing=backbone.preprocessing,
            embedding=backbone.embedding,
            fingerprint=backbone.fingerprint,
            cache=cache,
            advance=advance,
        )


def _as_deployed(data: _Data, examined: Examined, backbone: ReadyBackbone, cache: Cache, reporter: Reporter) -> _Data:
    """The same with test vectors from the CPU's engine: half precision on a GPU differs in digits that a test can see."""
    test = np.flatnonzero(data.splits == "test")
    features = _extract(examined, [data.examples[data.rows[row]] for row in test], backbone, "cpu", cache, reporter)
    vectors = data.vectors.copy()
    vectors[test] = features.vectors
    return replace(data, vectors=vectors)


def _gather(examined: Examined, examples: list[Example], features: Features) -> _Data:
    usable = [index for index, example in enumerate(examples) if not example.problem]
    kept = [row for row in range(len(usable)) if row not in features.problems]
    marked = list(examples)
    for row, problem in features.problems.items():
        marked[usable[row]] = replace(examples[usable[row]], split=None, problem=problem)
    rows = [usable[row] for row in kept]
    number = {label: index for index, label in enumerate(examined.audit.classes)}
    leaked_paths = {examined.listing.entries[index].path for index in examined.audit.leaked_indices}
    _, groups = np.unique([marked[row].group for row in rows], return_inverse=True)
    return _Data(
        examples=marked,
        rows=rows,
        vectors=features.vectors if len(kept) == len(usable) else features.vectors[kept],
        labels=np.array([number[marked[row].label] for row in rows], dtype=np.int64),
        groups=groups.astype(np.int64),
        splits=np.array([marked[row].split or "" for row in rows]),
        leaked=np.array([marked[row].path in leaked_paths for row in rows], dtype=np.bool_),
    )


def _fit(settings: TrainSettings, examined: Examined, data: _Data) -> Probe:
    for split in SPLITS:
        if not (data.splits == split).any():
            raise DataError(f"no picture of the {split} split is left that can be read. Add pictures to it.")
    chosen = np.flatnonzero(data.splits == "train")
    # In the order of their contents: the folds, and so the classifier, must not depend on the names of files.
    contents = [(data.examples[data.rows[row]].content_hash, int(data.labels[row])) for row in chosen]
    chosen = chosen[sorted(range(len(chosen)), key=contents.__getitem__)]
    return fit_probe(
        data.vectors[chosen],
        data.labels[chosen],
        groups=data.groups[chosen],
        class_count=len(examined.audit.classes),
        class_weights=settings.class_weights,
        folds=settings.folds,
        seed=settings.seed,
    )


def _test(settings: TrainSettings, examined: Examined, data: _Data, probe: Probe) -> Learned:
    logits_NK = data.vectors @ probe.weight.T + probe.bias
    validation, test = data.splits == "validation", data.splits == "test"
    temperature = fit_temperature(logits_NK[validation], data.labels[validation])
    probabilities = apply_temperature(logits_NK, temperature)
    uncalibrated = apply_temperature(logits_NK, 1.0)

    def score(rows: NDArray[np.bool_]) -> dict[str, object]:
        return evaluate(
            probabilities[rows],
            uncalibrated[rows],
            data.labels[rows],
            classes=examined.audit.classes,
            groups=data.groups[rows],
            seed=settings.seed,
        )

    clean = test & ~data.leaked
    return Learned(
        examples=data.examples,
        probe=probe,
        temperature=temperature,
        counts={split: int((data.splits == split).sum()) for split in SPLITS},
        test_rows=[data.rows[row] for row in np.flatnonzero(test)],
        test_probabilities=probabilities[test],
        metrics=score(test),
        metrics_without_leaked=score(clean) if (data.leaked & test).any() and clean.any() else None,
        leaked=int((data.leaked & test).sum()),
    )
