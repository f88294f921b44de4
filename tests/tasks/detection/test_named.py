"""Detectors by name, from a table to a file that answers. In: squares and discs. Out: runs, what they find, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import tellapart
from tellapart.bundle import DetectionRecord, read_manifest
from tellapart.errors import SettingsError
from tellapart.reporter import Silent
from tellapart.settings.reading import make_settings
from tellapart.tasks.detection.detectors import DETECTORS, DetectorName
from tellapart.tasks.detection.starting import prefer
from tellapart.tasks.table import TASKS
from tellapart.workflows.train import train
from tests.tasks.detection.made_pictures import SIDE, made_table
from tests.tasks.detection.quick import learn_quickly

NAMED = sorted(set(DETECTORS) - {"default"})


@pytest.mark.parametrize(
    ("kind", "strategy"),
    [pytest.param(kind, strategy, marks=pytest.mark.long) for kind in NAMED for strategy in ("finetune", "scratch")],
)
def test_a_named_detector_is_trained_tested_and_answers(kind: DetectorName, strategy: str, tmp_path: Path) -> None:
    table = made_table(tmp_path, count=40)
    network = {"detector": kind, "size": SIDE} | ({"name": "resnet18"} if strategy == "scratch" else {})
    settings = {"network": network, "loop": {"epochs": 1, "workers": 0}, "report": False}
    with pytest.MonkeyPatch.context() as patch:
        learn_quickly(patch, 20)
        result = tellapart.train(table, out=tmp_path / "runs", strategy=strategy, settings=settings)
    metrics = json.loads((result.run / "metrics.json").read_text())
    assert 0 <= metrics["test"]["ap50"]["value"] <= 1
    assert read_manifest(result.model).record_of(DetectionRecord).detector == kind
    lines = [json.loads(line) for line in (result.run / "predictions.jsonl").read_text().splitlines()]
    answers = tellapart.load(result.model).predict([line["path"] for line in lines])
    # What was tested, through the network's own file and NumPy, is what the finished file says.
    for line, boxes, scores, labels in zip(lines, answers.boxes, answers.scores, answers.labels, strict=True):
        for box, score, label in zip(boxes.tolist(), scores.tolist(), labels, strict=True):
            own = np.array([one[1:] for one in line["answer"] if one[0] == label])
            assert np.abs(own - [score, *box]).max(1).min() < 0.05
    again = tellapart.evaluate(result.run, table, split="test")
    assert again.metrics["ap50"]["value"] == pytest.approx(metrics["test"]["ap50"]["value"], abs=1e-9)


def test_an_unknown_detector_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError) as fault:
        make_settings({"data": "x", "network": {"detector": "yolo"}})
    assert str(fault.value) == (
        "network.detector is 'yolo'; it must be default, faster_rcnn, retinanet, ssd or yolox. Did you mean 'yolox'? Correct it "
        "and run again."
    )


def test_what_the_told_task_refuses_is_refused_before_the_data_are_looked_at(tmp_path: Path) -> None:
    settings = make_settings(
        {"data": str(tmp_path / "nowhere"), "task": "detection", "network": {"size": 300}, "out": str(tmp_path)}
    )
    with pytest.raises(SettingsError, match=r"^network\.size is 300; "):
        train(settings, reporter=Silent())


def test_what_suits_a_detector_is_its_own() -> None:
    found = prefer(make_settings({"data": "x", "network": {"detector": "faster_rcnn"}}))
    kind = DETECTORS["faster_rcnn"]
    assert (found.network.size, found.loop.head_learning_rate, found.loop.batch_size) == (
        kind.size,
        kind.head_learning_rate,
        kind.batch_size,
    )
    ssd = prefer(make_settings({"data": "x", "network": {"detector": "ssd"}}))
    assert found.loop.head_learning_rate != ssd.loop.head_learning_rate


def test_other_tasks_have_no_mosaic() -> None:
    with pytest.raises(
        SettingsError, match=r"^augment\.mosaic is 0\.5, which is for pictures with boxes alone\. Leave it out\.$"
    ):
        TASKS["multilabel"].prefer(make_settings({"data": "x", "augment": {"mosaic": 0.5}}))


@pytest.mark.parametrize("task", ["classification", "multilabel"])
def test_other_tasks_have_no_tiles(task: str) -> None:
    with pytest.raises(
        SettingsError,
        match=r"^pictures are to be cut into tiles, which is for pictures with boxes alone\. Leave --tiles out\.$",
    ):
        TASKS[task].prefer(make_settings({"data": "x", "network": {"fit": "tile"}}))


@pytest.mark.parametrize(("key", "value"), [("detector", "ssd"), ("weights", "coco")])
def test_other_tasks_have_no_detector(key: str, value: str) -> None:
    with pytest.raises(
        SettingsError, match=rf"^network\.{key} is {value}, which is for pictures with boxes alone\. Leave it out\.$"
    ):
        TASKS["classification"].prefer(make_settings({"data": "x", "network": {key: value}}))
