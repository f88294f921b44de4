"""A detector that learns from tiles, from a table to its report. In: large pictures. Out: one answer a picture everywhere."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import tellapart
from tellapart.answers.boxes import overlaps
from tellapart.answers.detection import BoxesAnswer
from tellapart.data.augment import build_augmentation
from tellapart.data.augmentation import resolve
from tellapart.data.dataset import Dataset, gather
from tellapart.data.examples import ReadOptions
from tellapart.data.targets import Box, Boxes
from tellapart.features.backbone import prepare_backbone
from tellapart.features.caching import open_cache
from tellapart.reporter import Silent
from tellapart.runs.result import TrainResult
from tellapart.settings.reading import make_settings, read_recipe
from tellapart.storage import cache_folder
from tellapart.tasks.detection.candidates import DetectorCandidate, answered, truths, uncalibrated
from tellapart.tasks.detection.finishing import exported
from tellapart.tasks.detection.judging import judge_pictures
from tellapart.tasks.detection.starting import new_detector, prefer, squares
from tellapart.tasks.prepared import Prepared
from tellapart.tasks.table import TASKS
from tellapart.training.devices import Devices
from tellapart.workflows.learning.examine import examine
from tellapart.workflows.learning.shrunk import shrink_splits
from tests.tasks.detection.made_pictures import SIDE, made_table
from tests.tasks.detection.quick import learn_quickly

TASK = TASKS["detection"]
WIDTH, HEIGHT = 3 * SIDE - 20, 2 * SIDE - 20


def large_table(folder: Path, *, count: int) -> Path:
    """Each picture is six of made_pictures.py's side by side, cut a little, with the boxes that are whole."""
    with made_table(folder / "parts", count=6 * count).open(newline="") as file:
        boxes: dict[str, list[dict[str, str]]] = {}
        for row in csv.DictReader(file):
            boxes.setdefault(row["path"], []).extend([row] if row["label"] else [])
    with (folder / "boxes.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "xmin", "ymin", "xmax", "ymax", "label"))
        for number in range(count):
            image = Image.new("RGB", (WIDTH, HEIGHT))
            for part in range(6):
                x, y, name = part % 3 * SIDE, part // 3 * SIDE, f"{6 * number + part}.png"
                image.paste(Image.open(folder / "parts" / name), (x, y))
                for row in boxes[name]:
                    sides = [int(row[key]) + at for key, at in (("xmin", x), ("ymin", y), ("xmax", x), ("ymax", y))]
                    if sides[0] < WIDTH - 8 and sides[1] < HEIGHT - 8:
                        writer.writerow(
                            (f"{number}.png", *sides[:2], min(sides[2], WIDTH), min(sides[3], HEIGHT), row["label"])
                        )
            image.save(folder / f"{number}.png")
    return folder / "boxes.csv"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    folder = tmp_path_factory.mktemp("large")
    table = large_table(folder / "pictures", count=10)
    with pytest.MonkeyPatch.context() as patch:
        learn_quickly(patch, 45)
        return tellapart.train(
            table,
            tiles=True,
            strategy="finetune",
            epochs=1,
            out=folder / "runs",
            report=False,
            settings={"network": {"size": SIDE}, "finetune": {"unfreeze": "head"}},
        )


@pytest.mark.slow
def test_fine_tuning_reads_tiles_and_is_judged_by_whole_pictures(tmp_path: Path) -> None:
    table = large_table(tmp_path / "pictures", count=10)
    settings = prefer(make_settings({"data": str(table), "network": {"size": SIDE, "fit": "tile"}}))
    with open_cache(Silent()) as cache:
        examined = examine(table, cache=cache, reporter=Silent(), options=ReadOptions())
    dataset = gather(examined, split=TASK.split, encode=TASK.encode, seed=0)
    backbone = prepare_backbone(settings.backbone, cache=cache_folder(), weights=None).wait()
    inputs = squares(backbone.preprocessing, settings)
    network = new_detector(settings, 2, backbone)
    candidate = exported(
        network,
        strategy="probe",
        name="",
        source="",
        weights_license="",
        preprocessing=inputs,
        details={},
        folder=tmp_path,
    )
    dataset, answers = as_answered(candidate, dataset)
    parts = TASK.parts(settings, dataset, inputs)
    assert parts is not None
    prepared = Prepared(
        strategy="finetune",
        network=network,
        name="",
        source="",
        license="",
        preprocessing=inputs,
        augment=build_augmentation(resolve(**settings.augment.model_dump()), size=SIDE),
        learning_rate=1e-3,
        epochs=1,
        most_epochs=1,
        shape=(SIDE, SIDE, 3),
    )
    lesson = shrink_splits(settings, TASK, parts.dataset, prepared, Silent()).lesson
    count = len(parts.dataset.rows["train"])
    assert (
        len(lesson.train)
        == len(lesson.train_targets)
        == len(lesson.train_rows)
        == count
        > 3 * len(dataset.rows["train"])
    )
    found = lesson.train.get(lesson.train_rows[:8], 0)
    assert isinstance(found, tuple)
    pixels, boxes = found
    assert pixels.shape == (8, SIDE, SIDE, 3)
    assert np.nanmax(boxes[..., 1:5]) <= SIDE
    learner = TASK.learner(lesson, Devices(device=torch.device("cpu")))
    judged = learner.judge(network)
    assert math.isfinite(judged.loss)
    assert list(judged.figures) == ["AP", "AP50", "AP75"]
    # What the exported network says of the same pictures, merged by what predicts, is judged the same.
    by_file = judge_pictures([answered(one) for one in answers], truths(dataset, dataset.rows["validation"]), 2)
    assert by_file == pytest.approx(judged.figures, abs=0.01)
    assert by_file["AP"] > 0.9


def as_answered(candidate: DetectorCandidate, dataset: Dataset) -> tuple[Dataset, list[BoxesAnswer]]:
    """The data set with what an untrained network finds surest in its validation pictures as their true boxes, and its answers."""
    rows = dataset.rows["validation"]
    answers, examples = candidate.look(dataset, rows, uncalibrated(2)).answers, list(dataset.examples)
    for row, one in zip(rows.tolist(), answers, strict=True):
        assert (one.width, one.height) == (WIDTH, HEIGHT)
        assert one.boxes is not None
        assert len(one.told) > 15
        boxes = tuple(Box(label, *sides) for label, _, sides in one.told[:15])
        examples[dataset.indices[row]] = replace(examples[dataset.indices[row]], target=Boxes(boxes))
    usable = [examples[index].target for index in dataset.indices.tolist()]
    return replace(dataset, examples=examples, targets=TASK.encode(usable, dataset.classes)), answers


@pytest.mark.long
def test_what_it_says_of_whole_pictures_is_the_same_everywhere(run: TrainResult) -> None:
    inputs = tellapart.load(run.model).manifest.preprocessing
    assert (inputs.fit, inputs.size, inputs.overlap, inputs.scale) == ("tile", SIDE, SIDE // 4, 1.0)
    recipe = read_recipe(run.run / "recipe.toml")["network"]
    assert (recipe["fit"], recipe["size"], recipe["overlap"], recipe["scale"]) == ("tile", SIDE, SIDE // 4, 1.0)
    metrics = json.loads((run.run / "metrics.json").read_text())
    assert metrics["test"]["n"] == run.n_test
    assert metrics["test"]["ap50"]["value"] > 0.3
    assert metrics["training"]["finetune"]["history"][0]["validation_AP50"] > 0.2
    # The file says of the test pictures what was tested; evaluate counts them as the test did.
    lines = [json.loads(line) for line in (run.run / "predictions.jsonl").read_text().splitlines()]
    found = tellapart.load(run.model).predict([line["path"] for line in lines])
    for line, boxes in zip(lines, found.boxes, strict=True):
        by_test = np.array([row[2:] for row in line["answer"]], dtype=np.float64).reshape(-1, 4)
        assert len(boxes) == 0 or (overlaps(boxes, by_test).max(1) > 0.999).all()
    again = tellapart.evaluate(run.model, Path(lines[0]["path"]).parent / "boxes.csv", split="test")
    assert again.n == run.n_test
    assert again.metrics["ap50"]["value"] == pytest.approx(metrics["test"]["ap50"]["value"], abs=1e-3)
