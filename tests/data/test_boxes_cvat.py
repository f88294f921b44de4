"""CVAT's XML for images as boxes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.data.boxes_listing import read_boxes
from tellapart.data.examples import Listing, ReadOptions
from tellapart.data.faults import Fault
from tellapart.data.listing import read_listing
from tellapart.data.other_tasks import OtherTask
from tellapart.data.targets import Box, Boxes
from tellapart.errors import DataError
from tests.data.box_forms import save_picture

BOX = '<box label="猫 " xtl="1" ytl="2" xbr="30" ybr="40.5" z_order="0"/>'


def write(folder: Path, shapes: str, *, size: str = 'width="100" height="100"', more: str = "") -> None:
    save_picture(folder / "a.png", (100, 100))
    image = f'<image id="0" name="some/where/a.png" {size}>{shapes}</image>'
    (folder / "annotations.xml").write_text(f"<annotations>{image}{more}</annotations>", encoding="utf-8")


def sides(listing: Listing) -> list[tuple[float, ...]]:
    assert isinstance(listing.entries[0].target, Boxes)
    return [(box.left, box.top, box.right, box.bottom) for box in listing.entries[0].target.boxes]


def test_boxes_their_marks_and_the_picture_s_size(tmp_path: Path) -> None:
    marks = '<attribute name="Difficult">true</attribute><attribute name="truncated">0</attribute>'
    write(tmp_path, f'{BOX}<box label="7" xtl="5" ytl="6" xbr="7" ybr="8">{marks}</box><tag label="day"/>')
    entry = read_listing(tmp_path).entries[0]
    assert entry.target == Boxes((Box("猫", 1, 2, 30, 40.5), Box("7", 5, 6, 7, 8, difficult=True)))
    assert entry.drawn is not None
    assert (entry.drawn.width, entry.drawn.height) == (100, 100)


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ('<polygon label="dog" points="5.0,5;9,1;7,20"/>', (5, 1, 9, 20)),
        ('<polyline label="dog" points="5,5;9,1"/>', (5, 1, 9, 5)),
        ('<ellipse label="dog" cx="50" cy="60" rx="10" ry="20"/>', (40, 40, 60, 80)),
        ('<ellipse label="dog" cx="50" cy="60" rx="10" ry="20" rotation="90"/>', (30, 50, 70, 70)),
        ('<mask label="dog" rle="1, 2" left="3" top="4" width="10" height="20"/>', (3, 4, 13, 24)),
        ('<box label="dog" xtl="40" ytl="45" xbr="60" ybr="55" rotation="90"/>', (45, 40, 55, 60)),
        # Of a square with sides of 10 that is turned by 45 degrees the diagonal is level: 14.142 wide.
        ('<box label="dog" xtl="45" ytl="45" xbr="55" ybr="55" rotation="45"/>', (42.929, 42.929, 57.071, 57.071)),
    ],
)
def test_the_upright_box_around_another_shape(
    shape: str, wanted: tuple[float, float, float, float], tmp_path: Path
) -> None:
    write(tmp_path, BOX + shape)
    listing = read_listing(tmp_path)
    assert sides(listing)[1] == pytest.approx(wanted, abs=1e-3)
    assert [fault.times for fault in listing.faults["around a shape"]] == [1]


def test_polygons_alone_are_read_where_it_is_told(tmp_path: Path) -> None:
    write(tmp_path, '<polygon label="dog" points="5,5;9,1;7,20"/>')
    with pytest.raises(OtherTask, match=r"shapes in CVAT's XML.*--task detection reads the boxes around its shapes"):
        read_listing(tmp_path)
    assert sides(read_listing(tmp_path, ReadOptions(task="detection"))) == [(5, 1, 9, 20)]


def test_subsets_are_splits(tmp_path: Path) -> None:
    others = ""
    for name, subset in (("b", "Validation"), ("c", "test"), ("d", "default")):
        save_picture(tmp_path / f"{name}.png", (9, 9))
        others += f'<image name="{name}.png" width="9" height="9" subset="{subset}"/>'
    write(tmp_path, BOX, size='subset="Train"', more=others)
    assert [(entry.path.name, entry.split) for entry in read_boxes(tmp_path).entries] == [
        ("a.png", "train"),
        ("b.png", "validation"),
        ("c.png", "test"),
        ("d.png", None),
    ]


def test_what_is_wrong_is_counted(tmp_path: Path) -> None:
    save_picture(tmp_path / "left.png", (9, 9))
    nameless = '<box xtl="1" ytl="2" xbr="3" ybr="4"/><box label=" " xtl="1" ytl="2" xbr="3" ybr="4"/>'
    placeless = '<box label="cat" xtl="x" ytl="2" xbr="3" ybr="4"/><cuboid label="cat" xtl1="3"/>'
    write(tmp_path, BOX + nameless + placeless, more=f'<image name="a.png">{BOX}</image><image name="gone.png"/>')
    listing = read_boxes(tmp_path)
    xml = str(tmp_path / "annotations.xml")
    assert len(sides(listing)) == 3  # two of them are no numbers, which the opened picture's boxes lack
    assert listing.faults == {
        "no picture": (Fault(xml, 1, "gone.png"),),
        "not annotated": (Fault(str(tmp_path / "left.png")),),
        "annotated twice": (Fault(str(tmp_path / "a.png"), 1, "again in annotations.xml"),),
        "no class": (Fault(str(tmp_path / "a.png"), 2),),
        "around a shape": (Fault(str(tmp_path / "a.png"), 1),),
    }


def test_tracks_through_a_video_are_told(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png", (9, 9))
    (tmp_path / "annotations.xml").write_text('<annotations><track id="0" label="car"><box/></track></annotations>')
    message = r"nothing to learn from: .*annotations.xml \(tracks through a video; export it as CVAT for images\)"
    with pytest.raises(DataError, match=message):
        read_boxes(tmp_path)


@pytest.mark.parametrize(
    ("head", "why"),
    [
        ('<!DOCTYPE a [<!ENTITY x "y">]>', "it defines entities, which are refused"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>', "it defines entities, which are refused"),
        ("<broken>", "no well-formed XML"),
    ],
)
def test_what_is_no_plain_xml_is_refused(head: str, why: str, tmp_path: Path) -> None:
    write(tmp_path, BOX)
    path = tmp_path / "annotations.xml"
    path.write_text(head + path.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(DataError, match=why):
        read_boxes(tmp_path)
