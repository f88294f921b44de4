"""The screen in Chinese. In: the program's source. Out: every sentence is in the table, with all that is put into it."""

from __future__ import annotations

import importlib
import inspect
import re
import tomllib
from pathlib import Path

from tellapart.cli.main import COMMANDS, main
from tellapart.cli.translating import chinese_sentences

from .screen_sentences import PLACE, all_sentences

NOT_SAID = Path(__file__).parent / "not_said.toml"
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def helps() -> set[str]:
    """The paragraphs of all commands' helps."""
    commands = [main, *(importlib.import_module(module).command for module, _ in COMMANDS.values())]
    commands += [inner for command in commands[1:] for inner in getattr(command, "commands", {}).values()]
    paragraphs = [part for one in commands for part in inspect.cleandoc(one.help or "").split("\n\n")]
    return {" ".join(part.split("\n")) for part in paragraphs if not part.startswith("\b")}


def test_every_sentence_is_there_in_chinese(repository: Path) -> None:
    known = chinese_sentences()
    not_said = set(tomllib.loads(NOT_SAID.read_text(encoding="utf-8"))["sentences"])
    found = all_sentences(repository / "src" / "tellapart")
    lacking = {said: where for said, where in found.items() if said not in known and said not in not_said}
    assert (
        lacking == {}
    )  # add them to src/tellapart/cli/chinese.toml, or to tests/not_said.toml where nobody reads them
    assert sorted(helps() - known.keys()) == []


def test_what_is_put_in_stays_and_nothing_else_is_left_over() -> None:
    for english, chinese in chinese_sentences().items():
        assert sorted(PLACE.findall(english)) == sorted(PLACE.findall(chinese)), english
        assert english[:1].isspace() == chinese[:1].isspace(), english


def test_options_and_code_are_the_same_in_both() -> None:
    named = re.compile(r"(?<![\w-])--[a-z][a-z-]+|`[^`\n]+`|[a-z_]+\.(?:onnx|toml|csv|html|npz|json)\b")
    differing = {
        english: set(named.findall(english)) ^ set(named.findall(chinese))
        for english, chinese in chinese_sentences().items()
        if set(named.findall(english)) != set(named.findall(chinese))
    }
    assert differing == {}


def test_nothing_is_in_the_table_twice_or_untranslated() -> None:
    same = [english for english, chinese in chinese_sentences().items() if english == chinese]
    assert same == []
    assert sum(bool(CHINESE.search(chinese)) for chinese in chinese_sentences().values()) > 0.97 * len(
        chinese_sentences()
    )
