"""Boxes with classes, as one record. In: nothing. Out: DETECTION. Next: starting.py.

Every function imports its part when it is called: the table of tasks must cost nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.table import ANSWERINGS
from tellapart.data.stratify_boxes import assign_boxes, fold_boxes
from tellapart.data.targets import Boxes, class_boxes
from tellapart.errors import DataError
from tellapart.settings.space import TriedRange, TriedValues
from tellapart.tasks.detection import telling
from tellapart.tasks.spaces import headed
from tellapart.tasks.task import FirstTerms, LearnedHead, Task

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tellapart.bundle import Manifest
    from tellapart.data.augment import Augment
    from tellapart.data.dataset import Dataset
    from tellapart.data.examples import Entry, Split
    from tellapart.data.targets import Target
    from tellapart.evaluation.choosing import Choice, Validated
    from tellapart.evaluation.differences import Difference, Resampling
    from tellapart.evaluation.doubts import Doubted
    from tellapart.features.backbone import ReadyBackbone
    from tellapart.features.shrink import ShrunkPictures
    from tellapart.models.build import BuiltNetwork
    from tellapart.preprocessing import Preprocessing
    from tellapart.reporter import Reporter
    from tellapart.runs.writing import Tested
    from tellapart.settings.tree import TrainSettings
    from tellapart.tasks.detection.candidates import DetectorCandidate
    from tellapart.tasks.detection.levels import StagedDetector
    from tellapart.tasks.folds import Pooled
    from tellapart.tasks.lesson import Lesson
    from tellapart.tasks.parts import CutPictures
    from tellapart.tasks.prepared import Prepared, Reopened
    from tellapart.tasks.source import UsableRows
    from tellapart.training.devices import Devices
    from tellapart.training.distilling import Distance
    from tellapart.training.learner import Learner
    from tellapart.training.progress import Fitted

_BUDGET = 600.0  # seconds: a detector on two cores needs minutes, where a classifier needs one


def _strata(targets: NDArray[Any]) -> NDArray[np.int64]:
    """The rarest class of each picture of boxes [N, M, 6], int64 [N]; one more than the last for a picture without boxes."""
    labels = targets[..., 0]
    known = ~np.isnan(labels)
    counts = np.bincount(labels[known].astype(np.int64))
    rare = np.where(known, counts[np.nan_to_num(labels).astype(np.int64)] if len(counts) else 0, np.inf).argmin(1)
    found = np.take_along_axis(labels, rare[:, None], axis=1)[:, 0]
    return np.where(np.isnan(found), len(counts), np.nan_to_num(found)).astype(np.int64)


def _check(settings: TrainSettings, dataset: Dataset) -> None:
    """Raises: DataError where a split has no box that counts."""
    for split, rows in dataset.rows.items():
        boxes = dataset.targets[rows]
        if len(rows) and not ((boxes[..., 5] == 0) & ~np.isnan(boxes[..., 0])).any():
            raise DataError(
                f"0 of {len(rows)} pictures of the {split} split have a box that counts; 1 must. Add pictures with boxes to it."
            )


def _build(settings: TrainSettings, class_count: int) -> BuiltNetwork[StagedDetector]:
    from tellapart.tasks.detection.starting import build_from_scratch

    return build_from_scratch(settings, class_count)


def _prefer(settings: TrainSettings) -> TrainSettings:
    from tellapart.tasks.detection.starting import prefer

    return prefer(settings)


def _source(
    dataset: Dataset, split: Split, pictures: ShrunkPictures, *, augment: Augment | None, seed: int
) -> UsableRows:
    from tellapart.tasks.detection.pictures import box_pictures

    return box_pictures(dataset, split, pictures, augment=augment, seed=seed)


def _parts(settings: TrainSettings, dataset: Dataset, inputs: Preprocessing) -> CutPictures | None:
    if inputs.fit != "tile":
        return None
    from tellapart.tasks.detection.tiled import cut_dataset

    return cut_dataset(dataset, inputs, seed=settings.seed)


def _learner(lesson: Lesson, devices: Devices) -> Learner:
    from tellapart.tasks.detection.teaching import teach

    return teach(lesson, devices)


def _first(settings: TrainSettings, dataset: Dataset, backbone: ReadyBackbone, terms: FirstTerms) -> DetectorCandidate:
    from tellapart.tasks.detection.first import first_answer

    return first_answer(settings, dataset, backbone, terms)


def _doubt(
    settings: TrainSettings, dataset: Dataset, backbone: ReadyBackbone, work: Path, device: str, reporter: Reporter
) -> Doubted:
    from tellapart.tasks.detection.doubting import doubt

    return doubt(settings, dataset, backbone, work, device, reporter)


def _prepare(settings: TrainSettings, class_count: int, first: DetectorCandidate) -> Prepared:
    from tellapart.tasks.detection.starting import prepare_finetune

    return prepare_finetune(settings, class_count, first)


def _finish(prepared: Prepared, fitted: Fitted, work: Path) -> DetectorCandidate:
    from tellapart.tasks.detection.finishing import finish

    return finish(prepared, fitted, work)


def _again(weights: Path, manifest: Manifest, settings: TrainSettings) -> Reopened:
    from tellapart.tasks.detection.rebuilding import again

    return again(weights, manifest, settings)


def _close(prepared: Prepared, folder: Path) -> DetectorCandidate:
    from tellapart.tasks.detection.finishing import close

    return close(prepared, folder)


def _distance() -> Distance:
    from tellapart.tasks.detection.nearness import boxes_distance

    return boxes_distance


def _choose(first: Validated[DetectorCandidate], other: Validated[DetectorCandidate]) -> Choice[DetectorCandidate]:
    from tellapart.tasks.detection.candidates import choose

    return choose(first, other)


def _validate(candidate: DetectorCandidate, dataset: Dataset) -> Validated[DetectorCandidate]:
    from tellapart.tasks.detection.candidates import validate

    return validate(candidate, dataset)


def _correct(settings: TrainSettings, choice: Choice[DetectorCandidate], dataset: Dataset) -> Choice[DetectorCandidate]:
    """The same choice: scores are calibrated with the thresholds, once it is made."""
    return choice


def _test(settings: TrainSettings, choice: Choice[DetectorCandidate], dataset: Dataset) -> Tested:
    from tellapart.tasks.detection.testing import test

    return test(settings, choice, dataset)


def _export(choice: Choice[DetectorCandidate], tested: Tested, manifest: Manifest) -> bytes:
    from tellapart.tasks.detection.testing import export

    return export(choice, tested, manifest)


def _pool(*given: Any, **named: Any) -> Pooled:
    from tellapart.tasks.detection.pooling import pool

    return pool(*given, **named)


def _score(
    manifest: Manifest, answers: Sequence[Any], targets: Sequence[Target], *, groups: NDArray[Any], seed: int
) -> dict[str, Any]:
    from tellapart.tasks.detection.evaluating import score

    return score(manifest, answers, targets, groups=groups, seed=seed)


def _reopen(model: bytes, backbone: ReadyBackbone, strategy: str, embeddings: Any) -> DetectorCandidate:
    from tellapart.tasks.detection.candidates import DetectorCandidate

    return DetectorCandidate(strategy=strategy, backbone=backbone, pretrained=backbone, details={})


def _differ(before: Any, after: Any) -> Difference:
    from tellapart.tasks.detection.differing import differ

    return differ(before, after)


def _resampled(
    manifest: Manifest, answers: Sequence[Any], targets: Sequence[Target], numbers: NDArray[np.int64]
) -> Resampling:
    from tellapart.tasks.detection.differing import resampled

    return resampled(manifest, answers, targets, numbers)


def _of_picture(manifest: Manifest, answer: Any, target: Target) -> float:
    from tellapart.tasks.detection.differing import picture_f1

    return picture_f1(manifest, answer, target)


def _write_answers(path: Path, manifest: Manifest, entries: Sequence[Entry], answers: Sequence[Any]) -> None:
    from tellapart.tasks.detection.evaluating import write_answers

    write_answers(path, manifest, entries, answers)


def _sections(*given: Any, **named: Any) -> Any:
    from tellapart.tasks.detection.sections import sections

    return sections(*given, **named)


DETECTION = Task(
    name="detection",
    headline="ap50",
    watched=("AP", "AP50", "AP75"),
    answering=ANSWERINGS["detection"],
    kind=Boxes,
    encode=class_boxes,
    strata=_strata,
    split=assign_boxes,
    folds=fold_boxes,
    check=_check,
    prefer=_prefer,
    quick=None,
    head=LearnedHead(
        first=_first,
        prepare=_prepare,
        finish=_finish,
        choose=_choose,
        budget=_BUDGET,
        again=_again,
        close=_close,
        distance=_distance,
        doubt=_doubt,
    ),
    build=_build,
    source=_source,
    parts=_parts,
    space=headed(
        probe={
            "network.detector": TriedValues(values=("default", "yolox", "retinanet")),
            "network.size": TriedValues(values=(256, 320, 416)),
        },
        finetune={
            "loop.learning_rate": TriedRange(low=1e-4, high=3e-3, logarithmic=True),
            "loop.weight_decay": TriedRange(low=1e-3, high=0.1, logarithmic=True),
            "finetune.unfreeze": TriedValues(values=("0.25", "half", "all")),
            "augment.zoom": TriedRange(low=0.1, high=0.7),
        },
        scratch={
            "loop.learning_rate": TriedRange(low=1e-4, high=3e-3, logarithmic=True),
            "loop.weight_decay": TriedRange(low=1e-3, high=0.1, logarithmic=True),
            "augment.zoom": TriedRange(low=0.1, high=0.7),
        },
    ),
    learner=_learner,
    validate=_validate,
    correct=_correct,
    test=_test,
    export=_export,
    pool=_pool,
    score=_score,
    ends=("found", "embedding"),
    reopen=_reopen,
    differ=_differ,
    resampled=_resampled,
    picture=("f1", _of_picture),
    write_answers=_write_answers,
    telling=telling,
    sections=_sections,
)
