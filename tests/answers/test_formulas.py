"""Cells that a spreadsheet would run. In: texts. Out: what stands in the file, and the same texts again."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.answers.formulas import SafeReader, SafeWriter, csv_text, defused, taken_back

CELLS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
SIGNS = st.text("=+-@'\t\r1.aA,\"\n \uff1d", max_size=6)


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-cat.png", "'-cat.png"),
        ("\t=1", "'\t=1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("'=1", "''=1"),
        ("-0.5", "-0.5"),
        ("+3", "+3"),
        ("-1e-7", "-1e-7"),
        ("cat", "cat"),
        ("a=b", "a=b"),
        ("'quoted'", "'quoted'"),
        ("", ""),
    ],
)
def test_what_a_spreadsheet_would_run_has_an_apostrophe(cell: str, written: str) -> None:
    assert defused(cell) == written
    assert taken_back(written) == cell


@given(st.one_of(CELLS, SIGNS))
def test_every_cell_comes_back(cell: str) -> None:
    assert taken_back(defused(cell)) == cell
    assert defused(cell)[:1] not in ("=", "@", "\t")


@given(st.lists(st.lists(st.one_of(CELLS, SIGNS), min_size=2, max_size=4), min_size=1, max_size=4))
def test_every_row_comes_back(rows: list[list[str]]) -> None:
    file = io.StringIO(newline="")
    SafeWriter(file).write_all(rows)
    assert list(SafeReader(file.getvalue())) == rows


def test_numbers_and_nothing_are_written_as_csv_writes_them() -> None:
    file = io.StringIO(newline="")
    SafeWriter(file, line_end="\n").write([-1.5, None, 7, "=x"])
    assert file.getvalue() == "-1.5,,7,'=x\n"


def test_a_table_by_the_names_of_its_columns() -> None:
    text = csv_text(("a", "=b"), [{"a": "1", "=b": "x,y"}, {"a": "=2"}], line_end="\n")
    assert text == "a,'=b\n1,\"x,y\"\n'=2,\n"
    assert csv_text(("a", "b"), [{"a": "1\r\n2\r3", "b": None}]) == 'a,b\r\n"1\r\n2\r3",\r\n', (
        "as RFC 4180 ends its lines"
    )
    assert csv_text(("a",), [{}, {"b": "x"}], line_end="\n") == 'a\n""\n""\n', "what a row lacks is empty"


def test_a_reader_gives_its_rows_one_after_another() -> None:
    reader = SafeReader("a,'=b\r\n\"1\r\n2\",'-3\r\n")
    assert iter(reader) is reader
    assert list(reader) == [["a", "=b"], ["1\r\n2", "-3"]]
    with pytest.raises(csv.Error):
        list(SafeReader('"a"b,c\n'))


@pytest.mark.parametrize(
    ("cell", "was"),
    [("'=1", "=1"), ("''=1", "'=1"), ("'1", "'1"), ("'", "'"), ("=1", "=1"), ("'-1", "-1"), ("a'=1", "a'=1")],
)
def test_only_an_apostrophe_before_a_formula_is_taken_back(cell: str, was: str) -> None:
    assert taken_back(cell) == was


def test_the_line_of_a_fault_is_known() -> None:
    reader = SafeReader('a,b\n"x\ny",2\n"open')
    assert next(reader) == ["a", "b"]
    assert (next(reader), reader.line) == (["x\ny", "2"], 3)
    with pytest.raises(csv.Error):
        next(reader)
    assert reader.line == 4
