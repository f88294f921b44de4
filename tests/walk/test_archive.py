"""From an archive to a tested model and back to its pictures. In: digits in a zip and a tar.gz. Out: what folders give."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import tellapart

COMMAND = [sys.executable, "-m", "tellapart.cli.main"]


def command(*arguments: str | Path, cwd: Path | None = None) -> str:
    answer = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        encoding="utf-8",
        cwd=cwd,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.mark.slow
@pytest.mark.parametrize("kind", [pytest.param(kind, marks=pytest.mark.long) for kind in ("zip", "gztar")])
def test_an_archive_learns_and_answers_as_its_folder_does(trained_run: Any, tmp_path: Path, kind: str) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "digits"), kind, trained_run.pictures))
    result = tellapart.train(archive, out=tmp_path / "runs", strategy="probe", device="cpu")
    assert (result.classes, result.accuracy) == (trained_run.result.classes, trained_run.result.accuracy)
    assert result.report is not None
    assert result.report.read_text(encoding="utf-8").count("data:image/jpeg;base64,") >= 18

    scored = json.loads(command("evaluate", result.run, archive, "--json", "--quiet"))
    assert (scored["n"], scored["seen_in_training"]) == (120, 96)
    rows = command("predict", result.run, archive, "--format", "csv").splitlines()
    folder_rows = command("predict", trained_run.run, trained_run.pictures, "--format", "csv").splitlines()
    assert [row.replace(str(archive), "X") for row in rows] == [
        row.replace(str(trained_run.pictures), "X") for row in folder_rows
    ]

    picture = rows[1].split(",")[0]
    record = json.loads(command("report", result.run, "--out", tmp_path / "report.html", "--json", "--quiet"))
    assert record["missing_pictures"] == 0
    shown = json.loads(command("explain", result.run, picture, "--json", "--quiet", "--out", tmp_path / "why"))
    assert shown["pictures"][0]["neighbours"][0]["path"].startswith(str(archive))
    gallery = command("gallery", result.run, "--quiet")
    assert "84 of 84 training pictures" in gallery or "training pictures, 3 classes" in gallery
    table = tmp_path / "labels.csv"
    command("check", archive, "--labels", "--out", table, "--quiet")
    again = command("check", archive, "--corrections", table, "--json")
    assert json.loads(again)["pictures"] == 120
    sheet = command("augment", archive, "--out", tmp_path / "sheet.png", "--quiet")
    assert "sheet.png" in sheet
    assert {path.name for path in tmp_path.iterdir()} == {
        archive.name,
        "runs",
        "report.html",
        "why",
        "labels.csv",
        "sheet.png",
    }


@pytest.mark.slow
@pytest.mark.parametrize("layout", [pytest.param(layout, marks=pytest.mark.long) for layout in ("tar", "parquet")])
def test_shards_learn_and_answer_as_their_folder_does(trained_run: Any, tmp_path: Path, layout: str) -> None:
    shards = tmp_path / "shards"
    command("shard", trained_run.pictures, "--out", shards, "--format", layout, "--quiet")
    result = tellapart.train(shards, out=tmp_path / "runs", strategy="probe", device="cpu", report=False)
    assert (result.classes, result.accuracy) == (trained_run.result.classes, trained_run.result.accuracy)
    columns = ("content_hash", "target", "split")
    splits = []
    for run in (trained_run.run, result.run):
        with (run / "examples.csv").open(newline="", encoding="utf-8") as file:
            splits.append(sorted(tuple(row[name] for name in columns) for row in csv.DictReader(file)))
    assert splits[0] == splits[1]
    rows = command("predict", result.run, shards, "--format", "csv").splitlines()
    assert len(rows) == len(command("predict", trained_run.run, trained_run.pictures, "--format", "csv").splitlines())
