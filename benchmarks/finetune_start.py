"""From which probe fine-tuning starts best. In: a folder or CSV of pictures, a recipe. Out: validation by epoch, as JSON lines.

The same network is fine-tuned from the probe on its last layer, and from the probe on the means of all stages beside it (a head
on all stages, whose weights train on raw numbers as the last layer's do): same pictures, views, order, seed and epochs. The frozen
stages run once for both; what they give is kept with their means behind it, in one row a picture and view. Augmentation, learning
rate, decay of layers, average and batch norm are the recipe's; size and crop the backbone's own. `start` is validation before the
first update. On a busy machine set OMP_WAIT_POLICY=PASSIVE, so that threads that wait leave the cores to others.

    python benchmarks/finetune_start.py solar --recipe recipes/elpv_finetune.toml     solar: the package elpv-dataset
    python benchmarks/finetune_start.py sign_digits/ --recipe recipes/sign_digits_finetune.toml --seeds 3
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from elpv import Seen, seen_by
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from tellapart.data.augment import build_augmentation
from tellapart.data.augmentation import resolve
from tellapart.data.loading import TrainingBatches, ordered_batches
from tellapart.features.caching import row_limit_bytes
from tellapart.features.frozen import OUTPUT, CachedViews, cache_views
from tellapart.features.shrink import shrink, training_square
from tellapart.models.build import build_pretrained
from tellapart.models.freezing import freeze, parse_unfreeze
from tellapart.models.staged import StagedNetwork
from tellapart.models.tracing import trace
from tellapart.settings.reading import make_settings, merge, parse_assignment, read_recipe
from tellapart.settings.tree import TrainSettings
from tellapart.storage import cache_folder
from tellapart.tasks.classification.learner import ClassificationLearner
from tellapart.training.devices import Devices
from tellapart.training.inference import VALIDATION_BATCH
from tellapart.training.loop import fit
from tellapart.training.loss import PictureLoss
from tellapart.training.memory import keep_freed_memory
from tellapart.training.optimizer import build_optimizer
from tellapart.training.probe import fit_probe
from tellapart.training.schedule import Schedule
from tellapart.training.terms import Listeners, Trainee, TrainingLimits

_RATE = 4e-4  # as workflows/learning/finetune.py, where the recipe gives none
_VALIDATION = 0.4  # of the pictures: forward passes are cheap, and a difference of one picture tells nothing


class Lower(nn.Module):
    """Pictures uint8 [B, S, S, 3] -> what the stages below `stop` give and their means behind it, float16 [B, L]."""

    def __init__(self, network: StagedNetwork, stop: int) -> None:
        super().__init__()
        self.network, self.stop = network, stop

    def forward(self, image: Tensor) -> Tensor:
        means: list[Tensor] = []
        maps = self.network.run_stages(image, 0, self.stop, means)
        return torch.cat([maps.flatten(1), *means], dim=1).half()


class Upper(nn.Module):
    """Rows float16 [B, L] of `Lower` -> logits [B, K], by all stages where the network joins them."""

    def __init__(self, network: StagedNetwork, shape: tuple[int, ...], centre: Tensor) -> None:
        super().__init__()
        self.network, self.shape = network, shape
        self.centre: Tensor
        self.register_buffer("centre", centre)  # [D], taken off the embedding
        with torch.no_grad():
            network.classifier.bias += network.classifier.weight @ centre  # so that it answers as before

    def forward(self, rows: Tensor, start: int) -> Tensor:
        network, length = self.network, math.prod(self.shape)
        found: list[Tensor] = []
        maps = rows[:, :length].float().reshape(-1, *self.shape)
        features = network.run_stages(maps, start, len(network.stages), found)
        trunk: Any = network.trunk
        last: Tensor = trunk.forward_head(features, pre_logits=True)
        embedding = torch.cat([rows[:, length:].float(), *found, last], dim=1) if network.joined else last
        logits: Tensor = network.classifier(embedding - self.centre)
        return logits


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What fine-tuning starts from."""

    joined: bool  # the means of all stages beside the last layer
    centred: bool = (
        False  # the mean of each number over the training pictures is taken off, and the bias makes up for it
    )


