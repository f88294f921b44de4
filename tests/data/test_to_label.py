"""What waits for a label. In: tables and folders made here. Out: pictures in order, or a sentence."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from tellapart.data.to_label import ToLabel, read_waiting
from tellapart.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """pictures/ with a.png and b/c.png, and something that is no picture."""
    for name in ("a.png", "b/c.png"):
        (tmp_path / "pictures" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(tmp_path / "pictures" / name)
    (tmp_path / "pictures" / "notes.txt").write_text("no picture")
    return tmp_path / "pictures"


def table(folder: Path, text: str) -> Path:
    path = folder / "todo.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_as_next_writes_it(folder: Path) -> None:
    whole = folder / "b" / "c.png"
    text = f"path,suggested,probability,why\na.png,cat,0.75,uncertain\n{whole},,,unlike what is known\n"
    first, second = read_waiting(table(folder, text)).pictures
    assert first == ToLabel(
        file=str(folder / "a.png"), name="a.png", suggested=("cat",), probability=0.75, why="uncertain"
    )
    assert (second.file, second.suggested, second.probability) == (str(whole), (), None)
    assert second.why == "unlike what is known"


def test_any_table_with_paths_and_each_picture_once(folder: Path) -> None:
    found = read_waiting(table(folder, "image,size\nb/c.png,4\na.png,4\n./a.png,4\nb/c.png,9\n\n"))
    assert [one.name for one in found.pictures] == ["b/c.png", "a.png"]
    assert "its pictures are those of the column 'image'" in found.note


@pytest.mark.parametrize(
    ("cell", "share"), [("0.5", 0.5), ("1", 1.0), ("", None), ("nan", None), ("-1", None), ("2", None), ("50 %", None)]
)
def test_what_is_no_probability_is_left_out(folder: Path, cell: str, share: float | None) -> None:
    (one,) = read_waiting(table(folder, f"path,probability\na.png,{cell}\n")).pictures
    assert one.probability == share


def test_several_names_stand_between_bars(folder: Path) -> None:
    path = table(folder, "path,suggested\na.png,cat|dog\\|cow|cat\n")
    assert read_waiting(path, several=True).pictures[0].suggested == ("cat", "dog|cow")
    assert read_waiting(path).pictures[0].suggested == ("cat|dog\\|cow|cat",)


def test_what_cannot_be_labelled_says_why(folder: Path) -> None:
    found = read_waiting(table(folder, "path\ngone.png\nhttps://example.org/a.png\na.png\n")).pictures
    assert [one.problem for one in found] == [
        "there is no such file",
        "it is an address; only files are labelled. Fetch it first",
        "",
    ]


def test_a_folder_holds_its_pictures_by_name(folder: Path) -> None:
    found = read_waiting(folder)
    assert [(one.name, one.file) for one in found.pictures] == [
        ("a.png", str(folder / "a.png")),
        ("b/c.png", str(folder / "b" / "c.png")),
    ]
    assert found.note == ""


@pytest.mark.skipif(sys.platform != "linux", reason="such names are files only there")
def test_names_that_a_table_cannot_hold(folder: Path) -> None:
    (folder / "a.png").rename(os.fsdecode(os.fsencode(folder) + b"/\xff.png"))
    (folder / "b" / "c.png").rename(folder / "b" / " c.png")
    problems = sorted(one.problem for one in read_waiting(folder).pictures)
    assert problems == [
        "its name begins or ends with a blank, which a table does not keep. Rename it",
        "its name is not UTF-8, which a table cannot hold. Rename it",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,size\nx,1\n", "has no column of paths"),
        ("path\n", "names no picture, so there is nothing to label"),
        (None, "there is nothing at"),
        ("", "is no table, folder or archive"),
    ],
)
def test_what_is_no_list_of_pictures(folder: Path, text: str | None, message: str) -> None:
    (folder / "notes.bin").write_bytes(b"anything")
    path = folder / "notes.bin" if text == "" else folder / "todo.csv" if text is None else table(folder, text)
    with pytest.raises(DataError, match=message):
        read_waiting(path)
