"""The first answer: a head on the frozen backbone. In: settings, Dataset. Out: DetectorCandidate. Next: finishing.py.

The backbone sees a few variants of each picture once; what stands on its maps then learns for a number of updates that depends on
nothing but the data, so that the same command gives the same weights, also of a run that was stopped. About a minute on two cores.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tellapart.answers.tiling import in_tiles
from tellapart.data.augment import build_augmentation
from tellapart.data.augmentation import resolve
from tellapart.data.dataset import Dataset
from tellapart.data.examples import Split
from tellapart.data.loading import TrainingBatches, ordered_batches
from tellapart.errors import DataError
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.caching import row_limit_bytes
from tellapart.features.shrink import shrink, training_square
from tellapart.models.freezing import freeze
from tellapart.reporter import Reporter
from tellapart.settings.tree import TrainSettings
from tellapart.storage import cache_folder
from tellapart.tasks.detection.candidates import DetectorCandidate
from tellapart.tasks.detection.detectors import detector_kind
from tellapart.tasks.detection.finishing import exported
from tellapart.tasks.detection.judging import judge_boxes
from tellapart.tasks.detection.learner import VALIDATION_BATCH, DetectionLearner
from tellapart.tasks.detection.levels import StagedDetector
from tellapart.tasks.detection.loss import boxes_a_picture
from tellapart.tasks.detection.maps import MapViews, export_maps, map_views
from tellapart.tasks.detection.pictures import box_pictures_at
from tellapart.tasks.detection.starting import augment_settings, new_detector, pretrained_of, squares
from tellapart.tasks.detection.tiled import cut_dataset, merged_score
from tellapart.tasks.source import usable_rows
from tellapart.training.devices import Devices
from tellapart.training.loop import fit
from tellapart.training.optimizer import build_optimizer
from tellapart.training.progress import Fitted, Progress, how_it_went
from tellapart.training.schedule import Schedule
from tellapart.training.terms import Listeners, Trainee, TrainingLimits

BATCH = 8
_MOST_EPOCHS = 40
_MOST_VIEWS = 1200  # of all training pictures together: half a gigabyte at 320 pixels
_VIEWS_A_PICTURE = 8
_MOST_BYTES, _BYTES = 2_000_000_000, 2  # of all views together, whatever room there is; of a number
_MOST_VALIDATED = 200  # validation pictures that choose the epoch
_MOST_VALIDATED_TILES = 400  # the same in tiles, of whole pictures


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Given:
    """What is learned from."""

    train: MapViews
    train_rows: NDArray[np.int64]
    validation: MapViews
    validation_rows: NDArray[np.int64]


def first_answer(
    settings: TrainSettings, dataset: Dataset, backbone: ReadyBackbone, work: Path, device: str, reporter: Reporter
) -> DetectorCandidate:
    """Learn it on `device` (cpu, cuda, mps), and write its files into `work`.

    Raises: BackboneError, DataError, TrainingError, StorageError.
    """
    with reporter.step("Preparing the network", 1) as advance:
        backbone = pretrained_of(settings, backbone)
        network = new_detector(settings, len(dataset.classes), backbone)
        freeze(network.body, 0)
        path, length = export_maps(network, folder=backbone.network.parent)
        advance(1)
    given = _given(settings, dataset, backbone, path, length, reporter)
    fitted = _learned(settings, network, given, Devices(device=torch.device(device)), reporter)
    network.to("cpu").eval()
    return exported(
        network,
        strategy="probe",
        name=backbone.name,
        source=backbone.weights_source,
        weights_license=backbone.weights_license,
        preprocessing=squares(backbone.preprocessing, settings),
        details=how_it_went(fitted),
        folder=work,
        pretrained=backbone,
    )


def _given(
    settings: TrainSettings, dataset: Dataset, backbone: ReadyBackbone, path: Path, length: int, reporter: Reporter
) -> _Given:
    """The maps of some views of the training pictures, and of the validation pictures as they are."""
    preprocessing = squares(backbone.preprocessing, settings)
    tiled = in_tiles(preprocessing)
    if tiled:
        most = {"most_train": _MOST_VIEWS, "most_validation": _MOST_VALIDATED_TILES}
        dataset = cut_dataset(dataset, preprocessing, seed=settings.seed, **most).dataset
    augment = build_augmentation(resolve(**augment_settings(settings).model_dump()), size=preprocessing.size)
    count = len(dataset.rows["train"])
    # Of a large backbone with a fine map a view takes megabytes.
    views = max(1, min(_VIEWS_A_PICTURE, min(_MOST_VIEWS, _MOST_BYTES // (_BYTES * length)) // count))
    folder, limit = cache_folder(), row_limit_bytes()

    def made(split: Split, advance: Callable[[int], None]) -> tuple[MapViews, NDArray[np.int64]]:
        train = split == "train"
        # Rows are in the order of their contents, which is random: the first ones are a fair sample.
        part = dataset.rows[split][: None if tiled else _MOST_VIEWS if train else _MOST_VALIDATED]
        shown = shrink(
            [dataset.pictures[row] for row in part],
            preprocessing=training_square(preprocessing) if train else preprocessing,
            folder=folder,
            limit_bytes=limit,
        )
        pictures = box_pictures_at(dataset, part, shown, augment=augment if train else None, seed=settings.seed)
        kept: dict[str, Any] = {"folder": folder, "limit_bytes": limit, "advance": advance}
        source = map_views(pictures, shown, backbone=path, length=length, views=views, **kept)
        rows = usable_rows(source)
        if not len(rows):
            raise DataError(f"no picture of the {split} split is left that can be read. Add pictures to it.")
        return source, rows

    validated = len(dataset.rows["validation"])
    whole = min(count, _MOST_VIEWS) * views + (validated if tiled else min(validated, _MOST_VALIDATED))
    with reporter.step("Running the frozen backbone", whole) as advance:
        train, validation = made("train", advance), made("validation", advance)
    return _Given(train=train[0], train_rows=train[1], validation=validation[0], validation_rows=validation[1])


def _learned(
    settings: TrainSettings, network: StagedDetector, given: _Given, devices: Devices, reporter: Reporter
) -> Fitted:
    boxes, validated = given.train.pictures.boxes, given.validation.pictures.boxes
    tiles = given.validation.pictures.tiles
    kind = detector_kind(network.kind)
    batches = TrainingBatches(given.train, boxes, rows=given.train_rows, batch_size=BATCH, seed=settings.seed)
    epochs = max(1, min(_MOST_EPOCHS, math.ceil(kind.first_updates / batches.steps)))
    learner = DetectionLearner(
        loss=kind.loss(boxes_a_picture(boxes[given.train_rows])),
        class_count=network.class_count,
        size=network.size,
        devices=devices,
        validation=partial(
            ordered_batches, given.validation, validated, rows=given.validation_rows, batch_size=VALIDATION_BATCH
        ),
        score=merged_score([tiles[row] for row in given.validation_rows]) if tiles else judge_boxes,
        start=len(network.body.stages),
    )
    optimizer = build_optimizer([network.head_parameters()], learning_rate=kind.head_learning_rate, weight_decay=0.01)
    warmup = min(1, epochs / 2)
    schedule = Schedule(optimizer, name="cosine", epochs=epochs, steps=batches.steps, warmup_epochs=warmup)
    trainee: dict[str, Any] = {"clip": kind.clip, "average_decay": kind.average}
    with reporter.step("Learning what stands on it", epochs * batches.steps) as advance:
        told = [0]

        def on_step(progress: Progress) -> None:
            done = (progress.epoch - 1) * batches.steps + progress.step
            advance(done - told[0])
            told[0] = done

        return fit(
            Trainee(
                network=network,
                learner=learner,
                batches=batches,
                optimizer=optimizer,
                schedule=schedule,
                seed=settings.seed,
                **trainee,
            ),
            TrainingLimits(epochs=epochs),
            devices=devices,
            listeners=Listeners(on_step=on_step, on_message=reporter.warn),
        )
