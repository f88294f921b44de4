"""The report's curves of a training, whatever its figures. In: histories, old and new. Out: charts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tellapart.reporting.phrases import Phrases
from tellapart.runs.parts import learning_part
from tellapart.training.progress import Epoch

# As tellapart 0.1 wrote an epoch into metrics.json, before figures had names.
OLD: list[dict[str, Any]] = [
    {
        "number": number,
        "train_loss": 1.0 / number,
        "train_accuracy": 0.5 + 0.1 * number,
        "validation_loss": 1.25 / number,
        "validation_accuracy": 0.5 + 0.05 * number,
        "learning_rate": 0.001,
        "seconds": 2.0,
        "pictures_per_second": 64.0,
    }
    for number in (1, 2, 3)
]


def record(history: list[dict[str, Any]]) -> Any:
    """A run as far as its training goes."""
    training = {"finetune": {"history": history, "best_epoch": 2}}
    return SimpleNamespace(manifest=SimpleNamespace(strategy="finetune"), metrics={"training": training})


def new(old: dict[str, Any], **figures: dict[str, float]) -> dict[str, Any]:
    """The same epoch as it is written today, with these figures or those that it had."""
    named = {split: {"accuracy": old[f"{split}_accuracy"]} for split in ("train", "validation")} | figures
    rest = {key: value for key, value in old.items() if not key.endswith("accuracy")}
    return Epoch(**rest, **named, rank=-old["validation_loss"]).record()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_run_from_before_shows_what_a_new_one_shows(language: Any) -> None:
    phrases = Phrases(language)
    old, today = (learning_part(record(one), phrases) for one in (OLD, [new(epoch) for epoch in OLD]))
    assert old == today
    assert [chart.title for chart in old.charts] == ["loss", "accuracy", "learning_rate"]
    assert (old.epochs, old.best_epoch) == (3, 2)
    legend = [(phrases("validation"), 1, False), (phrases("train"), 2, True)]
    assert [list(chart.legend) for chart in old.charts] == [legend, legend, []]
    assert f">{phrases('accuracy')}<" in old.charts[1].svg


def test_other_figures_have_charts_of_their_own_names() -> None:
    history = [new(epoch, train={"box loss": 7.5}, validation={"mAP": 0.25, "F1": 0.5}) for epoch in OLD]
    phrases = Phrases("en")
    charts = {chart.title: chart for chart in learning_part(record(history), phrases).charts}
    assert list(charts) == ["loss", "mAP", "F1", "box loss", "learning_rate"]
    legends = {title: [text for text, _, _ in chart.legend] for title, chart in charts.items()}
    assert legends["mAP"] == legends["F1"] == [phrases("validation")]
    assert legends["box loss"] == [phrases("train")]
    assert "%" in charts["mAP"].svg
    assert "%" not in charts["box loss"].svg
