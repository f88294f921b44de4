"""Our own detector, built and taught. In: LoadedWeights, Lesson. Out: Detector, DetectionLearner. Next: network.py.

K classes, S side of the picture in pixels.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from tellapart.data.loading import ordered_batches
from tellapart.errors import SettingsError
from tellapart.models.build import stage_network
from tellapart.models.freezing import freeze
from tellapart.models.staged import StagedNetwork
from tellapart.models.trainable import Trainable
from tellapart.models.weights import LoadedWeights
from tellapart.preprocessing import Preprocessing
from tellapart.tasks.detection.learner import VALIDATION_BATCH, DetectionLearner, check_boxes
from tellapart.tasks.detection.loss import DetectionLoss, boxes_a_picture
from tellapart.tasks.detection.network import Detector
from tellapart.tasks.lesson import Lesson
from tellapart.training.devices import Devices


def build_default(class_count: int, size: int, loaded: LoadedWeights) -> Detector:
    """A detector of `class_count` classes for pictures of `size` pixels, its head drawn from torch's random state.

    The stages that only the finest map is made of are frozen: their edges and textures are as good as they will become.
    Raises: ValueError for a side that is no multiple of 32; BackboneError where the backbone does not suit.
    """
    network = Detector(staged_body(loaded, size), class_count=class_count, size=size)
    freeze_below(network, network.levels[0].stage + 1)
    return network


def input_of(loaded: LoadedWeights, size: int) -> Preprocessing:
    """How a picture becomes what a detector takes: whole, in the middle of a square of `size` pixels."""
    return replace(loaded.preprocessing, size=size, crop=1.0, fit="pad")


def staged_body(loaded: LoadedWeights, size: int) -> StagedNetwork:
    """The backbone in its stages, for pictures of `size` pixels. Raises: BackboneError where it cannot take such."""
    name = str(getattr(loaded.network, "pretrained_cfg", {}).get("architecture") or "the backbone")
    return stage_network(loaded.network, name=name, preprocessing=input_of(loaded, size), class_count=1)


def freeze_below(network: Detector, frozen: int) -> None:
    """Let all but the backbone's `frozen` lowest stages train. Raises: SettingsError when it has fewer stages."""
    freeze(network.body, len(network.body.stages) - frozen)
    network.body.classifier.requires_grad_(False)  # nothing is classified


def teach_default(lesson: Lesson, devices: Devices, network: Trainable) -> DetectionLearner:
    """The learner of true boxes float32 [N, M, 6] of `network`, a Detector.

    Raises: ValueError for other targets, TrainingError for classes that there are not, SettingsError for what mixes classes.
    """
    if not isinstance(network, Detector):
        raise TypeError(f"a network {type(network).__name__}; this learner is for a Detector")
    check_lesson(lesson)
    return DetectionLearner(
        loss=DetectionLoss(boxes_a_picture=boxes_a_picture(lesson.train_targets[lesson.train_rows])),
        class_count=lesson.class_count,
        size=network.size,
        devices=devices,
        validation=lambda: ordered_batches(
            lesson.validation, lesson.validation_targets, rows=lesson.validation_rows, batch_size=VALIDATION_BATCH
        ),
        start=lesson.start,
    )


def check_lesson(lesson: Lesson) -> None:
    """Whether both splits' targets are boxes of its classes, and nothing mixes them.

    Raises: ValueError, TrainingError, SettingsError.
    """
    for name, given in (("augment.mixup", lesson.mixup), ("augment.cutmix", lesson.cutmix)):
        if given:
            raise SettingsError(f"{name} is {given:g}, which mixes whole classes; boxes have none. Set it to 0.")
    for targets, rows in (
        (lesson.train_targets, lesson.train_rows),
        (lesson.validation_targets, lesson.validation_rows),
    ):
        check_boxes(torch.from_numpy(targets[rows]), torch.from_numpy(rows), lesson.class_count)
