"""A model of texts made smaller. In: a run of made texts. Out: a run with half the bytes or n-grams, the same for both."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import tellapart
from tellapart.bundle import open_model, read_manifest
from tellapart.cli.main import execute
from tellapart.runs.result import TrainResult


def test_n_grams_that_say_least_go_and_weights_are_halved(
    learned: TrainResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "small"
    asked = ["compress", str(learned.run), "--prune", "0.9", "--float16", "--out", str(out), "--json", "--quiet"]
    assert execute(asked) == 0
    told = json.loads(capsys.readouterr().out)
    assert [step["kind"] for step in told["steps"]] == ["pruned", "float16"]
    before, after = (len(open_model(path).inputs.grams.known) for path in (learned.model, out / "model.onnx"))  # type: ignore[union-attr]
    assert after == round(0.1 * before)
    assert told["after"]["megabytes"] < told["before"]["megabytes"] / 2
    assert told["after"]["score"]["value"] > 0.9, "what tells the classes is what says most"
    manifest = read_manifest(out / "model.onnx")
    assert manifest.compression is not None
    assert manifest.record.temperature != read_manifest(learned.model).record.temperature, "learned anew"  # type: ignore[union-attr]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "n-grams of" in page
    assert "multiply-adds" not in page
    assert tellapart.load(out).predict(["so warm w1"]).labels == ("<b>sun</b>",)


def test_halved_alone_nothing_else_changes(
    learned: TrainResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "half"
    assert execute(["compress", str(learned.run), "--float16", "--out", str(out), "--no-report", "--quiet"]) == 0
    said = capsys.readouterr().out
    assert "test texts, the same for both" in said
    assert "picture" not in said.replace(str(tmp_path), "")
    texts = ["so warm w1 w2", "grey w3"]
    one, other = (tellapart.load(path).predict(texts) for path in (learned.model, out / "model.onnx"))
    np.testing.assert_allclose(one.probabilities, other.probabilities, atol=2e-3)
    assert (out / "predictions.csv").read_bytes() == (learned.run / "predictions.csv").read_bytes()
    assert execute(["report", str(out), "--quiet"]) == 0


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--int8"], "--int8 was asked for, and this is a model of n-grams alone: they are looked up, and integers"),
        (
            ["--distill", "x", "--float16"],
            "--distill was asked for, and this is a model of texts: a teacher is asked about",
        ),
        (["--prune", "0.2", "--epochs", "3"], "--epochs was asked for, and this is a model of texts: what is left"),
    ],
)
def test_what_does_not_suit_texts_is_refused(
    flags: list[str], message: str, learned: TrainResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["compress", str(learned.run), *flags, "--out", str(tmp_path / "x"), "--quiet"]) != 0
    assert message in " ".join(capsys.readouterr().err.split())
