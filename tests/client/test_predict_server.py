"""`tellapart predict --server` prints what `tellapart predict MODEL` prints. In: a server, files. Out: equal lines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..serving.conftest import Running, Start  # noqa: TID252
from .conftest import Script

COMMAND = [sys.executable, "-m", "tellapart.cli.main", "predict"]
KEY = "a-key-of-enough-characters"


def command(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300, **options
    )
    assert "Traceback" not in done.stderr
    return done


def at(server: Running) -> str:
    return f"http://127.0.0.1:{server.http_port}"


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["table", "csv", "jsonl"])
def test_it_prints_what_the_model_prints(shared: Running, shared_models: Path, colours: Path, layout: str) -> None:
    (colours / "notes.txt").write_text("text")
    (colours / "bad.png").write_bytes(b"no picture")
    arguments = (colours, colours / "none.png", "--format", layout, "--top", "2")
    here = command(shared_models / "single" / "model.onnx", *arguments)
    there = command("--server", at(shared), "--model", "single", *arguments)
    assert (there.returncode, there.stdout, there.stderr) == (here.returncode, here.stdout, here.stderr)
    assert there.stdout.count("\n") >= 11
    assert "11 pictures, 2 unreadable, 9 unknown" in there.stderr


@pytest.mark.slow
def test_a_key_a_list_and_a_file(start: Start, models: Path, colours: Path, tmp_path: Path) -> None:
    server = start(str(models / "single"), keys=[KEY])
    keys, out = tmp_path / "keys.txt", tmp_path / "out.csv"
    keys.write_text(f"# mine\n\n  {KEY} \n")
    paths = sorted(map(str, colours.rglob("*.png")))
    done = command(
        "--server", at(server), "--api-key-file", keys, "-", "--format", "csv", "--out", out, input="\n".join(paths)
    )
    assert done.returncode == 0, done.stderr
    assert [line.split(",")[0] for line in out.read_text().splitlines()] == ["path", *paths]
    refused = command("--server", at(server), colours)
    assert refused.returncode == 2
    assert "this server asks for a key" in refused.stderr
    assert "--api-key-file" in refused.stderr
    keys.write_text("# nothing\n")
    refused = command("--server", at(server), "--api-key-file", keys, colours)
    assert f"{keys} holds no key. Write the key into it, as one line" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing argument 'PATH...'. Name pictures, with a model before them"),
        (["model.onnx"], "model.onnx is taken for the model, and no picture is named"),
        (["--server", "http://127.0.0.1:9"], "Missing argument 'PATH...'. Name pictures for the server"),
        (
            ["--server", "http://127.0.0.1:9", "model.onnx", "a.png"],
            "model.onnx is a model, and with --server the server has it",
        ),
        (
            ["a.png", "--model", "b c.onnx"],
            (
                "--model b c.onnx names a model of a server, and no server is named. A model file stands before the pictures, "
                "without --model: tellapart predict 'b c.onnx' PICTURE. Name a server with --server URL."
            ),
        ),
        (["model.onnx", "a.png", "--api-key-file", "k"], "--api-key-file is for a server. Name it with --server URL."),
        (["--server", "127.0.0.1:9", "a.png"], "Write it like http://127.0.0.1:9"),
        (["--server", "http://127.0.0.1:9", "--api-key-file", "none.txt", "a.png"], "cannot use none.txt"),
    ],
)
def test_arguments_that_cannot_be(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    from tellapart.cli.main import execute

    assert execute(["predict", *arguments]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
def test_ctrl_c_stops_it_also_while_it_waits(
    script: Script, until: Callable[[Callable[[], object]], None], colours: Path
) -> None:
    one = {"name": "one", "version": 1, "classes": ["a"], "abstention": None}
    server = script((200, {}, json.dumps({"models": [one]}).encode()), (503, {"Retry-After": "60"}, b"{}"))
    process = subprocess.Popen(
        [*COMMAND, "--server", server.url, "-", "--format", "jsonl"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(f"{next(colours.rglob('*.png'))}\n" * 20)
    process.stdin.flush()
    until(lambda: len(server.asked) > 1)
    time.sleep(
        0.5
    )  # it waits by then: Python does not see a signal of the very moment in which it falls asleep before it wakes
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)  # as long as the server asks it to wait, and it may wait longer
    assert process.returncode == 130
    assert said.strip() == "Stopped."
