"""Tables of the screen in Chinese, by their words of ours. In: a line. Out: it in columns. Next: console.py."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping

_GAPS = re.compile(r"( {2,})")
_ROW = re.compile(r"(\S+(?: \S+)*)( +)(\S.*)")
# Characters from which on rows tell something, as the commands lay them out; from one of them on for two models.
_TOLD_FROM, _TWICE = frozenset((10, 12, 20, 25, 26, 34)), 26
_WORD = re.compile("[A-Za-z]{3,}")
_FROM_THE_LEFT = frozenset(
    ("label", "looks like", "operators", "Output Shape", "settings", "what", "what may be wrong", "why")
)  # columns


def table_head(line: str, words: Mapping[str, str]) -> str | None:
    """The head of a table, whose columns are all words of ours; None for another line."""
    parts = _GAPS.split(line)
    if len(parts) == 1 or not all(part in words for part in parts[::2]):
        return None
    said, ends = words[parts[0]], len(parts[0])
    for gap, part in zip(parts[1::2], parts[2::2], strict=True):
        ends += len(gap) + len(part)
        first = ends - len(part) if part in _FROM_THE_LEFT else ends - width(words[part])
        said += " " * max(1, first - width(said)) + words[part]
    return said


def table_row(line: str, words: Mapping[str, str], say: Callable[[str], str]) -> str | None:
    """A row that begins with a word of ours; None for another line.

    A row of a table of classes begins with a name, which may be such a word: its figures begin elsewhere.
    """
    row = _ROW.fullmatch(line)
    if row is None or row.start(3) not in _TOLD_FROM:
        return None
    head = words.get(row[1])
    if head is None and row[1].startswith("test ") and (figure := words.get(row[1].removeprefix("test "))):
        head = f"测试{figure}"  # of info
    if head is None:
        return None
    if _GAPS.search(row[3]) and (row.start(3) != _TWICE or _WORD.search(row[3])):
        return None
    return head + " " * max(1, row.start(3) - width(head)) + say(row[3])


def width(text: str) -> int:
    """Columns of a terminal."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
