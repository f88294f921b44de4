"""How a predicted row looks. In: rows by hand. Out: a table, CSV, JSON lines."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np

from tellapart.answers.predictor import Row
from tellapart.cli.rows import as_csv, as_jsonl, table

CLASSES = ("cat", "dog", "犬, big")
SURE = Row(
    path="a.jpg", probabilities=np.array([0.9, 0.06, 0.04], dtype=np.float32), members=(0,), unknown=False, novelty=0.8
)
TORN = Row(
    path="b.jpg", probabilities=np.array([0.3, 0.1, 0.6], dtype=np.float32), members=(2, 0), unknown=False, novelty=1.25
)
STRANGE = replace(SURE, path="c.jpg", unknown=True, novelty=1234567.8)
FAILED = Row(path="d.jpg", probabilities=None, error="no such file")
OLD = Row(path="e.jpg", probabilities=np.array([0.9, 0.06, 0.04], dtype=np.float32))


def test_the_table_says_what_makes_a_picture_doubtful() -> None:
    assert list(table([SURE, TORN, STRANGE, FAILED, OLD], CLASSES, 1)) == [
        " 90.0% cat    a.jpg\n",
        " 60.0% 犬, big b.jpg  (may be 犬, big, cat)\n",
        " 90.0% cat    c.jpg  (unknown: unlike the pictures trained on)\n",
        "unreadable     d.jpg  (no such file)\n",
        " 90.0% cat    e.jpg\n",
    ]


def test_a_large_set_is_cut_in_the_table() -> None:
    row = Row(path="a", probabilities=np.full(8, 0.125, dtype=np.float32), members=tuple(range(8)), unknown=False)
    (line,) = table([row], tuple("pqrstuvw"), 1)
    assert line.endswith("a  (may be p, q, r, s, t or 3 others)\n")
    (line,) = table([replace(row, members=tuple(range(6)))], tuple("pqrstuvw"), 1)
    assert line.endswith("a  (may be p, q, r, s, t or 1 other)\n")


def test_the_csv_appends_the_set() -> None:
    rows = list(csv.DictReader("".join(as_csv([SURE, TORN, STRANGE, FAILED, OLD], CLASSES, 2)).splitlines()))
    assert list(rows[0]) == [
        "path",
        "label",
        "probability",
        "label_2",
        "probability_2",
        "error",
        "set",
        "unknown",
        "novelty",
    ]
    assert [(row["set"], row["unknown"], row["novelty"]) for row in rows] == [
        ("cat", "false", "0.8"),
        ("犬, big|cat", "false", "1.25"),
        ("cat", "true", "1.23457e+06"),
        ("", "", ""),
        ("", "", ""),
    ]
    assert (rows[3]["label"], rows[3]["error"]) == ("", "no such file")


def test_the_json_lines_append_the_set() -> None:
    rows = [json.loads(line) for line in as_jsonl([SURE, TORN, STRANGE, FAILED, OLD], CLASSES, 1)]
    assert list(rows[0]) == ["path", "label", "probability", "top", "error", "set", "unknown", "novelty"]
    assert [(row["set"], row["unknown"], row["novelty"]) for row in rows] == [
        (["cat"], False, 0.8),
        (["犬, big", "cat"], False, 1.25),
        (["cat"], True, 1234570.0),
        (None, None, None),
        (None, None, None),
    ]
