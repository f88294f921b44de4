"""The first answer: a head on the frozen backbone. In: settings, Dataset. Out: DetectorCandidate. Next: kept_first.py.

The backbone sees a few variants of each picture once; what stands on its maps then learns for a number of updates that depends on
the data and, where the run has a budget, on what was planned once for it, so that a run that was stopped ends with the same
weights. About a minute on two cores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tellapart.answers.tiling import in_tiles
from tellapart.data.augment import Augment, build_augmentation
from tellapart.data.augmentation import resolve
from tellapart.data.dataset import Dataset
from tellapart.data.examples import Split
from tellapart.data.loading import TrainingBatches, ordered_batches
from tellapart.errors import DataError
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.caching import row_limit_bytes
from tellapart.features.shrink import shrink, training_square
from tellapart.models.freezing import freeze
from tellapart.preprocessing import Preprocessing
from tellapart.reporter import Reporter
from tellapart.settings.tree import TrainSettings
from tellapart.storage import cache_folder
from tellapart.tasks.detection.candidates import DetectorCandidate
from tellapart.tasks.detection.detectors import detector_kind
from tellapart.tasks.detection.finishing import exported
from tellapart.tasks.detection.first_plan import MOST_VIEWS, FirstPlan, plan_by_clock, usual_plan
from tellapart.tasks.detection.judging import judge_boxes
from tellapart.tasks.detection.kept_first import fingerprint_of, keep_candidate, kept_candidate
from tellapart.tasks.detection.learner import VALIDATION_BATCH, DetectionLearner, Score
from tellapart.tasks.detection.levels import StagedDetector
from tellapart.tasks.detection.loss import boxes_a_picture
from tellapart.tasks.detection.maps import MapViews, export_maps, map_views
from tellapart.tasks.detection.pictures import box_pictures_at
from tellapart.tasks.detection.starting import augment_settings, new_detector, pretrained_of, squares
from tellapart.tasks.detection.tiled import cut_dataset, score_of
from tellapart.tasks.source import usable_rows
from tellapart.tasks.task import FirstTerms
from tellapart.training.devices import Devices
from tellapart.training.learner import Batch
from tellapart.training.loop import fit
from tellapart.training.optimizer import build_optimizer
from tellapart.training.progress import Fitted, Progress, how_it_went
from tellapart.training.schedule import Schedule
from tellapart.training.terms import Listeners, Trainee, TrainingLimits
from tellapart.training.timing import Speed, Trial, measure

BATCH = 8
_MOST_VALIDATED = 200  # validation pictures that choose the epoch
_MOST_VALIDATED_TILES = 400  # the same in tiles, of whole pictures


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Frozen:
    """The backbone, which gives maps, and how pictures come to it."""

    path: Path  # its ONNX file
    length: int  # numbers of all maps of a picture
    preprocessing: Preprocessing
    augment: Augment


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Shown:
    """What is learned from, before the backbone has seen it: pictures, or tiles of them."""

    dataset: Dataset
    rows: Mapping[Split, NDArray[np.int64]]  # train, validation
    scored: int  # of validation and test, that the finished detector looks at


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Given:
    """What is learned from."""

    train: MapViews
    train_rows: NDArray[np.int64]
    validation: MapViews
    validation_rows: NDArray[np.int64]


def first_answer(
    settings: TrainSettings, dataset: Dataset, backbone: ReadyBackbone, terms: FirstTerms
) -> DetectorCandidate:
    """Learn it, and write its files into the terms' folder. Raises: BackboneError, DataError, TrainingError, StorageError."""
    devices = Devices(device=torch.device(terms.device))
    with terms.reporter.step("Preparing the network", 1) as advance:
        backbone = pretrained_of(settings, backbone)
        network = new_detector(settings, len(dataset.classes), backbone)
        freeze(network.body, 0)
        preprocessing = squares(backbone.preprocessing, settings)
        path, length = export_maps(network, folder=backbone.network.parent)
        augment = build_augmentation(resolve(**augment_settings(settings).model_dump()), size=preprocessing.size)
        frozen = _Frozen(path=path, length=length, preprocessing=preprocessing, augment=augment)
        advance(1)
    shown = _shown(dataset, preprocessing, seed=settings.seed)
    plan = _usual(settings, network, frozen, shown)
    of = partial(fingerprint_of, settings, dataset, backbone)
    kept = kept_candidate(terms.work, of(plan), preprocessing=preprocessing, pretrained=backbone)
    if kept is not None:
        return kept
    plan = _by_clock(settings, plan, network, frozen, shown, devices, terms)
    given = _given(shown, frozen, plan.views, settings.seed, terms.reporter)
    fitted = _learned(network, given, plan, devices, settings.seed, terms.reporter)
    network.to("cpu").eval()
    candidate = exported(
        network,
        strategy="probe",
        name=backbone.name,
        source=backbone.weights_source,
        weights_license=backbone.weights_license,
        preprocessing=preprocessing,
        details=how_it_went(fitted),
        folder=terms.work,
        pretrained=backbone,
    )
    keep_candidate(candidate, of(plan))
    return candidate


