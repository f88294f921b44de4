"""CSV files in cells. In: bytes as programs write them. Out: a header, rows of one width, or a sentence with the row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tellapart.data.cells import Cells, named_rows, quoted, quoted_all
from tellapart.data.opening import open_table
from tellapart.errors import DataError


def read(folder: Path, data: bytes, ignored: Counter[str] | None = None) -> Cells:
    path = folder / "table.csv"
    path.write_bytes(data)
    return open_table(path, Counter() if ignored is None else ignored)


def test_rows_have_a_cell_for_every_column_and_the_numbers_of_a_spreadsheet(tmp_path: Path) -> None:
    ignored: Counter[str] = Counter()
    cells = read(tmp_path, b' A , b,c\n1, 2 \n,,\n\n3,4,5,,\n"x\ny",6\n', ignored)
    assert cells.header == ("A", "b", "c")
    assert cells.rows() == [(2, ["1", "2", ""]), (5, ["3", "4", "5"]), (6, ["x\ny", "6", ""])]
    assert ignored == {"blank row": 2}
    cells.rows()
    assert ignored == {"blank row": 2}  # read once


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_header_alone_tells_the_delimiter(tmp_path: Path, delimiter: str, line_end: str) -> None:
    """Below it other ones may be more frequent: in paths, or between the labels of a cell."""
    others = "".join({",", ";"} - {delimiter}) * 9
    text = line_end.join([f"a{delimiter}b", f"1{delimiter}{others}", ""])
    assert read(tmp_path, text.encode()).rows() == [(2, ["1", others])]


def test_a_wrong_row_is_told_when_rows_are_asked_for(tmp_path: Path) -> None:
    cells = read(tmp_path, b"a,b\n1,2,3\n")
    assert cells.header == ("a", "b")
    with pytest.raises(DataError, match=r"row 2 of .* has 3 cells, but the header has 2\."):
        cells.rows()
    quoted = read(tmp_path, b'a,b\n1,"2\n')
    with pytest.raises(DataError, match=r"line 2 of the table .* is not valid CSV: .* Every quote that is opened"):
        quoted.rows()


def test_an_empty_file_has_an_empty_header(tmp_path: Path) -> None:
    cells = read(tmp_path, b"")
    assert (cells.header, cells.rows()) == ((), [])


@pytest.mark.parametrize(
    ("rows", "words"),
    [([3], "row 3"), ([3, 5], "rows 3 and 5"), ([2, 3, 4], "rows 2, 3 and 4"), ([2, 3, 4, 9], "4 rows (2, 3, 4, ...)")],
)
def test_rows_in_words(rows: list[int], words: str) -> None:
    assert named_rows(rows) == words


def test_a_sentence_quotes_the_beginning_of_what_is_long() -> None:
    assert quoted("a'b") == '"a\'b"'
    assert quoted("x" * 200) == f"'{'x' * 200}'"
    assert quoted("x" * 201) == f"'{'x' * 200}...'"
    assert quoted_all(map(str, range(20))).endswith("'18', '19'")
    assert quoted_all(map(str, range(23))).endswith("'18', '19' and 3 more")


def test_rows_that_are_read_once_are_not_kept_under_other_names_either(tmp_path: Path) -> None:
    given, asked = [(2, ["1", "2"]), (3, ["", ""]), (4, ["3", "4"])], list[int]()

    def rows() -> Iterator[tuple[int, list[str]]]:
        for number, cells in given:
            asked.append(number)
            yield number, cells

    cells = Cells(tmp_path / "t.csv", ["a", "b"], rows, Counter()).renamed(["x", "y"])
    assert next(cells.once()) == (2, ["1", "2"])
    assert asked == [2]
    assert cells.rows() == list(cells.once()) == [(2, ["1", "2"]), (4, ["3", "4"])]
