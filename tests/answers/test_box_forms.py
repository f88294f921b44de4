"""What is written in other programs' forms reads back as the same boxes."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tellapart.answers.box_forms import FORMS, Page, PageBox, coco, voc, write_forms, yolo
from tellapart.data.box_repair import settle_boxes
from tellapart.data.boxes_listing import read_boxes
from tellapart.data.examples import Inspection
from tellapart.data.targets import Boxes
from tellapart.errors import StorageError
from tests.data.box_forms import save_picture

CLASSES = ["红 & <blue>", 'say "cheese"', "dog: 1", "no"]
PAGES = [
    Page(
        path="images/a.png",
        width=640,
        height=481,
        boxes=(
            PageBox(label=CLASSES[0], left=0, top=0, right=640, bottom=481, score=0.987654),
            PageBox(label=CLASSES[1], left=10.127, top=20.5, right=333.333, bottom=21.75, score=0.5),
        ),
    ),
    Page(
        path="images/sub/a.png",
        width=123_456,
        height=7,
        boxes=(PageBox(label=CLASSES[2], left=123_000.5, top=1, right=123_456, bottom=6.25),),
    ),
    Page(path="images/b.c.png", width=33, height=44),
    Page(path="images/d.png", width=9, height=9, boxes=(PageBox(label="no", left=1, top=2, right=3, bottom=4),)),
]


@pytest.mark.parametrize("form", list(FORMS))
def test_what_is_written_reads_back(form: str, tmp_path: Path) -> None:
    for page in PAGES:
        save_picture(tmp_path / page.path, (8, 8))
    written = write_forms(tmp_path, form, PAGES, CLASSES)
    assert all(path.is_file() for path in written)
    listing = read_boxes(tmp_path)
    assert (listing.classes, listing.box_faults) == (tuple(sorted(CLASSES)), {})
    pages = {str(tmp_path / page.path): page for page in PAGES}
    inspections = [
        Inspection(file_hash="", width=pages[str(entry.path)].width, height=pages[str(entry.path)].height)
        for entry in listing.entries
    ]
    settled, _ = settle_boxes(listing, inspections)
    assert settled.box_faults == {}
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
    root = ElementTree.parse(tmp_path / "Annotations" / "images" / "a.xml").getroot()
    assert [one.text for one in root.iter("confidence")] == ["0.987654", "0.500000"]


BIRD = Page(
    path="images/sub/a.b.png",
    width=200,
    height=100,
    boxes=(
        PageBox(label="鸟", left=10.004, top=20, right=20.5, bottom=30.25, score=0.12345678),
        PageBox(label="cat", left=0, top=0, right=200, bottom=50),
    ),
)


def test_an_xml_word_for_word() -> None:
    assert voc([BIRD], ["cat", "鸟"]) == {
        "Annotations/images/sub/a.b.xml": (
            "<annotation>\n"
            "  <filename>a.b.png</filename>\n"
            "  <path>images/sub/a.b.png</path>\n"
            "  <size><width>200</width><height>100</height><depth>3</depth></size>\n"
            "  <object>\n"
            "    <name>鸟</name>\n"
            "    <pose>Unspecified</pose>\n"
            "    <truncated>0</truncated>\n"
            "    <difficult>0</difficult>\n"
            "    <confidence>0.123457</confidence>\n"
            "    <bndbox><xmin>10.00</xmin><ymin>20.00</ymin><xmax>20.50</xmax><ymax>30.25</ymax></bndbox>\n"
            "  </object>\n"
            "  <object>\n"
            "    <name>cat</name>\n"
            "    <pose>Unspecified</pose>\n"
            "    <truncated>0</truncated>\n"
            "    <difficult>0</difficult>\n"
            "    <bndbox><xmin>0.00</xmin><ymin>0.00</ymin><xmax>200.00</xmax><ymax>50.00</ymax></bndbox>\n"
            "  </object>\n"
            "</annotation>\n"
        )
    }


def test_a_json_value_by_value() -> None:
    (text,) = coco([Page(path="empty.png", width=3, height=4), BIRD], ["cat", "鸟"]).values()
    assert '"鸟"' in text
    assert json.loads(text) == {
        "images": [
            {"id": 1, "file_name": "empty.png", "width": 3, "height": 4},
            {"id": 2, "file_name": "images/sub/a.b.png", "width": 200, "height": 100},
        ],
        "annotations": [
            {
                "id": 1,
                "image_id": 2,
                "category_id": 2,
                "bbox": [10.0, 20, 10.5, 10.25],
                "area": 107.62,
                "iscrowd": 0,
                "score": 0.123457,
            },
            {"id": 2, "image_id": 2, "category_id": 1, "bbox": [0, 0, 200, 50], "area": 10_000, "iscrowd": 0},
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "鸟"}],
    }


def test_a_text_line_by_line() -> None:
    assert yolo([BIRD, Page(path="/c.png", width=1, height=1)], ["cat", "鸟"]) == {
        "labels/sub/a.b.txt": "1 0.0762600 0.2512500 0.0524800 0.1025000\n0 0.5000000 0.2500000 1.0000000 0.5000000\n",
        "labels/c.txt": "",
        "data.yaml": 'train: images\nval: images\nnames:\n  0: "cat"\n  1: "鸟"\n',
    }


def test_control_characters_leave_xml_whole(tmp_path: Path) -> None:
    page = Page(path="a.png", width=9, height=9, boxes=(PageBox(label="a\x00b\x1b", left=1, top=2, right=3, bottom=4),))
    write_forms(tmp_path, "voc", [page], ["a\x00b\x1b"])
    root = ElementTree.parse(tmp_path / "Annotations" / "a.xml").getroot()
    assert root.findtext("object/name") == "a\ufffdb\ufffd"


def test_nothing_is_replaced_unless_asked(tmp_path: Path) -> None:
    (tmp_path / "Annotations" / "images").mkdir(parents=True)
    (tmp_path / "Annotations" / "images" / "d.xml").write_text("mine")
    with pytest.raises(StorageError, match=r"d.xml' exists. Choose another folder, or replace it with --force."):
        write_forms(tmp_path, "voc", PAGES, CLASSES)
    assert [path.name for path in tmp_path.rglob("*.xml")] == ["d.xml"]
    write_forms(tmp_path, "voc", PAGES, CLASSES, force=True)
    assert (tmp_path / "Annotations" / "images" / "d.xml").read_text().startswith("<annotation>")


@pytest.mark.parametrize("form", ["voc", "yolo"])
def test_nothing_is_written_elsewhere(form: str, tmp_path: Path) -> None:
    page = Page(path="../../x.png", width=9, height=9)
    with pytest.raises(StorageError, match=r"x\.\w+' would lie outside .*set'. Give pictures that lie in one folder."):
        write_forms(tmp_path / "set", form, [page], CLASSES)
    assert list(tmp_path.rglob("*")) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "Annotations").write_text("a file")
    with pytest.raises(StorageError, match=r"^cannot use .*Annotations/images: a part of the path is a file"):
        write_forms(tmp_path, "voc", PAGES[:1], CLASSES)
