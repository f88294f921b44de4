"""The classifier of texts on the test split; a model file on any. In: Choice, Dataset. Out: Tested, figures. Next: telling.py."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.predictions import write_table
from tellapart.bundle import AbstentionRecord, BackboneRecord, Manifest, Score, TextRecord
from tellapart.data.dataset import Dataset
from tellapart.data.examples import Entry, Example
from tellapart.data.targets import class_numbers
from tellapart.evaluation.abstention import Thresholds, conformal_quantile, find_thresholds, measure_abstention
from tellapart.evaluation.calibrating import ClassCalibration
from tellapart.evaluation.calibration import apply_in_place, surest_of
from tellapart.evaluation.choosing import Choice
from tellapart.evaluation.metrics import evaluate
from tellapart.records import GramRecord
from tellapart.runs.prediction_columns import cells, columns
from tellapart.runs.proving import PROOF, Expected
from tellapart.runs.writing import Feed, Tested, with_and_without
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.text.probing import NgramCandidate
from tellapart.tasks.text.telling_grams import telling_grams, worst_mistakes
from tellapart.texts.vocabulary import STEPS, as_input

_SCORES = ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "log_loss", "brier", "top_5")
_TOLERANCE = 2 / STEPS  # of novelty, whose steps may be rounded either way


class ForExport(NamedTuple):
    """What the export needs beside the classifier."""

    novelty_scale: float  # of the share of unknown n-grams


def test(settings: TrainSettings, choice: Choice[NgramCandidate], dataset: Dataset) -> Tested:
    """Score the winner on the test split: the only time that anything looks at it."""
    winner, candidate = choice.winner, choice.winner.candidate
    calibration: ClassCalibration = winner.calibration
    rows = np.flatnonzero(dataset.splits == "test")  # in the order of the listing, as predictions.csv is read
    scale = novelty_scale(candidate.unknown(dataset.rows["validation"]), settings.coverage)
    thresholds, measured = _abstention(settings, candidate, calibration, dataset, scale)
    logits = candidate.logits(rows)
    uncalibrated = surest_of(logits, calibration.biases)
    probabilities = apply_in_place(logits, calibration.temperature)
    labels, leaked = dataset.targets[rows], dataset.leaked[rows]
    novelty = _told(candidate.unknown(rows), scale)
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
    texts, train = [candidate.texts[row] for row in rows.tolist()], dataset.rows["train"]
    return Tested(
        rows=rows,
        record=TextRecord(
            temperature=calibration.temperature,
            abstention=_record(thresholds, measured),
            grams=_grams(candidate),
        ),
        metrics=metrics,
        metrics_without_leaked=clean,
        leaked=int(leaked.sum()),
        shown=_SCORES,
        beside={
            "abstention": measured,
            "temperature": calibration.temperature,
            "calibration": calibration.as_json(),
            "telling": telling_grams(candidate, train, dataset.targets[train], dataset.classes),
            "mistakes": worst_mistakes(candidate, rows, probabilities, labels, dataset.classes),
        },
        columns=["path", "label", "predicted", *columns(dataset.classes)],
        table=lambda examples: _table(examples, probabilities, labels, dataset.classes),
        expected={
            "novelty": Expected(of="novelty scores", values=lambda _: novelty[:PROOF], tolerance=_TOLERANCE * scale),
            "probabilities": Expected(of="probabilities", values=lambda _: probabilities[:PROOF]),
        },
        details=ForExport(novelty_scale=scale),
        arrays=lambda: {
            "probabilities": probabilities,
            "chances": uncalibrated.chances,
            "classes": uncalibrated.classes,
            "novelty": novelty,
        },
        feed=Feed(inputs=lambda count: as_input(texts[:count], candidate.probe.inputs), backbone=_described(candidate)),
    )


def novelty_scale(unknown: NDArray[np.float64], coverage: float) -> float:
    """What makes the share of unknown n-grams of typical texts about 1 or less."""
    typical = conformal_quantile(unknown, coverage)
    return 1.0 / max(1 / STEPS, float(unknown.max(initial=0.0)) if typical is None else typical)


def _told(unknown: NDArray[np.float64], scale: float) -> NDArray[np.float32]:
    """Novelty as the file tells it, in steps."""
    return np.asarray(np.rint(unknown * STEPS) / STEPS * scale, dtype=np.float32)


def _abstention(
    settings: TrainSettings, candidate: NgramCandidate, calibration: ClassCalibration, dataset: Dataset, scale: float
) -> tuple[Thresholds, dict[str, Any]]:
    """Thresholds of the validation split, and how they do on the test split, less what has a copy in another."""
    validation, clean = dataset.rows["validation"], dataset.clean_test
    thresholds = find_thresholds(
        apply_in_place(candidate.logits(validation), calibration.temperature),
        dataset.targets[validation],
        _told(candidate.unknown(validation), scale),
        coverage=settings.coverage,
    )
    measured = measure_abstention(
        apply_in_place(candidate.logits(clean), calibration.temperature),
        _told(candidate.unknown(clean), scale),
        dataset.targets[clean],
        thresholds,
        classes=dataset.classes,
        groups=dataset.groups[clean],
        seed=settings.seed,
    )
    return thresholds, measured


def _record(thresholds: Thresholds, measured: dict[str, Any]) -> AbstentionRecord:
    return AbstentionRecord(
        coverage=thresholds.coverage,
        threshold=thresholds.probability,
        novelty_threshold=thresholds.novelty,
        calibrated_on=thresholds.calibrated_on,
        measured_coverage=Score.of(measured["coverage"]),
        mean_set_size=measured["mean_set_size"],
        known=None if measured["known"] is None else Score.of(measured["known"]),
    )


def _grams(candidate: NgramCandidate) -> GramRecord:
    rules = candidate.probe.inputs.rules
    return GramRecord(words=rules.words, characters=rules.characters, across=rules.across)


def _described(candidate: NgramCandidate) -> BackboneRecord:
    known = candidate.probe.inputs.known
    return BackboneRecord(
        name="n-grams",
        embedding=max(1, len(known)),
        weights_source="the training texts themselves",
        weights_license="that of the texts",
        weights_fingerprint=hashlib.sha256(known.tobytes()).hexdigest(),
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
    """What a model file says of n labelled texts, `probabilities` [n, K], as predictions.csv has it. Raises: StorageError."""
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
    """What a model file says of n labelled texts: `probabilities` [n, K], `novelty` [n]."""
    found = evaluate(probabilities, None, targets, classes=manifest.classes, groups=groups, seed=seed)
    record = manifest.record_of(TextRecord)
    if record.abstention is not None:
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
