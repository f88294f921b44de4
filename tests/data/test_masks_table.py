"""Tables with a column of masks. In: CSV files. Out: pictures with masks, splits and groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.data.examples import ReadOptions
from tellapart.data.listing import read_listing
from tellapart.data.mask_targets import MaskFile
from tellapart.errors import DataError
from tests.data.mask_data import halves, settled, write_set


def table(folder: Path, text: str) -> Path:
    (folder / "data.csv").write_text(text)
    return folder / "data.csv"


@pytest.mark.parametrize("column", ["mask", "Mask_Path", "掩码", "segmentation"])
def test_a_column_of_masks_is_found_and_told(tmp_path: Path, column: str) -> None:
    write_set(tmp_path, {"a": halves(0, 255), "b": halves(255, 0)}, "p", "q")
    path = table(tmp_path, f"path,{column},split,group\np/a.jpg,q/a.png,train,g1\np/b.jpg,q\\b.png,test,g2\n")
    listing = read_listing(path)
    assert listing.task == "segmentation"
    assert listing.notes[0] == f"{path}: the column {column.casefold()!r} names masks, so the task is segmentation."
    assert [(entry.split, entry.group) for entry in listing.entries] == [("train", "g1"), ("test", "g2")]
    opened, _ = settled(path, classes="x,y")
    assert opened.classes == ("x", "y")
    assert isinstance(opened.entries[0].target, MaskFile)
    assert opened.entries[0].target.areas == {"x": 48, "y": 48}


def test_a_file_of_names_beside_the_table(tmp_path: Path) -> None:
    write_set(tmp_path, {"a": halves(0, 255), "b": halves(255, 0)}, "p", "q")
    (tmp_path / "classes.txt").write_text("wall\ncell\n")
    listing, _ = settled(table(tmp_path, "path,mask\np/a.jpg,q/a.png\np/b.jpg,q/b.png\n"))
    assert listing.classes == ("wall", "cell")


def test_labels_that_are_files_of_masks(tmp_path: Path) -> None:
    write_set(tmp_path, {"a": halves(0, 255), "b": halves(255, 0)}, "p", "q")
    path = table(tmp_path, "image,label\np/a.jpg,q/a.png\np/b.jpg,q/b.png\n")
    listing = read_listing(path)
    assert listing.task == "segmentation"
    assert listing.notes[0] == f"{path}: the column 'label' names masks, so the task is segmentation."
    assert read_listing(table(tmp_path, "image,label\np/a.jpg,q/x.png\np/b.jpg,y.png\n")).task == "classification"
    assert read_listing(path, ReadOptions(task="classification")).task == "classification"


def test_rows_without_masks_and_masks_that_are_not_there(tmp_path: Path) -> None:
    write_set(tmp_path, {"a": halves(0, 255), "b": halves(255, 0), "c": halves(0, 255)}, "p", "q")
    with pytest.raises(DataError, match=r"has no mask in row 3\. Fill it in, or remove the row"):
        read_listing(table(tmp_path, "path,mask\np/a.jpg,q/a.png\np/b.jpg,\n"))
    with pytest.raises(DataError, match=r"names files that do not exist, 2 of 2: 'x/a\.png' \(row 2\)"):
        read_listing(table(tmp_path, "path,mask\np/a.jpg,x/a.png\np/b.jpg,x/b.png\n"))
    listing, _ = settled(table(tmp_path, "path,mask\np/a.jpg,q/a.png\np/b.jpg,q/b.png\np/c.jpg,q/gone.png\n"))
    assert [fault.detail for fault in listing.faults["unreadable mask"]] == ["there is no such file"]
    assert len(listing.entries) == 2


def test_labels_and_boxes_beside_masks_win_unless_masks_are_told(tmp_path: Path) -> None:
    write_set(tmp_path, {"a": halves(0, 255), "b": halves(255, 0)}, "p", "q")
    path = table(tmp_path, "path,mask,label\np/a.jpg,q/a.png,cat\np/b.jpg,q/b.png,dog\n")
    assert read_listing(path).task == "classification"
    assert read_listing(path, ReadOptions(task="segmentation")).task == "segmentation"
    with pytest.raises(DataError, match="lacks the column 'mask'"):
        read_listing(table(tmp_path, "path,label\np/a.jpg,cat\np/b.jpg,dog\n"), ReadOptions(task="segmentation"))
