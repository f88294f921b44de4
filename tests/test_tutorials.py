"""The tutorials' commands are ones. In: docs/tutorials.md, docs/zh/*.md. Out: each parses; the second chapter runs."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from tellapart.cli.main import execute, main
from tellapart.cli.several import SeveralWords
from tellapart.errors import SettingsError
from tellapart.settings.flags import tables
from tellapart.settings.reading import make_settings, merge, parse_assignment, read_recipe
from tellapart.settings.space import parse_try
from tellapart.settings.space_checking import checked_space
from tellapart.workflows.demo_sets import DEMO_SETS

REPOSITORY = Path(__file__).resolve().parents[1]
TABLE = REPOSITORY / "docs" / "tutorials.md"
CHINESE = REPOSITORY / "docs" / "zh"
CHAPTERS = ("transfer-learning", "first-cnn", "cats-dogs", "own-files", "classic-networks")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
CELL = re.compile(r"\| `([^`]+)` \|$", re.MULTILINE)
LAUNCHER = re.compile(r"^(?:torchrun|accelerate launch)\b.* -m tellapart\.cli\.main ")
FLAGS = (
    "strategy",
    "network",
    "unfreeze",
    "epochs",
    "batch_size",
    "learning_rate",
    "augment",
    "kfold",
    "limit",
    "split",
)
MADE = ("small.toml", "keras.toml", "runs/")  # recipes that a chapter or a training writes
# What tutorials in Chinese are about: each is in a chapter, and in the glossary.
TOPICS = (
    "迁移学习|微调|冻结|解冻|数据增强|早停|学习率|过拟合|正则化|批标准化|卷积|池化|全连接|混淆矩阵|特征图|超参数|网格搜索|"
    "交叉验证|剪枝|量化|蒸馏|目标检测|语义分割|文本分类"
)
TERMS = ("transfer learning", "early stopping", "overfitting", "grid search", "fine-tuning", "confusion matrix")


def blocks(document: Path, language: str) -> list[str]:
    return [code for name, code in FENCE.findall(document.read_text(encoding="utf-8")) if name == language]


def shell_lines(document: Path) -> list[str]:
    return [line for block in blocks(document, "sh") for line in block.splitlines() if line.strip()]


def words_of(line: str) -> list[str]:
    """What a line asks of tellapart, also through a launcher or in "$(...)"; nothing of another program's line."""
    inner = re.search(r'"\$\((tellapart [^)]*)\)"', line)
    words = shlex.split(inner[1] if inner else LAUNCHER.sub("tellapart ", line), comments=True)
    return words[1:] if words[:1] == ["tellapart"] else []


def told() -> dict[str, list[str]]:
    """Every command of the tutorials once, as it is typed."""
    lines = [line for path in sorted(CHINESE.glob("*.md")) for line in shell_lines(path)]
    lines += CELL.findall(TABLE.read_text(encoding="utf-8"))
    return {" ".join(words): words for line in lines if (words := words_of(line))}


def parsed(words: list[str]) -> dict[str, Any]:
    """The options and arguments of a command. Raises: click.UsageError where one is not there, or has no such value."""
    context = click.Context(main, info_name="tellapart")
    command = main.get_command(context, words[0])
    assert command is not None, words[0]
    inner = click.Context(command, info_name=words[0], parent=context)
    given = command.spread(words[1:]) if isinstance(command, SeveralWords) else words[1:]
    found, extra, _ = command.make_parser(inner).parse_args(given)
    assert not extra, extra
    for parameter in command.params:
        value = found.get(str(parameter.name))
        if value is not None and not isinstance(parameter.type, click.Path):
            for one in value if isinstance(value, list | tuple) else [value]:
                if one is not None:
                    parameter.type.convert(one, parameter, inner)
    return found


