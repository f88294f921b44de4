"""What may reach a terminal. In: names of strangers. Out: nothing that steers it, wherever they are said; data stay data."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tellapart.cli.screen import Screen, harmless

CLEARING = "\x1b[2Jcat\x07\x9b31m\u202e"


def test_what_steers_becomes_codes_that_json_reads_back() -> None:
    assert harmless(CLEARING) == r"\u001b[2Jcat\u0007\u009b31m\u202e"
    assert json.loads(harmless(json.dumps([CLEARING], ensure_ascii=False))) == [CLEARING]
    kept = "line\tone\n猫 é 👩\u200d👧 می\u200cخواهم\n"
    assert harmless(kept) == kept


def test_a_stream_hides_the_bytes_below_it() -> None:
    raw = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    screen = Screen(raw)
    assert screen.write("a\r\n") == 3
    screen.writelines(["b\x1b", "c"])
    assert not hasattr(screen, "buffer")
    assert screen.encoding == "utf-8"
    raw.flush()
    assert raw.buffer.getvalue() == b"a\\u000d\nb\\u001bc"  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set whose files have names that would clear the screen."""
    root = tmp_path_factory.mktemp("strange") / "data"
    for name, colour in (("cat", "red"), ("dog", "blue")):
        (root / name).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (32 + number, 32), colour).save(root / name / f"{number}\x1b]0;title\x07.png")
        (root / name / f"broken{CLEARING}.png").write_bytes(b"no picture")
    return root


def steering(shown: bytes) -> list[str]:
    return [letter for letter in shown.decode() if harmless(letter) != letter]


@pytest.mark.parametrize("variables", [pytest.param({}, marks=pytest.mark.long), {"TELLAPART_LANG": "zh"}], ids=str)
def test_no_command_sends_them(strange: Path, variables: dict[str, str]) -> None:
    for arguments in (["check", strange], ["check", strange, "--json"], ["check", "no\x1b[2Jwhere"]):
        ended = subprocess.run(
            [sys.executable, "-m", "tellapart", *map(str, arguments)],
            capture_output=True,
            check=False,
            env=os.environ | variables,
        )
        assert ended.stdout + ended.stderr
        assert steering(ended.stdout + ended.stderr) == []
        if "--json" in arguments:
            assert CLEARING in json.loads(ended.stdout)["unreadable"][0]["path"]


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no pseudo-terminals here")
def test_beside_a_bar_neither() -> None:
    """rich draws by such characters itself; names that it is given, and lines that others write meanwhile, send none."""
    code = (
        "import sys\n"
        "from tellapart.cli.console import make_reporter\n"
        "from tellapart.cli.speaking import guard_screen, said\n"
        "guard_screen(chinese=True)\n"
        "reporter = make_reporter(quiet=False)\n"
        "with reporter.step('Reading \\x07', 3) as advance:\n"
        "    print('Stopped. \\x9b', file=sys.stderr)\n"
        "    assert said('time left') != 'time left'\n"
        "    advance(3)\n"
        "reporter.say('a\\x07')\n"
        "reporter.warn('b\\x9b')\n"
        "print('\\nStopped.', file=sys.stderr)\n"
    )
    master, slave = pty.openpty()
    variables = {"TERM": "xterm", "COLUMNS": "100", "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen([sys.executable, "-c", code], stderr=slave, env=os.environ | variables)
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
    said = shown.decode()
    assert "\x07" not in said
    assert "\x9b" not in said
    assert "\\u0007" in said
    assert said.count("\\u009b") == 2
    assert said.rstrip().endswith("已停止。")
