"""A detector that learns from tiles, from a table to its report. In: large pictures. Out: one answer a picture everywhere."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tellapart
from tellapart.answers.boxes import overlaps
from tellapart.runs.result import TrainResult
from tellapart.settings.reading import read_recipe
from tests.tasks.detection.made_pictures import SIDE, made_table
from tests.tasks.detection.quick import learn_quickly

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
