"""What is told of answers of one class an item. In: probabilities, truths. Out: rows, figures. Next: pooled_classes.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.predictions import write_table
from tellapart.bundle import ClassificationRecord, Manifest, TextRecord
from tellapart.data.dataset import Dataset
from tellapart.data.examples import Entry, Example
from tellapart.data.targets import class_numbers
from tellapart.evaluation.abstention import Thresholds, measure_abstention
from tellapart.evaluation.calibration import Surest
from tellapart.evaluation.metrics import evaluate
from tellapart.runs.prediction_columns import cells, columns
from tellapart.runs.writing import with_and_without

SCORES = ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "log_loss", "brier", "top_5")


def figures(
    probabilities: NDArray[np.float32], uncalibrated: Surest, dataset: Dataset, rows: NDArray[np.int64], *, seed: int
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Those of the test rows [n], and of them without what has a copy in another split; `probabilities` [n, K]."""
    return with_and_without(
        dataset.leaked[rows],
        lambda chosen: evaluate(
            probabilities,
            uncalibrated,
            dataset.targets[rows],
            rows=None if isinstance(chosen, slice) else np.flatnonzero(chosen),
            classes=dataset.classes,
            groups=dataset.groups[rows],
            seed=seed,
        ),
    )


def header(classes: Sequence[str]) -> list[str]:
    """The columns of predictions.csv."""
    return ["path", "label", "predicted", *columns(classes)]


def rows_of(
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
    """What a model file says of n labelled items, `probabilities` [n, K], as predictions.csv has it. Raises: StorageError."""
    labels = class_numbers([entry.target for entry in entries], manifest.classes)
    write_table(path, header(manifest.classes), rows_of(entries, probabilities, labels, manifest.classes))


def score(
    manifest: Manifest,
    probabilities: NDArray[np.float32],
    novelty: NDArray[np.float32],
    targets: NDArray[np.int64],
    *,
    groups: NDArray[Any],
    seed: int,
) -> dict[str, Any]:
    """What a model file says of n labelled items: `probabilities` [n, K], `novelty` [n], NaN where it has none."""
    found = evaluate(probabilities, None, targets, classes=manifest.classes, groups=groups, seed=seed)
    record = manifest.record
    if (
        isinstance(record, (ClassificationRecord, TextRecord)) and record.abstention is not None
    ):  # None for a file older than that
        thresholds = Thresholds.kept(record.abstention)
        found["abstention"] = measure_abstention(
            probabilities, novelty, targets, thresholds, classes=manifest.classes, groups=groups, seed=seed
        )
    return found
