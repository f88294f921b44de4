"""What every task in the table keeps to. In: TASKS, made pictures. Out: from a table to a report, the same numbers everywhere."""

from __future__ import annotations

import base64
import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tellapart
from tellapart.answers.table import ANSWERINGS
from tellapart.bundle import Manifest, TaskName, read_manifest
from tellapart.data.examples_csv import read_examples
from tellapart.data.targets import IGNORED
from tellapart.errors import SettingsError
from tellapart.reporter import Silent
from tellapart.runs.reading import read_predictions
from tellapart.runs.result import TrainResult
from tellapart.tasks.table import TASKS, task_of
from tellapart.workflows.export import export
from tests.tasks.detection.quick import learn_quickly
from tests.tasks.made_data import DATA, PROBE, SCRATCH, SMALL
from tests.tasks.segmentation.quick import probe_quickly


def pictures_of(folder: Path) -> list[Path]:
    """Those of a made data set, beside its table or in a folder."""
    return list((folder / "images" if (folder / "images").exists() else folder).glob("*.png"))


def same_answers(result: TrainResult, kept: Path) -> None:
    """What was tested, what the file answers, and what an evaluation keeps of it."""
    tested = result.run / "predictions.csv"
    if tested.exists():
        predicted, again = (read_predictions(path, result.classes) for path in (tested, kept))
        given = as_given(predicted.paths) if result.task == "text" else [str(path) for path in predicted.paths]
        found = tellapart.load(result.model).predict(given)
        np.testing.assert_allclose(found.probabilities, predicted.probabilities, atol=1e-5)
        assert again.paths == predicted.paths
        np.testing.assert_allclose(again.probabilities, predicted.probabilities, atol=1e-5)
        return
    lines, others = (
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in (result.run / "predictions.jsonl", kept)
    )
    if result.task == "segmentation":
        same_masks(result, lines, others)
        return
    boxes = tellapart.load(result.model).predict([line["path"] for line in lines])
    for line, other, told in zip(lines, others, boxes.boxes, strict=True):
        assert (line["path"], line["truth"], len(line["answer"])) == (
            other["path"],
            other["truth"],
            len(other["answer"]),
        )
        for one, same in zip(line["answer"], other["answer"], strict=True):
            assert one[0] == same[0]
            assert one[1:] == pytest.approx(same[1:], abs=1e-2)
        assert len(told) <= len(line["answer"])


def as_given(places: list[Path]) -> list[str]:
    """The texts that stand in these rows of a table."""
    table, _, _ = str(places[0]).rpartition(":")
    with Path(table).open(newline="") as file:
        rows = [row[0] for row in csv.reader(file)]
    return [rows[int(str(place).rpartition(":")[2]) - 1] for place in places]


def same_masks(result: TrainResult, lines: list[dict[str, Any]], others: list[dict[str, Any]]) -> None:
    found = tellapart.load(result.model).predict([line["path"] for line in lines])
    for line, other, told in zip(lines, others, found.masks, strict=True):
        assert (line["path"], line["truth"], line["answer"]) == (other["path"], other["truth"], other["answer"])
        answer = np.asarray(Image.open(io.BytesIO(base64.b64decode(line["answer"]))))
        np.testing.assert_array_equal(np.where(answer == IGNORED, told, answer), told)


REPEATS = pytest.mark.long  # the walks of these tasks show the same, part by part


def test_every_task_has_pictures_here_and_an_answering() -> None:
    assert set(DATA) == set(TASKS)
    for name, task in TASKS.items():
        assert (task.name, task_of(name)) == (name, task)
        assert task.answering is ANSWERINGS[name]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "strategy"),
    [
        *(pytest.param(name, "probe", marks=() if name == "text" else REPEATS) for name in TASKS),
        pytest.param("classification", "scratch", marks=REPEATS),
        ("text", "scratch"),
        pytest.param("multilabel", "scratch", marks=pytest.mark.long),
    ],
)
def test_from_a_table_to_a_report(
    name: TaskName, strategy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn_quickly(monkeypatch, 120)  # enough for squares and discs
    probe_quickly(monkeypatch, 60)
    table = DATA[name](tmp_path)
    settings = SCRATCH.get(name, SMALL) if strategy == "scratch" else PROBE.get(name, {})
    result = tellapart.train(table, out=tmp_path / "runs", strategy=strategy, settings=settings)
    manifest, metrics = read_manifest(result.model), json.loads((result.run / "metrics.json").read_text())

    # One task, one headline figure, wherever they are told.
    task = TASKS[name]
    assert result.task == manifest.task == metrics["task"] == manifest.record.kind == name
    told = result.as_json()
    assert told["score"]["name"] == task.headline
    assert told["score"]["value"] == manifest.scores[task.headline].value == metrics["test"][task.headline]["value"]
    assert 0 <= told["score"]["low"] <= told["score"]["value"] <= told["score"]["high"] <= 1
    assert told["score"]["value"] > 0.6, "it has learned something"
    assert ("accuracy" in told) == (name in ("classification", "text"))
    assert task.telling.summary(metrics)
    assert task.telling.decided(metrics)
    assert result.report is not None
    assert "<h1>" in result.report.read_text(encoding="utf-8")

    # The file answers as it was tested, and is scored as it was scored.
    again = tellapart.evaluate(result.run, table, split="test", out=tmp_path / "answers")
    same_answers(result, tmp_path / "answers")
    assert again.task == name
    assert again.metrics[task.headline]["value"] == pytest.approx(told["score"]["value"], abs=1e-9)

    # Targets come back as they were read.
    examples = read_examples(result.run / "examples.csv", task.kind)
    assert {type(example.target) for example in examples} == {task.kind}
    wanted = (
        {f"data.csv:{row}" for row in range(2, 182)} if name == "text" else {one.name for one in pictures_of(tmp_path)}
    )
    assert {example.path.name for example in examples} == wanted

    # Other formats are of networks that take pictures, and say what the file says.
    if strategy == "probe":
        same_elsewhere(result, manifest)


def same_elsewhere(result: TrainResult, manifest: Manifest) -> None:
    if manifest.record.takes != "image":
        with pytest.raises(SettingsError, match="litert takes inputs of one size, or learns its numbers from pictures"):
            export(result.run, ["litert"], reporter=Silent())
    (made,) = export(result.run, ["onnx"], reporter=Silent()).exported
    assert made.change is not None
    assert made.rated is not None
    assert made.change.flipped == 0
    assert made.rated.score.value == pytest.approx(result.as_json()["score"]["value"], abs=1e-6)
