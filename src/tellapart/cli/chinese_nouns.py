"""A sentence of two languages, and short English put into one. In: words, a line. Out: Chinese, values. Next: console.py."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass

# Of progress, which has few letters of its own.
PROGRESS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(.+): ([\d,]+) of ([\d,]+) in (.+)"), "{0}：{1} / {2}，用时 {3}"),
    (re.compile(r"(.+): ([\d,]+) of ([\d,]+), about (.+) left"), "{0}：{1} / {2}，约剩 {3}"),
    (re.compile(r"((?:Converting|Training) .+): (\d+ min \d+ s|[\d.]+ s)"), "{0}，用时 {1}"),
    (re.compile(r"(.+): ([\d,]+) so far"), "{0}：目前 {1}"),
    (re.compile(r"(.+): ([\d,]+) in ([\d.]+ s|\d.* min.*)"), "{0}：{1}，用时 {2}"),
    (re.compile(r"(.+ %\)); wanted ([\d.]+ %); ([\d.]+) classes a set"), "{0}；期望 {1}；每个集合 {2} 个类别"),
    (re.compile(r"(?:Training|Learning) (\S+)"), "正在训练 {0}"),
    (re.compile(r"Converting to (\S+)"), "正在转换为 {0}"),
    (re.compile(r"Testing (\S+)"), "正在测试 {0}"),
    (re.compile(r"Fetching (\S+)"), "正在下载 {0}"),
    (re.compile(r"(?:Trying|Preparing) ([\w.-]*[_.\d][\w.-]*)"), "正在准备 {0}"),
    (re.compile(r"(\d+) min (\d+) s"), "{0} 分 {1} 秒"),
    (
        re.compile(r"pictures\s\s([\d,]+)\strain,\s([\d,]+)\svalidation,\s([\d,]+)\stest"),
        "图片      训练 {0}，验证 {1}，测试 {2}",
    ),
    (
        re.compile(r"texts\s{5}([\d,]+)\strain,\s([\d,]+)\svalidation,\s([\d,]+)\stest"),
        "文本      训练 {0}，验证 {1}，测试 {2}",
    ),
    (
        re.compile(r"pictures:\s([\d,]+)\strain,\s([\d,]+)\svalidation,\s([\d,]+)\stest"),
        "训练 {0}，验证 {1}，测试 {2}",
    ),
    (re.compile(r"Asking (\S+)"), "正在询问 {0}"),
    (re.compile(r"last\slayer\s([+-][\d.]+)"), "最后一层 {0}"),
    (re.compile(r"([\d.,]+) million"), "{0} 百万"),
    (re.compile(r"stage (\d+)"), "阶段 {0}"),
    (re.compile(r"block (\d+)"), "块 {0}"),
    (re.compile(r"(\d+) h (\d+) min"), "{0} 小时 {1} 分"),
    (re.compile(r"([\d.,]+ %|[\d.,]+) \(95 %: (\S+ %|\S+) to (\S+ %|\S+)\)"), "{0}（95 %：{1} 至 {2}）"),
    (re.compile(r"([\d.,]+ %|[\d.,]+) \(([\d.,]+) to ([\d.,]+)\)"), "{0}（{1} 至 {2}）"),
    (re.compile(r"(.+)\sand\s([\d,]+)\smore"), "{0} 以及另外 {1} 个"),
    (re.compile(r"((?:[^\s,]+, )*[^\s,]+) or ([^\s,.]+)"), "{0} 或 {1}"),
    (re.compile(r"('[^']*')\shas\s([\d,]+)"), "{0} 有 {1}"),
    (re.compile(r"classes\s('[^']*'\shas\s.+)"), "类别 {0}"),
    (re.compile(r"class\s('[^']*'\shas\s[\d,]+)"), "类别 {0}"),
    (re.compile(r"row ([\d,]+)"), "第 {0} 行"),
    (re.compile(r"([\d,]+) rows \(([\d, ]+\.\.\.)\)"), "{0} 行（{1}）"),
    (re.compile(r"('[^']*') \(row ([\d,]+)\)"), "{0}（第 {1} 行）"),
    (re.compile(r"('.+\))\sand\sothers"), "{0} 及其他"),
    (re.compile(r"('[^']*'|--[\w-]+|[\d,]+) and ('[^']*'|--[\w-]+|[\d,]+)"), "{0} 和 {1}"),
    (re.compile(r"([A-Za-z][^()]*) \(([\d,]+)\)"), "{0} ({1})"),
)
_EPOCH = re.compile(r"epoch (\d+) of (\d+): ([^;]+); ([^;]+); (\S+) ([a-z]+)/s(?:, about (.+) left)?")
_FIGURE = re.compile(r"(.+?) (\S+(?: %)?)")
_LOSSES = {"train loss": "训练损失", "validation loss": "验证损失"}
# After a number, and alone.
NOUNS: Mapping[str, str] = {
    "picture": "张图片",
    "pictures": "张图片",
    "text": "条文本",
    "texts": "条文本",
    "class": "个类别",
    "classes": "个类别",
    "value": "个值",
    "values": "个值",
    "mask": "个掩码",
    "masks": "个掩码",
    "box": "个框",
    "boxes": "个框",
    "file": "个文件",
    "files": "个文件",
    "row": "行",
    "rows": "行",
    "setting": "项设置",
    "settings": "项设置",
    "trial": "次试验",
    "trials": "次试验",
    "variant": "个变体",
    "variants": "个变体",
    "group": "组",
    "groups": "组",
    "stage": "个阶段",
    "stages": "个阶段",
    "cluster": "簇",
    "clusters": "簇",
    "embeddings": "个嵌入",
    "epoch": "轮",
    "epochs": "轮",
    "worker": "个工作进程",
    "workers": "个工作进程",
    "machine": "台机器",
    "machines": "台机器",
    "part": "个部分",
    "parts": "个部分",
    "CPU": "个 CPU",
    "CPUs": "个 CPU",
    "layer": "层",
    "layers": "层",
    "answer": "个回答",
    "answers": "个回答",
    "original": "张原图",
    "originals": "张原图",
    **{
        f"{split} {noun}": told
        for split, chinese in (("test", "测试"), ("training", "训练"))
        for noun, told in (
            ("picture", f"张{chinese}图片"),
            ("pictures", f"张{chinese}图片"),
            ("text", f"条{chinese}文本"),
            ("texts", f"条{chinese}文本"),
        )
    },
}
# Alone, as what is told about.
THINGS: Mapping[str, str] = {
    **dict.fromkeys(("picture", "pictures"), "图片"),
    **dict.fromkeys(("text", "texts"), "文本"),
    **dict.fromkeys(("box", "boxes"), "框"),
    **dict.fromkeys(("mask", "masks"), "掩码"),
    **dict.fromkeys(("label", "labels"), "标签"),
    **dict.fromkeys(("accuracy", "Accuracy"), "准确率"),
    "exactly": "完全",
    "nearly": "几乎",
    "colours": "颜色",
    "grey": "灰度",
    "yours": "您的",
    "split": "划分",
    "group": "分组",
    "class has": "个类别",
    "classes have": "个类别",
}
# What English puts in for one thing or several.
BENDING: Mapping[str, str] = {
    **dict.fromkeys(
        ("s", "es", "y", "ies", "is", "are", "has", "have", "was", "were", "does", "do", "a", "an", ""), ""
    ),
    **dict.fromkeys(("its", "their"), "其"),
    **dict.fromkeys(("it", "them", "they"), "它"),
}
# What stands before a placeholder of what people type (a flag, a setting's name, what kind of name it is), and behind it.
_BEFORE_TYPED = re.compile(
    r"(--(?:[a-z][a-z-]*[ =])?|[\w.\]]==?|[\w.] = |/|"
    r"\b(tellapart [a-z]+|task|class|column|setting|network|backbone|named|folder|file) )$"
)
_BEHIND_TYPED = re.compile(r"[/=]|\.[a-z]")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence in both languages."""

    pieces: tuple[str, ...]  # of the English, between its placeholders
    places: tuple[str, ...]  # the names of the placeholders in the English, mostly numbers
    chinese: str
    letters: int  # of the English, without what is put in

    def values(self, line: str) -> tuple[str, ...] | None:
        """What was put in; None where the line is another sentence."""
        first, last = self.pieces[0], self.pieces[-1]
        if not (line.startswith(first) and line.endswith(last)) or len(line) < len(first) + len(last):
            return None
        at = len(first)
        for piece in self.pieces[1:-1]:  # a quick look before the pattern
            at = line.find(piece, at)
            if at < 0:
                return None
            at += len(piece)
        found = _pattern(self.pieces).fullmatch(line)
        return None if found is None else found.groups()


