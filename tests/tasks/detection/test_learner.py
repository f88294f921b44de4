"""A detector learns. In: a tiny network, bright squares. Out: losses, figures, refusals. Next: test_export.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tellapart.answers.boxes import FoundBoxes
from tellapart.data.augment import build_augmentation
from tellapart.data.augmentation import resolve
from tellapart.errors import TrainingError
from tellapart.models.staged import StagedNetwork
from tellapart.preprocessing import Preprocessing
from tellapart.tasks.detection.learner import DetectionLearner, check_boxes
from tellapart.tasks.detection.levels import DetectorOutput
from tellapart.tasks.detection.loss import DetectionLoss
from tellapart.tasks.detection.network import Detector
from tellapart.training.devices import Devices
from tellapart.training.learner import Batch
from tellapart.training.loop import fit
from tellapart.training.optimizer import build_optimizer
from tellapart.training.schedule import Schedule
from tellapart.training.terms import Trainee, TrainingLimits
from tellapart.training.timing import Trial, measure
from tellapart.training.update import Updater

NAN = float("nan")
SIZE = 64
Make = Callable[..., StagedNetwork]


def batch(count: int = 4, *key: int) -> Batch:
    """Grey pictures with one square that is red (class 0) or blue (class 1); the last one of four shows none."""
    generator = np.random.default_rng((count, *key))
    pictures = np.full((count, SIZE, SIZE, 3), 110, dtype=np.uint8)
    boxes = np.full((count, 2, 6), NAN, dtype=np.float32)
    for number in range(count):
        if number % 4 == 3:
            continue
        label, side = int(generator.integers(0, 2)), int(generator.integers(14, 34))
        left, top = generator.integers(0, SIZE - side, 2).tolist()
        pictures[number, top : top + side, left : left + side, 2 * label] = 255
        boxes[number, 0] = (label, left, top, left + side, top + side, 0)
    return Batch(inputs=torch.from_numpy(pictures), targets=torch.from_numpy(boxes), rows=torch.arange(count) + 10)


def learner(**changes: Any) -> DetectionLearner:
    settings: dict[str, Any] = {
        "loss": DetectionLoss(boxes_a_picture=1.0),
        "class_count": 2,
        "size": SIZE,
        "devices": Devices(threads=1),
        "validation": lambda: iter(batch(12, 99).split(2)),
        **changes,
    }
    return DetectionLearner(**settings)


def detector(body: StagedNetwork) -> Detector:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return Detector(body, class_count=2, size=SIZE, channels=16)


def parameters(network: Detector) -> list[list[tuple[str, nn.Parameter]]]:
    return [[(name, value) for name, value in network.named_parameters() if value.requires_grad]]


class Batches:
    steps = 12

    def epoch(self, number: int, start_step: int = 0) -> Any:
        for step in range(start_step, self.steps):
            yield batch(8, number, step)


def test_it_learns_where_bright_squares_are(make_body: Make) -> None:
    network = detector(make_body())
    network.body.batch_norm_frozen = False  # the backbone begins at random here
    optimizer = build_optimizer(parameters(network), name="adamw", learning_rate=1e-2, weight_decay=0.0)
    schedule = Schedule(optimizer, name="cosine", epochs=8, steps=Batches.steps, warmup_epochs=1)
    fitted = fit(
        Trainee(network=network, learner=learner(), batches=Batches(), optimizer=optimizer, schedule=schedule, seed=1),
        TrainingLimits(epochs=8),
        devices=Devices(threads=1),
    )
    first, best = fitted.history[0], fitted.history[fitted.best_epoch - 1]
    assert first.validation["AP50"] < 0.3
    assert best.validation["AP50"] > 0.6
    assert set(best.train) == {"score_loss", "box_loss"}
    assert best.train["score_loss"] + best.train["box_loss"] == pytest.approx(best.train_loss, rel=1e-4)


@pytest.mark.parametrize("chunk", [1, 3])
def test_a_halved_chunk_does_not_change_the_gradient(make_body: Make, chunk: int) -> None:
    def gradients(size: int | None) -> list[Tensor]:
        network = detector(make_body())
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 0.0
                module.register_forward_pre_hook(lambda module, inputs: module.eval() and None)
        rate = build_optimizer(parameters(network), name="sgd", learning_rate=1.0, weight_decay=0.0, momentum=0.0)
        before = [value.detach().clone() for _, value in network.head_parameters()]
        updater = Updater(
            network=network, learner=learner(), optimizer=rate, devices=Devices(threads=1), seed=0, chunk=size
        )
        updater.run(batch(6), epoch=0, step=0, vote=lambda: False)
        return [new - old for (_, new), old in zip(network.head_parameters(), before, strict=True)]

    whole = gradients(None)
    assert max(float(change.detach().abs().max()) for change in whole) > 1e-4
    for one, other in zip(whole, gradients(chunk), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)


def test_boxes_that_came_with_the_pictures_become_the_targets() -> None:
    given = batch()
    moved = given.targets.clone()
    moved[0, 0, 1] += 3
    prepared = learner().prepare(Batch(inputs=(given.inputs, moved), targets=given.targets, rows=given.rows), seed=0)
    assert prepared.inputs.equal(given.inputs)
    torch.testing.assert_close(prepared.targets, moved, equal_nan=True)
    torch.testing.assert_close(learner().prepare(given, seed=0).targets, given.targets, equal_nan=True)


class Knowing(nn.Module):
    """Says what it was told, at the finest place in the middle of each box; each call takes the next rows."""

    def __init__(self, truth: Tensor, places: int = 84) -> None:
        super().__init__()
        self.truth, self.places, self.calls = truth, places, 0

    def forward(self, inputs: Tensor, start: int = 0) -> DetectorOutput:
        scores = torch.full((len(inputs), self.places, 2), -9.0)
        boxes = torch.tensor([0.0, 0.0, 1.0, 1.0]).repeat(len(inputs), self.places, 1)
        for number, row in enumerate(self.truth[self.calls : self.calls + len(inputs), 0]):
            if not bool(row.isnan().any()):
                place = int((row[2] + row[4]) / 2 // 8 * 8 + (row[1] + row[3]) / 2 // 8)
                scores[number, place, int(row[0])] = 4.0
                boxes[number, place] = row[1:5]
        self.calls += len(inputs)
        return DetectorOutput(scores, boxes)


def test_validation_is_told_as_average_precision() -> None:
    truth = batch(12, 99).targets
    judged = learner().judge(Knowing(truth))
    assert judged.figures == {"AP50": pytest.approx(1.0), "AP75": pytest.approx(1.0), "AP": pytest.approx(1.0)}
    assert judged.rank == pytest.approx(1.0, abs=1e-3)
    wrong = truth.clone()
    wrong[..., 0] = 1 - wrong[..., 0]
    other = learner().judge(Knowing(wrong))
    assert other.figures["AP50"] == 0
    assert other.loss > judged.loss
    assert other.rank < judged.rank


def test_of_epochs_that_find_as_many_the_one_whose_boxes_fit_better_ranks_higher() -> None:
    truth = batch(12, 99).targets
    apart = truth.clone()
    apart[..., 3] += 3
    exact, wider = (learner().judge(Knowing(rows)) for rows in (truth, apart))
    assert exact.figures["AP50"] == wider.figures["AP50"] == pytest.approx(1.0)
    assert exact.rank > wider.rank + 0.1


def test_of_equal_figures_the_lower_loss_ranks_higher() -> None:
    def nothing(found: Sequence[FoundBoxes], truth: Any, classes: int) -> dict[str, float]:
        return {"AP50": 0.0}

    truth = batch(12, 99).targets
    right, wrong = (learner(score=nothing).judge(Knowing(rows)) for rows in (truth, truth.flip(0)))
    assert right.loss < wrong.loss
    assert right.rank > wrong.rank


def test_the_validation_loss_is_the_mean_of_the_pictures(make_body: Make) -> None:
    network, own = detector(make_body()).eval(), learner()
    judged = own.judge(network)
    with torch.no_grad():
        whole = own.losses(network, batch(12, 99)).items
    assert judged.loss == pytest.approx(float(whole.mean()), rel=1e-4)


@pytest.mark.parametrize("wrong", [2.0, -1.0, 0.5])
def test_a_class_that_there_is_not_is_named(wrong: float) -> None:
    given = batch()
    given.targets[1, 0, 0] = wrong
    with pytest.raises(
        TrainingError,
        match=rf"^row 11 has a box of class number {wrong:g}; it must be a whole number from 0 to 1\. Mend the annotations",
    ):
        learner().prepare(given, 0)


@pytest.mark.parametrize(
    "targets", [torch.zeros(4, dtype=torch.int64), torch.zeros(4, 2, 5), torch.zeros(3, 1, 6), None]
)
def test_other_targets_are_refused(targets: Any) -> None:
    with pytest.raises(
        ValueError, match="the boxes of a picture, class, left, top, right, bottom and difficult is float32"
    ):
        check_boxes(targets, torch.arange(4), 2)


class Hungry(nn.Module):
    """Runs out of memory for more than two pictures, or for any."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def forward(self, inputs: Tensor, start: int = 0) -> DetectorOutput:
        if len(inputs) > self.most:
            raise MemoryError
        return DetectorOutput(torch.zeros(len(inputs), 84, 2), torch.ones(len(inputs), 84, 4))


def test_validation_goes_on_with_fewer_pictures_where_memory_runs_out() -> None:
    own = learner()
    assert own.judge(Hungry(2)).loss == pytest.approx(learner().judge(Hungry(99)).loss)
    with pytest.raises(
        TrainingError, match="^memory does not suffice to validate 1 picture at a time; there must be room"
    ):
        learner().judge(Hungry(0))


@pytest.mark.parametrize(("start", "shape"), [(0, (SIZE, SIZE, 3)), (2, (10, SIZE // 4, SIZE // 4))])
def test_a_step_of_it_can_be_timed(make_body: Make, start: int, shape: tuple[int, ...]) -> None:
    speed = measure(
        Trial(
            network=detector(make_body()),
            learner=learner(start=start),
            targets=batch(4).targets.numpy(),
            start=start,
            shape=shape,
        ),
        lower=None,
        augment=build_augmentation(resolve("light"), size=SIZE),
        devices=Devices(threads=1),
        batch_size=4,
        preprocessing=Preprocessing(size=SIZE),
    )
    assert speed.costs.train > 0
    assert speed.costs.validate > 0
