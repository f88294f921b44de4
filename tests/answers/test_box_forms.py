"""What is written in other programs' forms reads back as the same boxes. Next: test_form_folder.py."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tellapart.answers.box_forms import FORMS, Page, PageBox
from tellapart.answers.form_folder import FormFolder
from tellapart.data.box_repair import settle_boxes
from tellapart.data.boxes_listing import read_boxes
from tellapart.data.examples import Inspection
from tellapart.data.targets import Boxes
from tests.data.box_forms import save_picture

CLASSES = ["红 & <blue>", 'say "cheese"', "dog: 1", "no"]
PAGES = [
    Page(
        path="images/a.png",
        width=640,
        height=481,
        boxes=(
            PageBox(CLASSES[0], 0, 0, 640, 481, score=0.987654),
            PageBox(CLASSES[1], 10.127, 20.5, 333.333, 21.75, score=0.5),
        ),
    ),
    Page(
        path="images/sub/a.png",
        width=123_456,
        height=7,
        boxes=(PageBox(CLASSES[2], 123_000.5, 1, 123_456, 6.25),),
    ),
    Page(path="images/b.c.png", width=33, height=44),
    Page(path="images/d.png", width=9, height=9, boxes=(PageBox("no", 1, 2, 3, 4),)),
]


def write_forms(folder: Path, form: str, pages: Sequence[Page], classes: Sequence[str]) -> None:
    """Pages that are all there."""
    writer = FormFolder(folder, form, classes)
    for page in pages:
        writer.reserve(page.path)
        writer.write(page)
        writer.add(page)
    writer.finish()


@pytest.mark.parametrize("form", list(FORMS))
def test_what_is_written_reads_back(form: str, tmp_path: Path) -> None:
    for page in PAGES:
        save_picture(tmp_path / page.path, (8, 8))
    write_forms(tmp_path, form, PAGES, CLASSES)
    listing = read_boxes(tmp_path)
    assert (listing.classes, listing.faults) == (tuple(sorted(CLASSES)), {})
    pages = {str(tmp_path / page.path): page for page in PAGES}
    inspections = [
        Inspection(file_hash="", width=pages[str(entry.path)].width, height=pages[str(entry.path)].height)
        for entry in listing.entries
    ]
    settled, _ = settle_boxes(listing, inspections)
    assert settled.faults == {}
    assert len(settled.entries) == len(PAGES)
    for entry in settled.entries:
        page, target = pages[str(entry.path)], entry.target
        assert isinstance(target, Boxes)
        assert [box.label for box in target.boxes] == [box.label for box in page.boxes]
        for found, wanted in zip(target.boxes, page.boxes, strict=True):
            sides = [
                (found.left, wanted.left),
                (found.top, wanted.top),
                (found.right, wanted.right),
                (found.bottom, wanted.bottom),
            ]
            assert all(one == pytest.approx(other, abs=0.0101) for one, other in sides)


def test_scores_stand_where_the_forms_have_room(tmp_path: Path) -> None:
    write_forms(tmp_path, "coco", PAGES[:1], CLASSES)
    content = json.loads((tmp_path / "annotations.json").read_text(encoding="utf-8"))
    assert [one["score"] for one in content["annotations"]] == [0.987654, 0.5]
    write_forms(tmp_path, "voc", PAGES[:1], CLASSES)
    root = ElementTree.parse(tmp_path / "Annotations" / "a.xml").getroot()
    assert [one.text for one in root.iter("confidence")] == ["0.987654", "0.500000"]


def test_control_characters_leave_xml_whole(tmp_path: Path) -> None:
    page = Page(path="a.png", width=9, height=9, boxes=(PageBox("a\x00b\x1b", 1, 2, 3, 4),))
    write_forms(tmp_path, "voc", [page], ["a\x00b\x1b"])
    root = ElementTree.parse(tmp_path / "Annotations" / "a.xml").getroot()
    assert root.findtext("object/name") == "a\ufffdb\ufffd"


def test_a_picture_outside_images_has_its_text_beside_it(tmp_path: Path) -> None:
    page = Page(path="sub/a.png", width=9, height=9, boxes=(PageBox("no", 1, 2, 3, 4),))
    save_picture(tmp_path / page.path, (9, 9))
    save_picture(tmp_path / "other.png", (9, 9))
    write_forms(tmp_path, "yolo", [page], ["no"])
    assert (tmp_path / "sub" / "a.txt").is_file()
    listing = read_boxes(tmp_path)
    # A picture that was not answered is not said to show nothing.
    assert [entry.path.name for entry in listing.entries] == ["a.png"]
    assert [fault.path for fault in listing.faults["in no list"]] == [str(tmp_path / "other.png")]


def test_names_that_are_no_utf8_are_written(tmp_path: Path) -> None:
    page = Page(path="caf\udce9.png", width=9, height=9, boxes=(PageBox("狗", 1, 2, 3, 4),))
    for form in FORMS:
        write_forms(tmp_path / form, form, [page], ["狗"])
    content = json.loads((tmp_path / "coco" / "annotations.json").read_text(encoding="utf-8"))
    assert content["images"][0]["file_name"] == page.path
    assert content["categories"][0]["name"] == "狗"
    assert [path.name for path in (tmp_path / "voc" / "Annotations").iterdir()] == ["caf\udce9.xml"]
