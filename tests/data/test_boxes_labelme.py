"""LabelMe's shapes as boxes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tellapart.data.boxes_listing import read_boxes
from tellapart.data.examples import ReadOptions
from tellapart.data.listing import read_listing
from tellapart.data.other_tasks import OtherTask
from tellapart.data.targets import Box, Boxes
from tests.data.box_forms import PAGES, save_picture, write_labelme


def write(folder: Path, *shapes: object, name: str = "a", picture: object = "a.png") -> None:
    save_picture(folder / "a.png", (100, 100))
    content = {"version": "5", "shapes": list(shapes), "imagePath": picture, "imageWidth": 100, "imageHeight": 100}
    (folder / f"{name}.json").write_text(json.dumps(content))


RECTANGLE = {"label": "猫 ", "shape_type": "rectangle", "points": [[1, 2], [30, 40]]}


def test_rectangles_and_the_boxes_around_other_shapes(tmp_path: Path) -> None:
    polygon = {"label": "dog", "shape_type": "polygon", "points": [[5, 5], [9, 1], [7, 20]]}
    circle = {"label": "dog", "shape_type": "circle", "points": [[50, 50], [53, 54]], "difficult": True}
    write(tmp_path, RECTANGLE, polygon, circle)
    listing = read_listing(tmp_path)
    boxes = (Box("猫", 1, 2, 30, 40), Box("dog", 5, 1, 9, 20), Box("dog", 45, 45, 55, 55, difficult=True))
    assert listing.entries[0].target == Boxes(boxes)
    assert [fault.times for fault in listing.faults["around a shape"]] == [2]


def test_polygons_alone_are_read_where_it_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"label": "dog", "shape_type": "polygon", "points": [[5, 5], [9, 1], [7, 20]]})
    with pytest.raises(
        OtherTask, match=r"shapes in LabelMe's JSON.*--task detection reads the boxes around its shapes"
    ):
        read_listing(tmp_path)
    assert read_listing(tmp_path, ReadOptions(task="detection")).entries[0].target == Boxes((Box("dog", 5, 1, 9, 20),))


@pytest.mark.parametrize(
    "shape",
    [
        "nonsense",
        {"points": [[1, 2], [3, 4]]},
        {"label": None, "shape_type": "rectangle", "points": [[1, 2], [3, 4]]},
    ],
)
def test_shapes_without_a_class_are_counted(shape: object, tmp_path: Path) -> None:
    write(tmp_path, RECTANGLE, shape)
    listing = read_boxes(tmp_path)
    assert listing.entries[0].target == Boxes((Box("猫", 1, 2, 30, 40),))
    assert [fault.times for fault in listing.faults["no class"]] == [1]


@pytest.mark.parametrize("points", [None, [], [[1]], [["a", 2], [3, 4]], "x", [[1, 2], [None, 4]]])
@pytest.mark.parametrize("kind", ["rectangle", "circle"])
def test_points_that_are_none_are_no_numbers(kind: str, points: object, tmp_path: Path) -> None:
    write(tmp_path, RECTANGLE, {"label": "dog", "shape_type": kind, "points": points})
    _, bad = getattr(read_boxes(tmp_path).entries[0].target, "boxes", ())
    assert bad.left != bad.left


def test_which_picture_is_meant(tmp_path: Path) -> None:
    write(tmp_path, RECTANGLE, name="other", picture="..\\pictures\\a.png")
    assert [entry.path.name for entry in read_boxes(tmp_path).entries] == ["a.png"]
    write(tmp_path, RECTANGLE, name="lost", picture=7)
    assert [fault.detail for fault in read_boxes(tmp_path).faults["no picture"]] == ["7"]


def test_pictures_without_a_json_are_not_known(tmp_path: Path) -> None:
    write_labelme(tmp_path, PAGES)
    save_picture(tmp_path / "d.png", (8, 8))
    assert [Path(fault.path).name for fault in read_boxes(tmp_path).faults["not annotated"]] == ["d.png"]
