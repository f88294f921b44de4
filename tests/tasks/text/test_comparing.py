"""Two models of texts compared. In: a run of made texts, other runs, tables. Out: the headline, flips, a page without markup."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import tellapart
from tellapart.cli.main import execute
from tellapart.runs.result import TrainResult

from .conftest import OWN, sentence


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled texts that no run has seen, one of them with markup in it."""
    path, chance = tmp_path_factory.mktemp("new") / "new.csv", np.random.default_rng(9)
    names = list(OWN)
    rows = [(sentence(chance, names[number % 2]), names[number % 2]) for number in range(40)]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [("text", "label"), *rows, ("w1 <img src=x onerror=alert(3)> w2 grey", "<b>sun</b>")]
        )
    return path


@pytest.fixture(scope="module")
def weaker(learned: TrainResult, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """Learned from a few of the same texts."""
    folder = tmp_path_factory.mktemp("weaker")
    source = learned.run.parent.parent / "t.csv"
    lines = source.read_text(encoding="utf-8").splitlines()
    (folder / "t.csv").write_text("\n".join([lines[0], *lines[1:50]]) + "\n", encoding="utf-8")
    return tellapart.train(folder / "t.csv", out=folder / "runs", task="text", report=False)


def test_two_models_on_new_texts(
    learned: TrainResult, weaker: TrainResult, new: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    asked = [str(weaker.model), str(learned.model), str(new), "--out", str(page), "--quiet"]
    assert execute(["compare", *asked]) == 0
    told = capsys.readouterr().out
    assert "on 41 texts. Only B gets" in told
    assert "ms a text" in told
    assert "picture" not in told
    assert execute(["compare", *asked[:3], "--json", "--quiet"]) == 0
    record = json.loads(capsys.readouterr().out)
    with new.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts, labels = [row["text"] for row in rows], np.array([row["label"] for row in rows])
    first, second = (np.array(tellapart.load(one.model).predict(texts).labels) for one in (weaker, learned))
    assert record["item"] == "text"
    assert record["a"]["accuracy"]["value"] == pytest.approx((first == labels).mean(), abs=1e-6)
    assert record["won"] == int(((second == labels) & (first != labels)).sum())
    html = page.read_text(encoding="utf-8")
    assert "<img src=x" not in html
    assert "<b>sun</b>" not in html


def test_runs_on_their_own_test_texts_and_tables(
    learned: TrainResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["compare", str(learned.run), str(learned.run), "--json", "--quiet"]) == 0
    record = json.loads(capsys.readouterr().out)
    table = tmp_path / "other.csv"
    with (learned.run / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["path"], "rain") for row in csv.DictReader(file)]
    assert record["common"] == len(rows)
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "predicted"), *rows])
    assert execute(["compare", str(table), str(learned.run), "--quiet"]) == 0
    assert "B is better" in capsys.readouterr().out


def test_what_cannot_be_compared_says_texts(
    learned: TrainResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = tmp_path / "model.onnx"
    shutil.copy(learned.model, alone)
    for asked, message in (
        ([str(alone), str(alone)], "neither side is a run with its list of texts"),
        ([str(learned.run), str(alone), str(learned.run.parent.parent / "t.csv")], "! Nobody knows what"),
    ):
        execute(["compare", *asked, "--quiet"])
        said = capsys.readouterr()
        assert message in " ".join((said.out + said.err).split())
    source = learned.run.parent.parent / "t.csv"
    whole = source.read_bytes()
    try:
        source.write_text("text,label\nother,rain\nmore,<b>sun</b>\n", encoding="utf-8")
        assert execute(["compare", str(learned.run), str(learned.run), "--quiet"]) != 0
        assert "none stands any more where the runs have them from" in " ".join(capsys.readouterr().err.split())
    finally:
        source.write_bytes(whole)
