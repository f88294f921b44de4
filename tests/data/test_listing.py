"""Which task a data set is for. In: folders, tables, what was told. Out: a Listing, or a sentence with the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.data.examples import Listing, ReadOptions
from tellapart.data.listing import read_listing
from tellapart.errors import DataError, SettingsError

TOLD_SETS = ReadOptions(task="multilabel")
TOLD_CLASSES = ReadOptions(task="classification")


def write(folder: Path, text: str, name: str = "table.csv") -> Path:
    for file in "abc":
        (folder / f"{file}.png").touch()
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def found(listing: Listing) -> tuple[str, list[str]]:
    return listing.task, [entry.target.text for entry in listing.entries]


@pytest.mark.parametrize(
    ("text", "task", "targets"),
    [
        ("path,label\na.png,x|y\n", "classification", ["x|y"]),
        ("path,label,cat,dog\na.png,x,1,0\n", "classification", ["x"]),
        ("path,target\na.png,x\n", "classification", ["x"]),
        ("path,target,cat,dog\na.png,x,1,0\n", "classification", ["x"]),
        ("path,labels\na.png,x|y\n", "multilabel", ["x|y"]),
        ("path,labels,target\na.png,x|y,z\n", "multilabel", ["x|y"]),
        ("path,cat,dog\na.png,1,0\nb.png,1,1\n", "multilabel", ["cat", "cat|dog"]),
    ],
)
def test_the_table_tells_the_task(tmp_path: Path, text: str, task: str, targets: list[str]) -> None:
    listing = read_listing(write(tmp_path, text))
    assert found(listing) == (task, targets)
    assert bool(listing.notes) == (task == "multilabel" or "target" in text)


@pytest.mark.parametrize("name", ["table.tsv", "table.CSV"])
def test_tables_are_known_by_their_ends(tmp_path: Path, name: str) -> None:
    assert found(read_listing(write(tmp_path, "path\tlabels\na.png\tx|y\n", name))) == ("multilabel", ["x|y"])


@pytest.mark.parametrize(
    ("text", "options", "task", "targets"),
    [
        ("path,label\na.png,x|y\nb.png,\n", TOLD_SETS, "multilabel", ["x|y", ""]),
        ("path,label,labels\na.png,x,y|z\n", TOLD_SETS, "multilabel", ["y|z"]),
        ("path,label,labels\na.png,x,y|z\n", TOLD_CLASSES, "classification", ["x"]),
        ("path,labels\na.png,x\n", TOLD_CLASSES, "classification", ["x"]),
        ("path,target\na.png,x|y\n", TOLD_SETS, "multilabel", ["x|y"]),
        ("path,cat\na.png,1\nb.png,0\n", TOLD_SETS, "multilabel", ["cat", ""]),
        ("path,labels\na.png,x;y\n", ReadOptions(separator=";"), "multilabel", ["x|y"]),
        ("path,label\na.png,x;y\n", ReadOptions(task="multilabel", separator=";"), "multilabel", ["x|y"]),
    ],
)
def test_what_is_told_wins(tmp_path: Path, text: str, options: ReadOptions, task: str, targets: list[str]) -> None:
    assert found(read_listing(write(tmp_path, text), options)) == (task, targets)


def test_what_was_told_need_not_be_said(tmp_path: Path) -> None:
    both = write(tmp_path, "path,label,labels\na.png,x,y|z\n", "both.csv")
    assert read_listing(both, TOLD_CLASSES).notes == ()
    path = write(tmp_path, "path,labels\na.png,x|y\nb.png,x\n")
    assert len(read_listing(path).notes) == 1
    assert read_listing(path, TOLD_SETS).notes == ()


def test_a_column_label_wins_over_a_column_labels_and_that_is_said(tmp_path: Path) -> None:
    listing = read_listing(write(tmp_path, "path,label,labels\na.png,x,y|z\n"))
    assert found(listing) == ("classification", ["x"])
    assert listing.notes == (
        (
            f"{tmp_path / 'table.csv'}: it has a column label and a column labels: label is read, one class a picture. "
            "--task multilabel reads labels."
        ),
    )


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (
            "path,label\na.png,x\n",
            ReadOptions(separator=";"),
            "gives each picture one class, which --label-separator ';' does not cut. Leave it out, or give --task multilabel.",
        ),
        (
            "path,labels\na.png,x|y\n",
            TOLD_CLASSES,
            (
                "has 'x|y' in the column 'labels', which names several classes, but the task is classification. "
                "Give --task multilabel, or rename the column to label if it is one name."
            ),
        ),
        ("path,labels\na.png,x\nb.png,\n", TOLD_CLASSES, "has no label in row 3. Fill it in, or remove the row."),
        (
            "path,cat,dog\na.png,1,0\n",
            TOLD_CLASSES,
            "lacks the column 'label'; its first row has 'path', 'cat', 'dog'.",
        ),
        ("path,cat\na.png,1\n", ReadOptions(), "lacks the column 'label'; its first row has 'path', 'cat'."),
        ("where,cat,dog\na.png,1,0\n", ReadOptions(), "lacks the columns 'path' and 'label'"),
        ("path,cat,dog,cow\na.png,1,0,2\nb.png,1,0,1\n", ReadOptions(), "has '2' in the column 'cow', row 2"),
    ],
)
def test_what_is_doubtful_is_refused(tmp_path: Path, text: str, options: ReadOptions, words: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DataError) as caught:
        read_listing(path, options)
    assert str(caught.value).startswith(f"the table {str(path)!r} {words}")


@pytest.mark.parametrize(
    ("options", "told"), [(TOLD_SETS, "--task multilabel"), (ReadOptions(separator=";"), "--label-separator")]
)
def test_a_folder_gives_one_class_a_picture(tmp_path: Path, options: ReadOptions, told: str) -> None:
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "a.png").touch()
    assert found(read_listing(tmp_path)) == ("classification", ["cat", "dog"])
    with pytest.raises(DataError) as caught:
        read_listing(tmp_path, options)
    assert str(caught.value) == (
        f"the folder {str(tmp_path)!r} gives each picture one class, its folder's name; {told} needs a CSV with path,labels or "
        f"with a column of 0 and 1 for each class. Give such a table, or leave {told} out."
    )
    with pytest.raises(DataError, match="there is no folder"):
        read_listing(tmp_path / "gone", options)


def test_a_task_without_readers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError,
        match="the task is 'sound', which this tellapart does not read. Use classification, multilabel, text, segmentation or",
    ):
        read_listing(tmp_path, ReadOptions(task="sound"))  # type: ignore[arg-type]


@pytest.mark.parametrize("cell", ["2", "maybe"])
def test_one_wrong_cell_among_columns_of_0_and_1_is_named(tmp_path: Path, cell: str) -> None:
    table = write(tmp_path, f"path,cat,dog\na.png,1,0\nb.png,{cell},1\nc.png,0,1\n")
    with pytest.raises(DataError, match=f"has '{cell}' in the column 'cat', row 3, where other rows have 0 or 1"):
        read_listing(table)


def test_what_a_model_wants_is_not_called_a_flag(tmp_path: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / "data" / label).mkdir(parents=True)
        (tmp_path / "data" / label / "1.png").write_bytes(b"x")
    options = ReadOptions(task="multilabel", task_of_model=True)
    with pytest.raises(
        DataError, match=r"the model names several a picture, or none \(multilabel\)\. Test it on a table"
    ) as caught:
        read_listing(tmp_path / "data", options)
    assert "--task" not in str(caught.value)
    (tmp_path / "table.csv").write_text("path,label\n1.png,a\n2.png,b\n")
    with pytest.raises(DataError, match="does not cut. Leave it out.$"):
        read_listing(tmp_path / "table.csv", ReadOptions(task="classification", task_of_model=True, separator=";"))
