"""From a finished run to its report. In: a run on digits. Out: report.html, or an error that says what is wrong."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tellapart.cli.main import execute
from tellapart.serving.quickest import read_quickest

COMMAND = [sys.executable, "-m", "tellapart.cli.main"]


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=900, encoding="utf-8"
    )


@pytest.fixture
def copied(trained_run: Any, tmp_path: Path) -> Path:
    return shutil.copytree(trained_run.run, tmp_path / "run")


def test_training_ends_with_a_report_of_its_own_figures(trained_run: Any) -> None:
    result = trained_run.result
    assert result.report == trained_run.run / "report.html"
    text = result.report.read_text(encoding="utf-8")
    accuracy = result.accuracy
    for value in (accuracy.value, accuracy.low, accuracy.high):
        assert f"{100 * value:.1f}" in text
    for name in result.classes:
        assert name in text
    assert text.count("data:image/jpeg;base64,") >= 18  # six samples of each class
    assert '<section id="map">' in text
    assert '<section id="labels">' in text
    assert len(text) < 3_000_000


@pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")
def test_training_keeps_which_engine_is_the_quickest(trained_run: Any) -> None:
    kept = read_quickest(trained_run.model, trained_run.model.read_bytes())
    assert kept is not None
    assert kept.apart is not None
    assert kept.apart < 1e-4


@pytest.mark.long  # its sentence is written as that of a stopped report
def test_a_reader_that_has_gone_away_takes_no_report_from_the_run(trained_run: Any, tmp_path: Path) -> None:
    """The summary comes before the report, and a pipe may be closed by then."""
    train = f"train '{trained_run.pictures}' --strategy probe --out {tmp_path} --quiet"
    answer = subprocess.run(
        ["bash", "-c", f"{' '.join(COMMAND)} {train} | true; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
    assert (tmp_path / "latest" / "report.html").is_file()


def test_a_report_made_anew_is_the_one_that_training_made(trained_run: Any, tmp_path: Path) -> None:
    from tellapart.features.caching import open_cache
    from tellapart.reporter import Silent
    from tellapart.reporting.phrases import language_of
    from tellapart.workflows.report import write_report

    out = tmp_path / "anew.html"
    with open_cache() as cache:
        write_report(trained_run.run, language=language_of(None), cache=cache, reporter=Silent(), out=out)
    # Figures, tables, charts, doubtful labels, the map and its pictures: every letter.
    assert out.read_bytes() == (trained_run.run / "report.html").read_bytes()


def test_a_report_made_again_in_chinese_elsewhere(
    trained_run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "报告.html"
    answer = command("report", trained_run.run, "--lang", "zh", "--out", out, "--json", "--quiet")
    assert answer.returncode == 0, answer.stderr
    record = json.loads(answer.stdout)
    assert record == {"report": str(out), "bytes": out.stat().st_size, "missing_pictures": 0}
    assert "训练报告" in out.read_text(encoding="utf-8")
    assert execute(["report", str(trained_run.run), "--out", str(out)]) == 2
    assert "is there already, and nothing is overwritten unasked" in capsys.readouterr().err


def test_the_run_s_own_report_is_replaced(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copied / "report.html").write_text("old")
    assert execute(["report", str(copied), "--lang", "en"]) == 0
    assert capsys.readouterr().out.startswith(f"{copied / 'report.html'} (")
    assert "How good it is" in (copied / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_pictures_that_are_gone_are_marked_and_counted(
    trained_run: Any, copied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def report(*more: str, code: int = 0) -> str:
        assert execute(["report", str(copied), "--lang", "en", *more]) == code
        return capsys.readouterr().err

    moved = tmp_path / "moved"
    for name in ("examples.csv", "predictions.csv", "audit.json"):
        path = copied / name
        path.write_text(
            path.read_text(encoding="utf-8").replace(str(trained_run.pictures), str(moved)), encoding="utf-8"
        )
    before = (copied / "report.html").read_bytes()
    told = report(code=2)
    assert "pictures are no longer where they were" in told
    assert "Say where they are with --pictures FOLDER, or choose another --out." in told
    assert (copied / "report.html").read_bytes() == before, "a good page is not replaced by one without pictures"
    report("--pictures", str(trained_run.pictures))
    assert '<div class="gone">' not in (copied / "report.html").read_text(encoding="utf-8")
    (copied / "report.html").unlink()
    for _ in range(2):  # one that shows as many may be replaced
        assert "pictures could not be shown" in report()
    text = (copied / "report.html").read_text(encoding="utf-8")
    assert '<div class="gone">' in text
    assert "98" in text  # the figures stay


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda run: (run / "recipe.toml").unlink(), "it has no recipe.toml. Give a folder under runs/."),
        (
            lambda run: (run / "unfinished.json").write_text("{}"),
            "is unfinished; only a finished run has results to show.",
        ),
        (lambda run: (run / "predictions.csv").unlink(), "lacks predictions.csv, which a finished run has."),
        (
            lambda run: (run / "metrics.json").write_text("[]"),
            "is not the JSON that `tellapart train` wrote: it lacks 'test'.",
        ),
        (lambda run: (run / "predictions.csv").write_text("path,label\nx,y\n"), "not those of the model's 3 classes."),
    ],
)
def test_a_run_that_is_none_or_not_whole_is_told(spoil: Any, words: str, copied: Path) -> None:
    from tellapart.errors import TellapartError
    from tellapart.runs.finished import open_finished

    before = (copied / "report.html").read_bytes()
    spoil(copied)
    with pytest.raises(TellapartError) as caught:
        open_finished(copied)
    assert words in str(caught.value)
    assert (copied / "report.html").read_bytes() == before


def test_a_spoilt_prediction_is_told_with_its_line(copied: Path) -> None:
    from tellapart.errors import DataError
    from tellapart.runs.finished import open_finished

    path = copied / "predictions.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines[:2], lines[2].rsplit(",", 1)[0] + ",high", *lines[3:]]), encoding="utf-8")
    with pytest.raises(DataError, match=r"line 3: not a prediction as `tellapart train` writes it"):
        open_finished(copied)
    path.write_text("\n".join([*lines[:2], lines[2].rsplit(",", 1)[0]]), encoding="utf-8")  # cut within a row
    with pytest.raises(DataError, match=r"line 3: not a prediction as `tellapart train` writes it"):
        open_finished(copied)
    path.write_text("\n".join(lines[:5]), encoding="utf-8")  # cut between two rows
    with pytest.raises(
        DataError, match=r"has 4 rows; metrics\.json tells of \d+ test pictures\. Copy the whole run again"
    ):
        open_finished(copied)


# Sends Ctrl-C when the page is about to be moved into its place, and tells what standard output has shown by then.
STOPPED = """
import os, signal, sys
from tellapart.cli.main import run

