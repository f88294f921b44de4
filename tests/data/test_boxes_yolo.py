"""YOLO's text files and what says their classes and splits."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.data.boxes_listing import read_boxes
from tellapart.data.examples import Listing
from tellapart.data.targets import Box, Boxes
from tellapart.errors import DataError
from tests.data.box_forms import PAGES, save_picture, write_yolo


def faults(listing: Listing) -> dict[str, list[tuple[str, int, str]]]:
    return {
        kind: [(Path(fault.path).name, fault.times, fault.detail) for fault in found]
        for kind, found in listing.faults.items()
    }


def write(folder: Path, *, images: str = "images", labels: str = "labels", **texts: str | None) -> None:
    """A picture for each name, with the text of its boxes beside it or in `labels`; None: no text."""
    for name, text in texts.items():
        save_picture(folder / images / f"{name}.png", (100, 200))
        path = folder / labels / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is not None:
            path.write_text(text)


def test_one_box(tmp_path: Path) -> None:
    write(tmp_path, a="0 0.5 0.25 0.5 0.125\n")
    (tmp_path / "data.yaml").write_text("names: [cat]")
    listing = read_boxes(tmp_path)
    assert listing.entries[0].target == Boxes((Box("cat", 0.25, 0.1875, 0.75, 0.3125),))
    assert listing.entries[0].drawn is not None
    assert listing.entries[0].drawn.relative


def test_a_picture_without_text_shows_nothing(tmp_path: Path) -> None:
    write(tmp_path, a="0 0.5 0.5 1 1", b="", c=None)
    listing = read_boxes(tmp_path)
    assert [len(entry.target.text) > 2 for entry in listing.entries] == [True, False, False]
    said = f"{tmp_path}: 1 picture without a text file, which says in this format that nothing is there."
    assert said in listing.notes


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gb18030", "latin-1"])
def test_names_in_another_encoding_are_refused_and_not_guessed(encoding: str, tmp_path: Path) -> None:
    """What cannot be read would be one name for two classes."""
    write(tmp_path, a="0 0.5 0.5 1 1\n1 0.5 0.5 0.5 0.5")
    names = "Müller\nBär\n" if encoding == "latin-1" else "狗狗\n猫咪\n"
    (tmp_path / "classes.txt").write_bytes(names.encode(encoding))
    if encoding.startswith("utf"):
        assert read_boxes(tmp_path).classes == ("狗狗", "猫咪")
        return
    with pytest.raises(
        DataError, match=r"classes\.txt', which names classes, is not in UTF-8 \(line 1\)\. Save it as UTF-8"
    ):
        read_boxes(tmp_path)


@pytest.mark.parametrize(
    ("images", "labels"),
    [("images/train", "labels/train"), ("train/images", "train/labels"), ("obj_train_data", "obj_train_data")],
)
def test_where_texts_lie(images: str, labels: str, tmp_path: Path) -> None:
    write(tmp_path, images=images, labels=labels, a="0 0.5 0.5 1 1")
    (tmp_path / "obj.names").write_text("狗\n")
    listing = read_boxes(tmp_path)
    assert listing.classes == ("狗",)
    assert listing.entries[0].split == (None if images == "obj_train_data" else "train")
    assert listing.faults == {}


@pytest.mark.parametrize(
    "settings",
    [
        "path: ../somewhere/else\ntrain: images/one\nval: images/two\ntest:\nnames: {0: cat, 2: 狗}\n",
        "train: ../images/one\nval: [../images/two]\nnc: 3\nnames: ['cat', '', '狗']\n",
        "train: one.txt\nval: two.txt\nnames:\n  0: cat\n  2: 狗\n",
    ],
)
def test_settings_say_classes_and_splits(settings: str, tmp_path: Path) -> None:
    write(tmp_path, images="images/one", labels="labels/one", a="0 0.5 0.5 1 1", b="1 0.5 0.5 1 1\n2 0.5 0.5 1 1")
    write(tmp_path, images="images/two", labels="labels/two", c="2 0.5 0.5 0.5 0.5")
    write(tmp_path, images="images/three", labels="labels/three", d="2 0.5 0.5 0.5 0.5")
    (tmp_path / "data.yaml").write_text(settings, encoding="utf-8")
    (tmp_path / "one.txt").write_text("data/images/one/a.png\n/home/x/images/one/b.png\n")
    (tmp_path / "two.txt").write_text("./images/two/c.png\n")
    listing = read_boxes(tmp_path)
    assert [(entry.path.name, entry.split) for entry in listing.entries] == [
        ("a.png", "train"),
        ("b.png", "train"),
        ("c.png", "validation"),
    ]
    assert listing.classes == ("cat", "狗")
    assert faults(listing) == {"in no list": [("d.png", 1, "")], "no class": [("b.txt", 1, "")]}
    assert f"{tmp_path}: class numbers without a name, which are left out: 1." in listing.notes


def test_a_validation_that_is_the_training_is_none(tmp_path: Path) -> None:
    write(tmp_path, a="0 0.5 0.5 1 1", b="")
    (tmp_path / "data.yaml").write_text("train: images\nval: images\nnames: [cat]\n")
    listing = read_boxes(tmp_path)
    assert ([entry.split for entry in listing.entries], listing.faults) == (["train", "train"], {})
    said = f"{tmp_path / 'data.yaml'}: validation names the very pictures of train, so it is no split."
    assert said in listing.notes


def test_lists_of_darknet(tmp_path: Path) -> None:
    write(tmp_path, images="obj_train_data", labels="obj_train_data", a="0 0.5 0.5 1 1", b="0 0.5 0.5 1 1")
    (tmp_path / "train.txt").write_text("data/obj_train_data/a.png\ndata/obj_train_data/b.png\n")
    listing = read_boxes(tmp_path)
    # One list names all there is; it splits nothing.
    assert [entry.split for entry in listing.entries] == [None, None]
    (tmp_path / "train.txt").write_text("data/obj_train_data/a.png\n")
    (tmp_path / "valid.txt").write_text("data/obj_train_data/b.png\n")
    listing = read_boxes(tmp_path)
    assert [entry.split for entry in listing.entries] == ["train", "validation"]
    assert listing.faults == {}


def test_numbers_where_nothing_says_names(tmp_path: Path) -> None:
    write(tmp_path, a="3 0.5 0.5 1 1\n11 0.5 0.5 1 1")
    listing = read_boxes(tmp_path)
    assert listing.classes == ("11", "3")
    assert any("nothing says the classes' names, so they are called by their numbers" in note for note in listing.notes)


def test_confidences_and_polygons(tmp_path: Path) -> None:
    write(tmp_path, a="0 0.5 0.5 0.5 0.5 0.9\n0 0.1 0.2 0.3 0.2 0.2 0.6\n")
    listing = read_boxes(tmp_path)
    assert listing.entries[0].target == Boxes((Box("0", 0.25, 0.25, 0.75, 0.75), Box("0", 0.1, 0.2, 0.3, 0.6)))
    assert faults(listing) == {"around a shape": [("a.txt", 1, "")]}


def test_texts_that_are_none_and_pictures_that_are_not_there(tmp_path: Path) -> None:
    write(tmp_path, a="0 0.5 0.5 1 1", b="0 0.5 0.5\n", c="cat 0.5 0.5 1 1\n", d="0 nan 0.5 1 x\n")
    (tmp_path / "labels" / "e.txt").write_text("0 0.5 0.5 1 1\n")
    listing = read_boxes(tmp_path)
    assert [entry.path.name for entry in listing.entries] == ["a.png", "d.png"]
    assert faults(listing) == {
        "unreadable": [
            ("b.txt", 1, "line 1 is no 'class x y width height'"),
            ("c.txt", 1, "line 1 is no 'class x y width height'"),
        ],
        "no picture": [("e.txt", 1, "")],
    }


@pytest.mark.parametrize(
    "text", ["!!python/object/apply:os.system ['touch owned']", "[" * 50_000, "a: &a [*a, *a]\nb: {", "\0"]
)
def test_hostile_settings_are_told(text: str, tmp_path: Path) -> None:
    write_yolo(tmp_path, PAGES)
    (tmp_path / "data.yaml").write_text(text)
    listing = read_boxes(tmp_path)
    assert [name for name, _, detail in faults(listing)["unreadable"] if detail.startswith("no YAML:")] == ["data.yaml"]
    assert listing.classes == ("0", "1")
    assert not (tmp_path / "owned").exists()
