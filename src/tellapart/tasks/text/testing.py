"""The classifier of texts on the test split. In: Choice, Dataset. Out: Tested. Next: telling.py."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import BackboneRecord, TextRecord
from tellapart.data.dataset import Dataset
from tellapart.evaluation.abstention import Thresholds, conformal_quantile, find_thresholds, measure_abstention
from tellapart.evaluation.calibrating import ClassCalibration
from tellapart.evaluation.calibration import apply_in_place, surest_of
from tellapart.evaluation.choosing import Choice
from tellapart.records import GramRecord
from tellapart.runs.proving import PROOF, Expected
from tellapart.runs.writing import Feed, Tested
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.tested_classes import SCORES, figures, header, rows_of
from tellapart.tasks.text.believing import believed
from tellapart.tasks.text.probing import NgramCandidate
from tellapart.tasks.text.telling_grams import coloured, telling_grams, worst_mistakes
from tellapart.tasks.text.telling_words import coloured_by_occlusion
from tellapart.tasks.text.word_candidate import WordCandidate
from tellapart.texts.sequences import as_sequence
from tellapart.texts.vocabulary import STEPS, as_input

AnyText: TypeAlias = NgramCandidate | WordCandidate
_TOLERANCE = 2 / STEPS  # of novelty, whose steps may be rounded either way


class ForExport(NamedTuple):
    """What the export needs beside the classifier."""

    novelty_scale: float  # of the share of unknown n-grams


def test(settings: TrainSettings, choice: Choice[AnyText], dataset: Dataset) -> Tested:
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
    metrics, clean = figures(probabilities, uncalibrated, dataset, rows, seed=settings.seed)
    texts = [candidate.texts[row] for row in rows.tolist()]
    return Tested(
        rows=rows,
        record=TextRecord(
            temperature=calibration.temperature,
            abstention=thresholds.record(measured),
            grams=_grams(candidate),
        ),
        metrics=metrics,
        metrics_without_leaked=clean,
        leaked=int(leaked.sum()),
        shown=SCORES,
        beside={
            "abstention": measured,
            "temperature": calibration.temperature,
            "calibration": calibration.as_json(),
            **_reasons(candidate, dataset, rows, probabilities, labels),
        },
        columns=header(dataset.classes),
        table=lambda examples: rows_of(examples, probabilities, labels, dataset.classes),
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
        feed=_feed(candidate, texts),
    )


def novelty_scale(unknown: NDArray[np.float64], coverage: float) -> float:
    """What makes the share of unknown n-grams of typical texts about 1 or less."""
    typical = conformal_quantile(unknown, coverage)
    return 1.0 / max(1 / STEPS, float(unknown.max(initial=0.0)) if typical is None else typical)


def _told(unknown: NDArray[np.float64], scale: float) -> NDArray[np.float32]:
    """Novelty as the file tells it, in steps."""
    return np.asarray(np.rint(unknown * STEPS) / STEPS * scale, dtype=np.float32)


def _abstention(
    settings: TrainSettings, candidate: AnyText, calibration: ClassCalibration, dataset: Dataset, scale: float
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


def _reasons(
    candidate: AnyText,
    dataset: Dataset,
    rows: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> dict[str, Any]:
    """The surest mistakes, word by word; of n-grams which speak for each class."""
    texts = [candidate.texts[row] for row in rows.tolist()]
    if isinstance(candidate, WordCandidate):
        colour = partial(coloured_by_occlusion, candidate)
        return {
            "mistakes": worst_mistakes(texts, probabilities, labels, dataset.classes, colour),
            "faithfulness": believed(candidate, rows),
        }
    train = dataset.rows["train"]
    return {
        "telling": telling_grams(candidate, train, dataset.targets[train], dataset.classes),
        "mistakes": worst_mistakes(texts, probabilities, labels, dataset.classes, partial(coloured, candidate)),
    }


def _feed(candidate: AnyText, texts: Sequence[str]) -> Feed:
    if isinstance(candidate, WordCandidate):
        return Feed(inputs=lambda count: as_sequence(texts[:count], candidate.inputs), backbone=candidate.described())
    return Feed(inputs=lambda count: as_input(texts[:count], candidate.inputs), backbone=_described(candidate))


def _grams(candidate: AnyText) -> GramRecord:
    rules, window = candidate.inputs.rules, candidate.inputs.window
    return GramRecord(words=rules.words, characters=rules.characters, across=rules.across, window=window)


def _described(candidate: NgramCandidate) -> BackboneRecord:
    known = candidate.probe.inputs.known
    return BackboneRecord(
        name="n-grams",
        embedding=max(1, len(known)),
        weights_source="the training texts themselves",
        weights_license="that of the texts",
        weights_fingerprint=hashlib.sha256(known.tobytes()).hexdigest(),
    )
