"""Sets of classes as people write them, and every way in which a table of them can be wrong."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from tellapart.data.examples import Listing
from tellapart.data.targets import ClassNames
from tellapart.errors import DataError
from tests.data.set_tables import read_label_sets


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    """A table, and empty files a.png to f.png beside it."""
    for name in "abcdef":
        (folder / f"{name}.png").touch()
    path = folder / "table.csv"
    path.write_bytes(text.encode(encoding))
    return path


def found(listing: Listing) -> dict[str, str]:
    return {entry.path.name: entry.target.text for entry in listing.entries}


def message(path: Path, separator: str | None = None) -> str:
    with pytest.raises(DataError) as caught:
        read_label_sets(path, separator)
    return str(caught.value)


def test_a_column_of_names(tmp_path: Path) -> None:
    text = "split,path,Labels,group\ntrain,b.png, dog | cat|dog,g\nval,a.png,,\ntest,c.png,cow,g\n"
    listing = read_label_sets(write(tmp_path, text))
    assert [entry.target for entry in listing.entries] == [
        ClassNames(),
        ClassNames(("cat", "dog")),
        ClassNames(("cow",)),
    ]
    assert [(entry.split, entry.group) for entry in listing.entries] == [
        ("validation", ""),
        ("train", "g"),
        ("test", "g"),
    ]
    assert (listing.task, listing.classes) == ("multilabel", ("cat", "cow", "dog"))
    assert listing.notes == (
        (
            f"{tmp_path / 'table.csv'}: the column 'labels' says which of 3 classes a picture shows, several or none "
            "(task multilabel)."
        ),
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    listing = read_label_sets(write(tmp_path, "path,labels\na.png,正常|猫\n", encoding=encoding))
    assert found(listing) == {"a.png": "正常|猫"}


def test_names_are_in_normal_form(tmp_path: Path) -> None:
    apart = unicodedata.normalize("NFD", "été")
    listing = read_label_sets(write(tmp_path, f"path,labels\na.png,été|x\nb.png,{apart}|x\n"))
    assert listing.classes == ("x", "été")
    columns = read_label_sets(write(tmp_path, f"path,{apart},x\na.png,1,0\n"))
    assert columns.classes == ("x", "été")


@pytest.mark.parametrize(
    ("separator", "cell"),
    [
        (";", "dog;cat"),
        (",", '"dog, cat"'),
        (" ", "dog   cat"),
        ("|", "dog|cat"),
        ("/", "dog / cat"),
        ("\u3001", "dog\u3001cat"),
    ],
)
def test_other_separators(tmp_path: Path, separator: str, cell: str) -> None:
    assert found(read_label_sets(write(tmp_path, f"path,labels\na.png,{cell}\n"), separator)) == {"a.png": "cat|dog"}


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        ("\"['dog', 'cat']\"", "cat|dog"),
        ('"[""dog"", ""cat""]"', "cat|dog"),
        ("\"['hot, dog']\"", "hot, dog"),
        ('"[2, 1]"', "1|2"),
        ("[]", ""),
    ],
)
def test_lists_as_python_and_json_write_them(tmp_path: Path, cell: str, wanted: str) -> None:
    table = write(tmp_path, f"path,labels\na.png,{cell}\nb.png,['cow']\nc.png,\n")
    assert found(read_label_sets(table)) == {"a.png": wanted, "b.png": "cow", "c.png": ""}


@pytest.mark.parametrize("cell", ["['cat' 'dog']", "\"['cat', None]\"", "[cat]", "\"['cat', []]\"", "['']"])
def test_a_list_that_cannot_be_read_is_refused(tmp_path: Path, cell: str) -> None:
    told = message(write(tmp_path, f"path,labels\na.png,['cow']\nb.png,{cell}\n"))
    assert (
        "in the column 'labels', row 3, which looks like a list and cannot be read as one of names. Write it as" in told
    )


def test_a_separator_that_was_told_leaves_the_others_in_names(tmp_path: Path) -> None:
    listing = read_label_sets(write(tmp_path, 'path,labels\na.png,"salt, pepper"\nb.png,a|b\n'), "|")
    assert listing.classes == ("a", "b", "salt, pepper")


def test_other_separators_are_parts_of_names_where_the_usual_one_is_used(tmp_path: Path) -> None:
    assert read_label_sets(write(tmp_path, "path,labels\na.png,a;b|c\nb.png,c\n")).classes == ("a;b", "c")


def test_what_is_not_known(tmp_path: Path) -> None:
    listing = read_label_sets(write(tmp_path, "path,labels\na.png,cat|?dog\nb.png,?bird\n"))
    assert listing.entries[0].target == ClassNames(("cat",), ("dog",))
    assert listing.classes == ("bird", "cat", "dog")
    assert len(listing.notes) == 1  # the first may have both: nothing says that each has at most one label


def test_a_column_a_class(tmp_path: Path) -> None:
    text = (
        "path,Cat,dog,note,bird,split,empty\n"
        "a.png,1,0,x,TRUE,train,\n"
        "b.png,Yes,no,,,test,\n"
        "c.png,0.0,1.0,y,False,val,\n"
        "d.png,0,0,z,0,train,\n"
    )
    listing = read_label_sets(write(tmp_path, text))
    assert [entry.target for entry in listing.entries] == [
        ClassNames(("Cat", "bird")),
        ClassNames(("Cat",), ("bird",)),
        ClassNames(("dog",)),
        ClassNames(),
    ]
    assert listing.classes == ("Cat", "bird", "dog")
    assert [entry.split for entry in listing.entries] == ["train", "test", "validation", "train"]
    assert listing.notes == (
        (
            f"{tmp_path / 'table.csv'}: 3 columns of 0 and 1 say which of 3 classes a picture shows, several or none "
            "(task multilabel)."
        ),
    )


def test_a_class_that_no_row_names_is_one_where_it_has_a_column(tmp_path: Path) -> None:
    listing = read_label_sets(write(tmp_path, "path,cat,dog\na.png,1,0\nb.png,0,0\n"))
    assert listing.classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (
            "path,labels\na.png,cat\nb.png,\nc.png,hot dog\n",
            "Every picture has at most one label; --task classification trains one class a picture.",
        ),
        (
            "path,cat,dog\na.png,1,0\nb.png,0,1\n",
            "Every picture has at most one label; a table with path,label would train one class a picture.",
        ),
    ],
)
def test_one_label_a_picture_is_told(tmp_path: Path, text: str, note: str) -> None:
    assert read_label_sets(write(tmp_path, text)).notes[1:] == (note,)


def test_rows_that_say_the_same_are_one(tmp_path: Path) -> None:
    listing = read_label_sets(write(tmp_path, "path,labels\na.png,x|y\na.png,y | x\n"))
    assert (found(listing), listing.ignored) == ({"a.png": "x|y"}, {"row repeated": 1})


WRONG = {
    "two sets for one file": (
        "path,labels\na.png,x|y\na.png,x\n",
        "'a.png' has two labels in {table}: 'x|y' in row 2 and 'x' in row 3. Keep one of the two rows.",
    ),
    "empty name": (
        "path,labels\na.png,x|y\nb.png,x||y\nc.png,x||y\n",
        (
            "the table {table} has 'x||y' in the column 'labels', rows 3 and 4: a class of the set has an empty name. "
            "Correct it: names stand between '|', and an empty cell is none of them."
        ),
    ),
    "known and unknown": (
        "path,labels\na.png,x|?x\n",
        (
            "the table {table} has 'x|?x' in the column 'labels', row 2: the class 'x' is in the set and yet unknown. "
            "Correct it: names stand between '|', and an empty cell is none of them."
        ),
    ),
    "another separator": (
        "path,labels\na.png,x\nb.png,x; y\nc.png,y;z\n",
        (
            "the table {table} has no '|' in its column 'labels', but ';' in 2 cells, such as 'x; y' in row 3. "
            "Give --label-separator ';' if it stands between names, or --label-separator '|' if it is part of a name."
        ),
    ),
    "perhaps spaces": (
        "path,labels\na.png,clear primary\nb.png,clear\nc.png,primary road\n",
        (
            "the table {table} has no '|' in its column 'labels', but ' ' in 2 cells, such as 'clear primary' in row 2. "
            "Give --label-separator ' ' if it stands between names, or --label-separator '|' if it is part of a name."
        ),
    ),
    "no path": (
        "path,labels\n,x|y\na.png,y\n",
        "the table {table} has no path in row 2. Fill it in, or remove the row.",
    ),
    "a file that is not there": (
        "path,labels\nz.png,x|y\n",
        (
            "the table {table} names files that do not exist, 1 of 1: 'z.png' (row 2). "
            "Paths count from the folder {folder}. Give another with --root."
        ),
    ),
    "no rows": ("path,labels\n", "the table {table} has a header but no rows. Add one row for each picture."),
    "a doubtful column": (
        "path,cat,dog\na.png,1,0\nb.png,0,maybe\nc.png,1,1\n",
        (
            "the table {table} has 'maybe' in the column 'dog', row 3, where other rows have 0 or 1 (true, false, yes, no, or "
            "nothing for not known). Correct it, or take the column out if it is no class."
        ),
    ),
    "two doubtful columns": (
        "path,cat,dog\na.png,1,0\nb.png,2,?\n",
        (
            "the table {table} has '2' in the column 'cat', row 3, where other rows have 0 or 1 (true, false, yes, no, or "
            "nothing for not known). Correct it, or take the column out if it is no class."
        ),
    ),
    "minus one for not known": (
        "path,cat,dog\na.png,1,0\nb.png,-1,1\n",
        (
            "the table {table} has '-1' in the column 'cat', row 3, where other rows have 0 or 1 (true, false, yes, no, or "
            "nothing for not known). Correct it, or take the column out if it is no class."
        ),
    ),
    "no labels at all": (
        "path,note\na.png,x\n",
        (
            "the table {table} has neither a column labels, with names such as 'cat|dog', nor columns of 0 and 1, one a class. "
            "Add the one or the others beside the column path."
        ),
    ),
    "no column path": (
        "where,cat,dog\na.png,1,0\n",
        (
            "the table {table} lacks the column 'path'; its first row has 'where', 'cat', 'dog'. "
            "Its first row must name the columns: path and, if wanted, split and group. "
            "Or say with --path-column which are meant."
        ),
    ),
    "two columns of a class": (
        "path,cat,cat\na.png,1,0\n",
        (
            "the table {table} has two columns called 'cat', though each column of 0 and 1 is a class. "
            "Give every class a column with a name of its own."
        ),
    ),
    "a column without a name": (
        "path,cat,\na.png,1,0\n",
        (
            "the table {table} has no name for column 3, though each column of 0 and 1 is a class. "
            "Give every class a column with a name of its own."
        ),
    ),
    "two columns labels": (
        "path,labels,LABELS\na.png,x,y\n",
        "the table {table} has 2 columns called 'labels'. Keep one.",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_with_its_row(tmp_path: Path, name: str) -> None:
    text, words = WRONG[name]
    path = write(tmp_path, text)
    assert message(path) == words.format(table=repr(str(path)), folder=repr(str(tmp_path)))


@pytest.mark.parametrize("cells", [("hot dog", "cat"), ("hot dog", "hot dog"), ("hot dog", "hot cat")])
def test_a_space_may_be_part_of_a_name(tmp_path: Path, cells: tuple[str, str]) -> None:
    listing = read_label_sets(write(tmp_path, f"path,labels\na.png,{cells[0]}\nb.png,{cells[1]}\n"))
    assert listing.classes == tuple(sorted(set(cells)))


def test_columns_have_nothing_that_is_separated(tmp_path: Path) -> None:
    path = write(tmp_path, "path,cat,dog\na.png,1,0\n")
    assert message(path, ";") == (
        f"the table {str(path)!r} has a column of 0 and 1 for each class, in which nothing is separated. "
        "Leave --label-separator out."
    )


@pytest.mark.parametrize("separator", [" ", ";"])
def test_a_separator_that_was_told_where_the_usual_one_stands_is_refused(tmp_path: Path, separator: str) -> None:
    table = tmp_path / "table.csv"
    table.write_text("path,labels\na.png,hand sign|hot dog\nb.png,cat\n")
    with pytest.raises(DataError) as caught:
        read_label_sets(table, separator)
    assert str(caught.value) == (
        f"the table {str(table)!r} has '|' in its column 'labels' in 1 cells, such as 'hand sign|hot dog' in row 2, where "
        f"--label-separator is {separator!r}. Leave it out, or write \\| where it is part of a name."
    )
