"""Rows of boxes without a header."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.data.examples import ReadOptions
from tellapart.data.listing import read_listing
from tellapart.data.targets import Box, Boxes
from tellapart.errors import DataError


def write(folder: Path, text: str) -> Path:
    for name in "abc":
        (folder / f"{name}.png").touch()
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("a.png,1,2,30,40,狗\na.png,5,6,7,8,7\nb.png,,,,,\n", "path,xmin,ymin,xmax,ymax,label"),
        ("b.png,,,,,\na.png,狗,1,2,30,40\na.png,7,5,6,7.0,8\n", "path,label,xmin,ymin,xmax,ymax"),
        ("a.png\t1\t2\t30\t40\t狗\na.png\t5\t6\t7\t8\t7\nb.png\t\t\t\t\t\n", "path,xmin,ymin,xmax,ymax,label"),
    ],
)
@pytest.mark.parametrize("told", [False, True])
def test_a_class_after_the_numbers_or_before_them(text: str, order: str, told: bool, tmp_path: Path) -> None:
    listing = read_listing(write(tmp_path, text), ReadOptions(task="detection" if told else None))
    boxes = (Box("狗", 1, 2, 30, 40), Box("7", 5, 6, 7, 8))
    assert [entry.target for entry in listing.entries] == [Boxes(boxes), Boxes()]
    assert any(f"no header; read as {order}. Give it a header if that is wrong." in note for note in listing.notes)


def test_classes_that_are_numbers_come_last(tmp_path: Path) -> None:
    listing = read_listing(write(tmp_path, "a.png,1,2,30,40,0\nb.png,5,6,7,8,1\n"))
    assert listing.classes == ("0", "1")


def test_numbers_that_are_no_corners_are_asked_about(tmp_path: Path) -> None:
    path = write(tmp_path, "a.png,10,20,5,6,cat\nb.png,5,6,7,8,cat\n")
    with pytest.raises(DataError, match=r"no left, top, right and bottom in row 1. Say what they are in a first row"):
        read_listing(path)


@pytest.mark.parametrize("text", ["a.png,x,y,cat,dog,hen\n", "a.png,1,2,3,4\nb.png,1,2,3,4\n"])
def test_other_tables_are_asked_about_as_before(text: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no header, and \d columns. Say which holds the label"):
        read_listing(write(tmp_path, text))
