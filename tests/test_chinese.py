"""The screen in Chinese. In: the program's source. Out: every sentence is in the table, with all that is put into it."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import tomllib
import typing
from pathlib import Path

from tellapart.cli.main import COMMANDS, main
from tellapart.cli.translating import chinese_sentences, chinese_words, translate

from .screen_sentences import PLACE, all_sentences

NOT_SAID = Path(__file__).parent / "not_said.toml"
CHINESE = re.compile(r"[\u4e00-\u9fff]")
# A term, and what others call it.
OTHERWISE = {
    "掩码": ("掩膜", "掩模"),
    "批标准化": ("批归一化", "批量归一化"),
    "验证集": ("验证划分", "校验集"),
    "微调": ("精调",),
    "骨干网络": ("主干网络",),
    "混淆矩阵": ("混乱矩阵",),
    "全连接层": ("密集层",),
    "展平": ("拉平",),
    "过拟合": ("过度拟合",),
    "数据增强": ("数据扩增", "数据增广"),
}


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


WORDS_OF_OURS = ("text", "mask", "boxes", "grey", "labels", "exactly", "has")  # each a value, a folder or a class, too
TYPED = re.compile(r"(?:--[a-z][a-z-]* |=|\b(?:task|class|column|folder|named) |`[^` {}]*)(\{\d+\})(?![A-Za-z])")


def test_what_people_type_is_never_translated() -> None:
    """The value of a flag or setting, a name: it is filled in with a word that alone would be Chinese."""
    found = 0
    for english, chinese in chinese_sentences().items():
        typed = set(TYPED.findall(english))
        if not typed or "\n" in english or "{" in PLACE.sub("", english):
            continue
        for word in WORDS_OF_OURS[:: 1 if "--task" in english else 3]:
            said = PLACE.sub(lambda place: word if place[0] in typed else f"X{place[0][1:-1]}Y", english)  # noqa: B023
            filled = translate(said)
            assert filled.count(word) >= sum(place in typed for place in PLACE.findall(chinese)), (said, filled)
            found += 1
    assert found > 300


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


def lone_words(path: Path) -> set[str]:
    """What a file lays out in columns: `{'class':<24}`, and what it draws alone: `say("training")`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        laid_out = isinstance(node, ast.FormattedValue) and node.format_spec is not None
        value = node.value if laid_out and isinstance(node, ast.FormattedValue) else None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("say", "said_word"):
            value = node.args[0]
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            found.add(value.value)
    return found


def test_every_word_that_stands_alone_is_there(repository: Path) -> None:
    package = repository / "src" / "tellapart"
    files = [*package.glob("cli/*.py"), *package.glob("tasks/**/*.py"), *package.glob("drawing/*.py")]
    words = set().union(*map(lone_words, files))
    assert {"class", "trial", "picture"} <= words
    assert sorted(words - set(chinese_words()) - set(chinese_sentences()) - {""}) == []


def test_what_is_drawn_by_its_kind_is_there() -> None:
    from tellapart.drawing.network_boxes import BoxKind
    from tellapart.drawing.network_diagram import Kind

    kinds = {*typing.get_args(BoxKind), *typing.get_args(Kind)}
    assert sorted(kinds - set(chinese_words())) == []
    assert {english for english, chinese in chinese_words().items() if not chinese.strip()} == set()


def test_terms_are_those_of_the_glossary(repository: Path) -> None:
    """One word for one thing: in the table, on the report, in the documents."""
    glossary = (repository / "docs" / "zh" / "glossary.md").read_text(encoding="utf-8")
    for term in OTHERWISE:
        assert term in glossary
    texts = [*(repository / "docs" / "zh").glob("*.md"), repository / "README.zh-CN.md"]
    package = repository / "src" / "tellapart"
    texts += [
        package / "cli" / "chinese.toml",
        package / "cli" / "chinese_nouns.py",
        package / "reporting" / "phrases.toml",
    ]
    found = {
        (path.name, other): term
        for path in texts
        for term, others in OTHERWISE.items()
        for other in others
        if other in path.read_text(encoding="utf-8")
    }
    assert found == {}


def test_the_chinese_readme_is_as_long_as_the_english_one_and_shows_the_same_training(repository: Path) -> None:
    english, chinese = ((repository / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))
    assert english.count("\n## ") == chinese.count("\n## ")
    shown, said = (re.search(r"```\n([^`]*?280[^`]*)```", text) for text in (english, chinese))
    assert shown
    assert said
    assert translate(shown[1]) == said[1]
