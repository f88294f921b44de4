"""Label Studio's exports as boxes. In: projects by hand. Out: boxes, faults, which picture is meant."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tellapart.data.boxes_listing import read_boxes
from tellapart.data.listing import read_listing
from tellapart.data.other_tasks import OtherTask
from tellapart.data.targets import Box, Boxes
from tellapart.errors import DataError
from tests.data.box_forms import PAGES, save_picture, studio_region, write_coco, write_voc, write_yolo

SIZE = (200, 100)
CAT = Box("cat", 20, 10, 120, 60)
SHARES = Boxes((Box("cat", 0.1, 0.1, 0.6, 0.6),))


def region(**changes: object) -> dict[str, object]:
    value = {**studio_region(CAT, SIZE), **changes}
    sizes = {key: value.pop(key) for key in ("original_width", "original_height")}
    return {**sizes, "type": "rectanglelabels", "value": {key: one for key, one in value.items() if one is not None}}


def write(folder: Path, *annotations: Sequence[object] | dict[str, Any], image: str = "/data/upload/1/a.png") -> None:
    """One picture and what people made of it: regions, or a whole annotation."""
    save_picture(folder / "images" / "a.png", SIZE)
    given = [one if isinstance(one, dict) else {"result": list(one)} for one in annotations]
    task = {"id": 1, "annotations": given, "data": {"image": image}}
    (folder / "project.json").write_text(json.dumps([task]))


def boxes_of(folder: Path) -> Boxes:
    (entry,) = read_boxes(folder).entries
    assert isinstance(entry.target, Boxes)
    return entry.target


def faults(folder: Path) -> dict[str, list[tuple[str, int]]]:
    return {
        kind: [(Path(one.path).name, one.times) for one in found] for kind, found in read_boxes(folder).faults.items()
    }


def test_percentages_of_the_picture_that_it_says(tmp_path: Path) -> None:
    write(tmp_path, [region()])
    assert boxes_of(tmp_path) == SHARES
    (entry,) = read_listing(tmp_path).entries
    assert entry.drawn is not None
    assert (entry.drawn.width, entry.drawn.height, entry.drawn.relative) == (200, 100, True)


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_the_short_exports_have_a_row_a_picture(kind: str, tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        save_picture(tmp_path / "images" / name, SIZE)
    found = [studio_region(CAT, SIZE), studio_region(Box("狗", 0, 0, 200, 100), SIZE)]
    rows: list[dict[str, Any]] = [
        {"image": "/data/upload/1/0a1b2c3d-a.png", "id": 1, "label": found, "annotator": 1, "annotation_id": 5},
        {"image": "/data/upload/1/0a1b2c3e-b.png", "id": 2, "annotator": 1, "annotation_id": 6},
        {"image": "/data/upload/1/0a1b2c3f-c.png", "id": 3},  # nobody has looked at it
    ]
    if kind == "json":
        (tmp_path / "min.json").write_text(json.dumps(rows))
    else:
        with open(tmp_path / "export.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["image", "id", "label", "annotator", "annotation_id"])
            writer.writeheader()
            writer.writerows({**row, "label": json.dumps(row["label"]) if "label" in row else ""} for row in rows)
    listing = read_listing(tmp_path)
    assert [entry.target for entry in listing.entries] == [Boxes((*SHARES.boxes, Box("狗", 0, 0, 1, 1))), Boxes(())]
    assert [Path(fault.path).name for fault in listing.faults["not annotated"]] == ["c.png"]


@pytest.mark.parametrize(
    "image",
    [
        "s3://bucket/images/a.png",
        "/data/local-files/?d=street/a.png",
        "/data/local-files/?d=street%2Fa.png",
        "https://example.org/data/upload/3/deadbeef-a.png",
        "C:\\pictures\\a.png",
    ],
)
def test_which_picture_is_meant(image: str, tmp_path: Path) -> None:
    write(tmp_path, [region()], image=image)
    assert boxes_of(tmp_path) == SHARES


def test_the_name_that_an_upload_got_goes_before_the_one_it_had(tmp_path: Path) -> None:
    write(tmp_path, [region()], image="/data/upload/1/0a1b2c3d-a.png")
    save_picture(tmp_path / "images" / "0a1b2c3d-a.png", (9, 9))
    listing = read_boxes(tmp_path)
    assert [entry.path.name for entry in listing.entries] == ["0a1b2c3d-a.png"]


def test_a_box_that_is_turned_has_an_upright_one_around_it(tmp_path: Path) -> None:
    # A quarter turn to the right around the upper left corner: 100 x 50 pixels become 50 to the left and 100 down.
    write(tmp_path, [region(x=50, y=0, width=50, height=50, rotation=90)])
    (box,) = boxes_of(tmp_path).boxes
    assert (box.left, box.top, box.right, box.bottom) == pytest.approx((0.25, 0, 0.5, 1.0))
    assert faults(tmp_path)["around a shape"] == [("a.png", 1)]


def test_boxes_around_polygons_and_ellipses(tmp_path: Path) -> None:
    polygon = region(rectanglelabels=None, polygonlabels=["dog"], points=[[10, 20], [50, 10], [30, 90]])
    del polygon["value"]["x"]  # type: ignore[attr-defined]
    ellipse = region(rectanglelabels=None, ellipselabels=["egg"], x=50, y=50, radiusX=10, radiusY=20)
    write(tmp_path, [region(), polygon, ellipse])
    found = boxes_of(tmp_path).boxes
    assert [box.label for box in found] == ["cat", "dog", "egg"]
    sides = [(box.left, box.top, box.right, box.bottom) for box in found[1:]]
    assert sides == [pytest.approx((0.1, 0.1, 0.5, 0.9)), pytest.approx((0.4, 0.3, 0.6, 0.7))]
    assert faults(tmp_path)["around a shape"] == [("a.png", 2)]


def test_polygons_alone_are_read_where_it_is_told(tmp_path: Path) -> None:
    write(tmp_path, [region(rectanglelabels=None, polygonlabels=["dog"], points=[[10, 20], [50, 10], [30, 90]])])
    with pytest.raises(OtherTask, match=r"Label Studio's JSON.*--task detection reads the boxes around its shapes"):
        read_listing(tmp_path)


def test_of_several_annotations_the_one_called_the_truth_is_read(tmp_path: Path) -> None:
    other = {"result": [region(rectanglelabels=["dog"])]}
    truth = {"result": [region()], "ground_truth": True}
    write(tmp_path, {**other, "was_cancelled": True}, other, truth)
    assert boxes_of(tmp_path) == SHARES
    (fault,) = read_boxes(tmp_path).faults["annotated twice"]
    assert fault.detail == "by 2 people in project.json"
    write(tmp_path, other)
    assert boxes_of(tmp_path).classes == ("dog",)


def test_what_is_said_of_the_whole_picture_is_no_box(tmp_path: Path) -> None:
    write(tmp_path, [region(), {"type": "choices", "value": {"choices": ["blurred"]}}, "nonsense", {"value": 7}])
    assert boxes_of(tmp_path) == SHARES
    assert faults(tmp_path) == {}


def test_what_is_wrong_is_counted(tmp_path: Path) -> None:
    write(
        tmp_path,
        [region(), region(rectanglelabels=[]), region(rectanglelabels=None), region(x="left"), region(width=[])],
    )
    found = boxes_of(tmp_path).boxes
    assert [box.left == box.left for box in found] == [True, False, False]
    assert faults(tmp_path)["no class"] == [("a.png", 2)]
    write(tmp_path, [region()], image="/data/upload/1/gone.png")
    with pytest.raises(
        DataError, match=r"project\.json \(/data/upload/1/gone\.png\) names pictures that are not there"
    ):
        read_boxes(tmp_path)


def test_a_broken_csv_is_told(tmp_path: Path) -> None:
    write(tmp_path, [region()])
    (tmp_path / "other.csv").write_bytes(b"image,label\na.png,\xff\xfe rectanglelabels\n")
    (fault,) = read_boxes(tmp_path).faults["unreadable"]
    assert (Path(fault.path).name, fault.detail[:8]) == ("other.csv", "no CSV: ")


@pytest.mark.parametrize("name", ["project.json", "export.csv"])
def test_the_export_alone_is_asked_for_with_its_pictures(name: str, tmp_path: Path) -> None:
    cell = json.dumps([studio_region(CAT, SIZE)]).replace('"', '""')
    text = {"export.csv": f'image,label\n/data/upload/1/a.png,"{cell}"\n'}.get(name)
    write(tmp_path, [region()])
    if text:
        (tmp_path / name).write_text(text)
    with pytest.raises(
        DataError, match=r"is an export of Label Studio, which names pictures that lie around it\. Give the folder"
    ):
        read_listing(tmp_path / name)


def test_its_exports_in_the_forms_of_others(tmp_path: Path) -> None:
    """As Label Studio writes them: names without an ending, classes.txt and notes.json, result.json with \\ in paths."""
    write_voc(tmp_path / "voc", PAGES)
    (tmp_path / "voc" / "JPEGImages").rename(tmp_path / "voc" / "images")
    for path in (tmp_path / "voc" / "Annotations").iterdir():
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(".png</filename>", "</filename>"), encoding="utf-8")
    write_yolo(tmp_path / "yolo", PAGES)
    (tmp_path / "yolo" / "data.yaml").unlink()
    (tmp_path / "yolo" / "classes.txt").write_text("cat\n狗\n", encoding="utf-8")
    notes = {"categories": [{"id": 0, "name": "cat"}, {"id": 1, "name": "狗"}], "info": {"contributor": "Label Studio"}}
    (tmp_path / "yolo" / "notes.json").write_text(json.dumps(notes))
    write_coco(tmp_path / "coco", PAGES)
    old = tmp_path / "coco" / "annotations" / "instances.json"
    content = json.loads(old.read_text())
    for image in content["images"]:
        image["file_name"] = "images\\" + image["file_name"]
    (tmp_path / "coco" / "result.json").write_text(json.dumps({**content, "info": {"contributor": "Label Studio"}}))
    old.unlink()
    for form in ("voc", "yolo", "coco"):
        listing = read_listing(tmp_path / form)
        assert (listing.task, listing.classes, listing.faults) == ("detection", ("cat", "狗"), {}), form
        assert [len(entry.target.classes) for entry in listing.entries] == [2, 1, 0], form
