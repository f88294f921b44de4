"""Tables of JSON. In: objects, one a line or in a list. Out: cells, or the line that is wrong."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tellapart.data.json_lines import open_json
from tellapart.errors import DataError

PATH = Path("table.jsonl")


def test_keys_are_columns_in_the_order_in_which_they_come() -> None:
    cells = open_json(PATH, '{"path": "a.png", "n": 1}\n\n{"label": "=cat", "path": "b.png"}\n', Counter())
    assert cells.header == ("path", "n", "label")
    assert cells.rows() == [(1, ["a.png", "1", ""]), (3, ["b.png", "", "=cat"])]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ('"cat"', "cat"),
        ("3", "3"),
        ("0.5", "0.5"),
        ("true", "true"),
        ("null", ""),
        ("NaN", ""),
        ('["cat", "a|b"]', "cat|a\\|b"),
        ("[]", ""),
        ('{"x": 1}', '{"x": 1}'),
        ("[[1, 2]]", "[[1, 2]]"),
    ],
)
def test_values_are_cells(value: str, cell: str) -> None:
    assert open_json(PATH, f'{{"path": "a", "x": {value}}}', Counter()).rows() == [(1, ["a", cell])]


def test_one_list_of_objects_is_a_table_too() -> None:
    assert open_json(PATH, '[{"path": "a"},\n {"path": "b"}]', Counter()).rows() == [(1, ["a"]), (2, ["b"])]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"a": 1}\nnonsense\n', 2),
        ('{"a": 1}\n[1]\n', 2),
        ('[{"a": 1}, 3]', 2),
        ("[1", 1),
        ('{"a": ' + "[" * 100_000, 1),
    ],
)
def test_what_is_no_table_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(DataError) as caught:
        open_json(PATH, text, Counter())
    assert str(caught.value).startswith(
        f"'table.jsonl' is not a table of JSON, from line {line} on: each line (or each item"
    )


@pytest.mark.parametrize(
    "text",
    [
        '{"path": ["a.png", "b.png"], "label": ["cat", "dog"]}',
        '{"path": {"0": "a.png"}, "label": {"0": "cat"}}',
        '{"a.png": "cat", "b.JPG": "dog"}',
    ],
)
def test_columns_or_pictures_in_one_object_are_no_table(text: str) -> None:
    with pytest.raises(DataError) as caught:
        open_json(PATH, text, Counter())
    assert str(caught.value).startswith(
        "'table.jsonl' is one object of JSON with a value for each column or picture, and"
    )


def test_one_row_is_a_table() -> None:
    assert open_json(PATH, '{"path": "a.png", "labels": ["cat"]}', Counter()).header == ("path", "labels")


def test_half_a_character_is_refused() -> None:
    with pytest.raises(DataError, match=r"line 1 of 'table.jsonl' holds half a character"):
        open_json(PATH, '{"path": "\\ud800"}', Counter())
