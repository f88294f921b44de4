"""How quickly the detector learns. In: a data set of boxes. Out: average precision by epoch and of the file, as JSON lines.

Reads, audits and splits as `tellapart check` and `train` do, trains on the train split, judges every epoch by the validation split,
then calibrates, draws the lines, writes model.onnx and lets it answer for the test split through ONNX Runtime alone.

    python benchmarks/detector.py raccoon_voc/ --epochs 16 --model model.onnx
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tellapart.answers.boxes import LEAST_SCORE, MOST, OVERLAP, FoundBoxes
from tellapart.answers.detection import Detection
from tellapart.bundle import (
    BackboneRecord,
    DataRecord,
    DetectionRecord,
    Manifest,
    PreprocessingRecord,
    open_model,
)
from tellapart.data.augment import build_augmentation
from tellapart.data.augmentation import Augmentation
from tellapart.data.dataset import Dataset, gather
from tellapart.data.examples import ReadOptions
from tellapart.data.loading import TrainingBatches
from tellapart.data.stratify_boxes import assign_boxes
from tellapart.data.targets import class_boxes
from tellapart.features.caching import open_cache, row_limit_bytes
from tellapart.features.shrink import shrink
from tellapart.models.build import stage_network
from tellapart.models.catalog import DEFAULT
from tellapart.models.freezing import freeze
from tellapart.models.trainable import Trainable
from tellapart.models.weights import LoadedWeights, load_backbone
from tellapart.preprocessing import Preprocessing
from tellapart.reporter import Silent
from tellapart.settings.tree import LoopSettings
from tellapart.storage import cache_folder
from tellapart.tasks.detection.deciding import Decided, decide
from tellapart.tasks.detection.detectors import DEFAULT_DETECTOR, DETECTORS, DetectorKind, detector_kind
from tellapart.tasks.detection.export import assemble, export_places
from tellapart.tasks.detection.judging import judge_boxes, match_found
from tellapart.tasks.detection.pictures import BoxPictures, in_squares
from tellapart.tasks.detection.teaching import teach
from tellapart.training.devices import Devices
from tellapart.training.loop import fit
from tellapart.training.memory import keep_freed_memory
from tellapart.training.optimizer import build_optimizer
from tellapart.training.progress import Epoch
from tellapart.training.schedule import Schedule
from tellapart.training.terms import Listeners, Trainee, TrainingLimits
from tellapart.workflows.learning.examine import examine

# What is brought in beside a smaller picture is one colour: a mirror would show things that no box is around.
AUGMENTATION = Augmentation(
    horizontal_flip=0.5,
    zoom=0.55,
    shift=0.15,
    brightness=0.2,
    contrast=0.2,
    saturation=0.3,
    hue=0.02,
    fill="mean",
)


def sources(dataset: Dataset, preprocessing: Preprocessing, seed: int, most: int | None) -> dict[str, BoxPictures]:
    """The pictures of each split with their boxes in their squares; at most `most` of each."""
    found = {}
    for split, rows in dataset.rows.items():
        chosen = rows[:most]
        examples = [dataset.examples[index] for index in dataset.indices[chosen]]
        found[split] = BoxPictures(
            squares=shrink(
                [dataset.pictures[row] for row in chosen],
                preprocessing=preprocessing,
                folder=cache_folder(),
                limit_bytes=row_limit_bytes(),
            ),
            boxes=in_squares(
                dataset.targets[chosen], [(example.width, example.height) for example in examples], preprocessing
            ),
            augment=build_augmentation(AUGMENTATION, size=preprocessing.size) if split == "train" else None,
            seed=seed,
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesson:
    """One training as the detector's learner sees it: tasks/lesson.py."""

    class_count: int
    network: Trainable
    size: int
    train: BoxPictures
    validation: BoxPictures
    start: int = 0
    loop: LoopSettings = field(default_factory=LoopSettings)
    balanced: bool = False
    mixup: float = 0.0
    cutmix: float = 0.0

    @property
    def train_targets(self) -> NDArray[Any]:
        return self.train.boxes

    @property
    def train_rows(self) -> NDArray[np.int64]:
        return np.arange(len(self.train))

    @property
    def validation_targets(self) -> NDArray[Any]:
        return self.validation.boxes

    @property
    def validation_rows(self) -> NDArray[np.int64]:
        return np.arange(len(self.validation))


