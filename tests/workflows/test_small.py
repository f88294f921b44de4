"""The best model within a bound. In: made costs. Out: the largest pictures that keep it, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tellapart
from tellapart.bundle import Score
from tellapart.errors import CompressionMissed, SettingsError
from tellapart.evaluation.picking import pick_network
from tellapart.reporter import Silent
from tellapart.runs.finished import open_finished
from tellapart.runs.result import TrainResult
from tellapart.settings.reading import make_settings
from tellapart.workflows.bounded import SIZES, Bound, SmallForm, keeping, parse_bound
from tellapart.workflows.small import SmallResult, train_small

from .compressing.made_finished import write_finished

NATIVES = {"a": 224, "b": 260}


def area(name: str, size: int, form: str) -> float:
    """A cost by area; `b` costs twice, integers half."""
    return (size / 224) ** 2 * 10 * (2 if name == "b" else 1) * (0.5 if form == "int8" else 1)


def test_bounds() -> None:
    assert parse_bound("5ms") == Bound(limit=5, unit="ms")
    assert parse_bound(" 2.5 MB ") == Bound(limit=2.5, unit="MB")
    assert str(parse_bound("4mb")) == "4 MB"
    for text in ("", "5", "0ms", "-1MB", "5 s", "ms", "1e3ms", "5msMB"):
        with pytest.raises(SettingsError, match=r"--small is .*Give 5ms or 4MB"):
            parse_bound(text)


def test_the_largest_pictures_that_keep_it() -> None:
    kept, measured = keeping(Bound(limit=5.5, unit="ms"), NATIVES, area)
    best = {(one.backbone, one.form): one.size for one in kept}
    for name, native in NATIVES.items():
        for form in ("float32", "int8"):
            fitting = [size for size in SIZES if size <= native and area(name, size, form) <= 0.97 * 5.5]
            assert best[name, form] == max(fitting)
    # What needs far more is not timed.
    assert not [one for one in measured if one.backbone == "b" and one.form == "float32" and 160 < one.size < 260]


def test_nothing_keeps_it() -> None:
    kept, measured = keeping(Bound(limit=0.1, unit="ms"), NATIVES, area)
    assert kept == []
    assert min(measured, key=lambda one: one.cost) == SmallForm(
        backbone="a", size=96, form="int8", cost=area("a", 96, "int8")
    )


def test_megabytes_do_not_hang_on_the_side() -> None:
    asked: list[tuple[str, int, str]] = []

    def weigh(name: str, size: int, form: str) -> float:
        asked.append((name, size, form))
        return 14.0 if form == "float32" else 4.0

    kept, _ = keeping(Bound(limit=5, unit="MB"), NATIVES, weigh)
    assert [one.name for one in kept] == ["a, 224 px, int8", "b, 260 px, int8"]
    assert len(asked) == 4


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"strategy": "finetune"}, "--strategy is finetune, and --small compares classifiers on frozen networks"),
        (
            {"loop": {"epochs": 3}},
            "loop.epochs is set, and --small fits classifiers on frozen networks, which no loop trains",
        ),
        ({"network": {"size": 96}}, "network.size is 96, and --small chooses it"),
        ({"kfold": {"folds": 5}}, "--small compares networks on one validation split. Leave --kfold out"),
    ],
)
def test_settings_that_do_not_go_with_it(given: dict[str, Any], message: str, tmp_path: Path) -> None:
    settings = make_settings({"data": str(tmp_path), **given})
    with pytest.raises(SettingsError, match=message):
        train_small(settings, Bound(limit=5, unit="ms"), Silent())


def test_python_asks_for_it_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"--small is '5'; it is milliseconds"):
        tellapart.train(tmp_path, small="5")
    with pytest.raises(SettingsError, match=r"small='5ms' begins anew, and resume='.*' goes on with a run. Leave one"):
        tellapart.train(resume=tmp_path, small="5ms")


def test_the_result_is_that_of_the_finished_file(tmp_path: Path) -> None:
    run = open_finished(write_finished(tmp_path))
    trained = TrainResult(
        run=tmp_path / "large",
        model=tmp_path / "large" / "model.onnx",
        task="classification",
        headline="accuracy",
        scores={"accuracy": Score(value=0.25)},
        scores_without_leaked=None,
        **dict.fromkeys(("n_train", "n_validation", "n_test", "unreadable", "duplicates", "leaked"), 1),
        classes=run.classes,
        seconds=1.0,
        computed=0,
        reused=0,
        strategy="probe",
        choice="",
        metrics={},
    )
    right = np.array([1.0, 0.0, 1.0])
    picked = pick_network({"a": right}, {"a": 5.0}, {"a": 0.0}, groups=np.arange(3), figure="accuracy", skipped={})
    found = SmallResult(
        trained=trained, compressed=None, picked=picked, bound=Bound(limit=4, unit="MB"), cost=3.0, report=tmp_path
    )
    plain = found.result
    assert (plain.run, plain.score.value, plain.report) == (trained.run, 0.25, tmp_path)
    assert plain.backbones is not None
    assert plain.backbones["picked"] == "a"
    integers = replace(found, compressed=SimpleNamespace(run=run.folder)).result  # type: ignore[arg-type]
    assert (integers.run, integers.model) == (run.folder, run.folder / "model.onnx")
    assert integers.score == run.manifest.scores["accuracy"]
    assert integers.metrics == run.metrics


@pytest.mark.long
def test_a_run_that_keeps_megabytes(tmp_path: Path) -> None:
    from tests.walk.conftest import save_digits

    pictures = save_digits(tmp_path / "pictures", each=24)
    settings = make_settings(
        {"data": str(pictures), "out": str(tmp_path / "runs"), "backbone": "tf_efficientnet_lite0"}
    )
    found = train_small(settings, Bound(limit=5, unit="MB"), Silent())
    assert found.compressed is not None
    assert (found.run / "model.onnx").stat().st_size <= 5e6
    assert found.picked.picked == "tf_efficientnet_lite0, 224 px, int8"
    assert (tmp_path / "runs" / "latest").resolve() == found.run
    with pytest.raises(CompressionMissed, match=r"no network keeps 1 MB: tf_efficientnet_lite0, 224 px, int8 needs"):
        train_small(settings, Bound(limit=1, unit="MB"), Silent())
