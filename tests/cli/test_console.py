"""What the screen shows. In: steps. Out: plain lines, bars, or nothing; extras that are missing are named."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tellapart.cli.console import PlainReporter, make_reporter
from tellapart.errors import MissingExtra
from tellapart.reporter import Silent, duration, percent


def test_plain_lines_go_to_standard_error_only(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = make_reporter(quiet=False)
    assert isinstance(reporter, PlainReporter)
    with reporter.step("Reading", 4) as advance:
        advance(1)
        advance(3)
    reporter.warn("careful")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("Reading: 4 of 4 in 0.0 s")
    assert captured.err.endswith("! careful\n")


def test_a_step_of_which_nobody_knows_the_end_says_how_much_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    with make_reporter(quiet=False).step("Reading", None) as advance:
        advance(3)
    assert capsys.readouterr().err.startswith("Reading: 3 in 0.0 s")
    with make_reporter(quiet=False).step("Converting", None):
        pass
    assert capsys.readouterr().err.startswith("Converting: 0.0 s")


def test_quiet_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = make_reporter(quiet=True)
    assert isinstance(reporter, Silent)
    with reporter.step("Reading", 1) as advance:
        advance(1)
    reporter.say("a")
    reporter.warn("b")
    assert capsys.readouterr() == ("", "")


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no pseudo-terminals here")
def test_a_terminal_gets_bars_with_the_time_left() -> None:
    code = (
        "from tellapart.cli.console import make_reporter\n"
        "reporter = make_reporter(quiet=False)\n"
        "with reporter.step('Reading [red]', 3) as advance: advance(3)\n"
        "with reporter.step('Converting', None): pass\n"
        "reporter.warn('class [a] is odd')\n"
    )
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code], stderr=slave, env=os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    )
    os.close(slave)
    shown = b""
    while True:
        try:
            part = os.read(master, 10_000)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(master)
    assert process.wait(300) == 0
    assert "3/3" in shown.decode()
    assert "1/1" in shown.decode()
    assert "left" in shown.decode()
    assert "class [a] is odd" in shown.decode()


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_percent() -> None:
    assert percent(0.98861) == "98.9 %"


def test_a_missing_extra_says_what_to_install() -> None:
    error = MissingExtra("train", "train", "torch")
    assert str(error) == (
        "`tellapart train` needs the package 'torch', which is not installed. "
        'Install the extra with: pip install "tellapart[train]"'
    )


def tellapart(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tellapart.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "command", ["train", "predict", "check", "evaluate", "info", "models", "cache", "demo", "augment"]
)
def test_every_help_has_examples(command: str) -> None:
    answer = tellapart(command, "--help")
    assert answer.returncode == 0
    assert "Examples:" in answer.stdout
    assert f"  tellapart {command}" in answer.stdout


def test_the_version_is_the_packages() -> None:
    import importlib.metadata

    assert tellapart("--version").stdout.strip() == f"tellapart {importlib.metadata.version('tellapart')}"


def test_models_lists_what_is_offline() -> None:
    shown = tellapart("models").stdout
    assert "tf_efficientnet_lite0 (default)" in shown
    assert "TensorFlow's EfficientNet-lite README" in shown
    records = {record["name"]: record for record in json.loads(tellapart("models", "--json").stdout)}
    assert records["tf_efficientnet_lite0"]["offline"] is True
    assert records["resnet50d"]["offline"] is False


def test_the_cache_is_shown_and_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, colours: Path) -> None:
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / "cache"))
    assert "none" in tellapart("cache", "info").stdout
    assert not (tmp_path / "cache").exists()  # asking makes nothing
    assert tellapart("check", colours, "--quiet").returncode == 0
    (tmp_path / "cache" / "mine.txt").write_text("kept")
    (tmp_path / "cache" / "backbones" / "mine").mkdir(parents=True)
    (tmp_path / "cache" / "backbones" / "mine" / "notes.txt").write_text("kept too")
    facts = json.loads(tellapart("cache", "info", "--json").stdout)
    assert facts["entries"] == {"inspection": 9}
    assert 0 < facts["size_bytes"] < facts["limit_bytes"] == 10_000_000_000
    assert tellapart("cache", "clear").stdout.startswith("cleared")
    assert json.loads(tellapart("cache", "info", "--json").stdout)["entries"] == {}
    assert (tmp_path / "cache" / "mine.txt").read_text() == "kept"
    assert (tmp_path / "cache" / "backbones" / "mine" / "notes.txt").read_text() == "kept too"


def test_check_changes_no_file_and_prints_one_object(colours: Path) -> None:
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in colours.rglob("*") if path.is_file()}
    answer = tellapart("check", colours, "--json")
    record = json.loads(answer.stdout)
    assert record["classes"] == ["blue", "green", "红色"]
    assert record["counts"] == {"": {"blue": 3, "green": 3, "红色": 3}}
    after = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in colours.rglob("*") if path.is_file()}
    assert before == after
    shown = tellapart("check", colours, "--quiet")
    assert "modes     RGB 9" in shown.stdout
    assert shown.stderr == ""


def test_check_strict_fails_on_an_unreadable_picture(colours: Path) -> None:
    (colours / "blue" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert tellapart("check", colours, "--quiet").returncode == 0
    answer = tellapart("check", colours, "--strict", "--quiet")
    assert answer.returncode == 2
    assert "broken.png" in answer.stderr


def test_a_place_without_permission_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """Wherever it is met; other errors of the system are bugs, and keep their traceback."""
    from tellapart.cli.main import _output_failed

    assert _output_failed(PermissionError(13, "Permission denied", "/home/else/x")) == 2
    assert capsys.readouterr().err == (
        "Error: no permission to use /home/else/x. Change it with chmod, or choose another place.\n"
    )
    with pytest.raises(FileNotFoundError):
        _output_failed(FileNotFoundError(2, "No such file", "/x"))
