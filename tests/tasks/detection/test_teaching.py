"""Any detector, taught. In: a tiny lesson, networks of every kind. Out: learners, losses that fall, refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tellapart.errors import SettingsError, TrainingError
from tellapart.models.staged import StagedNetwork
from tellapart.tasks.detection.detectors import DETECTORS, DetectorName
from tellapart.tasks.detection.levels import StagedDetector
from tellapart.tasks.detection.network import Detector
from tellapart.tasks.detection.teaching import teach
from tellapart.tasks.lesson import Lesson
from tellapart.training.devices import Devices
from tellapart.training.learner import Batch
from tests.tasks.detection.lessons import SIZE, make_lesson, squares
from tests.training import toy

Make = Callable[..., StagedNetwork]


@pytest.fixture(autouse=True)
def own_randomness() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def made(body: StagedNetwork, kind: DetectorName, classes: int = 2) -> StagedDetector:
    return DETECTORS[kind].make(body, class_count=classes, size=SIZE, channels=16)


def whole(lesson: Lesson) -> Batch:
    return Batch(
        inputs=torch.from_numpy(lesson.train.get(lesson.train_rows, 0)[0]),
        targets=torch.from_numpy(lesson.train_targets),
        rows=torch.from_numpy(lesson.train_rows),
    )


def test_its_learner_knows_how_many_boxes_a_picture_has(make_body: Make) -> None:
    network = Detector(make_body(), class_count=2, size=SIZE, channels=16)
    lesson = make_lesson(used=(0, 1, 3), network=network)
    learner = teach(lesson, Devices(threads=1))
    assert learner.loss.boxes_a_picture == pytest.approx(2 / 3)
    assert (learner.size, learner.class_count, learner.start) == (SIZE, 2, 0)
    assert sum(len(batch) for batch in learner.validation()) == len(lesson.validation_rows)
    assert learner.judge(network).loss > 0


# The default's wanted scores move with its boxes; test_learner.py looks at how well it finds things instead.
@pytest.mark.parametrize("kind", sorted(set(DETECTORS) - {"default"}))
def test_the_loss_of_one_batch_falls(make_body: Make, kind: DetectorName) -> None:
    network = made(make_body(), kind)
    network.body.batch_norm_frozen = False  # the backbone begins at random here
    lesson = make_lesson(4, network=network)
    learner, batch = teach(lesson, Devices(threads=1)), whole(lesson)
    optimizer = torch.optim.AdamW([value for value in network.parameters() if value.requires_grad], 1e-2)
    network.train()
    costs = []
    # SimOTA lets more places answer as boxes fit better, so that its loss rises before it falls.
    for _ in range(50 if kind == "yolox" else 6):
        torch.manual_seed(1)
        losses = learner.losses(network, batch)
        assert losses.items.shape == (len(batch),)
        assert set(losses.parts) == set(learner.parts)
        torch.testing.assert_close(torch.stack(list(losses.parts.values())).sum(0), losses.items)
        costs.append(float(losses.items.detach().mean()))
        optimizer.zero_grad()
        losses.items.mean().backward()
        optimizer.step()
    assert min(costs[-2:]) < 0.8 * costs[0]


@pytest.mark.parametrize("kind", DETECTORS)
def test_a_pictures_loss_is_its_own_and_it_is_judged_alike_each_time(make_body: Make, kind: DetectorName) -> None:
    network = made(make_body(), kind).eval()
    lesson = make_lesson(4, network=network)
    learner, batch = teach(lesson, Devices(threads=1)), whole(lesson)
    with torch.no_grad():
        together = learner.losses(network, batch).items
        alone = torch.cat([learner.losses(network, part).items for part in learner.chunks(batch, 4)])
    # Samples are drawn one picture after the other, so that only the first one's are those that it has alone.
    same = slice(0, 1) if kind == "faster_rcnn" else slice(None)
    torch.testing.assert_close(together[same], alone[same], rtol=1e-4, atol=1e-5)
    before = torch.random.get_rng_state()
    first, second = learner.judge(network), learner.judge(network)
    assert (first, set(first.figures)) == (second, {"AP50", "AP75", "AP"})
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("kind", DETECTORS)
def test_maps_kept_once_are_learned_from_as_the_pictures_are(make_body: Make, kind: DetectorName) -> None:
    network = made(make_body(), kind).eval()
    pictures = torch.from_numpy(squares(2, 1)[0])
    with torch.no_grad():
        rows: Tensor = torch.cat([one.flatten(1) for one in network.maps(pictures)], dim=1)
        of_maps, of_pictures = network(rows, start=len(network.body.stages)), network(pictures)
    torch.testing.assert_close(of_maps.scores, of_pictures.scores)
    torch.testing.assert_close(of_maps.boxes, of_pictures.boxes, rtol=0, atol=1e-3)
    assert (of_maps.scores.shape[2], of_maps.boxes.shape[2]) == (2, 4)
    assert np.isfinite(of_maps.scores.numpy()).all()


@pytest.mark.parametrize("kind", DETECTORS)
def test_pictures_without_boxes_are_learned_from(make_body: Make, kind: DetectorName) -> None:
    network = made(make_body(), kind).train()
    lesson = make_lesson(4, network=network)
    learner, batch = teach(lesson, Devices(threads=1)), whole(lesson)
    empty = Batch(inputs=batch.inputs, targets=torch.full_like(batch.targets, float("nan")), rows=batch.rows)
    losses = learner.losses(network, empty)
    losses.items.mean().backward()
    assert bool(torch.isfinite(losses.items).all())
    assert float(losses.parts["box_loss"].detach().abs().max()) == 0


class Batches:
    """Two batches an epoch, always the same."""

    steps = 2

    def __init__(self, whole: Batch) -> None:
        self.parts = whole.split(self.steps)

    def epoch(self, number: int, start_step: int = 0) -> Iterator[Batch]:
        yield from self.parts[start_step:]


def test_a_training_that_draws_samples_goes_on_bit_for_bit(make_body: Make, tmp_path: Path) -> None:
    def trained(**options: Any) -> str:
        with torch.random.fork_rng():
            torch.manual_seed(3)
            network = made(make_body(), "faster_rcnn")
        lesson = make_lesson(4, network=network)
        own: dict[str, Any] = {
            "epochs": 2,
            "rate": 1e-3,
            "average_decay": 0.9,
            "learner": teach(lesson, toy.ONE_THREAD),
        }
        return toy.digest(toy.train(network, batches=Batches(whole(lesson)), **own, **options)[0])

    without = trained()
    with pytest.raises(toy.Killed):
        trained(folder=tmp_path, save_steps=1, on_step=toy.killed_at((2, 1)))
    torch.manual_seed(99)  # another process draws otherwise
    assert trained(folder=tmp_path) == without


def test_a_class_that_there_is_not_is_refused_before_training(make_body: Make) -> None:
    lesson = make_lesson(network=Detector(make_body(), class_count=2, size=SIZE, channels=16))
    lesson.validation_targets[1, 0, 0] = 2
    with pytest.raises(
        TrainingError, match=r"^row 1 has a box of class number 2; it must be a whole number from 0 to 1"
    ):
        teach(lesson, Devices(threads=1))


def test_what_mixes_classes_is_refused(make_body: Make) -> None:
    lesson = make_lesson(network=Detector(make_body(), class_count=2, size=SIZE, channels=16))
    teach(replace(lesson, mixup=0.2), Devices(threads=1))  # the source has done it
    lesson = replace(lesson, cutmix=0.5)
    with pytest.raises(SettingsError, match=r"^augment\.cutmix is 0\.5, which mixes whole classes; boxes have none"):
        teach(lesson, Devices(threads=1))


def test_another_network_is_refused(make_body: Make) -> None:
    with pytest.raises(TypeError, match="^a network StagedNetwork; this learner is for detectors$"):
        teach(make_lesson(network=make_body()), Devices(threads=1))
