"""From a finished run to other formats. In: the walk's run. Out: exports/, the table, JSON, a report that tells of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import tellapart
from tellapart.cli.main import execute

from .conftest import TrainedRun


@pytest.fixture
def run(trained_run: TrainedRun, tmp_path: Path) -> Path:
    """A copy that may be added to."""
    shutil.copytree(trained_run.run, tmp_path / "run")
    return tmp_path / "run"


def test_a_run_is_exported_tested_and_reported(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the run is named as people do, from where they are
    asked = ["export", run.name, "--to", "onnx", "--to", "litert", "--tools", str(tmp_path / "nowhere"), "--quiet"]
    asked += ["--for", "python", "--for", "c++"]
    assert execute([*asked, "--json"]) == 2  # LiteRT's tool is not there; the other format is made all the same
    told = capsys.readouterr()
    (row,) = json.loads(told.out)
    assert set(row) == {"format", "path", "score", "flipped", "largest_difference", "milliseconds", "megabytes"}
    assert (row["format"], row["flipped"], row["largest_difference"]) == ("onnx", 0, 0.0)
    metrics = json.loads((run / "metrics.json").read_text())
    assert row["score"]["value"] == metrics["test"]["accuracy"]["value"]
    assert "Error: litert: there is no " in told.err
    assert [path.name for path in (run / "exports").iterdir()] == ["onnx"]
    proof = run / "exports" / "onnx" / "proof"
    assert {path.name for path in proof.iterdir()} == {
        *("README.md", "golden", "model.onnx", "preprocessing.json", "python"),
        "cpp",
    }
    assert len(json.loads((proof / "golden" / "golden.json").read_text())["pictures"]) > 2
    picture = (run / "examples.csv").read_text().split("\n")[1].split(",")[0]
    assert tellapart.load(row["path"]).predict(picture).labels == tellapart.load(run).predict(picture).labels
    assert execute(["report", str(run), "--lang", "en", "--quiet"]) == 0
    assert "Other formats" in (run / "report.html").read_text()