def epoch_line(line: str, words: Mapping[str, str]) -> str | None:
    """What is told after each epoch, with figures that `words` have the names of; None for another line."""
    found = _EPOCH.fullmatch(line)
    if found is None:
        return None
    sides = ("，".join(_figure(part, words) for part in side.split(", ")) for side in found.group(3, 4))
    left = f"，大约还需 {found[7]}" if found[7] else ""
    for english, chinese in ((" min", " 分"), (" s", " 秒"), (" h", " 小时")):
        left = left.replace(english, chinese)
    return f"第 {found[1]} 轮（共 {found[2]} 轮）：{'；'.join(sides)}；每秒 {found[5]} {NOUNS.get(found[6], found[6])}{left}"


def _figure(told: str, words: Mapping[str, str]) -> str:
    found = _FIGURE.fullmatch(told)
    return told if found is None else f"{_LOSSES.get(found[1]) or words.get(found[1], found[1])} {found[2]}"


@functools.lru_cache(maxsize=512)
def typed_places(pieces: tuple[str, ...]) -> frozenset[int]:
    """Which placeholders, counted from 0, hold what people type: a flag's value, a setting, a name, any part of a command."""
    found, before = set(), ""
    for number, (piece, behind) in enumerate(itertools.pairwise(pieces)):
        before += piece
        if _BEFORE_TYPED.search(before) or _BEHIND_TYPED.match(behind) or before.count("`") % 2:
            found.add(number)
        before += "x"  # what is put in
    return frozenset(found)


@functools.lru_cache(maxsize=512)
def _pattern(pieces: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("(.*?)".join(map(re.escape, pieces)), re.DOTALL)