def _shown(dataset: Dataset, preprocessing: Preprocessing, *, seed: int) -> _Shown:
    """Which pictures are learned from, or which tiles of them."""
    if in_tiles(preprocessing):
        most = {"most_train": MOST_VIEWS, "most_validation": _MOST_VALIDATED_TILES}
        cut = cut_dataset(dataset, preprocessing, seed=seed, **most)
        return _Shown(dataset=cut.dataset, rows=cut.dataset.rows, scored=cut.validated + cut.tested)
    # Rows are in the order of their contents, which is random: the first ones are a fair sample.
    most_of: dict[Split, int] = {"train": MOST_VIEWS, "validation": _MOST_VALIDATED}
    rows: dict[Split, NDArray[np.int64]] = {split: dataset.rows[split][:most] for split, most in most_of.items()}
    return _Shown(dataset=dataset, rows=rows, scored=len(dataset.rows["validation"]) + len(dataset.rows["test"]))


def _usual(settings: TrainSettings, network: StagedDetector, frozen: _Frozen, shown: _Shown) -> FirstPlan:
    """As the settings say, or what suits the detector."""
    told, train = settings.finetune, len(shown.rows["train"])
    updates = detector_kind(network.kind).first_updates
    plan = usual_plan(updates=updates, steps=max(1, train // BATCH), pictures=train, length=frozen.length)
    return replace(plan, epochs=told.first_epochs or plan.epochs, views=told.first_views or plan.views)


def _by_clock(
    settings: TrainSettings,
    plan: FirstPlan,
    network: StagedDetector,
    frozen: _Frozen,
    shown: _Shown,
    devices: Devices,
    terms: FirstTerms,
) -> FirstPlan:
    """The plan, as far as the clock leaves room for it; kept where it had a say."""
    if terms.clock is None or terms.clock.left is None:
        return plan
    with terms.reporter.step("Timing the machine", 1) as advance:
        speed = _speed(network, frozen, shown, devices, terms.clock.left)
        advance(1)
    told = settings.finetune.first_epochs is not None and settings.finetune.first_views is not None
    counts = {"train": len(shown.rows["train"]), "validated": len(shown.rows["validation"]), "scored": shown.scored}
    found = plan_by_clock(plan, speed, terms.clock, told=told, **counts)
    if not told:
        terms.keep(epochs=found.epochs, views=found.views)
    return found


def _speed(network: StagedDetector, frozen: _Frozen, shown: _Shown, devices: Devices, left: float) -> Speed:
    """What a view and an update cost here, on made maps."""
    targets = shown.dataset.targets[shown.rows["train"]]
    learner = _learner(network, boxes_a_picture(targets), devices, validation=lambda: iter(()))
    return measure(
        Trial(
            network=network,
            learner=learner,
            targets=targets,
            start=len(network.body.stages),
            shape=(frozen.length,),
        ),
        lower=frozen.path,
        augment=frozen.augment,
        devices=devices,
        batch_size=BATCH,
        preprocessing=frozen.preprocessing,
        left=left,
    )


def _given(shown: _Shown, frozen: _Frozen, views: int, seed: int, reporter: Reporter) -> _Given:
    """The maps of some views of the training pictures, and of the validation pictures as they are."""
    folder, limit = cache_folder(), row_limit_bytes()

    def made(split: Split, advance: Callable[[int], None]) -> tuple[MapViews, NDArray[np.int64]]:
        train, part = split == "train", shown.rows[split]
        small = shrink(
            [shown.dataset.pictures[row] for row in part],
            preprocessing=training_square(frozen.preprocessing) if train else frozen.preprocessing,
            folder=folder,
            limit_bytes=limit,
        )
        pictures = box_pictures_at(shown.dataset, part, small, augment=frozen.augment if train else None, seed=seed)
        kept: dict[str, Any] = {"folder": folder, "limit_bytes": limit, "advance": advance}
        source = map_views(pictures, small, backbone=frozen.path, length=frozen.length, views=views, **kept)
        rows = usable_rows(source)
        if not len(rows):
            raise DataError(f"no picture of the {split} split is left that can be read. Add pictures to it.")
        return source, rows

    whole = len(shown.rows["train"]) * views + len(shown.rows["validation"])
    with reporter.step("Running the frozen backbone", whole) as advance:
        train, validation = made("train", advance), made("validation", advance)
    return _Given(train=train[0], train_rows=train[1], validation=validation[0], validation_rows=validation[1])


def _learned(
    network: StagedDetector, given: _Given, plan: FirstPlan, devices: Devices, seed: int, reporter: Reporter
) -> Fitted:
    boxes = given.train.pictures.boxes
    kind = detector_kind(network.kind)
    batches = TrainingBatches(given.train, boxes, rows=given.train_rows, batch_size=BATCH, seed=seed)
    optimizer = build_optimizer([network.head_parameters()], learning_rate=kind.head_learning_rate, weight_decay=0.01)
    warmup = min(1, plan.epochs / 2)
    trainee = Trainee(
        network=network,
        learner=_judged(network, given, devices),
        batches=batches,
        optimizer=optimizer,
        schedule=Schedule(optimizer, name="cosine", epochs=plan.epochs, steps=batches.steps, warmup_epochs=warmup),
        seed=seed,
        clip=kind.clip,
        average_decay=kind.average,
    )
    with reporter.step("Learning what stands on it", plan.epochs * batches.steps) as advance:
        told = [0]

        def on_step(progress: Progress) -> None:
            done = (progress.epoch - 1) * batches.steps + progress.step
            advance(done - told[0])
            told[0] = done

        listeners = Listeners(on_step=on_step, on_message=reporter.warn)
        limits = TrainingLimits(epochs=plan.epochs, deadline=plan.until())
        return fit(trainee, limits, devices=devices, listeners=listeners)


def _judged(network: StagedDetector, given: _Given, devices: Devices) -> DetectionLearner:
    """The learner of the training views, whose epochs are judged by whole validation pictures."""
    pictures, rows = given.validation.pictures, given.validation_rows
    validation = partial(ordered_batches, given.validation, pictures.boxes, rows=rows, batch_size=VALIDATION_BATCH)
    return _learner(
        network,
        boxes_a_picture(given.train.pictures.boxes[given.train_rows]),
        devices,
        validation=validation,
        score=score_of(pictures, rows),
    )


def _learner(
    network: StagedDetector,
    boxes: float,
    devices: Devices,
    *,
    validation: Callable[[], Iterator[Batch]],
    score: Score = judge_boxes,
) -> DetectionLearner:
    """Of maps; `boxes` is the mean number of a training picture."""
    return DetectionLearner(
        loss=detector_kind(network.kind).loss(boxes),
        class_count=network.class_count,
        size=network.size,
        devices=devices,
        validation=validation,
        score=score,
        start=len(network.body.stages),
    )
