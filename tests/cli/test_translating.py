"""English lines become Chinese. In: a small table, lines. Out: the Chinese, with what was put in; what is unknown stays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tellapart.cli import translating
from tellapart.cli.translating import translate

TABLE = {
    "Writing the report": "写报告",
    "there is no folder or file {0}. Check the spelling, or give the full path.": (
        "没有文件夹或文件 {0}。检查拼写，或给出完整路径。"
    ),
    "{0} is damaged": "{0} 已损坏",
    "{0} is damaged: {1}": "{0} 已损坏：{1}",
    "{0} of {1}": "{1} 中的 {0}",
    "the {0} picture{1} of {2} left out": "{2} 的 {0} 张图片 {1} 不计",
    "! only {0} is told here": "! 这里只说 {0}",
    "a file of the run": "运行中的一个文件",
    "the {0} has none; give --task {1}, or `train {2}`": "{0} 没有；加上 --task {1}，或 `train {2}`",
    "{0} lies in {1}/{2} beside it": "{0} 在旁边的 {1}/{2} 里",
    "\nTwo lines here:\n  the second of {0}": "\n这里有两行：\n  第二行，属于 {0}",
}


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    translating._known.cache_clear()
    monkeypatch.setattr(translating, "chinese_sentences", lambda: TABLE)
    yield
    translating._known.cache_clear()


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("Writing the report", "写报告"),
        ("  Writing the report ", "  写报告 "),
        (
            "Error: there is no folder or file 'a b'. Check the spelling, or give the full path.",
            "错误：没有文件夹或文件 'a b'。检查拼写，或给出完整路径。",
        ),
        ("! x.png is damaged", "! x.png 已损坏"),
        (
            "x.png is damaged: a file of the run",
            "x.png 已损坏：运行中的一个文件",
        ),  # the longest that fits, and what is put in
        ("Writing the report: 3 of 5, about 4.9 s left", "写报告：3 / 5，约剩 4.9 s"),
        ("Writing the report: 1,005 of 1,005 in 2 min 29 s", "写报告：1,005 / 1,005，用时 2 分 29 秒"),
        ("a file of the run.", "运行中的一个文件。"),
        ("x.png and s is damaged", "x.png and s 已损坏"),
        ("the 3 pictures of a file of the run left out", "运行中的一个文件的 3 张图片不计"),
        ("! only 3 is told here", "! 这里只说 3"),
        ("x.png is damaged: 95.2 % (95 %: 92.6 % to 96.9 %)", "x.png 已损坏：95.2 %（95 %：92.6 % 至 96.9 %）"),
        ("picture is damaged", "图片已损坏"),
        ("1,797 pictures", "1,797 张图片"),
        ("cup of tea", "cup of tea"),  # too few letters of its own to be known again
        ("Two lines here:", "这里有两行："),
        ("  the second of 12", "  第二行，属于 12"),
        ("Writing the report. a file of the run", "写报告。运行中的一个文件"),
        ("time      Writing the report", "用时      写报告"),
        (
            "class                     boxes  threshold  precision",
            "类别                         框       阈值     精确率",
        ),
        ("class                     boxes  12", "class                     boxes  12"),  # a class, and its figures
        ("time                            12", "time                            12"),
        ("right                     98.5 %      97.0 %", "正确                      98.5 %      97.0 %"),
        ("a long name of its own is damaged; Writing the report", "a long name of its own 已损坏；写报告"),
        ("x   is damaged by the way   is damaged", "x   is damaged by the way   is damaged"),  # cells of a table
        ("Writing the report      12", "写报告                  12"),  # columns stay below each other
        (
            "the text has none; give --task text, or `train text`",
            "文本没有；加上 --task text，或 `train text`",
        ),
        ("mask lies in masks/text beside it", "掩码在旁边的 masks/text 里"),  # of a path nothing
        ("nothing that is known", "nothing that is known"),
        ("只有中文", "只有中文"),
        ("", ""),
        ("12 34", "12 34"),
    ],
)
def test_lines(english: str, chinese: str) -> None:
    assert translate(english) == chinese


def test_sentences_within_sentences_end() -> None:
    deep = "x is damaged: " * 50 + "end"
    assert "end" in translate(deep)


def test_a_very_long_line_is_left_alone() -> None:
    line = "x is damaged: " + "y" * 10_000
    assert translate(line) == line
