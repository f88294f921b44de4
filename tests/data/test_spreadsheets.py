"""Tables of Excel. In: files that openpyxl writes, and broken ones. Out: cells, or why not."""

from __future__ import annotations

import datetime
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tellapart.data import spreadsheets
from tellapart.data.listing import read_listing
from tellapart.data.spreadsheets import open_sheet
from tellapart.errors import DataError


def book(path: Path, rows: list[list[Any]], *further: str) -> Path:
    made = openpyxl.Workbook()
    assert made.active is not None
    made.active.title = "Pictures"
    for row in rows:
        made.active.append(row)
    for name in further:
        made.create_sheet(name)
    made.save(path)
    return path


def test_cells_are_as_a_csv_would_have_them(tmp_path: Path) -> None:
    day = datetime.datetime(2026, 11, 28)
    path = book(tmp_path / "t.xlsx", [["path", " label ", "n"], ["a.png", 3.0, 0.5], [None], ["b.png", True, day]])
    ignored: Counter[str] = Counter()
    cells = open_sheet(path, ignored)
    assert cells.header == ("path", "label", "n")
    assert cells.rows() == [(2, ["a.png", "3", "0.5"]), (4, ["b.png", "true", "2026-11-28T00:00:00"])]
    assert (ignored, cells.notes) == ({"blank row": 1}, ())


def test_our_own_csv_saved_as_excel_loses_its_apostrophes(tmp_path: Path) -> None:
    assert open_sheet(book(tmp_path / "t.xlsx", [["path"], ["'=1.png"]]), Counter()).rows() == [(2, ["=1.png"])]


def test_further_sheets_are_told(tmp_path: Path) -> None:
    path = book(tmp_path / "t.xlsx", [["path"]], "Notes", "Old")
    assert open_sheet(path, Counter()).notes == (
        f"{path}: its first sheet, 'Pictures', is read; 'Notes', 'Old' is not.",
    )


def test_blank_rows_before_the_header_are_no_header(tmp_path: Path) -> None:
    cells = open_sheet(book(tmp_path / "t.xlsx", [[None], ["", ""], ["path", "label"], ["a.png", "cat"]]), Counter())
    assert (cells.header, cells.rows()) == (("path", "label"), [(4, ["a.png", "cat"])])


def test_a_first_sheet_that_is_no_table_is_told_with_the_others(tmp_path: Path) -> None:
    path = book(tmp_path / "t.xlsx", [["hello"]], "Data")
    with pytest.raises(DataError, match=r"lacks the columns .* its first sheet, 'Pictures', is read; 'Data' is not\.$"):
        read_listing(path)


def test_an_empty_sheet_has_no_header(tmp_path: Path) -> None:
    assert open_sheet(book(tmp_path / "t.xlsx", []), Counter()).header == ()


def test_what_is_no_excel_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    whole = book(tmp_path / "whole.xlsx", [["path", "label"], ["a.png", "cat"]]).read_bytes()
    for data in (b"", b"path,label\n", whole[:900], whole[:-30]):
        path.write_bytes(data)
        with pytest.raises(
            DataError, match=r"is not a table of Excel that can be read\. Save it again as \.xlsx or as CSV"
        ):
            open_sheet(path, Counter())


def test_what_would_unpack_without_measure_is_refused(tmp_path: Path) -> None:
    path = book(tmp_path / "t.xlsx", [["path"]])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/bomb.xml", "w") as member:
        for _ in range(spreadsheets.MAX_UNPACKED // 2**20 + 1):
            member.write(bytes(2**20))
    assert path.stat().st_size < 2**20
    with pytest.raises(
        DataError, match=r"unpacks to 53\d,\d{3},\d{3} bytes; the limit is 536,870,912\. Save it as CSV"
    ):
        open_sheet(path, Counter())


@pytest.mark.long
def test_a_cell_in_the_last_column_takes_no_memory(tmp_path: Path) -> None:
    made = openpyxl.Workbook()
    assert made.active is not None
    made.active.cell(1, 1, "path")
    made.active.cell(spreadsheets.MAX_ROWS, 16_384, "x")
    made.save(tmp_path / "t.xlsx")
    with pytest.raises(DataError, match=r"has more than 2,000 columns\. Save it as CSV"):
        open_sheet(tmp_path / "t.xlsx", Counter())
