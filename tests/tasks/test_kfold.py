"""Every task in K folds. In: TASKS, made pictures. Out: a run whose figures are of all pictures, each by who had not seen it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import tellapart
from tellapart.bundle import TaskName, read_manifest
from tellapart.data.examples import Example
from tellapart.data.examples_csv import read_examples
from tellapart.data.targets import Target
from tellapart.runs.result import TrainResult
from tellapart.tasks.table import TASKS
from tests.tasks.detection.made_pictures import made_table
from tests.tasks.detection.quick import learn_quickly
from tests.tasks.made_data import SMALL, one_class, several_classes, texts
from tests.tasks.segmentation.made_pictures import made_folder
from tests.tasks.segmentation.quick import probe_quickly

FOLDS = 2


def boxes(folder: Path) -> Path:
    """Pictures of no, one or two squares and discs."""
    return made_table(folder, count=16)


def masks(folder: Path) -> Path:
    """Pictures of discs and squares, and their masks."""
    return made_folder(folder, count=24)


DATA: Mapping[TaskName, Callable[[Path], Path]] = {
    "classification": one_class,
    "multilabel": several_classes,
    "detection": boxes,
    "segmentation": masks,
    "text": texts,
}
SETTINGS: Mapping[TaskName, Mapping[str, Any]] = {
    "classification": SMALL,
    "multilabel": SMALL,
    "detection": {"network": {"size": 64}},
    "segmentation": {"network": {"size": 64}},
    "text": {},
}


def told(folder: Path) -> dict[str, Any]:
    """What a run says of each picture by its name: the row of predictions.csv, or the line of predictions.jsonl."""
    if (folder / "predictions.csv").exists():
        with (folder / "predictions.csv").open(newline="", encoding="utf-8") as file:
            return {Path(row["path"]).name: row for row in csv.DictReader(file)}
    lines = (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    return {Path(row["path"]).name: row for row in map(json.loads, lines)}


def held_out(folder: Path, kind: type[Target]) -> list[Example]:
    return [one for one in read_examples(folder / "examples.csv", kind) if one.split == "test"]


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name == "text" else pytest.mark.long) for name in TASKS],
)
def test_every_picture_is_tested_by_who_had_not_seen_it(
    name: TaskName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn_quickly(monkeypatch, 4)
    probe_quickly(monkeypatch, 60)
    strategy = "scratch" if SETTINGS[name] is SMALL else "probe"
    result = tellapart.train(
        DATA[name](tmp_path), out=tmp_path / "runs", strategy=strategy, settings=SETTINGS[name], kfold=FOLDS
    )
    task, folds = TASKS[name], [result.run / "folds" / str(number) for number in (1, 2)]
    check_pictures(result, folds, task.kind)
    check_figures(result, folds, task.headline)
    assert result.report is not None
    page = result.report.read_text(encoding="utf-8")
    assert "folds" in page
    assert tellapart.load(result.model).predict([next(iter(told_paths(result)))])


def told_paths(result: TrainResult) -> list[str]:
    return [row["path"] for row in told(result.run).values()]


def check_pictures(result: TrainResult, folds: list[Path], kind: type[Target]) -> None:
    """Each is tested in one fold, and the answers of the run are those of the folds."""
    examples = read_examples(result.run / "examples.csv", kind)
    parts = [held_out(fold, kind) for fold in folds]
    assert sorted(one.path for part in parts for one in part) == sorted(one.path for one in examples)
    assert not {one.group for one in parts[0]} & {one.group for one in parts[1]}
    assert abs(len(parts[0]) - len(parts[1])) <= 2
    assert {one.split for one in examples} == {"train", "validation"}
    every = told(result.run)
    assert list(every) == [one.path.name for one in examples], "in the order of the data set"
    for fold, part in zip(folds, parts, strict=True):
        own = told(fold)
        assert {one.path.name for one in part} == set(own)
        assert all(every[path] == row for path, row in own.items())


def check_figures(result: TrainResult, folds: list[Path], headline: str) -> None:
    """One figure for all, told alike everywhere, beside that of each fold."""
    metrics = json.loads((result.run / "metrics.json").read_text(encoding="utf-8"))
    pictures = len(told(result.run))
    assert metrics["test"]["n"] == metrics["n_test"] == result.n_test == metrics["kfold"]["pictures"] == pictures
    assert "test_without_leaked" in metrics
    said = result.as_json()
    manifest = read_manifest(result.model)
    assert said["score"]["value"] == manifest.scores[headline].value == metrics["test"][headline]["value"]
    assert 0 <= said["score"]["low"] <= said["score"]["value"] <= said["score"]["high"] <= 1
    own = [json.loads((fold / "metrics.json").read_text(encoding="utf-8"))["test"] for fold in folds]
    assert [one["value"] for one in said["folds"]] == [one[headline]["value"] for one in own]
    assert [one["n"] for one in said["folds"]] == [one["n"] for one in own]
    assert [one["name"] for one in said["folds"]] == [headline] * FOLDS
    if headline == "accuracy":  # the mean over pictures
        mean = sum(one["n"] * one[headline]["value"] for one in own) / pictures
        assert said["score"]["value"] == pytest.approx(mean)
    assert metrics["abstention"]["n"] == pictures
