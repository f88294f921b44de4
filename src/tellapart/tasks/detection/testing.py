"""The kept detector on the test split, and its file. In: Choice, Dataset. Out: Tested; model.onnx. Next: scoring.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.boxes import LEAST_SCORE, MOST, OVERLAP
from tellapart.bundle import DetectionRecord, Manifest
from tellapart.data.dataset import Dataset
from tellapart.evaluation.choosing import Choice
from tellapart.evaluation.unlike import Unlike
from tellapart.runs.proving import NOVELTY_TOLERANCE, PROOF, Expected
from tellapart.runs.writing import Tested, with_and_without
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.detection.abstaining import learn_to_abstain, warnings_of
from tellapart.tasks.detection.candidates import EMBEDDING, DetectorCandidate, answered, decoded, on_validation, truths
from tellapart.tasks.detection.deciding import Decided, decide
from tellapart.tasks.detection.detectors import detector_kind
from tellapart.tasks.detection.evaluating import box_row
from tellapart.tasks.detection.export import assemble
from tellapart.tasks.detection.pooling import answers_as_arrays
from tellapart.tasks.detection.scoring import HEADLINE, evaluate

SCORES = (HEADLINE, "ap", "ap75", "f1", "precision", "recall")
_SIDE_TOLERANCE = 1e-3  # of the input's side


def test(settings: TrainSettings, choice: Choice[DetectorCandidate], dataset: Dataset) -> Tested:
    """Score the winner on the test split: the only time that anything looks at it. Thresholds come from validation."""
    candidate, rows = choice.winner.candidate, np.flatnonzero(dataset.splits == "test")
    validated = on_validation(choice.winner)
    decided = decide(validated.matches, precision=settings.precision)
    kind = detector_kind(settings.network.detector).name
    record = record_of(decided, calibrated_on=len(dataset.rows["validation"]), detector=kind)
    looked = candidate.look(dataset, rows, record)
    abstention = learn_to_abstain(
        candidate,
        dataset,
        validation=validated.embeddings,
        test=looked.embeddings and [looked.embeddings[at] for at in np.searchsorted(rows, dataset.clean_test)],
        coverage=settings.coverage,
        seed=settings.seed,
    )
    if abstention is not None:
        record = record.model_copy(update={"novelty_threshold": abstention.threshold, "known": abstention.known})
    answers = looked.answers
    metrics, clean = with_and_without(
        dataset.leaked[rows], partial(_measured, dataset, rows, answers, np.array(record.thresholds), settings.seed)
    )
    return Tested(
        rows=rows,
        record=record,
        metrics=metrics,
        metrics_without_leaked=clean,
        leaked=int(dataset.leaked[rows].sum()),
        shown=SCORES,
        beside={
            "threshold_rule": decided.rule,
            "calibration": {"scales": list(record.scales), "offsets": list(record.offsets)},
            **({} if abstention is None else {"abstention": abstention.measured}),
        },
        lines=lambda examples: map(box_row, examples, answers),
        expected={**_expected(candidate, dataset, rows[:PROOF], record), **_expected_novelty(abstention)},
        details=abstention,
        arrays=lambda: {
            **answers_as_arrays(answers),
            **({} if abstention is None else {"novelty": abstention.scores[np.argsort(dataset.clean_test)]}),
        },
        warning=" ".join([*decided.warnings(dataset.classes), *warnings_of(abstention)]),
    )


def _measured(
    dataset: Dataset,
    rows: NDArray[np.int64],
    answers: Sequence[Any],
    thresholds: NDArray[np.float64],
    seed: int,
    chosen: NDArray[np.bool_] | slice,
) -> dict[str, Any]:
    """The figures of the pictures at `rows` [n] that are chosen, by their answers [n]."""
    true, kept = truths(dataset, rows), np.arange(len(rows))[chosen].tolist()
    return evaluate(
        [answered(answers[at]) for at in kept],
        [true[at] for at in kept],
        classes=dataset.classes,
        thresholds=thresholds,
        groups=dataset.groups[rows[kept]],
        seed=seed,
    )


def record_of(decided: Decided, *, calibrated_on: int, detector: str | None = None) -> DetectionRecord:
    """What the manifest keeps of how boxes are decided; `calibrated_on` counts validation pictures."""
    return DetectionRecord(
        detector=detector,
        scales=tuple(decided.scales.tolist()),
        offsets=tuple(decided.offsets.tolist()),
        thresholds=tuple(decided.thresholds.tolist()),
        threshold_rule=decided.rule,
        calibrated_on=calibrated_on,
        overlap=OVERLAP,
        most=MOST,
        least_score=LEAST_SCORE,
    )


def _expected(
    candidate: DetectorCandidate, dataset: Dataset, rows: NDArray[np.int64], record: DetectionRecord
) -> dict[str, Expected]:
    """The score and the sides of the place that each box of the finished file comes from, as they were tested."""
    (found,) = candidate.everywhere([dataset.pictures[row] for row in rows.tolist()])
    boxes, scores = decoded(found, record)

    def nearest(outputs: Mapping[str, NDArray[Any]]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The place [n, D] whose box is nearest, and whether there is a box at all."""
        at = np.zeros(outputs["scores"].shape, dtype=np.int64)
        # Box by box: all at once are a gigabyte where there are tens of thousands of places.
        for picture, number in np.ndindex(*at.shape):
            far = np.abs(outputs["boxes"][picture, number] - boxes[picture]).max(-1)  # [P]
            # Of places with the same box the one with the score of the box's class counts.
            by_label = scores[picture, :, outputs["labels"][picture, number]]
            at[picture, number] = (far + np.abs(by_label - outputs["scores"][picture, number])).argmin()
        return at, outputs["scores"] > 0

    def its_scores(outputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        at, there = nearest(outputs)
        one = np.arange(len(at))[:, None]
        return np.asarray(np.where(there, scores[one, at, outputs["labels"]], 0), dtype=np.float32)

    def its_boxes(outputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        at, there = nearest(outputs)
        return np.asarray(np.where(there[..., None], boxes[np.arange(len(at))[:, None], at], 0), dtype=np.float32)

    reads = ("boxes", "scores", "labels")
    return {
        "boxes": Expected(of="boxes", values=its_boxes, reads=reads, tolerance=_SIDE_TOLERANCE),
        "scores": Expected(of="scores", values=its_scores, reads=reads),
    }


def _expected_novelty(abstention: Unlike | None) -> dict[str, Expected]:
    """What the file must make of its own embeddings."""
    if abstention is None:
        return {}
    return {
        "novelty": Expected(
            of="novelty scores",
            values=lambda outputs: abstention.novelty.score(outputs[EMBEDDING]),
            reads=(EMBEDDING,),
            tolerance=NOVELTY_TOLERANCE,
        )
    }


def export(choice: Choice[DetectorCandidate], tested: Tested, manifest: Manifest) -> bytes:
    """The bytes of model.onnx. Raises: StorageError when the network's file cannot be read."""
    abstention: Unlike | None = tested.details
    arrays = None if abstention is None else abstention.novelty.arrays()
    return assemble(choice.winner.candidate.backbone.network, manifest, novelty=arrays)
