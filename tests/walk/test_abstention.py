"""From a training to "none of these". In: digits, foreign pictures. Out: sets, unknown pictures, the same by every way."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tellapart
from tellapart.bundle import ClassificationRecord, read_manifest
from tellapart.cli.main import execute
from tellapart.runs.result import TrainResult

Say = Callable[..., tuple[str, str]]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command in this process: what it writes to standard output and standard error."""

    def run(*arguments: object, code: int = 0) -> tuple[str, str]:
        capsys.readouterr()
        assert execute([str(argument) for argument in arguments]) == code
        return tuple(capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def abstaining(trained_run: Any, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """The same pictures at a coverage that twelve validation pictures are enough for."""
    return tellapart.train(
        trained_run.pictures,
        out=tmp_path_factory.mktemp("abstaining"),
        strategy="probe",
        device="cpu",
        settings={"coverage": 0.8, "report": False},
    )


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parts of a photograph of a flower and of one of a temple."""
    from sklearn.datasets import load_sample_image

    folder = tmp_path_factory.mktemp("foreign")
    for name in ("flower.jpg", "china.jpg"):
        picture = Image.fromarray(load_sample_image(name))
        for left in range(0, 400, 100):
            picture.crop((left, 50, left + 220, 300)).save(folder / f"{left}-{name}")
    return folder


def test_the_run_and_the_model_say_how_it_abstains(abstaining: TrainResult) -> None:
    measured = json.loads((abstaining.run / "metrics.json").read_text(encoding="utf-8"))["abstention"]
    record = read_manifest(abstaining.model).record_of(ClassificationRecord).abstention
    assert record is not None
    assert (record.coverage, record.calibrated_on) == (0.8, abstaining.n_validation)
    assert (record.threshold, record.novelty_threshold) == (measured["threshold"], measured["novelty_threshold"])
    assert record.measured_coverage.value == measured["coverage"]["value"]
    assert 0.5 < measured["coverage"]["value"] <= 1
    assert measured["n"] == abstaining.n_test
    assert set(measured["per_class"]) == set(abstaining.classes)
    assert not [text for text in abstaining.warnings if "validation split" in text]


def test_foreign_pictures_are_unknown_and_own_ones_are_not(
    abstaining: TrainResult, foreign: Path, trained_run: Any
) -> None:
    model = tellapart.load(abstaining.model)
    strange = model.predict(foreign)
    assert strange.unknown is not None
    assert strange.unknown.all()
    own = model.predict(trained_run.pictures)
    assert own.unknown is not None
    assert own.novelty is not None
    assert strange.novelty is not None
    assert own.unknown.mean() < 0.4
    assert own.novelty.max() < strange.novelty.min()


def test_the_sets_are_those_of_the_manifest(abstaining: TrainResult, trained_run: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    model = tellapart.load(abstaining.model)
    found = model.predict([trained_run.pictures, tmp_path / "broken.png"])
    record = model.manifest.record_of(ClassificationRecord).abstention
    assert record is not None
    assert found.sets is not None
    assert found.unknown is not None
    assert found.novelty is not None
    assert (found.sets[-1], found.unknown[-1], np.isnan(found.novelty[-1])) == ((), np.ma.masked, True)
    for members, row in zip(found.sets[:-1], found.probabilities[:-1], strict=True):
        ranked = [found.classes[index] for index in np.argsort(-row, kind="stable")]
        assert list(members) == ranked[: max(1, int((row >= record.threshold).sum()))]
    np.testing.assert_array_equal(found.unknown[:-1], found.novelty[:-1] > record.novelty_threshold)
    with (abstaining.run / "predictions.csv").open(encoding="utf-8", newline="") as file:
        tested = {row["path"]: row["label"] for row in csv.DictReader(file)}
    held = [tested[path] in members for path, members in zip(found.paths, found.sets, strict=True) if path in tested]
    measured = abstaining.metrics["abstention"]
    assert np.mean(held) == pytest.approx(measured["coverage"]["value"])
    known = [not unknown for path, unknown in zip(found.paths, found.unknown, strict=True) if path in tested]
    assert np.mean(known) == pytest.approx(measured["known"]["value"])


def test_every_way_says_the_same(abstaining: TrainResult, foreign: Path, trained_run: Any, say: Say) -> None:
    paths = [foreign, *sorted(trained_run.pictures.rglob("1*.png"))]
    found = tellapart.load(abstaining.model).predict(paths)
    assert found.sets is not None
    assert found.unknown is not None
    lines = [json.loads(line) for line in say("predict", abstaining.model, *paths, "--format", "jsonl")[0].splitlines()]
    assert [tuple(line["set"]) for line in lines] == list(found.sets)
    assert [line["unknown"] for line in lines] == found.unknown.tolist()
    np.testing.assert_allclose([line["novelty"] for line in lines], found.novelty, rtol=1e-4)
    rows = list(csv.DictReader(io.StringIO(say("predict", abstaining.model, *paths, "--format", "csv")[0])))
    assert [tuple(row["set"].split("|")) for row in rows] == list(found.sets)
    assert [row["unknown"] == "true" for row in rows] == found.unknown.tolist()
    shown = say("predict", abstaining.model, *paths)[0].splitlines()
    assert ["(unknown" in line for line in shown] == found.unknown.tolist()


def test_out_counts_the_unknown(abstaining: TrainResult, foreign: Path, tmp_path: Path, say: Say) -> None:
    _, told = say("predict", abstaining.model, foreign, "--out", tmp_path / "out.txt")
    assert "8 pictures, 0 unreadable, 8 unknown; written to" in told


def test_info_and_evaluate_tell_the_coverage(abstaining: TrainResult, trained_run: Any, say: Say) -> None:
    shown, _ = say("info", abstaining.model)
    for words in ("set holds true class", "of test pictures; wanted 80.0 %", "a novelty above"):
        assert words in shown
    given = ("evaluate", abstaining.run, trained_run.pictures, "--split", "test", "--quiet")
    found = json.loads(say(*given, "--json")[0])["metrics"]["abstention"]
    measured = abstaining.metrics["abstention"]
    for name in ("wanted", "threshold", "novelty_threshold", "calibrated_on", "n", "mean_set_size", "per_class"):
        assert found[name] == measured[name], name
    assert found["coverage"]["value"] == measured["coverage"]["value"]
    assert found["known"]["value"] == measured["known"]["value"]
    shown, _ = say(*given)
    assert f"true class in set   {100 * measured['coverage']['value']:.1f} % (95 %: " in shown
    assert f"not unknown         {100 * measured['known']['value']:.1f} % (95 %: " in shown


def test_too_few_validation_pictures_are_told(trained_run: Any, say: Say) -> None:
    few = trained_run.result.n_validation
    assert any(
        f"The validation split has {few} pictures; it takes 19 to tell" in text and "give a lower --coverage" in text
        for text in trained_run.result.warnings
    )
    record = read_manifest(trained_run.model).record_of(ClassificationRecord).abstention
    assert record is not None
    assert (record.threshold, record.novelty_threshold) == (0.0, None)
    picture = next(trained_run.pictures.rglob("*.png"))
    found = tellapart.load(trained_run.model).predict(picture)
    assert found.sets is not None
    assert set(found.sets[0]) == set(found.classes)
    assert found.unknown is None, "the model cannot tell, which is not the same as that it finds nothing"
    assert "may be" not in say("predict", trained_run.model, picture)[0]
    assert f"nothing: {few} validation pictures are too few to tell" in say("info", trained_run.model)[0]


def test_a_coverage_that_cannot_be_is_refused(trained_run: Any, say: Say) -> None:
    _, told = say("train", trained_run.pictures, "--coverage", "1", code=2)
    assert "coverage is 1.0; it must be below 1. Correct it and run again" in told
    _, told = say("train", trained_run.pictures, "--coverage", "0.5", code=2)
    assert "coverage is 0.5; it must be above 0.5. Correct it and run again" in told
