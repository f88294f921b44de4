"""Tables with a row a box."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.data.examples import Listing, ReadOptions
from tellapart.data.faults import Drawn
from tellapart.data.listing import read_listing
from tellapart.data.targets import Box, Boxes
from tellapart.errors import DataError


def write(folder: Path, text: str) -> Path:
    for name in "abc":
        (folder / f"{name}.png").touch()
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def found(listing: Listing) -> dict[str, Boxes]:
    return {entry.path.name: entry.target for entry in listing.entries if isinstance(entry.target, Boxes)}


@pytest.mark.parametrize(
    "header",
    [
        "path,xmin,ymin,xmax,ymax,label",
        "filename,x_min,y_min,x_max,y_max,class",
        "image,x1,y1,x2,y2,label",
        "path,left,top,right,bottom,category",
        "path,XMin,YMin,XMax,YMax,label",
    ],
)
def test_corners(header: str, tmp_path: Path) -> None:
    listing = read_listing(write(tmp_path, f"{header}\nb.png,1,2,30,40,狗\na.png,,,,,\nb.png,5.5,6,7,8,cat\n"))
    boxes = (Box("狗", 1, 2, 30, 40), Box("cat", 5.5, 6, 7, 8))
    assert found(listing) == {"a.png": Boxes(), "b.png": Boxes(boxes)}
    assert (listing.task, listing.classes) == ("detection", ("cat", "狗"))
    columns = ", ".join(header.split(",")[1:5])
    assert f"{listing.source}: the columns {columns} are read as boxes (task detection)" in listing.notes[0]


@pytest.mark.parametrize("header", ["path,label,x,y,w,h", "path,label,bbox_x,bbox_y,bbox_width,bbox_height"])
def test_corner_and_sides(header: str, tmp_path: Path) -> None:
    listing = read_listing(write(tmp_path, f"{header}\na.png,cat,1,2,30,40\n"))
    assert found(listing) == {"a.png": Boxes((Box("cat", 1, 2, 31, 42),))}


def test_the_picture_s_size_and_marks(tmp_path: Path) -> None:
    text = "filename,width,height,class,xmin,ymin,xmax,ymax,difficult,crowd\na.png,200,100,cat,1,2,30,40,1,no\n"
    listing = read_listing(write(tmp_path, text))
    assert listing.entries[0].drawn == Drawn(width=200, height=100)
    assert found(listing) == {"a.png": Boxes((Box("cat", 1, 2, 30, 40, difficult=True),))}


def test_sides_named_width_and_height_are_the_box_s(tmp_path: Path) -> None:
    listing = read_listing(write(tmp_path, "path,label,x,y,width,height\na.png,cat,1,2,30,40\n"))
    assert listing.entries[0].drawn == Drawn()
    assert found(listing) == {"a.png": Boxes((Box("cat", 1, 2, 31, 42),))}


def test_shares_are_told(tmp_path: Path) -> None:
    listing = read_listing(write(tmp_path, "path,xmin,ymin,xmax,ymax,label\na.png,0,0.5,1,1,cat\n"))
    assert listing.entries[0].drawn == Drawn(relative=True)
    assert any("no number of the boxes is over 1, so they are read as shares" in note for note in listing.notes)


def test_splits_groups_and_what_is_no_number(tmp_path: Path) -> None:
    text = "path,xmin,ymin,xmax,ymax,label,split,group\na.png,1,2,3,4,cat,train,g\n"
    text += "./a.png,5,x,3,4,,train,g\nb.png,1,,3,4,cat,val,\n"
    listing = read_listing(write(tmp_path, text))
    assert [(entry.split, entry.group) for entry in listing.entries] == [("train", "g"), ("validation", "")]
    assert {kind: len(faults) for kind, faults in listing.faults.items()} == {"no class": 1}
    [box] = found(listing)["b.png"].boxes
    assert box.top != box.top


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            "a.png,1,2,3,4,cat,train,\na.png,1,2,3,4,cat,test,",
            r"'a.png' has two splits in .*'train' in row 2 and 'test' in row 3",
        ),
        ("a.png,1,2,3,4,cat,,g\na.png,1,2,3,4,cat,,h", r"'a.png' has two groups in .*: 'g' in row 2 and 'h' in row 3"),
        ("a.png,1,2,3,4,cat,often,", r"has an unknown split, 'often', in row 2. Use train, val or test"),
        (",1,2,3,4,cat,,", r"has no path in row 2. Fill it in, or remove the row"),
        (
            "a.png,1,2,3,4,cat,train,\nb.png,1,2,3,4,cat,,",
            r"has no split in row 3, while other rows have one. Fill it in",
        ),
        ("x.png,1,2,3,4,cat,,\ny.png,1,2,3,4,cat,,", r"names files that do not exist, 2 of 2: 'x.png' \(row 2\)"),
        ("", r"has a header but no rows. Add a row for each box, and one for each picture without"),
    ],
)
def test_rows_that_break_a_rule(rows: str, message: str, tmp_path: Path) -> None:
    table = write(tmp_path, f"path,xmin,ymin,xmax,ymax,label,split,group\n{rows}\n")
    with pytest.raises(DataError, match=message):
        read_listing(table)


def test_a_table_without_boxes(tmp_path: Path) -> None:
    table = write(tmp_path, "path,label\na.png,cat\n")
    with pytest.raises(
        DataError, match=r"has no columns of boxes; its columns are: 'path', 'label'. Call them path,xmin"
    ):
        read_listing(table, ReadOptions(task="detection"))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("where,xmin,ymin,xmax,ymax,label", "lacks the column 'path'"),
        ("path,xmin,ymin,xmax,ymax", "lacks the column 'label'"),
        ("path,xmin,ymin,xmax,ymax,label,label", "has 2 columns called 'label'. Keep one."),
    ],
)
def test_columns_that_are_needed(header: str, message: str, tmp_path: Path) -> None:
    table = write(tmp_path, f"{header}\na,1,2,3,4,cat\n")
    with pytest.raises(DataError, match=message):
        read_listing(table, ReadOptions(task="detection"))


def test_classes_alone_where_that_is_told(tmp_path: Path) -> None:
    table = write(tmp_path, "path,xmin,ymin,xmax,ymax,label\na.png,1,2,3,4,cat\n")
    assert read_listing(table, ReadOptions(task="classification")).task == "classification"
