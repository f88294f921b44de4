"""Labels of a desk on disk. In: what is said. Out: labels.csv, whole at any moment, which training reads."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from tellapart.data.multilabel_table import list_label_sets
from tellapart.data.table import read_cells, read_table
from tellapart.errors import SettingsError, StorageError
from tellapart.serving.desk_table import LabelTable
from tellapart.serving.refusals import NotAllowed

Opened = Callable[..., LabelTable]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    with contextlib.ExitStack() as stack:

        def open_one(*, several: bool = False) -> LabelTable:
            return stack.enter_context(contextlib.closing(LabelTable(tmp_path / "labels", several=several)))

        yield open_one


def picture(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(path)
    return str(path)


def test_rows_stand_in_the_order_in_which_they_were_said(tmp_path: Path, opened: Opened) -> None:
    table = opened()
    a, b = (picture(tmp_path / "pictures" / name) for name in ("a.png", "b.png"))
    table.put(a, ["cat"])
    table.put(b, ["=dog"])  # what a spreadsheet would run is defused
    assert table.path.read_text() == "path,label\n../pictures/a.png,cat\n../pictures/b.png,'=dog\n"
    table.put(a, ["cow"])
    assert list(table.known()) == [(table.key(b), ("=dog",)), (table.key(a), ("cow",))]
    table.remove(b)
    assert table.path.read_text() == "path,label\n../pictures/a.png,cow\n"


def test_training_reads_what_a_desk_wrote(tmp_path: Path, opened: Opened) -> None:
    table = opened()
    files = {
        picture(tmp_path / name): label for name, label in (("p/猫, 1.png", "猫"), ("q.png", "-1"), ("=r.png", "a"))
    }
    for file, label in files.items():
        table.put(file, [label])
    found = {os.path.normpath(entry.path): entry.target.text for entry in read_table(table.path).entries}
    assert found == files


def test_a_picture_that_lies_elsewhere_has_its_whole_path(tmp_path: Path) -> None:
    file = picture(tmp_path / "far" / "a.png")
    with contextlib.closing(LabelTable(tmp_path / "near" / "by" / "labels", several=False)) as table:
        table.put(file, ["cat"])
        assert table.path.read_text().splitlines()[1] == f"{file},cat"


def test_sets_of_classes_are_read_as_sets(tmp_path: Path, opened: Opened) -> None:
    table = opened(several=True)
    a, b = picture(tmp_path / "a.png"), picture(tmp_path / "b.png")
    table.put(a, ["cat", "x|y", "?z"])
    table.put(b, [])
    assert [names for _, names in table.known()] == [("cat", "x|y", "?z"), ()]
    from collections import Counter

    listing = list_label_sets(read_cells(table.path, Counter()), Counter())
    assert {entry.path.name: set(entry.target.names) for entry in listing.entries} == {
        "a.png": {"cat", "x|y", "?z"},
        "b.png": set(),
    }


def test_another_desk_goes_on_and_keeps_what_it_does_not_know(tmp_path: Path, opened: Opened) -> None:
    folder = tmp_path / "labels"
    folder.mkdir()
    (folder / "labels.csv").write_text("label,path,saved\ncat,elsewhere.png,2020\n,empty.png,\ndog,../a.png,2021\n")
    table = opened()
    assert list(table.known()) == [
        (table.key(str(folder / "elsewhere.png")), ("cat",)),
        (table.key(str(tmp_path / "a.png")), ("dog",)),
    ]
    table.put(str(tmp_path / "a.png"), ["cow"])
    assert table.path.read_text().splitlines() == [
        "label,path,saved",
        "cat,elsewhere.png,2020",
        ",empty.png,",
        "cow,../a.png,2021",
    ]


def test_one_desk_at_a_time(tmp_path: Path, opened: Opened) -> None:
    first = opened()
    with pytest.raises(
        SettingsError, match="another desk keeps its labels in .*labels. End that one, or choose another --out"
    ):
        opened()
    first.close()
    opened()


def test_a_table_that_somebody_else_changed_is_left_alone(tmp_path: Path, opened: Opened) -> None:
    table = opened()
    table.put(str(tmp_path / "a.png"), ["cat"])
    table.path.write_text("path,label\nmine.png,dog\n")
    with pytest.raises(NotAllowed, match="was changed by somebody else meanwhile, and is left as it is"):
        table.put(str(tmp_path / "b.png"), ["cat"])
    assert table.path.read_text() == "path,label\nmine.png,dog\n"


def test_what_cannot_be_written_changes_nothing(tmp_path: Path, opened: Opened) -> None:
    table = opened()
    table.put(str(tmp_path / "a.png"), ["cat"])
    table.folder.rename(tmp_path / "moved")
    (tmp_path / "labels").write_text("in the way")
    with pytest.raises((StorageError, NotAllowed)):
        table.put(str(tmp_path / "b.png"), ["dog"])
    assert [names for _, names in table.known()] == [("cat",)]
    assert (tmp_path / "moved" / "labels.csv").read_text() == "path,label\n../a.png,cat\n"


@pytest.mark.parametrize(
    ("text", "several", "message"),
    [
        (
            b"path,labels\na.png,cat|dog\n",
            False,
            "was begun with the column 'labels', .* Choose another --out, or give --several",
        ),
        (b"path,label\na.png,cat\n", True, "was begun with the column 'label', .* or leave --several out"),
        (b"path,size\na.png,4\n", False, "is no table in UTF-8 with the columns path and label"),
        (b"\xff\xfe", False, "is no table in UTF-8"),
    ],
)
def test_a_table_of_another_kind_is_refused(
    tmp_path: Path, opened: Opened, text: bytes, several: bool, message: str
) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "labels.csv").write_bytes(text)
    for _ in range(2):  # and the folder is let go
        with pytest.raises(SettingsError, match=message):
            opened(several=several)
    assert (tmp_path / "labels" / "labels.csv").read_bytes() == text
