"""What a run leaves on disk. In: what was learned. Out: TrainResult; model.onnx, metrics.json ... Next: answers/predictor.py.

model.onnx comes last, after it has given the tested probabilities on real pictures of the test split.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.predictions import write_predictions
from tellapart.bundle import (
    BackboneRecord,
    ClassificationRecord,
    DataRecord,
    Manifest,
    PreprocessingRecord,
    Score,
)
from tellapart.data.audit import audit_json, findings
from tellapart.data.corrections import LEFT_OUT
from tellapart.data.dataset import Dataset
from tellapart.data.examples import Example
from tellapart.data.examples_csv import write_examples
from tellapart.data.survey import Examined
from tellapart.evaluation.choosing import Candidate, Choice, comparison
from tellapart.export.assemble import assemble
from tellapart.export.parity import check_parity
from tellapart.features.backbone import ReadyBackbone
from tellapart.preprocessing import load
from tellapart.runs.run import Run, versions
from tellapart.runtime import Session
from tellapart.storage import storage_errors, write_bytes, write_json
from tellapart.tasks.classification.abstaining import Abstention

_PROOF = 4  # test pictures that the finished file must classify as tested
_NOVELTY_TOLERANCE = 0.01  # relative; squared distances lose digits, and none of the later ones decides anything
_HEADLINES = ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "log_loss", "brier", "top_5")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learned:
    """The classifier that was kept, and its test."""

    dataset: Dataset
    choice: Choice
    counts: dict[str, int]  # pictures by split
    test_rows: list[int]  # indices into the dataset's examples
    test_probabilities: NDArray[np.float32]  # [n_test, K]
    metrics: dict[str, Any]
    metrics_without_leaked: dict[str, Any] | None
    leaked: int
    abstention: Abstention


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """What `tellapart.train` returns and `tellapart train --json` prints."""

    run: Path  # the run's folder
    model: Path  # model.onnx
    accuracy: Score  # on the test split, calibrated model, with its 95 % interval
    accuracy_without_leaked: Score | None  # where part of the test leaked
    n_train: int
    n_validation: int
    n_test: int
    classes: tuple[str, ...]
    unreadable: int
    duplicates: int  # exact copies beyond the first
    leaked: int  # test pictures with a copy or group mate in another of the user's own splits
    seconds: float
    computed: int  # pictures that went through the network in this run
    reused: int  # pictures whose embedding was in the cache
    strategy: str  # that was kept: probe, finetune or scratch
    choice: str  # why, in a sentence; empty where there was nothing to choose
    metrics: dict[str, Any] = field(repr=False)  # metrics.json
    warnings: tuple[str, ...] = ()  # what the audit and the validation found that should not be missed
    left_out: int = 0  # by the corrections of --labels
    report: Path | None = None  # report.html; None where none was asked for, or it could not be written

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        return {
            "run": str(self.run),
            "model": str(self.model),
            "accuracy": self.accuracy.model_dump(),
            "accuracy_without_leaked": None
            if self.accuracy_without_leaked is None
            else self.accuracy_without_leaked.model_dump(),
            "n_train": self.n_train,
            "n_validation": self.n_validation,
            "n_test": self.n_test,
            "classes": list(self.classes),
            "unreadable": self.unreadable,
            "duplicates": self.duplicates,
            "left_out": self.left_out,
            "leaked": self.leaked,
            "seconds": round(self.seconds, 3),
            "computed": self.computed,
            "reused": self.reused,
            "strategy": self.strategy,
            "choice": self.choice,
            "warnings": list(self.warnings),
            "report": None if self.report is None else str(self.report),
        }


def write_results(
    run: Run,
    *,
    examined: Examined,
    learned: Learned,
    computed: int,
    reused: int,
    seconds: dict[str, float],
    started: float,
) -> TrainResult:
    """Write the run's files, prove the model, write the model, and finish the run. Raises: StorageError, ModelFileError."""
    folder, classes, examples = run.folder, examined.audit.classes, learned.dataset.examples
    winner = learned.choice.winner
    candidate, backbone = winner.candidate, winner.candidate.backbone
    write_examples(folder / "examples.csv", examples)
    write_json(folder / "audit.json", audit_json(examined.audit))
    tested = [examples[row] for row in learned.test_rows]
    write_predictions(
        folder / "predictions.csv",
        paths=[str(example.path) for example in tested],
        true_labels=[example.label for example in tested],
        probabilities=learned.test_probabilities,
        classes=classes,
    )
    manifest = _manifest(run, examined, learned)
    data = assemble(
        backbone.network,
        weight=candidate.weight,
        bias=candidate.bias,
        manifest=manifest,
        novelty=learned.abstention.novelty.arrays(),
    )
    difference = _prove(data, tested[:_PROOF], learned, backbone)
    metrics = _metrics(
        learned, {"computed": computed, "reused": reused}, seconds | {"whole": time.monotonic() - started}, difference
    )
    write_json(folder / "metrics.json", metrics)
    write_bytes(folder / "weights.safetensors", _weights(candidate))
    write_bytes(folder / "model.onnx", data)
    run.log("finished", accuracy=learned.metrics["accuracy"], seconds=metrics["seconds"], computed=computed)
    run.finish()
    return _result(run, manifest, metrics, examined, learned, computed=computed, reused=reused, started=started)