def watch(event, values):
    if event == "os.rename" and os.path.basename(os.fspath(values[1])) == "report.html":
        print("page", file=sys.stdout, flush=True)
        if sys.argv[1] == "stop":
            os.kill(os.getpid(), signal.SIGINT)

sys.addaudithook(watch)
run(sys.argv[2:])
"""


@pytest.mark.long
def test_the_summary_is_told_before_the_page_is_written(trained_run: Any, tmp_path: Path) -> None:
    arguments = ["train", trained_run.pictures, "--strategy", "probe", "--out", tmp_path, "--quiet"]
    answer = subprocess.run(
        [sys.executable, "-c", STOPPED, "go on", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    assert answer.returncode == 0, answer.stderr
    run = (tmp_path / "latest").resolve()
    lines = answer.stdout.strip().splitlines()
    page = lines.index("page")
    assert lines[0].startswith("Accuracy on ")
    assert lines[page - 1].startswith("try it    tellapart predict ")
    assert (run / "model.onnx").is_file()
    assert lines[page + 1 :] == [f"report    {tmp_path / run.name / 'report.html'}"]


def test_ctrl_c_during_the_report_leaves_a_whole_model_and_says_so(trained_run: Any, tmp_path: Path) -> None:
    arguments = ["train", trained_run.pictures, "--strategy", "probe", "--out", tmp_path, "--json"]
    answer = subprocess.run(
        [sys.executable, "-c", STOPPED, "stop", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    assert answer.returncode == 0, answer.stderr
    page, record = answer.stdout.strip().splitlines()
    assert (page, json.loads(record)["report"]) == ("page", None)
    run = json.loads(record)["run"]
    told = f"The model is whole, but has no report yet: it was stopped. Make it with: tellapart report {run}"
    assert told in answer.stderr
    assert "Traceback" not in answer.stderr
    assert (Path(run) / "model.onnx").is_file()
    assert not (Path(run) / "report.html").exists()


def test_a_report_that_cannot_be_written_does_not_cost_the_model(trained_run: Any, copied: Path) -> None:
    from tellapart.features.caching import open_cache
    from tellapart.reporter import Silent
    from tellapart.settings.reading import make_settings
    from tellapart.workflows import train as training

    class Told(Silent):
        def __init__(self) -> None:
            self.warned: list[str] = []

        def warn(self, text: str) -> None:
            self.warned.append(text)

    told = Told()
    (copied / "audit.json").unlink()
    settings = make_settings({"data": str(trained_run.pictures)})
    with open_cache() as cache:
        assert training.written_report(settings, copied, cache, told) is None
    assert told.warned == [
        (
            f"The model is whole, but has no report yet: the run {copied} lacks audit.json, which a finished run has. "
            f"Copy the whole folder, or train again. Make it with: tellapart report {copied}"
        )
    ]
