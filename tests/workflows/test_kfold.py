"""K folds as a whole, on a network that costs nothing. In: small pictures. Out: what is computed, tuned, kept and gone on with."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from PIL import Image

from tellapart.answers.predictor import load_predictor as load
from tellapart.bundle import ClassificationRecord
from tellapart.errors import ForeignCheckpoint, SettingsError
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.cache import Cache
from tellapart.features.caching import open_cache
from tellapart.preprocessing import Preprocessing
from tellapart.reporter import Reporter, Silent
from tellapart.runs.open import OpenRun
from tellapart.runs.parts import pictures_tested
from tellapart.runs.result import TrainResult
from tellapart.runs.run import Run, resume_run, start_run
from tellapart.settings.reading import make_settings
from tellapart.tasks.classification.task import CLASSIFICATION
from tellapart.tasks.detection.task import DETECTION
from tellapart.training.planning import Clock
from tellapart.workflows.kfold import deal, train_folds
from tellapart.workflows.learning.examine import examine
from tellapart.workflows.learning.session import TrainingSession
from tellapart.workflows.train import train as run_training
from tests.tasks.detection.made_pictures import made_table

COUNT = 48  # pictures
SIDE = 16
_TIMES = ("seconds", "embeddings", "pictures_per_second")


@pytest.fixture(scope="module")
def network(tiny_network: Path, tmp_path_factory: pytest.TempPathFactory) -> ReadyBackbone:
    weights = tmp_path_factory.mktemp("tiny") / "weights.safetensors"
    weights.write_bytes(safetensors.numpy.save({"none": np.zeros(1, dtype=np.float32)}))
    return ReadyBackbone(
        name="tiny",
        network=tiny_network,
        weights=weights,
        preprocessing=Preprocessing(size=SIDE),
        embedding=3,
        weights_source="",
        weights_license="",
        fingerprint="of the folds",
        reused=False,
        seconds=0.0,
    )


def write_table(folder: Path, label: Callable[[int], str], *, fold: Callable[[int], int] = lambda number: 0) -> Path:
    """Pictures of red and blue in shades, and a table that says what each is, and its fold."""
    folder.mkdir(exist_ok=True)
    rows = [("path", "label", "fold")]
    for number in range(COUNT):
        colour = np.array([200, 60, 40] if number % 2 else [40, 60, 200])
        noise = np.random.default_rng(number).integers(-40, 40, (SIDE, SIDE, 3)) + 3 * (number // 2 % 8)
        Image.fromarray(np.clip(colour + noise, 0, 255).astype(np.uint8)).save(folder / f"{number}.png")
        rows.append((f"{number}.png", label(number), str(fold(number))))
    with (folder / "data.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder / "data.csv"


class Stopping(Silent):
    """Counts what is said, and stops at a sentence."""

    def __init__(self, at: str) -> None:
        self.at, self.said = at, list[str]()

    def say(self, text: str) -> None:
        """Raises: KeyboardInterrupt."""
        self.said.append(text)
        if self.at and text.startswith(self.at):
            raise KeyboardInterrupt


def train(
    table: Path, network: ReadyBackbone, *, reporter: Reporter | None = None, run: Run | None = None, **told: Any
) -> TrainResult:
    """As workflows.train does, but for the network."""
    settings = make_settings(
        {"data": str(table), "out": str(table.parent.parent / "runs"), "strategy": "probe", **told}
    )
    settings = settings if run is None else run.settings
    with open_cache() as cache:
        return _train(cache, settings, network, reporter or Silent(), run)


def _train(cache: Cache, settings: Any, network: ReadyBackbone, reporter: Reporter, run: Run | None) -> TrainResult:
    examined = examine(Path(settings.data), cache=cache, reporter=Silent(), options=settings.read_options)
    plan = deal(settings, examined, CLASSIFICATION, reporter)
    opened = run or start_run(settings)
    try:
        session = TrainingSession(
            run=opened,
            examined=plan.examined,
            device="cpu",
            engine="onnxruntime",
            cache=cache,
            reporter=reporter,
            started=0.0,
            clock=Clock(None, started=0.0),
        )
        return train_folds(session, CLASSIFICATION, plan, network)
    finally:
        opened.release()


def colour(number: int) -> str:
    return "blue" if number % 2 == 0 else "red"


def read(folder: Path, name: str = "metrics.json") -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def without_times(metrics: Any) -> Any:
    """What two trainings of the same must agree in."""
    if isinstance(metrics, dict):
        return {key: without_times(value) for key, value in metrics.items() if key not in _TIMES}
    return [without_times(one) for one in metrics] if isinstance(metrics, list) else metrics


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("pictures") / "data", colour)


@pytest.fixture(scope="module")
def whole(table: Path, network: ReadyBackbone, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """A run of three folds that nobody stopped."""
    return train(table, network, kfold={"folds": 3}, out=str(tmp_path_factory.mktemp("whole")))


def test_each_picture_goes_through_the_network_once(table: Path, network: ReadyBackbone) -> None:
    fresh = replace(network, fingerprint="of nothing in the cache")
    result = train(table, fresh, kfold={"folds": 2, "repeats": 2})
    folds = [read(result.run / "folds" / str(number))["embeddings"] for number in range(1, 5)]
    assert [one["computed"] for one in folds] == [COUNT, 0, 0, 0]
    assert [one["reused"] for one in folds] == [0, *[COUNT] * 3]
    assert result.computed == COUNT
    assert result.score.value == 1.0
    assert (result.n_test, result.metrics["test"]["n"], len(result.folds)) == (COUNT, 2 * COUNT, 4)
    assert pictures_tested(OpenRun(result.run)) == COUNT, "the report counts each picture once"
    assert result.metrics["test"]["groups"] == COUNT, "two answers to one picture are drawn together"


def test_labels_of_the_fold_that_is_tested_change_nothing_that_is_learned(
    tmp_path: Path, network: ReadyBackbone
) -> None:
    """Strength, weighing, temperature, thresholds and biases are tuned on the fold's own training pictures."""
    answers = []
    for name, wrong in (("right", False), ("leaked", True)):
        table = write_table(
            tmp_path / name,
            lambda number, wrong=wrong: colour(number + (wrong and number % 3 == 0)),
            fold=lambda number: number % 3,
        )
        run = train(table, network, reading={"fold_column": "fold"}).run
        with (run / "folds" / "1" / "predictions.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        answers.append(
            ([row["label"] for row in rows], [[value for key, value in row.items() if "prob" in key] for row in rows])
        )
        record = read(run / "folds" / "1")
        answers[-1] += (record["training"], record["temperature"], record["abstention"]["threshold"])
    (true, *learned), (wrong_ones, *others) = answers
    assert all(one != other for one, other in zip(true, wrong_ones, strict=True))
    assert learned == others


