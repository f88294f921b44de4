"""A tiny training on boxes, for one process or several. In: a folder, torchrun. Out: its curve. Next: test_processes.py."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tellapart.data.batch import Batch
from tellapart.models.staged import StagedNetwork
from tellapart.preprocessing import Preprocessing
from tellapart.tasks.detection.learner import DetectionLearner
from tellapart.tasks.detection.loss import DetectionLoss
from tellapart.tasks.detection.network import Detector
from tellapart.training.devices import Devices, find_devices, leave
from tellapart.training.loop import fit
from tellapart.training.optimizer import build_optimizer
from tellapart.training.schedule import Schedule
from tellapart.training.terms import Trainee, TrainingLimits
from tests.tasks.detection.conftest import SIZE, Trunk
from tests.tasks.detection.lessons import squares

EPOCHS, STEPS, BATCH = 3, 4, 8
_STRIDES = (2, 2, 2, 1, 2, 2)


@dataclass
class Batches:
    """The same few pictures in every epoch; with several processes each gets its slice. Of four pictures one has no box."""

    devices: Devices
    steps: int = STEPS
    size: int = BATCH

    def epoch(self, number: int, start_step: int = 0) -> Iterator[Batch]:
        rank, world = self.devices.rank, self.devices.world
        for step in range(start_step, self.steps):
            pictures, boxes = map(torch.from_numpy, squares(self.size, step))
            part = slice(rank * self.size // world, (rank + 1) * self.size // world)
            yield Batch(inputs=pictures[part], targets=boxes[part], rows=torch.arange(self.size)[part])


def train(devices: Devices) -> dict[str, Any]:
    """The numbers of each epoch, and of the weights. Batch norms are at rest, as in fine-tuning: each picture's loss is its own."""
    with torch.random.fork_rng():
        torch.manual_seed(devices.rank)  # the processes begin apart; the first one's weights count
        body = StagedNetwork(
            Trunk(_STRIDES, channels_last=False),
            stages=[[f"blocks.{number}"] for number in range(len(_STRIDES))],
            embedding=4,
            class_count=2,
            preprocessing=Preprocessing(size=SIZE, crop=1.0, fit="pad"),
        )
        network = Detector(body, class_count=2, size=SIZE, channels=16)
    network.body.classifier.requires_grad_(False)  # as for every detector: nothing is classified
    network.body.batch_norm_frozen = network.batch_norm_frozen = True
    trained = [[(name, value) for name, value in network.named_parameters() if value.requires_grad]]
    optimizer = build_optimizer(trained, name="adamw", learning_rate=1e-2, weight_decay=0.01)
    pictures, boxes = map(torch.from_numpy, squares(BATCH, 99))
    fitted = fit(
        Trainee(
            network=network,
            learner=DetectionLearner(
                loss=DetectionLoss(boxes_a_picture=0.75),
                class_count=2,
                size=SIZE,
                devices=devices,
                validation=lambda: iter([Batch(inputs=pictures, targets=boxes, rows=torch.arange(BATCH))]),
            ),
            batches=Batches(devices),
            optimizer=optimizer,
            schedule=Schedule(optimizer, name="cosine", epochs=EPOCHS, steps=STEPS, warmup_epochs=1),
            seed=5,
            clip=1.0,
            average_decay=0.5,
        ),
        TrainingLimits(epochs=EPOCHS),
        devices=devices,
    )
    return {
        "world": devices.world,
        "curve": [[one.train_loss, *one.train.values(), one.validation_loss] for one in fitted.history],
        "weights": [float(value.double().square().sum()) for value in network.state_dict().values()],
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    found = find_devices(device="cpu")
    Path(sys.argv[1], f"process-{found.rank}.json").write_text(json.dumps(train(found)))
    leave(found)
