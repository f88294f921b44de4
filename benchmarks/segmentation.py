"""A plain loop of segmentation_models_pytorch beside ours. In: pictures with masks. Out: figures and speeds, as JSON lines.

The plain loop is what that package's examples teach, in our own words: a U-Net on the same encoder with the same weights,
random crops and flips, cross-entropy and Dice, Adam. `--plain` trains and tests it; `--speed` times updates of both in
turn, on crops of one size, with all that each does for a crop (cutting, varying, averaging weights).

    python benchmarks/segmentation.py membrane.csv --plain --epochs 10
    python benchmarks/segmentation.py membrane.csv --speed
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import segmentation_models_pytorch as library
import torch
from numpy.typing import NDArray
from torch.nn import functional

from tellapart.data.dataset import Dataset, gather
from tellapart.data.examples import ReadOptions
from tellapart.data.loading import TrainingBatches
from tellapart.features.backbone import ReadyBackbone, prepare_backbone
from tellapart.features.caching import open_cache
from tellapart.reporter import Silent
from tellapart.settings.reading import make_settings
from tellapart.storage import cache_folder
from tellapart.tasks.segmentation.agreement import count_pixels, figures_of
from tellapart.tasks.segmentation.encoder import fill_encoder
from tellapart.tasks.segmentation.first import first_answer
from tellapart.tasks.segmentation.learner import teach
from tellapart.tasks.segmentation.starting import parts_of, prefer, prepare_finetune, suit, tiled
from tellapart.tasks.table import TASKS
from tellapart.training.devices import Devices, training_threads
from tellapart.training.loop import fit
from tellapart.training.memory import keep_freed_memory
from tellapart.training.optimizer import build_optimizer
from tellapart.training.schedule import Schedule
from tellapart.training.terms import Trainee, TrainingLimits
from tellapart.workflows.learning.examine import examine
from tellapart.workflows.learning.shrunk import shrink_splits

SIZE, BATCH, RATE = 256, 8, 1e-3
TASK = TASKS["segmentation"]
Pictures = list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Given:
    """What both learn from."""

    dataset: Dataset
    backbone: ReadyBackbone
    pictures: dict[str, Pictures]  # by split, opened


def read(source: Path) -> Given:
    """Read, audit and split as the commands do."""
    with open_cache(Silent()) as cache:
        examined = examine(source, cache=cache, reporter=Silent(), options=ReadOptions(task="segmentation"))
    dataset = gather(examined, split=TASK.split, encode=TASK.encode, seed=0)
    backbone = prepare_backbone("tf_efficientnet_lite0", cache=cache_folder(), weights=None).wait()
    preprocessing = replace(backbone.preprocessing, fit="tile")
    pictures: dict[str, Pictures] = {}
    for split in ("train", "validation", "test"):
        opened = parts_of(dataset, split, preprocessing, size=SIZE, augment=None, seed=0).pictures
        pictures[split] = [(one.pixels, one.mask) for one in map(opened.__getitem__, range(len(opened.pictures)))]
    return Given(dataset=dataset, backbone=backbone, pictures=pictures)


def plain_network(given: Given) -> Any:
    """The U-Net as the package makes it, with the encoder's weights."""
    torch.manual_seed(0)
    classes = len(given.dataset.classes)
    network = library.Unet("tu-tf_efficientnet_lite0", encoder_weights=None, in_channels=3, classes=classes)
    fill_encoder(network.encoder, given.backbone.weights, given.backbone.name)
    return network


def plain_epochs(given: Given, network: Any, epochs: int) -> list[float]:
    """Train for so many passes over the training pictures, a crop of each; the seconds of each update."""
    pictures = given.pictures["train"] + given.pictures["validation"]
    chance = np.random.default_rng(0)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    dice = library.losses.DiceLoss("multiclass", ignore_index=255)
    seconds = []
    network.train()
    for _ in range(epochs):
        order = chance.permutation(len(pictures))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            began = time.perf_counter()
            crops = [plain_crop(pictures[number], chance) for number in order[start : start + BATCH]]
            images = torch.from_numpy(np.stack([one[0] for one in crops])).permute(0, 3, 1, 2).float() / 127.5 - 1
            masks = torch.from_numpy(np.stack([one[1] for one in crops])).long()
            logits = network(images)
            loss = functional.cross_entropy(logits, masks, ignore_index=255) + dice(logits, masks)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seconds.append(time.perf_counter() - began)
    return seconds


