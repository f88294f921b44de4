"""The classifier of texts on the test split. In: Choice, Dataset. Out: Tested. Next: telling.py."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import TextRecord
from tellapart.data.dataset import Dataset
from tellapart.evaluation.abstention import Thresholds, conformal_quantile, find_thresholds, measure_abstention
from tellapart.evaluation.calibrating import ClassCalibration
from tellapart.evaluation.calibration import apply_in_place, surest_of
from tellapart.evaluation.choosing import Choice
from tellapart.runs.proving import PROOF, Expected
from tellapart.runs.writing import Feed, Tested
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.tested_classes import SCORES, figures, header, rows_of
from tellapart.tasks.text.averaging import MeanOfTwo
from tellapart.tasks.text.believing import believed
from tellapart.tasks.text.candidates import TextCandidate
from tellapart.tasks.text.probing import NgramCandidate
from tellapart.tasks.text.telling_grams import coloured, telling_grams, worst_mistakes
from tellapart.tasks.text.telling_words import coloured_by_occlusion
from tellapart.tasks.text.word_candidate import WordCandidate
from tellapart.texts.inputs import as_input
from tellapart.texts.vocabulary import STEPS


class ForExport(NamedTuple):
    """What the export needs beside the classifier."""

    novelty_scale: float  # of what is unknown


def test(settings: TrainSettings, choice: Choice[TextCandidate], dataset: Dataset) -> Tested:
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
            **candidate.records,
        ),
        metrics=metrics,
        metrics_without_leaked=clean,
        leaked=int(leaked.sum()),
        shown=SCORES,
        beside={
            "abstention": measured,
            "temperature": calibration.temperature,
            "calibration": calibration.as_json(),
            **_told_of_words(candidate, dataset, rows, probabilities),
        },
        columns=header(dataset.classes),
        table=lambda examples: rows_of(examples, probabilities, labels, dataset.classes),
        expected={
            "novelty": Expected(
                of="novelty scores", values=lambda _: novelty[:PROOF], tolerance=candidate.precision * scale
            ),
            "probabilities": Expected(of="probabilities", values=lambda _: probabilities[:PROOF]),
        },
        details=ForExport(novelty_scale=scale),
        arrays=lambda: {
            "probabilities": probabilities,
            "chances": uncalibrated.chances,
            "classes": uncalibrated.classes,
            "novelty": novelty,
        },
        feed=Feed(inputs=lambda count: as_input(texts[:count], candidate.inputs), backbone=candidate.described),
    )


def novelty_scale(unknown: NDArray[np.float64], coverage: float) -> float:
    """What makes what is unknown of typical texts about 1 or less."""
    typical = conformal_quantile(unknown, coverage)
    return 1.0 / max(1 / STEPS, float(unknown.max(initial=0.0)) if typical is None else typical)


def _told(unknown: NDArray[np.float64], scale: float) -> NDArray[np.float32]:
    """Novelty as the file tells it."""
    return np.asarray(unknown * scale, dtype=np.float32)


def _abstention(
    settings: TrainSettings, candidate: TextCandidate, calibration: ClassCalibration, dataset: Dataset, scale: float
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


def _told_of_words(
    candidate: TextCandidate, dataset: Dataset, rows: NDArray[np.int64], probabilities: NDArray[np.float32]
) -> dict[str, Any]:
    """For metrics.json: mistakes word by word; the n-grams that speak for each class, where they are counted."""
    texts, labels = [candidate.texts[row] for row in rows.tolist()], dataset.targets[rows]
    if isinstance(candidate, WordCandidate):
        colour = partial(coloured_by_occlusion, candidate)
        return {
            "mistakes": worst_mistakes(texts, probabilities, labels, dataset.classes, colour),
            "faithfulness": believed(candidate, rows),
        }
    parts = candidate.parts if isinstance(candidate, MeanOfTwo) else (candidate,)
    counting = next((one for one in parts if isinstance(one, NgramCandidate)), None)
    if counting is None:
        return {}
    train = dataset.rows["train"]
    return {
        "telling": telling_grams(counting, train, dataset.targets[train], dataset.classes),
        "mistakes": worst_mistakes(texts, probabilities, labels, dataset.classes, partial(coloured, counting)),
    }
