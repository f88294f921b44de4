"""What commands a terminal never reaches it. In: texts with control characters. Out: their codes; CSV for programs as it is."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tellapart.cli import plain_streams, speaking
from tellapart.cli.plain_streams import PlainStream, guard_streams, harmless, unguarded


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("plain, é 电影\t\n", "plain, é 电影\t\n"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x1b]0;title\a", "\\x1b]0;title\\x07"),
        ("hidden\rshown", "hidden\\x0dshown"),
        ("a row\r\n", "a row\r\n"),
        ("\x9b31m\x7f\0", "\\x9b31m\\x7f\\x00"),
        ("txt\u202egpj.exe", "txt\\u202egpj.exe"),
    ],
)
def test_control_characters_are_told_as_codes(text: str, told: str) -> None:
    assert harmless(text) == told
    screen = Screen()
    assert PlainStream(screen).write(text) == len(text)
    assert screen.getvalue() == told


def test_a_file_gets_json_as_it_is() -> None:
    file = io.StringIO()
    PlainStream(file).write('{"label": "\x85\u202e"} \x1b[2J')
    assert file.getvalue() == '{"label": "\x85\u202e"} \\x1b[2J'


def test_streams_are_guarded_once_and_programs_read_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    out, error = io.StringIO(), Screen()
    monkeypatch.setattr(plain_streams.sys, "stdout", out)
    monkeypatch.setattr(plain_streams.sys, "stderr", error)
    guard_streams()
    guard_streams()
    assert unguarded(sys.stdout) is out
    assert unguarded(sys.stderr) is error
    print("\x1b[31m", file=sys.stderr)
    assert error.getvalue() == "\\x1b[31m\n"
    speaking.plain_output().write("\x1b,\x85\r\n")
    assert out.getvalue() == "\x1b,\x85\r\n", "a pipe that another program reads"
    monkeypatch.setattr(plain_streams.sys, "stdout", PlainStream(Screen()))
    speaking.plain_output().write("\x1b")
    assert unguarded(sys.stdout).getvalue() == "\\x1b"


def test_a_file_name_cannot_command_a_terminal(tmp_path: Path) -> None:
    table = tmp_path / "a\x1b[2J.csv"
    rows = [f"a fine film of the year {number}<br>,{'xy'[number % 2]}" for number in range(12)]
    table.write_text("\n".join(["text,label", *rows]))
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "tellapart", "check", str(table)]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        seen = b""
        while part := _read(ours):
            seen += part
    os.close(ours)
    assert process.returncode == 0, seen
    assert b"a\\x1b[2J.csv:2" in seen
    assert b"\x1b[2J" not in seen


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other end is closed
        return b""
