"""Tables as lists of pictures. In: tables with and without headers. Out: the paths in them, and which column that was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.data.path_lists import read_paths
from tellapart.errors import DataError


@pytest.mark.parametrize(
    ("name", "text", "column"),
    [
        ("t.csv", "label,image\nx,a.png\ny,b/c.png\n", "'image'"),
        ("t.csv", "label,class,path\nx,1,a.png\ny,2,b/c.png\n", "'path'"),  # which of two is the class is no matter
        ("t.tsv", "a.png\tx\nb/c.png\ty\n", "1"),
        ("t.csv", "a.png\nb/c.png\n", "1"),
        ("t.jsonl", '{"file_name": "a.png"}\n{"file_name": "b/c.png"}\n', "'file_name'"),
    ],
)
def test_the_column_of_paths_is_found(tmp_path: Path, name: str, text: str, column: str) -> None:
    (tmp_path / name).write_text(text)
    (tmp_path / "a.png").touch()
    found = read_paths(tmp_path / name)
    assert found.paths == (str(tmp_path / "a.png"), str(tmp_path / "b" / "c.png"))
    assert found.note == f"{tmp_path / name} is a table: its pictures are those of the column {column}."


def test_addresses_and_files_from_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a.png").touch()
    (tmp_path / "t.csv").write_text("path\nhttps://example.com/x.png\na.png\n\n")
    monkeypatch.chdir(tmp_path / "here")
    assert read_paths(tmp_path / "t.csv").paths == ("https://example.com/x.png", "a.png")


def test_a_table_without_paths_is_told(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("class,size\nx,1\n")
    with pytest.raises(
        DataError, match=r"has no column of paths; its columns are: 'class', 'size'. Call the column of"
    ):
        read_paths(tmp_path / "t.csv")
