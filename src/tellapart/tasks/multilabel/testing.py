"""The kept classifier of sets on the test split; a file on any. In: Choice, Dataset. Out: Tested, figures. Next: sections.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.predictions import PROBABILITY_FORMAT, write_table
from tellapart.bundle import Manifest, MultilabelRecord
from tellapart.data.dataset import Dataset
from tellapart.data.examples import Entry, Example
from tellapart.data.targets import ClassNames
from tellapart.evaluation.choosing import Choice, LinearCandidate
from tellapart.evaluation.platt import sigmoid
from tellapart.evaluation.unlike import Unlike, measure_known
from tellapart.runs.proving import expected_of
from tellapart.runs.writing import Tested, with_and_without
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.multilabel.abstaining import learn_to_abstain
from tellapart.tasks.multilabel.calibration import MultilabelCalibration
from tellapart.tasks.multilabel.candidates import draw_lines
from tellapart.tasks.multilabel.scoring import HEADLINE, evaluate, most_common_set
from tellapart.tasks.multilabel.thresholds import ClassThresholds

_SCORES = (
    HEADLINE,
    "micro_f1",
    "macro_f1",
    "hamming_loss",
    "subset_accuracy",
    "label_ranking_average_precision",
    "log_loss",
)


def test(settings: TrainSettings, choice: Choice[LinearCandidate], dataset: Dataset) -> Tested:
    """Score the winner on the test split: the only time that anything looks at it. Thresholds come from validation."""
    winner = choice.winner
    calibration: MultilabelCalibration = winner.calibration
    lines = draw_lines(winner, dataset, precision=settings.precision)
    rows = np.flatnonzero(dataset.splits == "test")  # in the order of the listing, as predictions.csv is read
    logits_NK = winner.candidate.logits(rows)
    probabilities = calibration.probabilities(logits_NK)
    common = most_common_set(dataset.targets[dataset.rows["train"]], dataset.classes)
    metrics, clean = with_and_without(
        dataset.leaked[rows],
        lambda chosen: evaluate(
            probabilities[chosen],
            sigmoid(logits_NK[chosen]).astype(np.float32),
            dataset.targets[rows[chosen]],
            classes=dataset.classes,
            thresholds=lines.values,
            common=common,
            groups=dataset.groups[rows[chosen]],
            seed=settings.seed,
        ),
    )
    abstention = learn_to_abstain(winner, dataset, coverage=settings.coverage, seed=settings.seed)
    warnings = (calibration.warning(dataset.classes), *lines.warnings(dataset.classes), abstention.warning)
    return Tested(
        rows=rows,
        record=_record(calibration, lines, abstention, len(dataset.rows["validation"])),
        metrics=metrics,
        metrics_without_leaked=clean,
        leaked=int(dataset.leaked[rows].sum()),
        shown=_SCORES,
        beside=_beside(abstention, lines, common, winner.facts),
        columns=_columns(dataset.classes),
        table=lambda examples: _table(examples, probabilities, lines.values, dataset.classes),
        expected=expected_of(probabilities, abstention.novelty.score),
        details=abstention,
        arrays=lambda: {
            "probabilities": probabilities,
            "uncalibrated": sigmoid(logits_NK).astype(np.float32),
            "novelty": abstention.scores[np.argsort(dataset.clean_test)],
        },
        warning=" ".join(text for text in warnings if text),
    )


def _record(
    calibration: MultilabelCalibration, lines: ClassThresholds, abstention: Unlike, validation: int
) -> MultilabelRecord:
    return MultilabelRecord(
        scales=tuple(calibration.scales.tolist()),
        offsets=tuple(calibration.offsets.tolist()),
        thresholds=tuple(lines.values.tolist()),
        threshold_rule=lines.rule,
        novelty_threshold=abstention.threshold,
        calibrated_on=validation,
        known=abstention.known,
    )


def _beside(
    abstention: Unlike, lines: ClassThresholds, common: Sequence[str], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """The task's own entries of metrics.json."""
    return {
        "abstention": abstention.measured,
        "threshold_rule": lines.rule,
        "common_set": common,
        "calibration": facts["calibration"],
    }


def _columns(classes: Sequence[str]) -> list[str]:
    """Of predictions.csv."""
    return ["path", "labels", "predicted", *(f"probability of {name}" for name in classes)]


def _table(
    examples: Sequence[Example | Entry],
    probabilities: NDArray[np.float32],
    thresholds: NDArray[np.float64],
    classes: tuple[str, ...],
) -> list[list[object]]:
    named = probabilities >= thresholds.astype(np.float32)
    table: list[list[object]] = []
    for example, chosen, row in zip(examples, named, probabilities.tolist(), strict=True):
        said = ClassNames(tuple(name for name, there in zip(classes, chosen.tolist(), strict=True) if there))
        table.append([str(example.path), example.target.text, said.text, *map(PROBABILITY_FORMAT.format, row)])
    return table


def write_answers(path: Path, manifest: Manifest, entries: Sequence[Entry], probabilities: NDArray[np.float32]) -> None:
    """What a model file says of n labelled pictures, `probabilities` [n, K], as predictions.csv has it. Raises: StorageError."""
    thresholds = np.array(manifest.record_of(MultilabelRecord).thresholds)
    write_table(path, _columns(manifest.classes), _table(entries, probabilities, thresholds, manifest.classes))


def score(
    manifest: Manifest,
    probabilities: NDArray[np.float32],
    novelty: NDArray[np.float32],
    targets: NDArray[np.float32],
    *,
    groups: NDArray[Any],
    seed: int,
) -> dict[str, Any]:
    """What a model file says of n labelled pictures: `probabilities` [n, K], `novelty` [n], `targets` [n, K] in {0, 1, NaN}."""
    record = manifest.record_of(MultilabelRecord)
    found = evaluate(
        probabilities,
        None,
        targets,
        classes=manifest.classes,
        thresholds=np.array(record.thresholds),
        common=most_common_set(targets, manifest.classes),
        groups=groups,
        seed=seed,
    )
    found["abstention"] = measure_known(
        novelty, record.novelty_threshold, coverage=None, calibrated_on=record.calibrated_on, groups=groups, seed=seed
    )
    return found
