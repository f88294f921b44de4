"""Which column is what. In: tables as other programs make them, and what was told. Out: entries, notes, or a question."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tellapart.data.examples import Listing, ReadOptions
from tellapart.data.listing import read_listing
from tellapart.errors import DataError, SettingsError

FILES = ("a.png", "b.png", "sub/a.png", "sub/c.jpg")


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()


def read(folder: Path, text: str, **options: Any) -> Listing:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return read_listing(path, ReadOptions(**options))


def found(listing: Listing, folder: Path) -> list[tuple[str, ...]]:
    return [
        (entry.path.relative_to(folder).as_posix(), entry.target.text, entry.split or "", entry.group)
        for entry in listing.entries
    ]


# The text of a table, what is told, and whether it is found without a word.
SAME: dict[str, tuple[str, dict[str, Any], bool]] = {
    "plain": ("path,label\na.png,cat\nb.png,dog\n", {}, True),
    "other programs'": ("image,class\na.png,cat\nb.png,dog\n", {}, False),
    "Chinese": ("文件名,类别\na.png,cat\nb.png,dog\n", {}, False),
    "Japanese": ("ファイル名,ラベル\na.png,cat\nb.png,dog\n", {}, False),
    "German": ("Bild;Klasse\na.png;cat\nb.png;dog\n", {}, False),
    "French": ("fichier;étiquette\na.png;cat\nb.png;dog\n", {}, False),
    "blanks in a name": ("File Name,Class-Name\na.png,cat\nb.png,dog\n", {}, False),
    "the one that names files": ("filename,id,species\na.png,1,cat\nb.png,2,dog\n", {}, False),
    "the one that names files, later": ("filename,id,species\n1,a.png,cat\n2,b.png,dog\n", {}, False),
    "ids without extension": ("id,emotion\na,cat\nb,dog\n", {"extension": ".png"}, False),
    "the extension without a dot": ("id,emotion\na,cat\nb,dog\n", {"extension": "png"}, False),
    "told by name": ("x,y\na.png,cat\nb.png,dog\n", {"path_column": "x", "label_column": "Y"}, True),
    "told by number": ("x,y\na.png,cat\nb.png,dog\n", {"path_column": "1", "label_column": "2"}, True),
    "told against a plain name": ("path,label,species\na.png,1,cat\nb.png,2,dog\n", {"label_column": "species"}, True),
    "told against labels": ("path,labels,species\na.png,x|y,cat\nb.png,y,dog\n", {"label_column": "species"}, True),
    "no header": ("a.png,cat\nb.png,dog\n", {}, False),
    "no header, told": ("x,cat,a.png\ny,dog,b.png\n", {"label_column": "2"}, False),
    "no header, no extension": ("a cat\nb dog\n", {"extension": ".png"}, False),
    "the class in the path": ("path\na.png\nb.png\n", {"label_from": r"(?P<label>\w)[.]"}, True),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_pictures_from_any_table(tmp_path: Path, name: str) -> None:
    text, options, silent = SAME[name]
    listing = read(tmp_path, text, **options)
    labels = ("a", "b") if "label_from" in options else ("cat", "dog")
    assert found(listing, tmp_path) == [("a.png", labels[0], "", ""), ("b.png", labels[1], "", "")]
    assert bool(listing.notes) is not silent


def test_what_was_found_is_told(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    said = "Say otherwise with --path-column, --label-column and so on."
    assert read(tmp_path, "image,class\na.png,x\n").notes == (
        f"{path}: path from the column 'image', label from the column 'class'. {said}",
    )
    assert read(tmp_path, "a.png,x\nb.png,y\n").notes == (
        f"{path}: no header; path from column 1, label from column 2. {said}",
    )


def test_splits_and_groups_that_are_told(tmp_path: Path) -> None:
    text = "path,label,subset,patient\na.png,cat,train,7\nb.png,dog,Test,8\n"
    listing = read(tmp_path, text, split_column="subset", group_column="patient")
    assert found(listing, tmp_path) == [("a.png", "cat", "train", "7"), ("b.png", "dog", "test", "8")]
    assert listing.notes == ()


def test_splits_and_groups_that_are_not_read_are_named(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    listing = read(tmp_path, "path,label,subset,patient_id\na.png,cat,train,7\nb.png,dog,test,8\n")
    assert [entry.split for entry in listing.entries] == [None, None]
    assert listing.notes == (
        f"{path}: 'subset' may be a split, but is not read; --split-column subset reads it.",
        f"{path}: 'patient_id' may be a group, but is not read; --group-column patient_id reads it.",
    )
    assert read(tmp_path, "path,label,fold\na.png,cat,0\nb.png,dog,1\n").notes == (
        (
            f"{path}: 'fold' may be a split, but is not read; a split is train, val or test, and its cells are such as '0'; train "
            "--fold-column fold takes it as K folds."
        ),
    )


def test_groups_in_other_languages_are_named(tmp_path: Path) -> None:
    assert read(tmp_path, "图片,标签,患者\na.png,cat,p1\nb.png,dog,p2\n").notes[1] == (
        f"{tmp_path / 'table.csv'}: '患者' may be a group, but is not read; --group-column 患者 reads it."
    )


def test_a_column_of_splits_by_any_name_is_named(tmp_path: Path) -> None:
    rows = "a.png,cat,train,test\nb.png,dog,训练,validation\nc.png,dog,test,test\n"
    assert read(tmp_path, f"path,label,tvt,other\n{rows}").notes == (
        f"{tmp_path / 'table.csv'}: 'tvt' may be a split, but is not read; --split-column tvt reads it.",
    )


def test_a_split_is_no_class_among_columns_of_0_and_1(tmp_path: Path) -> None:
    listing = read(tmp_path, "image,cat,dog,is_train\na.png,1,0,1\nb.png,1,1,0\n")
    assert (listing.task, listing.classes) == ("multilabel", ("cat", "dog"))


def test_a_root_of_its_own(tmp_path: Path) -> None:
    listing = read(tmp_path, "path,label\na.png,cat\nc,dog\n", root=str(tmp_path / "sub"), extension=".jpg")
    assert found(listing, tmp_path) == [("sub/a.png", "cat", "", ""), ("sub/c.jpg", "dog", "", "")]
    assert listing.folder == tmp_path / "sub"


# The text of a table, what is told, and what the message says.
ASKED: dict[str, tuple[str, dict[str, Any], str]] = {
    "several labels": (
        "path,class,category\na.png,cat,pet\n",
        {},
        "has no column 'label', but 'class', 'category', which all may be meant. Say which with --label-column, such as",
    ),
    "no header, several": (
        "a.png,cat,7\nb.png,dog,8\n",
        {},
        "has no header, and 3 columns. Say which holds the label with --label-column, by its number; its first row is 'a.png'",
    ),
    "no header, several files": (
        "a.png,sub/a.png,cat\n",
        {},
        "has no header, and columns 1 and 2 both name files. Say which is meant with --path-column, by its number.",
    ),
    "misspelt": (
        "path,label\na.png,cat\n",
        {"label_column": "labels"},
        "has no column 'labels', which --label-column names. Did you mean 'label'? Its columns are: 'path', 'label'.",
    ),
    "a number beyond": (
        "path,label\na.png,cat\n",
        {"path_column": "3"},
        "has no column '3', which --path-column names.",
    ),
    "twice": (
        "x,x,label\na.png,b.png,cat\n",
        {"path_column": "x"},
        "has 2 columns called 'x'. Give --path-column its number",
    ),
    "unknown split": (
        "path,label,fold\na.png,cat,1\n",
        {"split_column": "fold"},
        "has an unknown split, '1', in row 2. Use train, val or test",
    ),
}


@pytest.mark.parametrize("name", ASKED)
def test_what_may_mean_two_things_is_asked(tmp_path: Path, name: str) -> None:
    text, options, words = ASKED[name]
    with pytest.raises(DataError) as caught:
        read(tmp_path, text, **options)
    assert str(caught.value).startswith(f"the table {str(tmp_path / 'table.csv')!r} {words}")


def test_one_column_is_one_thing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, "path,label\na.png,cat\n", path_column="path", label_column="1")
    assert str(caught.value) == (
        "--path-column and --label-column both name the column '1'; each needs one of its own. Leave one out."
    )


def test_a_root_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no folder 'nowhere', which --root names\. Check the spelling"):
        read(tmp_path, "path,label\na.png,cat\n", root="nowhere")


@pytest.mark.parametrize(
    "options",
    [
        {"path_column": "x"},
        {"root": "x"},
        {"extension": ".jpg"},
        {"encoding": "cp1252"},
        {"group_column": "x"},
        {"fold_column": "x"},
    ],
)
def test_a_folder_has_no_columns(tmp_path: Path, options: dict[str, Any]) -> None:
    flag = f"--{next(iter(options)).replace('_', '-')}"
    with pytest.raises(SettingsError, match=f"^{flag} is about a table, and .* is none. Leave it out"):
        read_listing(tmp_path, ReadOptions(**options))


def test_a_column_of_folds_counts_only_where_it_was_told(tmp_path: Path) -> None:
    text = "path,label,fold\na.png,cat,0\nb.png,dog,1\n"
    assert [entry.fold for entry in read(tmp_path, text).entries] == ["", ""]
    told = read(tmp_path, text, fold_column="fold")
    assert [(entry.fold, entry.split) for entry in told.entries] == [("0", None), ("1", None)]
    assert told.notes == ()
    assert [entry.fold for entry in read(tmp_path, text.replace("fold", "Part 2"), fold_column="3").entries] == [
        "0",
        "1",
    ]


def test_a_column_of_folds_is_no_class_among_columns_of_0_and_1(tmp_path: Path) -> None:
    listing = read(tmp_path, "path,cat,dog,part\na.png,1,0,1\nb.png,1,1,0\n", fold_column="part")
    assert (listing.classes, [entry.fold for entry in listing.entries]) == (("cat", "dog"), ["1", "0"])


def test_boxes_of_a_picture_are_in_one_fold(tmp_path: Path) -> None:
    text = "path,xmin,ymin,xmax,ymax,label,fold\na.png,0,0,5,5,cat,1\na.png,1,1,5,5,cat,1\nb.png,,,,,,2\n"
    assert [entry.fold for entry in read(tmp_path, text, fold_column="fold").entries] == ["1", "2"]
    with pytest.raises(DataError, match=r"'a.png' has two folds in .*'1' in row 2 and '2' in row 3"):
        read(tmp_path, text.replace("5,5,cat,1\nb", "5,5,cat,2\nb"), fold_column="fold")


def test_a_picture_is_in_one_fold(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'a.png' has two folds in .*: '1' in row 2 and '2' in row 3"):
        read(tmp_path, "path,label,fold\na.png,cat,1\na.png,cat,2\n", fold_column="fold")
    with pytest.raises(DataError, match=r"has no column 'part', which --fold-column names"):
        read(tmp_path, "path,label,fold\na.png,cat,1\n", fold_column="part")