def _result(
    run: Run,
    manifest: Manifest,
    metrics: dict[str, Any],
    examined: Examined,
    learned: Learned,
    *,
    computed: int,
    reused: int,
    started: float,
) -> TrainResult:
    return TrainResult(
        run=run.folder,
        model=run.folder / "model.onnx",
        accuracy=manifest.scores["accuracy"],
        accuracy_without_leaked=(manifest.scores_without_leaked or {}).get("accuracy"),
        n_train=learned.counts["train"],
        n_validation=learned.counts["validation"],
        n_test=learned.counts["test"],
        classes=examined.audit.classes,
        unreadable=sum(bool(example.problem) for example in learned.dataset.examples),
        duplicates=examined.audit.duplicates,
        left_out=examined.listing.ignored.get(LEFT_OUT, 0),
        leaked=learned.leaked,
        seconds=time.monotonic() - started,
        computed=computed,
        reused=reused,
        strategy=learned.choice.winner.candidate.strategy,
        choice=learned.choice.reason,
        metrics=metrics,
        warnings=(
            *(finding.message for finding in findings(examined.audit) if finding.severity == "warning"),
            *([learned.abstention.warning] if learned.abstention.warning else []),
        ),
    )


def data_fingerprint(examples: list[Example]) -> str:
    """SHA-256 over the sorted contents, labels and splits: the same pictures give the same, wherever they lie."""
    lines = sorted(f"{example.content_hash}\t{example.label}\t{example.split}" for example in examples if example.split)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _manifest(run: Run, examined: Examined, learned: Learned) -> Manifest:
    winner = learned.choice.winner
    backbone = winner.candidate.backbone
    preprocessing = backbone.preprocessing
    clean = learned.metrics_without_leaked
    return Manifest(
        task="classification",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        strategy=winner.candidate.strategy,
        classes=examined.audit.classes,
        preprocessing=PreprocessingRecord(
            size=preprocessing.size,
            crop=preprocessing.crop,
            interpolation=preprocessing.interpolation,
            mean=preprocessing.mean,
            std=preprocessing.std,
        ),
        backbone=BackboneRecord(
            name=backbone.name,
            embedding=backbone.embedding,
            weights_source=backbone.weights_source,
            weights_license=backbone.weights_license,
            weights_fingerprint=backbone.fingerprint,
            test_time_augmentation=backbone.test_time_augmentation,
        ),
        scores=_scores(learned.metrics),
        scores_without_leaked=None if clean is None else _scores(clean),
        data=DataRecord(
            name=Path(run.settings.pictures).name,
            fingerprint=data_fingerprint(learned.dataset.examples),
            n_train=learned.counts["train"],
            n_validation=learned.counts["validation"],
            n_test=learned.counts["test"],
            leaked=learned.leaked,
        ),
        versions=versions(),
        record=ClassificationRecord(temperature=winner.temperature, abstention=learned.abstention.record()),
    )


def _scores(metrics: dict[str, Any]) -> dict[str, Score]:
    figures = {name: metrics.get(name) for name in _HEADLINES}
    return {
        name: Score(value=figure["value"], low=figure.get("low"), high=figure.get("high"))
        for name, figure in figures.items()
        if isinstance(figure, dict) and figure.get("value") is not None
    }


def _prove(data: bytes, tested: list[Example], learned: Learned, backbone: ReadyBackbone) -> float:
    """The largest difference between probabilities as tested and as the new file gives them. Raises: ModelFileError."""
    session = Session(data, source="the new model.onnx")
    with storage_errors(tested[0].path):
        images = np.stack([load(example.path.read_bytes(), backbone.preprocessing) for example in tested])
    probabilities, embedding, novelty = session.run(images, ["probabilities", "embedding", "novelty"])
    what, expected = "the new model.onnx", learned.abstention.novelty.score(embedding)
    scale = np.maximum(expected, 1)
    relative = (expected / scale).astype(np.float32), (novelty / scale).astype(np.float32)
    check_parity(*relative, what=what, of="novelty scores", tolerance=_NOVELTY_TOLERANCE)
    return check_parity(learned.test_probabilities[: len(tested)], probabilities, what=what)


def _metrics(
    learned: Learned, embeddings: dict[str, int], seconds: dict[str, float], difference: float
) -> dict[str, Any]:
    winner = learned.choice.winner
    return {
        "test": learned.metrics,
        "test_without_leaked": learned.metrics_without_leaked,
        "abstention": learned.abstention.measured,
        "n_train": learned.counts["train"],
        "n_validation": learned.counts["validation"],
        "n_test": learned.counts["test"],
        "leaked": learned.leaked,
        "temperature": winner.temperature,
        "strategy": winner.candidate.strategy,
        "choice": learned.choice.reason,
        "validation": comparison(learned.choice),
        "training": {one.candidate.strategy: dict(one.candidate.details) for one in learned.choice.compared},
        "embeddings": embeddings,
        "onnx_difference": difference,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
    }


def _weights(candidate: Candidate) -> bytes:
    import safetensors.numpy

    path = candidate.backbone.weights
    with storage_errors(path):
        tensors = safetensors.numpy.load(path.read_bytes())
    tensors |= {"classifier.weight": candidate.weight, "classifier.bias": candidate.bias}
    # One entry: safetensors writes several in an order that changes from run to run.
    data: bytes = safetensors.numpy.save(tensors, metadata={"backbone": candidate.backbone.name})
    return data
