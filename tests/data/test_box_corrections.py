"""Boxes that a person corrected. In: tables on disk. Out: listings with other boxes, and refusals with row numbers."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PIL import Image

from tellapart.data.additions import add_pictures
from tellapart.data.box_repair import settle_boxes
from tellapart.data.corrections import correct
from tellapart.data.examples import Entry, Listing
from tellapart.data.inspection import inspect_all
from tellapart.data.targets import Box, Boxes
from tellapart.errors import DataError
from tellapart.features.caching import open_cache
from tellapart.reporter import Silent
from tellapart.workflows.learning.examine import examine

CAT, DOG = Box("cat", 1, 1, 9, 9), Box("dog", 2, 2, 18, 20)


@pytest.fixture
def listing(tmp_path: Path) -> Listing:
    entries = []
    for number, target in enumerate((Boxes((CAT,)), Boxes((DOG,)), Boxes((CAT, DOG)))):
        path = tmp_path / "data" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (20, 30), (number, 50, 90)).save(path)
        entries.append(Entry(path=path, target=target, split=None))
    return Listing(source=tmp_path / "data", entries=tuple(entries), classes=("cat", "dog"), task="detection")


def written(path: Path, rows: list[tuple[str, str]], column: str = "boxes") -> Path:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path", column), *rows])
    return path


@pytest.mark.parametrize("column", ["boxes", "label"])
def test_boxes_are_corrected_taken_away_and_pictures_left_out(listing: Listing, tmp_path: Path, column: str) -> None:
    rows = [("0.png", '[["dog",3,4,10.5,12]]'), ("1.png", "[]"), ("2.png", "")]
    found = correct(listing, written(tmp_path / "fixed.csv", rows, column))
    assert [entry.target for entry in found.listing.entries] == [Boxes((Box("dog", 3, 4, 10.5, 12),)), Boxes()]
    assert (found.changed, found.left_out, found.unchanged) == (2, 1, 0)


@pytest.mark.parametrize(
    "cell",
    [
        "cat",
        "{}",
        '[["cat",1,2,3]]',
        '[["cat",9,2,3,4]]',
        '[["cat",1,9,3,4]]',
        '[["cat",1,2,NaN,4]]',
        '[["cat",1,2,Infinity,4]]',
        '[["cat",1,2,[],4]]',
        '[["cat",1,2,"x",4]]',
        '[[" ",1,2,3,4]]',
        "[" * 9999,
    ],
)
def test_a_cell_that_is_no_boxes_is_named(listing: Listing, tmp_path: Path, cell: str) -> None:
    table = written(tmp_path / "fixed.csv", [("0.png", "[]"), ("1.png", cell), ("2.png", cell)])
    with pytest.raises(DataError) as caught:
        correct(listing, table)
    assert str(caught.value) == (
        f"the table {str(table)!r} has {cell[:60]!r} in rows 3 and 4, which is no JSON list of [label, left, top, right, bottom] "
        "with left under right and top under bottom. Correct it; [] is a picture without boxes."
    )


def test_what_else_is_wrong_is_told(listing: Listing, tmp_path: Path) -> None:
    table = written(tmp_path / "fixed.csv", [("0.png", '[["cow",1,2,3,4]]')])
    with pytest.raises(DataError, match=r"give the label 'cow', in row 2, which is none of the classes\.") as caught:
        correct(listing, table)
    assert str(caught.value).endswith("An empty cell leaves the picture out; [] is a picture without boxes.")
    with pytest.raises(DataError, match=r"has boxes as JSON, .* Leave --label-separator out\."):
        correct(listing, table, separator=";")
    with pytest.raises(DataError, match="boxes"):
        correct(listing, written(tmp_path / "other.csv", [("0.png", "[]")], "thing"))


def test_pictures_that_were_corrected_at_the_server_join_with_their_boxes(listing: Listing, tmp_path: Path) -> None:
    own = tmp_path / "kept" / "finds"
    own.mkdir(parents=True)
    Image.new("RGB", (20, 30), (200, 50, 90)).save(own / "new.png")
    written(own / "labels.csv", [("new.png", '[["dog",3,4,10,12],["cat",0,0,5,5]]')])
    found = add_pictures(listing, tmp_path / "kept")
    added = [entry for entry in found.entries if entry.added]
    assert [(entry.path.name, entry.target) for entry in added] == [
        ("new.png", Boxes((Box("dog", 3, 4, 10, 12), Box("cat", 0, 0, 5, 5))))
    ]
    written(own / "labels.csv", [("new.png", '[["cow",3,4,10,12]]')])
    with pytest.raises(DataError, match="give the label 'cow', which is none of the classes"):
        add_pictures(listing, tmp_path / "kept")
    written(own / "labels.csv", [("new.png", "")])
    with pytest.raises(DataError, match="has no label in row 2"):
        add_pictures(listing, tmp_path / "kept")


def test_a_picture_that_is_there_already_is_taught_its_corrected_boxes_within_its_edges(tmp_path: Path) -> None:
    """From a table of boxes and a folder of corrections to what training learns; what tests go by stays."""
    data = tmp_path / "data"
    data.mkdir()
    with (data / "boxes.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("path", "xmin", "ymin", "xmax", "ymax", "label"))
        for number in range(6):
            Image.new("RGB", (20, 30), (40 * number, 50, 90)).save(data / f"{number}.png")
            table.writerow((f"{number}.png", 1, 1, 9, 9, ("cat", "dog")[number % 2]))
    own = tmp_path / "kept" / "finds"
    own.mkdir(parents=True)
    (own / "same.png").write_bytes((data / "2.png").read_bytes())
    written(own / "labels.csv", [("same.png", '[["dog",3,4,100,12]]')])
    with open_cache() as cache:
        found = examine(data / "boxes.csv", corrections=tmp_path / "kept", cache=cache, reporter=Silent())
    assert len(found.listing.entries) == 6
    (entry,) = [entry for entry in found.listing.entries if entry.path.name == "2.png"]
    assert entry.target == Boxes((Box("cat", 1, 1, 9, 9),))
    assert entry.train_target == Boxes((Box("dog", 3, 4, 20, 12),)), "cut off where the picture ends"


def test_boxes_that_nobody_corrected_have_no_others_in_training(listing: Listing) -> None:
    settled, _ = settle_boxes(listing, inspect_all([entry.path for entry in listing.entries], workers=1))
    assert [entry.train_target for entry in settled.entries] == [None] * 3