def check(words: list[str]) -> None:
    """Raises where a command, an option, a setting, a recipe or a data set is none."""
    if words == ["--version"]:
        return
    found = parsed(words)
    flat = [part for one in found.values() for part in (one if isinstance(one, list | tuple) else [one])]
    values: dict[str, Any] = {"data": "pictures"}
    for name in [one for one in flat if isinstance(one, str) and one.startswith("recipes/")]:
        values = merge(values, read_recipe(REPOSITORY / name))
    for assignment in [*(found.get("assignments") or ()), *(found.get("lines") or ())]:
        values = merge(values, parse_assignment(assignment))
    flags = {name: value for name, value in found.items() if name in FLAGS and words[0] in ("train", "search")}
    make_settings(tables(flags, values))
    if found.get("tries"):
        checked_space(dict(map(parse_try, found["tries"])), values, accept=bool)
    recipe = found.get("recipe")
    assert recipe is None or str(recipe).startswith(("recipes/", *MADE)), recipe
    if words[0] == "demo" and found.get("name"):
        assert found["name"] in DEMO_SETS


@pytest.mark.parametrize("words", [pytest.param(words, id=line) for line, words in told().items()])
def test_a_command_exists_with_its_options_settings_and_recipe(words: list[str]) -> None:
    check(words)


@pytest.mark.parametrize(
    "words",
    [
        ["learn", "pictures/"],
        ["train", "pictures/", "--epoch", "5"],
        ["train", "pictures/", "--strategy", "best"],
        ["train", "pictures/", "--set", "loop.patiance=3"],
        ["train", "pictures/", "--recipe", "recipes/none.toml"],
        ["train", "pictures/", "--recipe", "mine.toml"],
        ["search", "pictures/", "--try", "loop.rate=1,2"],
        ["network", "VGG16", "--set", "network.pooling=least"],
        ["demo", "birds", "--data"],
    ],
    ids=" ".join,
)
def test_what_is_no_command_is_noticed(words: list[str]) -> None:
    with pytest.raises((AssertionError, SettingsError, click.UsageError)):
        check(words)


def test_lines_of_other_programs_and_launchers_are_told_apart() -> None:
    assert words_of("pip install tellapart") == []
    assert words_of("torchrun --nproc_per_node 2 -m tellapart.cli.main train a/ --kfold 5") == [
        "train",
        "a/",
        "--kfold",
        "5",
    ]
    assert words_of('cp "$(tellapart demo digits --data)" digits.npz') == ["demo", "digits", "--data"]
    assert words_of("tellapart predict runs/latest a.jpg  # one") == ["predict", "runs/latest", "a.jpg"]


def test_every_kind_of_tutorial_has_its_table_and_its_chapter() -> None:
    table = TABLE.read_text(encoding="utf-8")
    assert re.findall(r"^## (\d)\. ", table, re.MULTILINE) == ["1", "2", "3", "4", "5"]
    for number, part in enumerate(re.split(r"^## ", table, flags=re.MULTILINE)[1:]):
        rows = re.findall(r"^\| .*", part, re.MULTILINE)[1:]
        assert len(rows) >= 16, number
        assert all(CELL.search(row) for row in rows), [row for row in rows if not CELL.search(row)]
    for name in CHAPTERS:
        assert len(blocks(CHINESE / f"{name}.md", "sh")) >= 8, name
        assert f"({name}.md)" in (CHINESE / "tutorials.md").read_text(encoding="utf-8")


def test_topics_are_in_a_chapter_and_in_the_glossary() -> None:
    chapters = "".join((CHINESE / f"{name}.md").read_text(encoding="utf-8") for name in CHAPTERS)
    words = (CHINESE / "glossary.md").read_text(encoding="utf-8")
    assert [topic for topic in TOPICS.split("|") if topic not in chapters or topic not in words] == []
    english = (REPOSITORY / "docs" / "glossary.md").read_text(encoding="utf-8")
    assert [term for term in TERMS if term not in english] == []
    assert english.count("\n| ") == words.count("\n| ")  # the same terms in both