def test_chance_stays_chance(tmp_path: Path, network: ReadyBackbone) -> None:
    """Labels that say nothing give a figure about chance: nobody has seen the answers."""
    draw = np.random.default_rng(3).permutation([0, 1] * (COUNT // 2)).tolist()
    result = train(write_table(tmp_path / "data", lambda number: colour(draw[number])), network, kfold={"folds": 6})
    assert result.score.low is not None
    assert result.score.low < 0.5 < 0.75 > result.score.value


@contextlib.contextmanager
def stopped(at: str) -> Iterator[Stopping]:
    """A reporter that stops a training there."""
    reporter = Stopping(at)
    with pytest.raises(KeyboardInterrupt):
        yield reporter
    reporter.at = ""


@pytest.mark.parametrize("at", ["Fold 2: 2 of 3", "Fold 2: Accuracy", "Training the model that is kept"])
def test_a_run_that_was_stopped_between_folds_ends_as_if_it_had_not_been(
    at: str, tmp_path: Path, table: Path, whole: TrainResult, network: ReadyBackbone
) -> None:
    with stopped(at) as reporter:
        train(table, network, reporter=reporter, kfold={"folds": 3}, out=str(tmp_path))
    (folder,) = tmp_path.iterdir()
    again = Stopping("")
    resumed = train(table, network, reporter=again, run=resume_run(folder))
    assert any("trained before" in line for line in again.said)
    assert not any(line.startswith("Fold 1: 1 of 3") for line in again.said)
    for name in ("predictions.csv", "examples.csv", "weights.safetensors", "folds/2/predictions.csv"):
        assert (resumed.run / name).read_bytes() == (whole.run / name).read_bytes()
    assert without_times(read(resumed.run)) == without_times(read(whole.run))
    assert not list(resumed.run.glob("folds/*/answers.npz"))


def test_a_fold_of_other_labels_is_not_gone_on_with(tmp_path: Path, network: ReadyBackbone) -> None:
    table = write_table(tmp_path / "data", colour)
    with stopped("Fold 2: 2 of 2") as reporter:
        train(table, network, reporter=reporter, kfold={"folds": 2})
    (folder,) = (tmp_path / "runs").iterdir()
    write_table(tmp_path / "data", lambda number: colour(number + (number == 5)))
    with pytest.raises(ForeignCheckpoint) as refused:
        train(table, network, run=resume_run(folder))
    assert str(refused.value) == (
        f"the fold in {folder / 'folds' / '1'} is finished, and the pictures or labels are not those that it had. Put them back as "
        "they were and resume the run, or train again."
    )
    write_table(tmp_path / "data", colour)
    assert train(table, network, run=resume_run(folder)).score.value == 1.0


def test_a_fold_is_gone_on_with_by_its_run(whole: TrainResult) -> None:
    run = whole.run
    with pytest.raises(SettingsError) as refused:
        resume_run(run / "folds" / "1")
    assert str(refused.value) == (
        f"{run / 'folds' / '1'} is one fold of a run, and folds are gone on with together. Give the run: "
        f"tellapart train --resume {run}"
    )
    assert (run.parent / "latest").resolve() == run.resolve()
    assert not (run / "folds" / "latest").exists()


def test_the_network_that_is_kept_is_told_by_the_folds(whole: TrainResult) -> None:
    metrics = read(whole.run)
    assert metrics["abstention"]["n"] == COUNT
    assert metrics["n_train"] + metrics["n_validation"] == metrics["n_test"] == COUNT
    assert metrics["kfold"]["kept"] == "one"


def test_the_mean_of_the_folds_may_be_kept(table: Path, network: ReadyBackbone) -> None:
    result = train(table, network, kfold={"folds": 3, "keep": "ensemble"}, coverage=0.9)
    paths = [str(path) for path in sorted(table.parent.glob("*.png"))[:5]]
    models = [load(result.run / "folds" / str(number) / "model.onnx") for number in (1, 2, 3)]
    each = [model.predict(paths).probabilities for model in models]
    found = load(result.model)
    np.testing.assert_allclose(found.predict(paths).probabilities, np.mean(each, axis=0), atol=1e-6)
    assert not (result.run / "weights.safetensors").exists()
    assert (result.n_train, result.n_validation, result.n_test) == (COUNT, 0, COUNT)
    metrics, record = read(result.run), found.manifest.record_of(ClassificationRecord)
    assert metrics["kfold"]["kept"] == "ensemble"
    assert record.abstention is not None
    assert (record.temperature, record.abstention.calibrated_on) == (1.0, COUNT)
    # The few validation pictures of one fold would not be enough; all pictures together are.
    assert record.abstention.threshold > 0
    assert found.manifest.scores["accuracy"].value == metrics["test"]["accuracy"]["value"]


def test_of_boxes_no_mean_is_kept(tmp_path: Path) -> None:
    table = made_table(tmp_path, count=12)
    settings = make_settings({"data": str(table), "kfold": {"folds": 2, "keep": "ensemble"}})
    with open_cache() as cache:
        examined = examine(table, cache=cache, reporter=Silent())
    with pytest.raises(SettingsError) as refused:
        deal(settings, examined, DETECTION, Silent())
    assert str(refused.value) == (
        "--kfold-keep is ensemble, and the task is detection: the answers of several networks have no mean there, since each "
        "finds things of its own. Leave --kfold-keep out."
    )


class StoppingInside(Silent):
    """Stops when the second fold has told its second epoch."""

    def __init__(self) -> None:
        self.epochs = 0

    def say(self, text: str) -> None:
        """Raises: KeyboardInterrupt."""
        self.epochs += text.startswith("epoch 2 of 3")
        if self.epochs == 2:
            self.epochs += 1
            raise KeyboardInterrupt


@pytest.mark.slow
def test_a_run_that_was_stopped_inside_a_fold_ends_as_if_it_had_not_been(tmp_path: Path, table: Path) -> None:
    """Bit for bit, with what a checkpoint holds of the fold, and what is finished of the one before."""
    asked = {
        "data": str(table),
        "strategy": "scratch",
        "network": {"name": "lenet5", "size": 28},
        "loop": {"epochs": 3, "batch_size": 16, "workers": 0},
        "kfold": {"folds": 3},
        "report": False,
    }
    whole = run_training(make_settings({**asked, "out": str(tmp_path / "whole")}), reporter=Silent())
    with pytest.raises(KeyboardInterrupt):
        run_training(make_settings({**asked, "out": str(tmp_path / "stopped")}), reporter=StoppingInside())
    (folder,) = (tmp_path / "stopped").iterdir()
    assert [(folder / "folds" / number / "unfinished.json").exists() for number in "12"] == [False, True]
    assert list((folder / "folds" / "2" / "checkpoints").iterdir())
    before = read_log(folder / "folds" / "2")
    run = resume_run(folder)
    resumed = run_training(run.settings, reporter=Silent(), run=run)
    events = read_log(resumed.run / "folds" / "2")
    assert events[: len(before)] == before
    assert "resumed" in [one["event"] for one in events]
    assert [one["number"] for one in events if one["event"] == "epoch"] == [1, 2, 3]
    for name in ("predictions.csv", "weights.safetensors", "folds/2/weights.safetensors", "folds/3/predictions.csv"):
        assert (resumed.run / name).read_bytes() == (whole.run / name).read_bytes()
    assert without_times(read(resumed.run)) == without_times(read(whole.run))


def read_log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
