"""The same boxes from every form, found from the data or told, in a folder or an archive."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tellapart.data.box_repair import settle_boxes
from tellapart.data.boxes_listing import read_boxes
from tellapart.data.examples import Inspection, Listing, ReadOptions
from tellapart.data.listing import read_listing
from tellapart.data.other_tasks import OtherTask
from tellapart.data.targets import Box, Boxes
from tellapart.errors import DataError
from tests.data.box_forms import FORMS, PAGES, save_picture, voc_text, write_coco, write_labelme, write_voc

SIZES = {name: size for name, size, _ in PAGES}


def settled(listing: Listing) -> Listing:
    inspections = [
        Inspection(file_hash="", width=SIZES[entry.path.name][0], height=SIZES[entry.path.name][1])
        for entry in listing.entries
    ]
    return settle_boxes(listing, inspections)[0]


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("form", list(FORMS))
def test_every_form_gives_the_same_boxes(form: str, told: bool, tmp_path: Path) -> None:
    FORMS[form](tmp_path, PAGES)
    source = tmp_path / "table.csv" if form == "table" else tmp_path
    read = read_listing(source, ReadOptions(task="detection" if told else None))
    listing = settled(read)
    assert (listing.task, listing.classes, listing.faults) == ("detection", ("cat", "狗"), {})
    assert [entry.path.name for entry in listing.entries] == [name for name, _, _ in PAGES]
    for entry, (_, _, boxes) in zip(listing.entries, PAGES, strict=True):
        assert isinstance(entry.target, Boxes)
        assert [box.label for box in entry.target.boxes] == [box.label for box in boxes]
        found = [value for box in entry.target.boxes for value in (box.left, box.top, box.right, box.bottom)]
        wanted = [value for box in boxes for value in (box.left, box.top, box.right, box.bottom)]
        assert found == pytest.approx(wanted, abs=1e-5)
    assert any("(task detection)" in note for note in read.notes) != told


def test_boxes_in_an_archive(tmp_path: Path) -> None:
    write_voc(tmp_path / "set", PAGES)
    archive = Path(shutil.make_archive(str(tmp_path / "set"), "zip", tmp_path / "set"))
    listing = settled(read_listing(archive))
    assert listing.task == "detection"
    assert [len(entry.target.classes) for entry in listing.entries] == [2, 1, 0]
    assert str(listing.entries[0].path) == str(archive / "JPEGImages" / "a.png")


def test_what_is_told_wins_over_what_is_found(tmp_path: Path) -> None:
    write_voc(tmp_path, PAGES)
    assert read_listing(tmp_path, ReadOptions(task="classification")).task == "classification"
    with pytest.raises(OtherTask, match="looks like a data set for detection"):
        read_listing(tmp_path, ReadOptions(task="classification", task_of_model=True))


def test_names_that_are_nearly_the_same_are_merged_where_that_is_told(tmp_path: Path) -> None:
    boxes = [Box("Cat", 1, 2, 3, 4), Box("cat", 1, 2, 3, 5, truncated=True), Box("cat", 1, 2, 3, 6)]
    write_voc(tmp_path, [("a.png", (8, 8), boxes[:2]), ("b.png", (8, 8), boxes[2:])])
    assert read_listing(tmp_path).classes == ("Cat", "cat")
    listing = read_listing(tmp_path, ReadOptions(merge_names=True))
    assert listing.classes == ("cat",)
    assert listing.entries[0].target == Boxes((replace(boxes[0], label="cat"), boxes[1]))


@pytest.mark.parametrize("form", list(FORMS))
def test_what_shows_only_things_without_a_class_is_not_a_picture_of_nothing(form: str, tmp_path: Path) -> None:
    FORMS[form](tmp_path, PAGES)
    # Of b.png, which has one box, the class is taken away.
    for path, old, new in (
        (tmp_path / "Annotations" / "b.xml", "<name>cat</name>", "<name></name>"),
        (tmp_path / "annotations.xml", 'label="cat" source="manual" occluded="0" xtl="8.5"', 'label="" xtl="8.5"'),
        (
            tmp_path / "annotations" / "instances.json",
            '"image_id": 1, "category_id": 1',
            '"image_id": 1, "category_id": 99',
        ),
        (tmp_path / "labels" / "b.txt", "0 0.", "7 0."),
        (tmp_path / "b.json", '"cat"', '""'),
        (
            tmp_path / "project-1-at-2026-01-01.json",
            '["cat"]}}]}], "data": {"image": "/data/upload/1/0a1b2c3d-b',
            '[""]}}]}], "data": {"image": "/data/upload/1/0a1b2c3d-b',
        ),
        (tmp_path / "metadata.jsonl", '84.25]], "categories": ["cat"]', '84.25]], "categories": [""]'),
        (tmp_path / "table.csv", "100.25,cat", "100.25,"),
    ):
        if path.exists():
            assert old in path.read_text(encoding="utf-8")
            path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    listing = settled(read_listing(tmp_path / "table.csv" if form == "table" else tmp_path))
    assert [entry.path.name for entry in listing.entries] == ["a.png", "c.png"]
    assert set(listing.faults) == {"no class", "none left"}


def test_a_second_form_is_told(tmp_path: Path) -> None:
    write_voc(tmp_path, PAGES)
    write_labelme(tmp_path / "JPEGImages", PAGES[:1])
    assert f"{tmp_path}: boxes in the form of LabelMe are there, too, and not read." in read_boxes(tmp_path).notes


def test_folders_called_like_splits_are_splits(tmp_path: Path) -> None:
    for split, page in zip(("train", "valid"), PAGES, strict=False):
        save_picture(tmp_path / split / page[0], page[1])
        (tmp_path / split / page[0]).with_suffix(".xml").write_text(voc_text(page))
    listing = read_boxes(tmp_path)
    assert [(entry.path.name, entry.split) for entry in listing.entries] == [
        ("a.png", "train"),
        ("b.png", "validation"),
    ]
    assert listing.notes[-1] == f"{tmp_path}: there is no test split, so a training takes it out of its train pictures."


def test_nothing_to_read(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png", (8, 8))
    with pytest.raises(
        DataError,
        match=r"has no boxes in a form that is read: Pascal VOC's or CVAT's XML.*path,xmin,ymin,xmax,ymax,label",
    ):
        read_boxes(tmp_path)
    (tmp_path / "x.xml").write_text(voc_text(("z.png", (8, 8), PAGES[0][2])))
    with pytest.raises(DataError, match=r"x.xml \(z.png\) names pictures that are not there. Put the pictures beside"):
        read_boxes(tmp_path)


def test_pictures_that_went_missing_altogether(tmp_path: Path) -> None:
    write_coco(tmp_path, PAGES)
    shutil.rmtree(tmp_path / "images")
    with pytest.raises(DataError, match=r"instances.json \(a.png\) names pictures that are not there"):
        read_boxes(tmp_path)
