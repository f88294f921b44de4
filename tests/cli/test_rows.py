"""How a predicted row looks. In: rows by hand. Out: a table, CSV, JSON lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tellapart.answers.classification import ClassAnswer, Classification
from tellapart.cli import rows
from tellapart.cli.rows import Layout
from tellapart.cli.speaking import ChineseStream

CLASSES = ("cat", "dog", "犬, big")


def answer(path: str, probabilities: Sequence[float], classes: tuple[str, ...] = CLASSES, **more: Any) -> ClassAnswer:
    array = np.array(probabilities, dtype=np.float32)
    ranking = np.argsort(-array, kind="stable")
    return ClassAnswer(path=path, classes=classes, probabilities=array, ranking=ranking, **more)


def printed(layout: Layout, answers: Sequence[ClassAnswer], top: int) -> list[str]:
    return list(layout(answers, Classification(), CLASSES, top))


SURE = answer("a.jpg", [0.9, 0.06, 0.04], set_size=1, unknown=False, novelty=0.8)
TORN = answer("b.jpg", [0.3, 0.1, 0.6], set_size=2, unknown=False, novelty=1.25)
STRANGE = replace(SURE, path="c.jpg", unknown=True, novelty=1234567.8)
FAILED = Classification().unread("no such file", path="d.jpg", classes=CLASSES)
OLD = answer("e.jpg", [0.9, 0.06, 0.04])


def test_the_table_says_what_makes_a_picture_doubtful() -> None:
    assert printed(rows.table, [SURE, TORN, STRANGE, FAILED, OLD], 1) == [
        " 90.0% cat    a.jpg\n",
        " 60.0% 犬, big b.jpg  (may be 犬, big, cat)\n",
        " 90.0% cat    c.jpg  (unknown: unlike the pictures trained on)\n",
        "unreadable     d.jpg  (no such file)\n",
        " 90.0% cat    e.jpg\n",
    ]


def test_the_table_speaks_the_language_of_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", ChineseStream(io.StringIO()))
    warned = replace(SURE, path="unreadable", warning="no such file")
    assert printed(rows.table, [SURE, STRANGE, FAILED, warned], 1) == [
        " 90.0% cat    a.jpg\n",
        " 90.0% cat    c.jpg  （未知：与训练所用的图片不同）\n",
        "无法读取       d.jpg  （没有这个文件）\n",
        " 90.0% cat    unreadable  （警告：没有这个文件）\n",
    ]


def test_a_line_feed_in_a_name_forges_no_line() -> None:
    forged = replace(SURE, path="a.jpg\n 99.0% dog    b.jpg")
    assert printed(rows.table, [forged], 1) == [" 90.0% cat    a.jpg\\u000a 99.0% dog    b.jpg\n"]


def test_a_large_set_is_cut_in_the_table() -> None:
    torn = answer("a", [0.125] * 8, tuple("pqrstuvw"), set_size=8, unknown=False)
    (line,) = printed(rows.table, [torn], 1)
    assert line.endswith("a  (may be p, q, r, s, t or 3 others)\n")
    (line,) = printed(rows.table, [replace(torn, set_size=6)], 1)
    assert line.endswith("a  (may be p, q, r, s, t or 1 other)\n")
    (line,) = printed(rows.table, [replace(torn, threshold=0.0)], 1)
    assert line.endswith(" a\n"), "a set that always holds every class says nothing to a person"


def test_the_csv_appends_the_set() -> None:
    found = list(csv.DictReader("".join(printed(rows.as_csv, [SURE, TORN, STRANGE, FAILED, OLD], 2)).splitlines()))
    assert list(found[0]) == [
        "path",
        "label",
        "probability",
        "label_2",
        "probability_2",
        "error",
        "set",
        "unknown",
        "novelty",
        "warning",
    ]
    assert [(row["set"], row["unknown"], row["novelty"]) for row in found] == [
        ("cat", "false", "0.8"),
        ("犬, big|cat", "false", "1.25"),
        ("cat", "true", "1.23457e+06"),
        ("", "", ""),
        ("", "", ""),
    ]
    assert (found[3]["label"], found[3]["error"]) == ("", "no such file")


def test_the_json_lines_append_the_set() -> None:
    found = [json.loads(line) for line in printed(rows.as_jsonl, [SURE, TORN, STRANGE, FAILED, OLD], 1)]
    assert list(found[0]) == ["path", "label", "probability", "top", "error", "set", "unknown", "novelty", "warning"]
    assert [(row["set"], row["unknown"], row["novelty"]) for row in found] == [
        (["cat"], False, 0.8),
        (["犬, big", "cat"], False, 1.25),
        (["cat"], True, 1234570.0),
        (None, None, None),
        (None, None, None),
    ]
