"""The class in the file name. In: files, expressions. Out: entries with classes, a hint, or why not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tellapart.data.examples import ReadOptions
from tellapart.data.file_names import LEFT_OUT, hint, pattern_of
from tellapart.data.listing import read_listing
from tellapart.errors import DataError, SettingsError


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_class_group_and_split_from_the_path(tmp_path: Path) -> None:
    make(tmp_path, "train/p1_cat_1.jpg", "test/p2_dog_2.jpg", "train/notes.txt")
    expression = r"(?P<split>train|test)/(?P<group>p\d)_(?P<label>[a-z]+)_"
    listing = read_listing(tmp_path, ReadOptions(label_from=expression))
    assert [(entry.path.name, entry.target.text, entry.split, entry.group) for entry in listing.entries] == [
        ("p2_dog_2.jpg", "dog", "test", "p2"),
        ("p1_cat_1.jpg", "cat", "train", "p1"),
    ]
    assert (listing.classes, listing.ignored, listing.notes) == (("cat", "dog"), {LEFT_OUT: 1}, ())


def test_splits_that_are_not_read_are_told(tmp_path: Path) -> None:
    make(tmp_path, "train/cat.1.jpg", "test/dog.1.jpg")
    listing = read_listing(tmp_path, ReadOptions(label_from=r"(?P<label>\w+)\.\d"))
    assert [entry.split for entry in listing.entries] == [None, None]
    assert listing.notes == (
        f"{tmp_path}: test, train may be splits, but are not read; (?P<split>test|train) in the expression reads them.",
    )


def test_a_table_without_labels(tmp_path: Path) -> None:
    make(tmp_path, "cat_1.jpg", "dog_2.jpg", "what.jpg")
    (tmp_path / "t.csv").write_text("path,label\ncat_1.jpg,x\ndog_2.jpg,y\nwhat.jpg,z\n")
    listing = read_listing(tmp_path / "t.csv", ReadOptions(label_from=r"(?P<label>[a-z]+)_(?P<group>\d)"))
    assert [(entry.target.text, entry.group) for entry in listing.entries] == [("cat", "1"), ("dog", "2")]
    assert listing.ignored == {LEFT_OUT: 1}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("(.*)", "it has no named group"),
        ("(?P<label>", "missing ), unterminated subpattern, at character 1"),
        ("(?P<other>.*)", "its groups are called other"),
        ("(?P<label>.)" * 2, "redefinition of group name 'label' as group 2; was group 1, at character 17"),
        ("(?P<label>.)" + "x" * 1000, "it has 1,012 characters, and 1,000 are the limit"),
        ("(?P<label>.)a{99999999999}", "it is nested too deeply, or its numbers are too large"),
    ],
)
def test_what_is_no_such_expression_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_listing(make(tmp_path, "a.jpg"), ReadOptions(label_from=text))
    told = str(caught.value)
    assert told.startswith(
        f"--label-from is '{text[:200]}', which is no regular expression with a group (?P<label>...): {why}. "
    )
    assert "Give one such as '(?P<label>" in told


def test_an_expression_that_finds_nothing_is_told_with_an_example(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg")
    with pytest.raises(DataError) as caught:
        read_listing(tmp_path, ReadOptions(label_from=r"(?P<label>\d+)"))
    assert str(caught.value) == (
        f"--label-from '(?P<label>\\d+)' finds no class in any path of {str(tmp_path)!r}, such as 'a.jpg'. Correct the expression."
    )
    (tmp_path / "t.csv").write_text("path\na.jpg\n")
    with pytest.raises(DataError, match=r"finds no class in any path of '.*t\.csv', such as 'a\.jpg'"):
        read_listing(tmp_path / "t.csv", ReadOptions(label_from=r"(?P<label>\d+)"))


def test_a_split_that_is_none_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "extra/cat.jpg")
    with pytest.raises(
        DataError, match=r"finds the split 'extra' in 'extra/cat\.jpg', which is none of train, val and test"
    ):
        read_listing(tmp_path, ReadOptions(label_from=r"(?P<split>\w+)/(?P<label>\w+)"))


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("cat.0.jpg", "cat"),
        ("Abyssinian_100.jpg", "Abyssinian"),
        ("great_pyrenees_12.jpg", "great_pyrenees"),
        ("hot dog (3).png", "hot dog"),
        ("train/dog-7.png", "dog"),
        ("猫12.png", "猫"),
    ],
)
def test_the_hint_reads_the_usual_names(name: str, label: str) -> None:
    others = [name.replace(label, "other"), name]
    told = hint([name, *others, others[0]])
    expression = re.search("--label-from '(.*)' reads it from there", told)
    assert expression is not None
    match = pattern_of(expression[1]).search(name)
    assert match is not None
    assert match["label"] == label


@pytest.mark.parametrize(
    "names", [["IMG_1.jpg", "IMG_2.jpg"], ["1.jpg", "2.jpg"], ["a.jpg", "b.jpg"], ["a1.txt", "b2.txt"], []]
)
def test_names_that_say_no_class_give_no_hint(names: list[str]) -> None:
    assert hint(names) == ""


def test_loose_pictures_get_the_hint(tmp_path: Path) -> None:
    make(tmp_path, *(f"{label}.{number}.jpg" for label in ("cat", "dog") for number in range(3)))
    with pytest.raises(
        DataError, match=r"Names such as 'cat\.0\.jpg' seem to say the class; --label-from '\(\?P<label>"
    ):
        read_listing(tmp_path)


def test_loose_pictures_beside_numbers_alone_get_the_hint_too(tmp_path: Path) -> None:
    """As Kaggle gives cats and dogs: a third of the pictures, test1/, have no class."""
    make(tmp_path, *(f"train/{label}.{number}.jpg" for label in ("cat", "dog") for number in range(3)))
    make(tmp_path, *(f"test1/{number}.jpg" for number in range(3)))
    with pytest.raises(
        DataError, match=r"'test1', 'train' in .* Names such as '(cat|dog)\.\d\.jpg' seem to say the class"
    ):
        read_listing(tmp_path)


@pytest.mark.parametrize("names", [("train", "test"), ("训练集", "测试集")])
def test_folders_that_look_like_splits_and_are_not_read_are_told(tmp_path: Path, names: tuple[str, str]) -> None:
    make(tmp_path, *(f"{split}/cat.{number}.jpg" for number, split in enumerate(names)))
    notes = read_listing(tmp_path, ReadOptions(label_from=r"(?P<label>\w+)\.\d")).notes
    expression = f"(?P<split>{'|'.join(sorted(names))})"
    assert notes == (
        f"{tmp_path}: {', '.join(sorted(names))} may be splits, but are not read; {expression} in the expression reads them.",
    )
    read = read_listing(tmp_path, ReadOptions(label_from=rf"{expression}/(?P<label>\w+)\.\d"))
    assert {entry.split for entry in read.entries} == {"train", "test"}


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ("p1/ill/1.jpg p1/well/2.jpg p2/ill/3.jpg p2/well/4.jpg", {("ill", None), ("well", None)}),
        (
            "ill/train/1.jpg ill/test/2.jpg well/train/3.jpg well/test/4.jpg",
            {(label, split) for label in ("ill", "well") for split in ("train", "test")},
        ),
    ],
)
def test_the_expressions_that_a_question_about_folders_names_read_them(
    tmp_path: Path, files: str, found: set[tuple[str, str | None]]
) -> None:
    make(tmp_path, *files.split())
    with pytest.raises(DataError, match="all hold the same folders") as asked:
        read_listing(tmp_path)
    expression = re.search("--label-from '([^']*)'", str(asked.value))
    assert expression is not None
    listing = read_listing(tmp_path, ReadOptions(label_from=expression[1]))
    assert {(entry.target.text, entry.split) for entry in listing.entries} == found


def test_labels_in_a_column_and_in_the_paths_are_asked_and_what_fits_is_not_counted(tmp_path: Path) -> None:
    make(tmp_path, "a_1.jpg", "b_2.jpg")
    expression = r"(?P<label>[a-z]+)_\d"
    (tmp_path / "t.csv").write_text("path,kind\na_1.jpg,x\nb_2.jpg,y\n")
    assert LEFT_OUT not in read_listing(tmp_path / "t.csv", ReadOptions(label_from=expression)).ignored
    with pytest.raises(DataError, match="may be its column of labels, or what --label-from finds in its paths. Leave"):
        read_listing(tmp_path / "t.csv", ReadOptions(label_from=expression, label_column="kind"))
