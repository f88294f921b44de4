"""Our detector as the table makes it. In: a tiny lesson, the embedded backbone. Out: a network, its learner, refusals."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tellapart.errors import TrainingError
from tellapart.models.catalog import DEFAULT
from tellapart.models.staged import StagedNetwork
from tellapart.models.weights import load_backbone
from tellapart.tasks.detection.default_detector import build_default, input_of, teach_default
from tellapart.tasks.detection.network import Detector
from tellapart.training.devices import Devices
from tests.tasks.detection.lessons import SIZE, make_lesson

Make = Callable[..., StagedNetwork]


def test_the_stages_below_the_finest_map_are_frozen_and_all_else_trains() -> None:
    loaded = load_backbone(DEFAULT, None)
    network = build_default(3, 64, loaded)
    assert (network.class_count, network.size, network.body.frozen) == (3, 64, network.levels[0].stage + 1)
    trained = {name for name, value in network.named_parameters() if value.requires_grad}
    frozen = {name for name, value in network.named_parameters() if not value.requires_grad}
    assert any(name.startswith("body.trunk.blocks.6") for name in trained)
    assert {name for name in frozen if not name.startswith("body.")} == set()
    assert {"body.classifier.weight", "body.classifier.bias"} <= frozen
    assert [name for group in network.layer_groups() for name, _ in group] != []


def test_a_picture_is_seen_whole() -> None:
    found = input_of(load_backbone(DEFAULT, None), 320)
    assert (found.size, found.crop, found.fit) == (320, 1.0, "pad")


def test_its_learner_knows_how_many_boxes_a_picture_has(make_body: Make) -> None:
    network = Detector(make_body(), class_count=2, size=SIZE, channels=16)
    lesson = make_lesson(used=(0, 1, 3))
    learner = teach_default(lesson, Devices(threads=1), network)
    assert learner.loss.boxes_a_picture == pytest.approx(2 / 3)
    assert (learner.size, learner.class_count, learner.start) == (SIZE, 2, 0)
    assert sum(len(batch) for batch in learner.validation()) == len(lesson.validation_rows)
    assert learner.judge(network).loss > 0


def test_a_class_that_there_is_not_is_refused_before_training(make_body: Make) -> None:
    network = Detector(make_body(), class_count=2, size=SIZE, channels=16)
    lesson = make_lesson()
    lesson.validation_targets[1, 0, 0] = 2
    with pytest.raises(
        TrainingError, match=r"^row 1 has a box of class number 2; it must be a whole number from 0 to 1"
    ):
        teach_default(lesson, Devices(threads=1), network)


def test_another_network_is_refused(make_body: Make) -> None:
    with pytest.raises(TypeError, match="^a network StagedNetwork; this learner is for a Detector$"):
        teach_default(make_lesson(), Devices(threads=1), make_body())
