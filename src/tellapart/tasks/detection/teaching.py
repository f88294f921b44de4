"""Any detector, taught. In: Lesson. Out: DetectionLearner. Next: levels.py."""

from __future__ import annotations

import torch

from tellapart.data.loading import ordered_batches
from tellapart.tasks.detection.detectors import detector_kind
from tellapart.tasks.detection.judging import judge_boxes
from tellapart.tasks.detection.learner import VALIDATION_BATCH, DetectionLearner, check_boxes
from tellapart.tasks.detection.levels import StagedDetector
from tellapart.tasks.detection.loss import boxes_a_picture
from tellapart.tasks.detection.pictures import BoxPictures
from tellapart.tasks.detection.tiled import score_of
from tellapart.tasks.detection.unused import refuse_cutmix
from tellapart.tasks.lesson import Lesson
from tellapart.training.devices import Devices


def teach(lesson: Lesson, devices: Devices) -> DetectionLearner:
    """The learner of true boxes float32 [N, M, 6] of the lesson's network, a StagedDetector of any kind.

    Raises: ValueError for other targets, TypeError for another network, TrainingError for classes that there are not,
    SettingsError for what mixes classes.
    """
    network = lesson.network
    if not isinstance(network, StagedDetector):
        raise TypeError(f"a network {type(network).__name__}; this learner is for detectors")
    check_lesson(lesson)
    source, rows = lesson.validation, lesson.validation_rows
    return DetectionLearner(
        loss=detector_kind(network.kind).loss(boxes_a_picture(lesson.train_targets[lesson.train_rows])),
        class_count=lesson.class_count,
        size=network.size,
        devices=devices,
        validation=lambda: ordered_batches(source, lesson.validation_targets, rows=rows, batch_size=VALIDATION_BATCH),
        score=score_of(source, rows) if isinstance(source, BoxPictures) else judge_boxes,
        start=lesson.start,
    )


def check_lesson(lesson: Lesson) -> None:
    """Whether both splits' targets are boxes of its classes, and nothing cuts them up.

    Raises: ValueError, TrainingError, SettingsError.
    """
    refuse_cutmix(lesson.cutmix)
    for targets, rows in (
        (lesson.train_targets, lesson.train_rows),
        (lesson.validation_targets, lesson.validation_rows),
    ):
        check_boxes(torch.from_numpy(targets[rows]), torch.from_numpy(rows), lesson.class_count)
