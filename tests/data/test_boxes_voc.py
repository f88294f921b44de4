"""Pascal VOC as people have it: lists, odd names, other encodings, broken and hostile XML."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.data.boxes_listing import read_boxes
from tellapart.data.examples import Listing
from tellapart.data.targets import Box, Boxes
from tellapart.errors import DataError
from tests.data.box_forms import PAGES, save_picture, voc_text, write_voc


def faults(listing: Listing) -> dict[str, list[tuple[str, int, str]]]:
    return {
        kind: [(Path(fault.path).name, fault.times, fault.detail) for fault in found]
        for kind, found in listing.faults.items()
    }


def write_lists(root: Path, **lists: str) -> None:
    folder = root / "ImageSets" / "Main"
    folder.mkdir(parents=True)
    for name, text in lists.items():
        (folder / f"{name}.txt").write_text(text)


def test_lists_say_the_splits(tmp_path: Path) -> None:
    write_voc(tmp_path, PAGES)
    write_lists(tmp_path, train="a\n", val="b 1\n", test="c\n", trainval="a\nb\n", cat_train="a  1\nb -1\n")
    listing = read_boxes(tmp_path)
    assert [entry.split for entry in listing.entries] == ["train", "validation", "test"]
    lists = "the lists test.txt, train.txt, trainval.txt, val.txt say the splits."
    assert listing.notes[1] == f"{tmp_path / 'ImageSets' / 'Main'}: {lists}"


def test_trainval_alone_is_trained_on_and_what_no_list_names_is_left_out(tmp_path: Path) -> None:
    write_voc(tmp_path, PAGES)
    write_lists(tmp_path, trainval="a\n", test="b\n")
    listing = read_boxes(tmp_path)
    assert [(entry.path.name, entry.split) for entry in listing.entries] == [("a.png", "train"), ("b.png", "test")]
    assert faults(listing) == {"in no list": [("c.png", 1, "")]}


def test_a_picture_in_two_lists_is_not_tested(tmp_path: Path) -> None:
    write_voc(tmp_path, PAGES)
    write_lists(tmp_path, train="a\nb\n", test="a\nc\n")
    listing = read_boxes(tmp_path)
    assert [entry.split for entry in listing.entries] == ["train", "train", "test"]
    assert faults(listing) == {"in two splits": [("a.png", 1, "train and test")]}


def test_lists_of_pairs(tmp_path: Path) -> None:
    write_voc(tmp_path, PAGES)
    for split, stem in (("train", "a"), ("val", "b"), ("test", "c")):
        (tmp_path / f"{split}_list.txt").write_text(f"JPEGImages/{stem}.png Annotations/{stem}.xml\n")
    assert [entry.split for entry in read_boxes(tmp_path).entries] == ["train", "validation", "test"]


def test_marks_are_read(tmp_path: Path) -> None:
    box = Box("cat", 1, 2, 3, 4, difficult=True, truncated=True)
    write_voc(tmp_path, [("a.png", (8, 8), [box])])
    assert read_boxes(tmp_path).entries[0].target == Boxes((box,))


def test_the_file_name_decides_which_picture_is_meant(tmp_path: Path) -> None:
    save_picture(tmp_path / "images" / "a.png", (8, 8))
    save_picture(tmp_path / "images" / "IMG_1.2.JPG", (8, 8))
    save_picture(tmp_path / "images" / "far.png", (8, 8))
    (tmp_path / "annotations").mkdir()
    box = [Box("cat", 1, 2, 3, 4)]
    for name, inside in (
        ("a", "old.png"),
        ("IMG_1.2", "img_1.2.jpg"),
        ("other", "C:\\pictures\\far.jpeg"),
        ("lost", "../x.png"),
    ):
        text = voc_text((inside, (8, 8), box))
        (tmp_path / "annotations" / f"{name}.xml").write_text(text)
    listing = read_boxes(tmp_path)
    assert [entry.path.name for entry in listing.entries] == ["IMG_1.2.JPG", "a.png", "far.png"]
    assert faults(listing) == {
        "no picture": [("lost.xml", 1, "../x.png")],
        "other name": [("a.xml", 1, "old.png")],
    }


def test_what_has_no_annotation_or_two_is_told(tmp_path: Path) -> None:
    write_voc(tmp_path, PAGES)
    save_picture(tmp_path / "JPEGImages" / "d.png", (8, 8))
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.xml").write_text(voc_text(PAGES[0]))
    assert faults(read_boxes(tmp_path)) == {
        "not annotated": [("d.png", 1, "")],
        "annotated twice": [("a.png", 1, "again in a.xml")],
    }


def test_boxes_without_a_class_or_a_place(tmp_path: Path) -> None:
    write_voc(tmp_path, PAGES[:1])
    path = tmp_path / "Annotations" / "a.xml"
    text = path.read_text().replace("<name>cat</name>", "<name> </name>")
    path.write_text(text.replace("</annotation>", "<object><name>cat</name></object></annotation>"))
    listing = read_boxes(tmp_path)
    assert [box.label for box in listing.entries[0].target.boxes] == ["狗"]
    assert faults(listing) == {
        "no class": [("a.xml", 1, "")],
        "not a number": [("a.xml", 1, "an object without bndbox")],
    }


@pytest.mark.parametrize("encoding", ["gbk", "utf-16", "utf-8-sig", "big5"])
def test_encodings(encoding: str, tmp_path: Path) -> None:
    write_voc(tmp_path, [("a.png", (8, 8), [Box("貓", 1, 2, 3, 4)])])
    path = tmp_path / "Annotations" / "a.xml"
    declared = "utf-8" if encoding == "utf-8-sig" else encoding
    path.write_bytes(f'<?xml version="1.0" encoding="{declared}"?>\n{path.read_text()}'.encode(encoding))
    # What says that it is VOC is looked for in ASCII, which UTF-16 has none of: so it must be told.
    assert read_boxes_of_one(tmp_path, path, encoding) == ("貓",)


def read_boxes_of_one(folder: Path, path: Path, encoding: str) -> tuple[str, ...]:
    if encoding == "utf-16":  # beside one that can be recognised
        save_picture(folder / "JPEGImages" / "b.png", (8, 8))
        path.with_name("b.xml").write_text(voc_text(("b.png", (8, 8), [Box("貓", 1, 2, 3, 4)])), encoding="utf-8")
    listing = read_boxes(folder)
    assert len(listing.entries) == 1 + (encoding == "utf-16")
    return listing.classes


BOMB = '<?xml version="1.0"?><!DOCTYPE annotation [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE annotation [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BOMB + "<annotation><bndbox/><filename>&b;</filename></annotation>", "it defines entities, which are refused"),
        (
            OUTSIDE + "<annotation><bndbox/><filename>&a;</filename></annotation>",
            "it defines entities, which are refused",
        ),
        ("<annotation><bndbox>", "no well-formed XML: no element found"),
        ("<annotation>" + "<part>" * 3, "no well-formed XML: no element found"),
        ('<?xml version="1.0" encoding="nonsense"?><annotation/>', "no well-formed XML: unknown encoding: nonsense"),
    ],
)
def test_broken_and_hostile_xml_is_left_out_with_its_reason(text: str, reason: str, tmp_path: Path) -> None:
    write_voc(tmp_path, PAGES)
    (tmp_path / "Annotations" / "b.xml").write_text(text)
    listing = read_boxes(tmp_path)
    assert [entry.path.name for entry in listing.entries] == ["a.png", "c.png"]
    [(name, _, detail)] = faults(listing)["unreadable"]
    assert (name, detail[: len(reason)]) == ("b.xml", reason)


def test_nothing_but_broken_xml(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png", (8, 8))
    (tmp_path / "a.xml").write_text("<annotation><bndbox>")
    with pytest.raises(DataError, match=r"a.xml \(no well-formed XML: .*\) cannot be read. Repair the annotations."):
        read_boxes(tmp_path)


@pytest.mark.slow
def test_deep_and_large_xml_ends(tmp_path: Path) -> None:
    write_voc(tmp_path, PAGES)
    deep = "<x>" * 100_000 + "</x>" * 100_000
    (tmp_path / "Annotations" / "b.xml").write_text(f"<annotation><filename>b.png</filename>{deep}</annotation>")
    many = [Box("cat", 1, 1, 2, 2)] * 5_000
    (tmp_path / "Annotations" / "c.xml").write_text(voc_text(("c.png", (50, 50), many)))
    listing = read_boxes(tmp_path)
    assert [len(entry.target.boxes) for entry in listing.entries] == [2, 0, 5_000]