HEADS: Mapping[str, Head] = {
    "last": Head(joined=False),
    "stages": Head(joined=True),
    "last_centred": Head(joined=False, centred=True),
    "stages_centred": Head(joined=True, centred=True),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """What both starts train on and are judged by."""

    train: CachedViews
    validation: CachedViews
    labels: tuple[np.ndarray, np.ndarray]
    shape: tuple[int, ...]  # [C, H, W] of the frozen stages' maps
    start: int


def build(seen: Seen, rows: np.ndarray, *, joined: bool, trained: int, seed: int) -> StagedNetwork:
    """The network with the probe of the pictures `rows` as its classifier, and `trained` stages that train."""
    backbone = seen.backbone
    vectors = seen.vectors if joined else seen.vectors[:, sum(backbone.stages) :]
    count = int(seen.labels.max()) + 1
    stages = backbone.stages if joined else ()
    probe = fit_probe(
        vectors[rows], seen.labels[rows], groups=seen.groups[rows], class_count=count, stages=stages, seed=seed
    )
    network = build_pretrained(
        backbone.name, weights=backbone.weights, preprocessing=backbone.preprocessing, class_count=count, joined=joined
    )
    with torch.no_grad():
        network.classifier.weight.copy_(torch.from_numpy(probe.weight))
        network.classifier.bias.copy_(torch.from_numpy(probe.bias))
    freeze(network, trained)
    return network


def split_of(seen: Seen, network: StagedNetwork, settings: TrainSettings, parts: list[np.ndarray], views: int) -> Split:
    """The frozen stages' output for `views` variants of the training pictures and for the validation pictures."""
    own, folder, limit = seen.backbone.preprocessing, cache_folder(), row_limit_bytes()
    start = network.frozen
    with torch.inference_mode():
        shape = network.run_stages(torch.zeros(1, own.size, own.size, 3, dtype=torch.uint8), 0, start).shape[1:]
    lower = folder / f"packed-{start}.onnx"
    length = trace(Lower(network.eval(), start), size=own.size, path=lower, output=OUTPUT)
    augment = build_augmentation(resolve(**settings.augment.model_dump()), size=own.size)
    made = [
        cache_views(
            shrink([seen.files[row] for row in rows], preprocessing=chosen, folder=folder, limit_bytes=limit),
            lower=lower,
            shape=length,
            views=count,
            augment=vary,
            seed=settings.seed,
            folder=folder,
            limit_bytes=limit,
        )
        for rows, chosen, count, vary in ((parts[0], training_square(own), views, augment), (parts[1], own, 1, None))
    ]
    labels = (seen.labels[parts[0]], seen.labels[parts[1]])
    return Split(train=made[0], validation=made[1], labels=labels, shape=tuple(shape), start=start)


def tune(
    network: StagedNetwork, split: Split, settings: TrainSettings, epochs: int, centre: np.ndarray
) -> dict[str, Any]:
    """Fine-tune for `epochs`; validation before the first and after each."""
    loop, whole = settings.loop, Upper(network, split.shape, torch.from_numpy(centre))
    network.batch_norm_frozen = settings.finetune.batch_norm == "frozen"
    learner = ClassificationLearner(
        loss=PictureLoss(label_smoothing=loop.label_smoothing),
        class_count=network.classifier.out_features,
        devices=Devices(),
        validation=lambda: ordered_batches(split.validation, split.labels[1], batch_size=VALIDATION_BATCH),
        start=split.start,
    )
    optimizer = build_optimizer(
        network.layer_groups(),
        name=loop.optimizer,
        learning_rate=loop.learning_rate or _RATE,
        head_learning_rate=loop.head_learning_rate,
        layer_decay=loop.layer_decay,
        weight_decay=loop.weight_decay,
        momentum=loop.momentum,
    )
    batches = TrainingBatches(split.train, split.labels[0], batch_size=loop.pictures_at_once, seed=settings.seed)
    warm = min(loop.warmup_epochs, epochs / 2)
    schedule = Schedule(optimizer, name=loop.schedule, epochs=epochs, steps=batches.steps, warmup_epochs=warm)
    before = learner.judge(whole)
    fitted = fit(
        Trainee(
            network=whole,
            learner=learner,
            batches=batches,
            optimizer=optimizer,
            schedule=schedule,
            seed=settings.seed,
            clip=loop.clip or None,
            average_decay=loop.average or None,
        ),
        TrainingLimits(epochs=epochs),
        listeners=Listeners(on_epoch=lambda epoch, _: print(epoch.number, epoch.summary, file=sys.stderr, flush=True)),
    )
    told = [(before.loss, before.figures["accuracy"])]
    told += [(epoch.validation_loss, epoch.validation["accuracy"]) for epoch in fitted.history]
    names = ["start", *(f"epoch {number}" for number in range(1, epochs + 1))]
    return {
        name: {"loss": round(loss, 4), "accuracy": round(accuracy, 4)}
        for name, (loss, accuracy) in zip(names, told, strict=True)
    }


def measure(seen: Seen, name: str, arguments: argparse.Namespace, seed: int) -> None:
    """Print a line for each start of one seed."""
    values = merge(read_recipe(arguments.recipe), {"data": name, "seed": seed})
    for text in arguments.assignments:
        values = merge(values, parse_assignment(text))
    settings = make_settings(values)
    every = np.arange(len(seen.labels))
    if arguments.pictures < len(every):
        every, _ = train_test_split(every, train_size=arguments.pictures, stratify=seen.labels, random_state=seed)
    parts = train_test_split(every, test_size=_VALIDATION, stratify=seen.labels[every], random_state=seed)
    trained = parse_unfreeze(arguments.unfreeze, len(seen.backbone.stages))
    split = split_of(seen, joined_twin(seen, trained), settings, parts, arguments.views)
    facts = {"pictures": name, "seed": seed, "train": len(parts[0]), "validation": len(parts[1]), "trained": trained}
    for named in arguments.heads:
        head = HEADS[named]
        network = build(seen, parts[0], joined=head.joined, trained=trained, seed=seed)
        vectors = seen.vectors[parts[0], seen.vectors.shape[1] - network.embedding :]
        began = time.process_time()
        found = tune(network, split, settings, arguments.epochs, vectors.mean(axis=0) * head.centred)
        seconds = round(time.process_time() - began, 1)
        print(json.dumps(facts | {"head": named} | found | {"cpu": seconds}), flush=True)


def joined_twin(seen: Seen, trained: int) -> StagedNetwork:
    """The network that joins its stages, whose frozen part makes the rows for every start."""
    backbone = seen.backbone
    network = build_pretrained(
        backbone.name, weights=backbone.weights, preprocessing=backbone.preprocessing, class_count=2, joined=True
    )
    freeze(network, trained)
    return network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("set", help="a folder of class folders, a CSV, or solar")
    parser.add_argument("--recipe", type=Path, required=True)
    parser.add_argument("--set", dest="assignments", action="append", default=[], help="such as loop.average=0")
    parser.add_argument("--heads", nargs="+", choices=HEADS, default=["last", "stages"])
    parser.add_argument("--unfreeze", default="half")
    parser.add_argument("--pictures", type=int, default=800, help="at most, training and validation together")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--views", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    arguments = parser.parse_args()
    keep_freed_memory()
    seen = seen_by(arguments.backbone, None if arguments.set == "solar" else Path(arguments.set))
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        measure(seen, Path(arguments.set).name, arguments, seed)


if __name__ == "__main__":
    main()