def test_glossary_names_settings_and_options_that_there_are() -> None:
    text = (REPOSITORY / "docs" / "glossary.md").read_text(encoding="utf-8")
    keys = re.findall(r"`((?:loop|network|finetune)\.[a-z_1-2]+)(?: = [^`]+)?`", text)
    assert len(set(keys)) > 20
    for key in set(keys):
        with pytest.raises(SettingsError) as refused:
            make_settings(merge({"data": "pictures"}, parse_assignment(f"{key}.none=1")))
        assert f"no setting '{key}'" not in str(refused.value), key
    for code in re.findall(r"`tellapart ([a-z]+ [A-Z]+ [^`]+)`", text):
        parsed(shlex.split(code.replace("FORMAT", "onnx")))


def test_every_recipe_is_in_the_list_of_recipes() -> None:
    text = (REPOSITORY / "recipes" / "README.md").read_text(encoding="utf-8")
    assert {path.name for path in (REPOSITORY / "recipes").glob("*.toml")} == set(
        re.findall(r"\]\(([a-z0-9_]+\.toml)\)", text)
    )


def test_augmentation_from_keras_becomes_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    calls = [words for words in told().values() if words[0] == "recipe"]
    assert len(calls) >= 3
    for words in calls:
        assert execute([*words, "--force"]) == 0
        make_settings({**read_recipe(tmp_path / "keras.toml"), "data": "pictures"})


@pytest.mark.long  # each command is shown by tests of its own
def test_the_second_chapter_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sklearn.datasets import load_digits

    digits, chapter = load_digits(), CHINESE / "first-cnn.md"
    np.savez(tmp_path / "digits.npz", images=digits.images[:150], target=digits.target[:150])
    (small,) = blocks(chapter, "toml")
    (tmp_path / "small.toml").write_text(small.replace("epochs = 10", "epochs = 1"), encoding="utf-8")
    shutil.copytree(REPOSITORY / "recipes", tmp_path / "recipes")
    monkeypatch.chdir(tmp_path)
    # Converters and servers have tests of their own.
    apart = {"demo", "serve"}
    for words in [words_of(line) for line in shell_lines(chapter)]:
        if words and words[0] not in apart and "--server" not in words and not {"tensorflow", "browser"} & set(words):
            more = ["--no-report"] if words[0] == "train" else []
            assert execute([*words, *more]) == 0, words
    for name in ("nine.png", "lenet.svg", "answers.csv", "报告.html", "runs/latest/exports/onnx/model.onnx"):
        assert (tmp_path / name).is_file(), name
    assert len(list((tmp_path / "maps").iterdir())) >= 1
    assert "true class, told as" in capsys.readouterr().out


@pytest.mark.long
def test_networks_and_pictures_are_shown_as_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every `network` of the tutorials, and every `augment` of one picture or of a folder without a recipe."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    photographs = [Image.fromarray(one).resize((96, 64)) for one in load_sample_images().images]
    photographs[0].save(tmp_path / "cat.jpg")
    for folder in ("flowers", "pictures"):
        for label, photograph in zip(("one", "two"), photographs, strict=True):
            (tmp_path / folder / label).mkdir(parents=True)
            for left in range(5):
                photograph.crop((left * 4, 0, left * 4 + 64, 64)).save(tmp_path / folder / label / f"{left}.png")
    shutil.copytree(REPOSITORY / "recipes", tmp_path / "recipes")
    shutil.copyfile(REPOSITORY / "recipes" / "fashion_cnn.toml", tmp_path / "small.toml")
    (tmp_path / "keras.toml").write_text('[settings.augment]\npreset = "none"\nrotation = 40.0\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    run = [
        words for words in told().values() if words[0] in ("network", "augment", "models") and "digits.npz" not in words
    ]
    assert len(run) > 20
    for words in run:
        assert execute([*words, *(["--force"] if words[0] == "augment" else [])]) == 0, words
