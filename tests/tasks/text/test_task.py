"""Texts from a table to answers, reasons and a report. In: made sentences. Out: what was planted, escaped, refused."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import tellapart
from tellapart.bundle import TextRecord, read_manifest
from tellapart.cli.main import execute
from tellapart.errors import ModelFileError, SettingsError
from tellapart.reporter import Silent
from tellapart.runs.result import TrainResult
from tellapart.settings.reading import make_settings
from tellapart.tasks.table import TASKS
from tellapart.workflows.compressing.compressible import open_compressible


def test_what_was_planted_is_learned_and_told(learned: TrainResult) -> None:
    assert learned.scores["accuracy"].value > 0.9
    assert learned.unreadable == 1
    record = read_manifest(learned.model).record_of(TextRecord)
    assert (record.grams.words, record.grams.across) == ((1, 2), False)
    metrics = json.loads((learned.run / "metrics.json").read_text(encoding="utf-8"))
    told = {name: {one["gram"].strip() for one in grams} for name, grams in metrics["telling"].items()}
    assert "warm" in told["<b>sun</b>"]
    assert {"wet", "grey"} <= told["rain"]
    assert all(one["texts"] <= 80 for grams in metrics["telling"].values() for one in grams)
    examples = (learned.run / "examples.csv").read_text(encoding="utf-8")
    assert "t.csv:2," in examples
    assert "empty: nothing is left" in examples
    assert not (learned.run / "weights.safetensors").exists()


def test_nothing_of_a_text_or_class_is_markup_in_the_report(learned: TrainResult) -> None:
    assert learned.report is not None
    page = learned.report.read_text(encoding="utf-8")
    for planted in ("<b>sun</b>", "<script>alert(1)", "<img src=x"):
        assert planted not in page
    assert "&lt;b&gt;sun&lt;/b&gt;" in page
    assert "What speaks for each class" in page


@pytest.mark.parametrize("further", [[], ["--out", "answers.csv"]])
def test_a_table_without_rows_is_told(
    learned: TrainResult,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    further: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "head.csv").write_text("text\n", encoding="utf-8")
    assert execute(["predict", str(learned.model), "head.csv", *further]) == 2
    assert "there is no text in what is given. A table needs one row for each text below its" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["head.csv"]


def test_lines_tables_and_files_are_predicted(
    learned: TrainResult, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "new.csv"
    table.write_text('review,other\n"so wet, w1",1\nso warm w2,2\n', encoding="utf-8")
    assert execute(["predict", str(learned.model), str(table), "--format", "csv", "--quiet"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["path"], row["label"]) for row in rows] == [(f"{table}:2", "rain"), (f"{table}:3", "<b>sun</b>")]
    assert (
        execute(["predict", str(learned.model), str(table), "--text-column", "other", "--format", "csv", "--quiet"])
        == 0
    )
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert all(float(row["novelty"]) > 2 for row in rows), "numbers are none of the words that it knows"
    (tmp_path / "one.txt").write_text("all grey w4", encoding="utf-8")
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\xff")
    lines = [str(tmp_path / "one.txt"), str(tmp_path / "bad.txt")]
    assert execute(["predict", str(learned.model), *lines, "--format", "jsonl", "--quiet"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told[0]["label"] == "rain"
    assert told[1]["error"].startswith("not a text in UTF-8: byte 0xff")
    with (tmp_path / "in").open("wb") as file:
        file.write(b"warm w1\n\nwet w2\r\n")
    with (tmp_path / "in").open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert execute(["predict", str(learned.model), "-", "--format", "csv", "--quiet"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["path"], row["label"]) for row in rows] == [("stdin:1", "<b>sun</b>"), ("stdin:3", "rain")]


def test_a_table_without_texts_is_refused(
    learned: TrainResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "new.csv"
    table.write_text("a,b\n1,2\n", encoding="utf-8")
    assert execute(["predict", str(learned.model), str(table), "--quiet"]) != 0
    assert "has no column of texts that is called so; its columns are: 'a', 'b'" in capsys.readouterr().err
    good = tmp_path / "good.txt"  # beside others it is a row
    good.write_text("all grey w4", encoding="utf-8")
    assert execute(["predict", str(learned.model), str(table), str(good), "--format", "jsonl", "--quiet"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "has no column of texts" in told[0]["error"]
    assert told[1]["label"] == "rain"


def test_reasons_add_up_to_what_is_said(
    learned: TrainResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.txt").write_text("w1 w2 <script>alert(1)</script> wet grey wet", encoding="utf-8")
    (tmp_path / "none.txt").write_text("\u200b", encoding="utf-8")
    names = [str(tmp_path / "one.txt"), str(tmp_path / "none.txt")]
    assert execute(["explain", str(learned.model), *names, "--json", "--out", str(tmp_path / "page.html")]) == 0
    first, second = json.loads(capsys.readouterr().out)["texts"]
    assert second["error"].startswith("empty")
    odds = (sum(one["weight"] for one in first["words"]) + first["begins"]) / first["temperature"]
    assert np.exp(odds) == pytest.approx(first["probability"] / (1 - first["probability"]), rel=1e-3)
    assert first["label"] == "rain"
    weights = {one["word"].strip(): one["weight"] for one in first["words"]}
    assert weights["wet"] > abs(weights["w1"])
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert execute(["explain", str(learned.model), names[0], "--class", "<b>sun</b>"]) == 0
    told = capsys.readouterr().out
    assert "<b>sun</b>" in told.splitlines()[0]
    assert execute(["explain", str(learned.model), names[0], "--method", "gradcam"]) != 0
    assert "is about pictures, and the model is of texts. Leave it out." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"strategy": "finetune"}, "the strategy is finetune, and no network of texts comes trained"),
        (
            {"strategy": "scratch", "network": {"name": "lenet5"}},
            "no network of texts is called 'lenet5'. Choose text_cnn or dpcnn with --network",
        ),
        (
            {"strategy": "scratch", "network": {"size": 64}},
            "network.size is 64, which is about pictures. Leave it out.",
        ),
        (
            {"strategy": "scratch", "augment": {"rotation": 9.0}},
            "augment.rotation is 9.0, and texts are learned as they are. Leave it out.",
        ),
        (
            {"strategy": "scratch", "loop": {"loss": "lovasz"}},
            "loop.loss is lovasz, which is for pictures with masks alone",
        ),
        (
            {"backbone": "resnet18"},
            "--backbone is 'resnet18', a network that looks at pictures, and these are texts. Leave it out; --embeddings names",
        ),
        ({"base": "runs/x"}, "--from runs/x trains a network on that takes pictures, and these are texts."),
        ({"precision": 0.9}, "--precision is 0.9, and a text has one class"),
    ],
)
def test_what_is_about_networks_or_sets_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        TASKS["text"].prefer(make_settings({"data": "x", "task": "text", **settings}))


def test_a_model_of_texts_takes_no_pictures(learned: TrainResult, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="takes no pictures, and this is about pictures"):
        _ = read_manifest(learned.model).preprocessing
    found = tellapart.load(learned.model).predict(["so warm", "\U0001f600\U0001f600", "Сегодня идёт дождь", "\ud83d"])
    assert found.labels[0] == "<b>sun</b>"
    assert list(found.errors) == [""] * 4
    assert found.unknown is None or found.unknown[1:].tolist() == [True] * 3, (
        "emoji, another language, half a character"
    )


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["check", "--shortcuts"], "--shortcuts looks at what pictures show besides the object, and these are texts."),
        (
            ["train", "--strategy", "finetune"],
            "no network of texts comes trained. Choose --strategy scratch, which trains one",
        ),
    ],
)
def test_what_is_for_pictures_says_so(
    command: list[str], message: str, learned: TrainResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = learned.run.parent.parent / "t.csv"
    where = [] if command[0] == "check" else ["--out", str(tmp_path / "out")]
    assert execute([command[0], str(table), *command[1:], *where]) != 0
    assert message in " ".join(capsys.readouterr().err.split())


def test_it_is_not_made_smaller(learned: TrainResult, tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"model\.onnx takes no pictures, and only networks of pictures are made smaller"
    ):
        open_compressible(learned.run, tmp_path, Silent())


def test_folds_of_texts_keep_one_model(learned: TrainResult, tmp_path: Path) -> None:
    table = learned.run.parent.parent / "t.csv"
    found = tellapart.train(table, out=tmp_path / "runs", task="text", report=False, settings={"kfold": {"folds": 2}})
    assert len(found.folds) == 2
    assert found.metrics["kfold"]["kept"] == "one"
