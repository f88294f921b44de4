"""`tellapart label` as it is typed. In: a table, keys that a page sends, signals. Out: a table that training takes."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tellapart.cli.label import _lines
from tellapart.cli.main import execute
from tellapart.data.corrections import path_in
from tellapart.data.listing import read_listing
from tellapart.workflows.label import LabelResult

PATIENCE = 300.0


class RunningCommand:
    """The command in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "tellapart", "label", *arguments, "--port", "0", "--no-browser"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, encoding="utf-8")
        assert self.process.stderr is not None
        self.said = self.process.stderr.readline()
        while not (found := re.search(r"http://127\.0\.0\.1:(\d+)/", self.said)):
            line = self.process.stderr.readline()
            assert line, self.said
            self.said += line
        self.port = int(found[1])

    def say(self, number: int, label: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("POST", f"/desk/pictures/{number}", json.dumps({"labels": [label]}))
        told = json.loads(connection.getresponse().read())
        connection.close()
        return told

    def asked_as(self, name: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("GET", "/desk", headers={"Host": name})
        status = connection.getresponse().status
        connection.close()
        return status

    def end(self, number: int) -> tuple[int, str]:
        self.process.send_signal(number)
        _, rest = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, rest


@pytest.fixture
def todo(tmp_path: Path) -> Path:
    lines = ["path,suggested,probability,why"]
    for number in range(4):
        Image.new("RGB", (8, 8), (60 * number, 0, 0)).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,{'cat' if number % 2 else 'dog'},0.5,uncertain")
    (tmp_path / "todo.csv").write_text("\n".join([*lines, "gone.png,,,"]))
    return tmp_path / "todo.csv"


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_a_kill_loses_nothing_and_the_command_goes_on(todo: Path) -> None:
    first = RunningCommand(str(todo))
    assert "5 pictures. The desk is at http://127.0.0.1:" in first.said
    assert first.say(0, "dog")["next"] == 1
    assert first.say(2, "cat")["labelled"] == 2
    first.end(signal.SIGKILL)
    second = RunningCommand(str(todo), "--allow-host", "desk.example.com")
    assert [second.asked_as(name) for name in ("desk.example.com", "other.example.com")] == [200, 403]
    assert "5 pictures, 2 of them labelled already." in second.said
    assert second.say(1, "cat")["next"] == 3
    code, said = second.end(signal.SIGINT)
    table = todo.parent / "todo-labels" / "labels.csv"
    assert code == 0
    assert said.splitlines()[:3] == [
        f"3 of 5 labelled, 0 skipped: {table}",
        "1 cannot be labelled:",
        "  gone.png: there is no such file",
    ]
    assert f"--labels {table.parent}" in said
    listing = read_listing(table)  # what `tellapart train labels.csv` reads
    found = {path_in(todo.parent, Path(os.path.normpath(one.path))): one.target.text for one in listing.entries}
    assert found == {"0.png": "dog", "1.png": "cat", "2.png": "cat"}


def test_an_error_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["label", str(tmp_path / "gone.csv"), "--no-browser"]) == 2
    assert capsys.readouterr().err.startswith(f"Error: there is nothing at '{tmp_path / 'gone.csv'}'.")


def test_what_is_said_in_the_end() -> None:
    result = LabelResult(
        folder=Path("my labels"),
        total=1200,
        labelled=0,
        skipped=3,
        unusable=tuple((f"{number}.png", "damaged") for number in range(7)),
        n_unusable=7,
        new_classes=("owl",),
    )
    assert _lines(result) == [
        "0 of 1,200 labelled, 3 skipped: my labels/labels.csv",
        "7 cannot be labelled:",
        *(f"  {number}.png: damaged" for number in range(5)),
        "  ... and 2 more",
        "New classes: owl. --labels takes classes that PICTURES has; else join the tables.",
    ]
