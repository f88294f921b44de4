"""The kept classifier on the test split; a model file on any. In: Choice, Dataset. Out: Tested, figures. Next: sections.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.predictions import write_table
from tellapart.bundle import ClassificationRecord, Manifest
from tellapart.data.dataset import Dataset
from tellapart.data.examples import Entry, Example
from tellapart.data.targets import class_numbers
from tellapart.evaluation.abstention import Thresholds, measure_abstention
from tellapart.evaluation.calibrating import ClassCalibration
from tellapart.evaluation.calibration import apply_in_place, surest_of
from tellapart.evaluation.choosing import Choice, LinearCandidate
from tellapart.evaluation.metrics import evaluate
from tellapart.runs.prediction_columns import cells, columns
from tellapart.runs.proving import expected_of
from tellapart.runs.writing import Tested, with_and_without
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.classification.abstaining import learn_to_abstain

_SCORES = ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "log_loss", "brier", "top_5")


def test(settings: TrainSettings, choice: Choice[LinearCandidate], dataset: Dataset) -> Tested:
    """Score the winner on the test split: the only time that anything looks at it."""
    winner = choice.winner
    calibration: ClassCalibration = winner.calibration
    rows = np.flatnonzero(dataset.splits == "test")  # in the order of the listing, as predictions.csv is read
    # One array as large as the test split times the classes is there at a time: of 10,000 classes it is half a gigabyte.
    abstention = learn_to_abstain(winner, dataset, coverage=settings.coverage, seed=settings.seed)
    logits_NK = winner.candidate.logits(rows)
    uncalibrated = surest_of(logits_NK, calibration.biases)
    probabilities = apply_in_place(logits_NK, calibration.temperature)
    labels, leaked = dataset.targets[rows], dataset.leaked[rows]
    metrics, clean = with_and_without(
        leaked,
        lambda chosen: evaluate(
            probabilities,
            uncalibrated,
            labels,
            rows=None if isinstance(chosen, slice) else np.flatnonzero(chosen),
            classes=dataset.classes,
            groups=dataset.groups[rows],
            seed=settings.seed,
        ),
    )
    return Tested(
        rows=rows,
        record=ClassificationRecord(temperature=calibration.temperature, abstention=abstention.record()),
        metrics=metrics,
        metrics_without_leaked=clean,
        leaked=int(leaked.sum()),
        shown=_SCORES,
        beside={
            "abstention": abstention.measured,
            "temperature": calibration.temperature,
            "calibration": calibration.as_json(),
        },
        columns=["path", "label", "predicted", *columns(dataset.classes)],
        table=lambda examples: _table(examples, probabilities, labels, dataset.classes),
        expected=expected_of(probabilities, abstention.novelty.score),
        details=abstention,
        arrays=lambda: {
            "probabilities": probabilities,
            "chances": uncalibrated.chances,
            "classes": uncalibrated.classes,
            "novelty": abstention.novelty.score(winner.candidate.embeddings(rows)),
        },
        warning=abstention.warning,
    )


def _table(
    examples: Sequence[Example | Entry],
    probabilities: NDArray[np.float32],
    labels: NDArray[np.int64],
    classes: tuple[str, ...],
) -> Iterator[list[object]]:
    """The rows of predictions.csv, made as they are written."""
    best = probabilities.argmax(axis=1).tolist()
    for example, index, row in zip(examples, best, cells(probabilities, labels, classes), strict=True):
        yield [str(example.path), example.target.text, classes[index], *row]


def write_answers(path: Path, manifest: Manifest, entries: Sequence[Entry], probabilities: NDArray[np.float32]) -> None:
    """What a model file says of n labelled pictures, `probabilities` [n, K], as predictions.csv has it. Raises: StorageError."""
    labels = class_numbers([entry.target for entry in entries], manifest.classes)
    header = ["path", "label", "predicted", *columns(manifest.classes)]
    write_table(path, header, _table(entries, probabilities, labels, manifest.classes))


def score(
    manifest: Manifest,
    probabilities: NDArray[np.float32],
    novelty: NDArray[np.float32],
    targets: NDArray[np.int64],
    *,
    groups: NDArray[Any],
    seed: int,
) -> dict[str, Any]:
    """What a model file says of n labelled pictures: `probabilities` [n, K], `novelty` [n], NaN where it has none."""
    found = evaluate(probabilities, None, targets, classes=manifest.classes, groups=groups, seed=seed)
    record = manifest.record_of(ClassificationRecord)
    if record.abstention is not None:  # None for a file older than that
        thresholds = Thresholds(
            coverage=record.abstention.coverage,
            probability=record.abstention.threshold,
            novelty=record.abstention.novelty_threshold,
            calibrated_on=record.abstention.calibrated_on,
        )
        found["abstention"] = measure_abstention(
            probabilities, novelty, targets, thresholds, classes=manifest.classes, groups=groups, seed=seed
        )
    return found
