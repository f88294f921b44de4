"""A run of texts in other formats. In: a run of made texts. Out: folders with a card and a proof, or why not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import tellapart
from tellapart.cli.main import execute
from tellapart.export.table import FORMATS
from tellapart.runs.result import TrainResult

ABLE = ("onnx", "browser", "torchscript", "torch-export", "openvino")


@pytest.fixture
def run(learned: TrainResult, tmp_path: Path) -> Path:
    """A copy that may be added to."""
    shutil.copytree(learned.run, tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize("name", ["onnx", pytest.param("torchscript", marks=pytest.mark.long)])
def test_a_run_is_exported_and_answers_the_same(run: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["export", str(run), "--to", name, "--quiet", "--json", "--for", "javascript"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert (row["format"], row["flipped"]) == (name, 0)
    assert row["score"]["value"] == metrics["test"]["accuracy"]["value"]
    assert row["largest_difference"] < 1e-5
    card = json.loads((run / "exports" / name / "card.json").read_text(encoding="utf-8"))
    assert card["inputs"] == [{"name": "tokens", "type": "int32", "shape": ["N", 2, "L"]}]
    assert [one["name"] for one in card["outputs"]] == ["probabilities", "novelty"]
    assert "How a text becomes numbers: proof/texts.json and the samples beside it." in card["notes"]
    golden = json.loads((run / "exports" / name / "proof" / "golden.json").read_text(encoding="utf-8"))
    assert len(golden) == 17
    assert (run / "exports" / name / "proof" / "javascript" / "self_test.js").is_file()
    if name == "onnx":
        assert execute(["report", str(run), "--lang", "en", "--quiet"]) == 0
        page = (run / "report.html").read_text(encoding="utf-8")
        assert "Each format answered the whole test split, 32 texts, through its own runtime" in page
        assert "classifier of n-grams, of a network&#39;s vectors of sentences, or both" in page
        assert page.count("model.onnx TEXTS.csv</code>") == 1
        texts = ["so warm w1", "wet"]
        assert tellapart.load(row["path"]).predict(texts).labels == tellapart.load(run).predict(texts).labels


def test_no_text_of_the_user_is_in_it_where_made_ones_are_asked_for(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["export", str(run), "--to", "onnx", "--made-pictures", "--quiet"]) == 0
    golden = json.loads((run / "exports" / "onnx" / "proof" / "golden.json").read_text(encoding="utf-8"))
    assert len(golden) == 7
    assert "test texts: " in capsys.readouterr().out


def test_formats_of_inputs_of_one_size_are_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tuple(name for name, form in FORMATS.items() if form.any_length) == ABLE
    for name in set(FORMATS) - set(ABLE):
        assert execute(["export", str(run), "--to", "onnx", "--to", name, "--quiet"]) == 2
        told = " ".join(capsys.readouterr().err.split())
        assert f"{name} takes inputs of one size, or learns its numbers from pictures, and" in told
        assert "Give --to with one of onnx, browser, torchscript, torch-export, openvino." in told
    assert not (run / "exports").exists()


def test_texts_that_are_gone_are_said(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other.csv").write_text("text,label\nnothing of it,rain\n", encoding="utf-8")
    assert execute(["export", str(run), "--to", "onnx", "--pictures", str(tmp_path / "other.csv"), "--quiet"]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "no test text of" in told
    assert "Say where they are: --pictures PATH." in told
