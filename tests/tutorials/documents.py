"""The commands of the tutorials. In: docs/tutorials.md, docs/zh/*.md. Out: lines as they are typed, a chapter's in order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TABLE = REPOSITORY / "docs" / "tutorials.md"
CHINESE = REPOSITORY / "docs" / "zh"
WALKS = REPOSITORY / "docs" / "walks"  # the chapters in English
CHAPTERS = ("transfer-learning", "first-cnn", "cats-dogs", "own-files", "classic-networks")
# Chapters on a matter, in Chinese; in English the documents of the same names tell all of it.
MATTERS = (
    "data",
    "training",
    "choosing",
    "explaining",
    "detection",
    "segmentation",
    "texts",
    "compression",
    "export",
    "serving",
)
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
CELL = re.compile(r"\| `([^`]+)` \|$", re.MULTILINE)
LAUNCHER = re.compile(r"^(?:torchrun|accelerate launch)\b.* -m tellapart\.cli\.main ")


def blocks(document: Path, language: str) -> list[str]:
    """The fenced code of this language."""
    return [code for name, code in FENCE.findall(document.read_text(encoding="utf-8")) if name == language]


def shell_lines(document: Path) -> list[str]:
    """The commands of a document's fences, in order."""
    return [line for block in blocks(document, "sh") for line in block.splitlines() if line.strip()]


def table_lines(number: int) -> list[str]:
    """The commands of a tutorial's table in docs/tutorials.md, 1 to 5, in order."""
    part = re.split(r"^## \d\. ", TABLE.read_text(encoding="utf-8"), flags=re.MULTILINE)[number]
    return CELL.findall(part)


def chapter_lines(number: int) -> list[str]:
    """What a reader of a tutorial's chapter types, 1 to 5, from top to bottom."""
    return [line.partition("  #")[0].strip() for line in shell_lines(CHINESE / f"{CHAPTERS[number - 1]}.md")]


def matter_lines(name: str) -> list[str]:
    """The commands of a chapter on a matter."""
    return [line.partition("  #")[0].strip() for line in shell_lines(CHINESE / f"{name}.md")]


def further_lines(number: int) -> list[str]:
    """What the tutorial's table has more."""
    return [line for line in dict.fromkeys(table_lines(number)) if line not in chapter_lines(number)]


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