def train(kind: DetectorKind, lesson: Lesson, *, epochs: int, batch: int, seed: int, threads: int) -> None:
    """Leave the weights of the best epoch in the network, and tell of each."""
    devices = Devices(threads=threads)
    optimizer = build_optimizer(
        lesson.network.layer_groups(),
        name="adamw",
        learning_rate=kind.learning_rate,
        head_learning_rate=kind.head_learning_rate,
        weight_decay=0.01,
    )
    batches = TrainingBatches(lesson.train, lesson.train_targets, batch_size=batch, seed=seed)
    began = [time.process_time()]

    def tell(epoch: Epoch, left: float) -> None:
        seconds = round(time.process_time() - began[0], 1)
        print(json.dumps({**epoch.record(), "processor_seconds": seconds}), flush=True)
        began[0] = time.process_time()

    fit(
        Trainee(
            network=lesson.network,
            learner=teach(lesson, devices),
            batches=batches,
            optimizer=optimizer,
            schedule=Schedule(
                optimizer, name="cosine", epochs=epochs, steps=batches.steps, warmup_epochs=min(1, epochs / 2)
            ),
            seed=seed,
            average_decay=kind.average,
            clip=kind.clip,
        ),
        TrainingLimits(epochs=epochs),
        devices=devices,
        listeners=Listeners(on_epoch=tell),
    )


def answers(path: Path, given: BoxPictures) -> list[FoundBoxes]:
    """What the file says of the pictures, in pixels of their squares."""
    model, side = open_model(path), given.squares.read(np.arange(1)).shape[1]
    found = []
    for row in range(len(given)):
        arrays = model.compute(given.squares.read(np.array([row])), Detection.outputs)
        there = arrays["scores"][0] > 0
        found.append(
            FoundBoxes(
                boxes=arrays["boxes"][0][there] * side,
                scores=arrays["scores"][0][there],
                labels=arrays["labels"][0][there],
            )
        )
    return found


def manifest(
    dataset: Dataset, loaded: LoadedWeights, preprocessing: Preprocessing, decided: Decided | None, name: str
) -> Manifest:
    """Of scores as they are where nothing is `decided` yet."""
    count = len(dataset.classes)
    return Manifest(
        task="detection",
        created="2026-01-01T00:00:00+00:00",
        strategy="finetune",
        classes=dataset.classes,
        preprocessing=PreprocessingRecord.of(preprocessing),
        backbone=BackboneRecord(
            name=DEFAULT,
            embedding=1280,
            weights_source=loaded.source,
            weights_license=loaded.license,
            weights_fingerprint="",
        ),
        scores={},
        data=DataRecord(
            name=name,
            fingerprint="",
            n_train=len(dataset.rows["train"]),
            n_validation=len(dataset.rows["validation"]),
            n_test=len(dataset.rows["test"]),
        ),
        versions={},
        record=DetectionRecord(
            scales=tuple(decided.scales) if decided else (1.0,) * count,
            offsets=tuple(decided.offsets) if decided else (0.0,) * count,
            thresholds=tuple(decided.thresholds) if decided else (0.5,) * count,
            threshold_rule=decided.rule if decided else "none",
            calibrated_on=len(dataset.rows["validation"]),
            overlap=OVERLAP,
            most=MOST,
            least_score=LEAST_SCORE,
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--detector", choices=list(DETECTORS), default=DEFAULT_DETECTOR)
    parser.add_argument("--epochs", type=int, help="unless given, what suits the detector")
    parser.add_argument("--size", type=int, help="pixels")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--most", type=int, help="pictures of each split")
    parser.add_argument("--model", type=Path, required=True, help="where model.onnx is written")
    asked = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(asked.threads)
    with open_cache() as cache:
        examined = examine(asked.data, cache=cache, reporter=Silent(), options=ReadOptions(task="detection"))
    dataset = gather(examined, split=assign_boxes, encode=class_boxes, seed=asked.seed)
    kind = detector_kind(asked.detector)
    size = asked.size or kind.size
    loaded = load_backbone(DEFAULT, None)
    preprocessing = replace(loaded.preprocessing, size=size, crop=1.0, fit="pad")
    given = sources(dataset, preprocessing, asked.seed, asked.most)
    torch.manual_seed(asked.seed)
    body = stage_network(loaded.network, name=DEFAULT, preprocessing=preprocessing, class_count=1)
    network = kind.make(body, class_count=len(dataset.classes), size=size)
    freeze(body, len(body.stages) - network.levels[0].stage - 1)
    body.classifier.requires_grad_(False)
    lesson = Lesson(
        class_count=len(dataset.classes),
        network=network,
        size=size,
        train=given["train"],
        validation=given["validation"],
    )
    train(
        kind,
        lesson,
        epochs=asked.epochs or kind.epochs,
        batch=asked.batch or kind.batch_size,
        seed=asked.seed,
        threads=asked.threads,
    )
    places = asked.model.with_suffix(".places.onnx")
    export_places(network, places)
    decided = None
    for split in ("validation", "test"):
        asked.model.write_bytes(assemble(places, manifest(dataset, loaded, preprocessing, decided, asked.data.name)))
        found, truth = answers(asked.model, given[split]), given[split].boxes
        matches = match_found(found, truth, len(dataset.classes))
        print(json.dumps({"split": split, **judge_boxes(found, truth, len(dataset.classes))}), flush=True)
        decided = decide(matches) if split == "validation" else decided
    print(json.dumps({"thresholds": list(decided.thresholds), "warnings": decided.warnings(dataset.classes)}))


if __name__ == "__main__":
    main()
