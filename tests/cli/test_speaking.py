"""Which language the screen speaks. In: arguments, variables, streams. Out: en or zh; lines in Chinese, data untouched."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tellapart.cli.screen import Screen
from tellapart.cli.speaking import ChineseStream, language_asked, plain_output, terminal

VARIABLES = ("TELLAPART_LANG", "LC_ALL", "LC_MESSAGES", "LANGUAGE", "LANG")


@pytest.mark.parametrize(
    ("arguments", "variables", "language"),
    [
        (["--lang", "zh", "train"], {}, "zh"),
        (["--lang=zh", "train"], {}, "zh"),
        (["--lang", "en", "train"], {"LANG": "zh_CN.UTF-8"}, "en"),
        (["train", "--lang", "zh"], {"LANG": "C"}, "en"),  # the command's own
        (["train"], {"TELLAPART_LANG": "zh", "LC_ALL": "en_US.UTF-8"}, "zh"),
        (["train"], {"LANG": "zh_CN.UTF-8"}, "zh"),
        (["train"], {"LANG": "zh_TW.UTF-8"}, "en"),
        (["train"], {"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, "en"),
        ([], {"LANG": "de_DE"}, "en"),
    ],
)
def test_which_language(
    arguments: list[str], variables: dict[str, str], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert language_asked(arguments) == language


def test_lines_are_said_in_chinese_and_data_are_not() -> None:
    written = io.StringIO()
    stream = ChineseStream(written)
    stream.write("Train and predict on a known ")
    stream.write('data set.\n{"said": "Show the version and exit."}\n')
    assert (
        written.getvalue()
        == f'{_chinese("Train and predict on a known data set.")}\n{{"said": "Show the version and exit."}}\n'
    )
    stream.write("Show the version and exit.")
    stream.flush()
    assert written.getvalue().endswith("\n显示版本并退出。")
    assert stream.isatty() is False


def _chinese(english: str) -> str:
    from tellapart.cli.translating import chinese_sentences

    return chinese_sentences()[english]


def test_help_and_errors_of_the_program(tmp_path: Path) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        ended = subprocess.run(
            [sys.executable, "-m", "tellapart", "--lang", "zh", *arguments],
            capture_output=True,
            cwd=tmp_path,
            check=False,
        )
        return ended.returncode, (ended.stdout + ended.stderr).decode()

    code, said = run("--help")
    assert code == 0
    assert "选项：" in said
    assert "命令：" in said
    code, said = run("check", "--help")
    assert code == 0
    assert "检查 PICTURES，不改动任何文件" in said.replace("\n", "").replace(" ", "").replace(
        "检查PICTURES", "检查 PICTURES"
    )
    code, said = run("check", "nowhere")
    assert code == 2
    assert said.startswith("错误：")
    code, said = run("train", "--nonsense")
    assert code == 2
    assert "没有选项" in said


def test_where_an_encoding_has_no_chinese_letters_the_screen_speaks_english(tmp_path: Path) -> None:
    """Rather than codes of letters; it tells why."""
    ended = subprocess.run(
        [sys.executable, "-m", "tellapart", "--lang", "zh", "check", "nowhere"],
        capture_output=True,
        cwd=tmp_path,
        check=False,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    said = ended.stderr.decode("ascii")
    assert said.startswith(
        "! The screen speaks English: its encoding, ascii, has no Chinese letters. For Chinese, set PYTHON"
    )
    assert "\nError: " in said
    assert "\\u" not in said


def test_what_a_program_reads_is_exact_unless_a_terminal_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for raw, exact in ((io.StringIO(), True), (Terminal(), False)):
        monkeypatch.setattr(sys, "stdout", ChineseStream(Screen(raw)))
        for for_program in (True, False):
            plain_output(for_program=for_program).write("a\x1bb\n")
        assert raw.getvalue() == ("a\x1bb\n" if exact else "a\\u001bb\n") + "a\\u001bb\n"
    monkeypatch.setattr(sys, "stderr", ChineseStream(Screen(raw)))
    assert terminal() is raw