def plain_crop(picture: tuple[NDArray[np.uint8], NDArray[np.uint8]], chance: np.random.Generator) -> Any:
    """A square anywhere in a picture, perhaps mirrored."""
    pixels, mask = picture
    top, left = (int(chance.integers(0, side - SIZE + 1)) for side in mask.shape)
    part = np.s_[top : top + SIZE, left : left + SIZE]
    shown = pixels[part], mask[part]
    flips = chance.random(2) < 0.5
    for axis in np.flatnonzero(flips).tolist():
        shown = np.flip(shown[0], axis), np.flip(shown[1], axis)
    return tuple(map(np.ascontiguousarray, shown))


@torch.inference_mode()
def tested(given: Given, network: Any) -> dict[str, Any]:
    """Figures of the test pictures, each seen whole (their sides are multiples of 32)."""
    network.eval()
    classes = len(given.dataset.classes)
    counts = np.zeros((classes, classes), dtype=np.int64)
    for pixels, mask in given.pictures["test"]:
        image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
        counts += count_pixels(mask, network(image)[0].argmax(0).numpy(), classes)
    both, either = np.diag(counts), counts.sum(0) + counts.sum(1) - np.diag(counts)
    by_class = dict(zip(given.dataset.classes, (both / np.maximum(either, 1)).round(4).tolist(), strict=True))
    return {**{name: round(value, 4) for name, value in figures_of(counts).items()}, "iou_by_class": by_class}


def our_seconds(given: Given, source: Path, work: Path, epochs: int) -> list[float]:
    """Ours, fine-tuned from its first answer; the mean seconds of an update, an epoch at a time, without what judges it."""
    settings = suit(prefer(make_settings({"data": str(source), "loop": {"batch_size": BATCH}})), given.dataset)
    candidate = first_answer(settings, given.dataset, given.backbone, work, "cpu", Silent())
    prepared = prepare_finetune(settings, len(given.dataset.classes), candidate)
    if prepared.shape[0] != SIZE:
        raise SystemExit(f"pictures of this size are learned in crops of {prepared.shape[0]} pixels, not {SIZE}")
    lesson = shrink_splits(settings, TASK, given.dataset, prepared, Silent()).lesson
    devices, network = Devices(), prepared.network
    batches = TrainingBatches(lesson.train, lesson.train_targets, rows=lesson.train_rows, batch_size=BATCH, seed=0)
    optimizer = build_optimizer(network.layer_groups(), learning_rate=RATE, weight_decay=0.01)
    schedule = Schedule(optimizer, name="cosine", epochs=epochs, steps=batches.steps, warmup_epochs=0.5)
    fitted = fit(
        Trainee(
            network=network,
            learner=teach(lesson, devices),
            batches=batches,
            optimizer=optimizer,
            schedule=schedule,
            seed=0,
            average_decay=settings.loop.average,
        ),
        TrainingLimits(epochs=epochs),
        devices=devices,
    )
    return [BATCH / epoch.pictures_per_second for epoch in fitted.history]


def main() -> None:
    """Print one JSON line for each thing that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--plain", action="store_true", help="train and test the plain loop")
    parser.add_argument("--speed", action="store_true", help="time updates of both in turn")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--work", type=Path, default=Path("/tmp/tellapart-segmentation"))
    given_flags = parser.parse_args()
    keep_freed_memory()
    given, devices = read(given_flags.data), Devices()
    tile = tiled(given.backbone.preprocessing, suit(prefer(make_settings({"data": "x"})), given.dataset)).size
    print(json.dumps({"splits": {name: len(one) for name, one in given.pictures.items()}, "tile": tile}), flush=True)
    with training_threads(devices.threads):
        if given_flags.plain:
            network, began, cpu = plain_network(given), time.perf_counter(), time.process_time()
            seconds = plain_epochs(given, network, given_flags.epochs)
            found = {
                "seconds": round(time.perf_counter() - began, 1),
                "cpu_seconds": round(time.process_time() - cpu, 1),
            }
            print(json.dumps({"plain": {**tested(given, network), **found, "updates": len(seconds)}}), flush=True)
        if given_flags.speed:
            for _ in range(3):
                plain = float(np.median(plain_epochs(given, plain_network(given), 4)))
                ours = float(np.median(our_seconds(given, given_flags.data, given_flags.work, 2)))
                print(
                    json.dumps({"plain_crops_a_second": BATCH / plain, "our_crops_a_second": BATCH / ours}), flush=True
                )


if __name__ == "__main__":
    main()
