"""The tutorials' commands are ones. In: docs/tutorials.md, docs/zh/*.md. Out: each parses; tutorials/ runs them."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import click
import pytest

from tellapart.cli.main import execute
from tellapart.errors import SettingsError
from tellapart.models.classics import Block, Dense
from tellapart.settings.flags import tables
from tellapart.settings.reading import make_settings, merge, parse_assignment, read_recipe
from tellapart.settings.space import parse_try
from tellapart.settings.space_checking import checked_space
from tellapart.settings.tree import TrainSettings
from tellapart.workflows.demo_sets import DEMO_SETS

from .tutorials.documents import (
    CELL,
    CHAPTERS,
    CHINESE,
    MATTERS,
    REPOSITORY,
    TABLE,
    WALKS,
    blocks,
    shell_lines,
    told,
    words_of,
)
from .tutorials.walking import parsed

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
# What tutorials are about: each is in a heading of a Chinese chapter, in the glossary, and told in an English chapter.
TOPICS = {
    "环境搭建": "environment",
    "迁移学习": "transfer learning",
    "微调": "fine-tuning",
    "冻结": "frozen",
    "解冻": "unfreez",
    "数据增强": "augmentation",
    "早停": "early stopping",
    "学习率": "learning rate",
    "过拟合": "overfitting",
    "正则化": "regularisation",
    "批标准化": "batch normalisation",
    "卷积": "convolution",
    "池化": "pooling",
    "全连接": "dense layer",
    "混淆矩阵": "confusion matrix",
    "特征图": "feature map",
    "超参数": "hyperparameter",
    "网格搜索": "grid search",
    "交叉验证": "cross-validation",
    "剪枝": "pruning",
    "量化": "quantisation",
    "蒸馏": "distillation",
    "目标检测": "object detection",
    "语义分割": "semantic segmentation",
    "文本分类": "text classification",
    "多 GPU 训练": "several gpus",
    "模型导出": "export",
    "TF Serving": "tensorflow serving",
    "Docker": "docker",
}
HEADING = re.compile(r"^#{1,3} (.*)$", re.MULTILINE)


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


def test_every_topic_has_a_section_in_chinese_and_is_told_in_english() -> None:
    chinese = [(CHINESE / f"{name}.md").read_text(encoding="utf-8") for name in (*CHAPTERS, *MATTERS)]
    headings = "\n".join(heading for text in chinese for heading in HEADING.findall(text))
    assert [topic for topic in TOPICS if topic not in headings] == []
    english = "".join(path.read_text(encoding="utf-8").lower() for path in sorted(WALKS.glob("*.md")))
    assert [term for term in TOPICS.values() if term not in " ".join(english.split())] == []


def test_every_chapter_is_in_both_languages_with_the_same_commands() -> None:
    for name in CHAPTERS:
        chinese, english = (
            [
                line.replace("报告.html", "report.html").replace("--lang zh", "--lang en")
                for line in shell_lines(folder / f"{name}.md")
            ]
            for folder in (CHINESE, WALKS)
        )
        assert chinese == english, name
        assert len(HEADING.findall((CHINESE / f"{name}.md").read_text(encoding="utf-8"))) == len(
            HEADING.findall((WALKS / f"{name}.md").read_text(encoding="utf-8"))
        )
    for name in MATTERS:
        assert (REPOSITORY / "docs" / f"{name}.md").is_file()
    assert {path.stem for path in CHINESE.glob("*.md")} == {*CHAPTERS, *MATTERS, "tutorials", "glossary"}


# Of tiles and texts, which chapters on other matters tell, and what only our own detector has.
TOLD_ELSEWHERE = {"overlap", "scale", "text", "first_epochs", "first_views"}


def test_every_setting_of_network_augmentation_and_loop_is_named_in_chinese() -> None:
    chinese = "".join(path.read_text(encoding="utf-8") for path in sorted(CHINESE.glob("*.md")))
    parts = (TrainSettings.model_fields[part].annotation for part in ("network", "finetune", "augment", "loop"))
    names = {name for part in parts for name in part.model_fields} - TOLD_ELSEWHERE  # type: ignore[union-attr]
    assert len(names) > 70
    assert {name for name in names if not re.search(rf"(?<![a-z_]){name}(?![a-z_])", chinese)} == set()
    # What a block and a dense layer may have stands in the fourth chapter's table.
    table = (CHINESE / "own-files.md").read_text(encoding="utf-8") + (CHINESE / "training.md").read_text(
        encoding="utf-8"
    )
    for layer in (Block, Dense):
        fields = {field.name for field in dataclasses.fields(layer)} - {"groups", "local_response_norm"}
        assert {name for name in fields if name not in table} == set()


def rows(document: Path) -> list[list[str]]:
    """The cells of a document's table, without its head."""
    lines = re.findall(r"^\| (.*) \|$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return [[cell.strip() for cell in line.split(" | ")] for line in lines[1:]]


def test_glossary_has_the_same_terms_in_both_languages_each_with_where_it_stands() -> None:
    english = {term: where for term, _, where in rows(REPOSITORY / "docs" / "glossary.md")}
    chinese = {term: where for _, term, _, where in rows(CHINESE / "glossary.md")}
    assert set(english) == set(chinese)
    assert list(english) == sorted(english, key=str.lower)
    for term, where in english.items():
        assert where, term
        assert set(re.findall(r"`[^`]+`", where)) == set(re.findall(r"`[^`]+`", chinese[term])), term
    for topic in TOPICS:
        if topic != "环境搭建":
            assert topic in (CHINESE / "glossary.md").read_text(encoding="utf-8"), topic


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
