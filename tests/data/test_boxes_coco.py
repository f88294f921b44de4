"""COCO's JSON as programs write it, and as nobody should."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tellapart.data.boxes_listing import read_boxes
from tellapart.data.examples import Listing
from tellapart.data.targets import Box, Boxes
from tests.data.box_forms import PAGES, coco_content, save_picture, write_coco


def faults(listing: Listing) -> dict[str, list[tuple[str, int, str]]]:
    return {
        kind: [(Path(fault.path).name, fault.times, fault.detail) for fault in found]
        for kind, found in listing.faults.items()
    }


def write(folder: Path, content: object, name: str = "instances.json") -> None:
    write_coco(folder, PAGES)
    (folder / "annotations" / "instances.json").unlink()
    (folder / "annotations" / name).write_text(json.dumps(content))


@pytest.mark.parametrize("names", [("instances_train2017.json", "instances_val2017.json"), ("train.json", "val.json")])
def test_a_file_for_each_split(names: tuple[str, str], tmp_path: Path) -> None:
    write(tmp_path, coco_content(PAGES[:1]), names[0])
    (tmp_path / "annotations" / names[1]).write_text(json.dumps(coco_content(PAGES[1:])))
    listing = read_boxes(tmp_path)
    assert [entry.split for entry in listing.entries] == ["train", "validation", "validation"]
    assert listing.classes == ("cat", "狗")


def test_folders_of_splits(tmp_path: Path) -> None:
    for split, page in zip(("train", "valid", "test"), PAGES, strict=True):
        save_picture(tmp_path / split / page[0], page[1])
        (tmp_path / split / "_annotations.coco.json").write_text(json.dumps(coco_content([page])))
    found = {entry.path.name: entry.split for entry in read_boxes(tmp_path).entries}
    assert found == {"a.png": "train", "b.png": "validation", "c.png": "test"}


def test_instances_are_read_and_what_else_there_is_told(tmp_path: Path) -> None:
    write(tmp_path, coco_content(PAGES), "instances_train.json")
    (tmp_path / "annotations" / "person_keypoints_train.json").write_text(json.dumps(coco_content(PAGES[:1])))
    listing = read_boxes(tmp_path)
    assert listing.faults == {}
    assert f"{tmp_path}: not read beside the instances: person_keypoints_train.json." in listing.notes


def test_that_shapes_could_be_masks_is_told(tmp_path: Path) -> None:
    content = coco_content(PAGES)
    for one in content["annotations"]:
        one["segmentation"] = []
    write(tmp_path, content)
    said = f"{tmp_path}: boxes in COCO's JSON, read as pictures with boxes (task detection)."
    assert said in read_boxes(tmp_path).notes
    content["annotations"][0]["segmentation"] = [[1, 2, 30, 2, 30, 20]]
    (tmp_path / "annotations" / "instances.json").write_text(json.dumps(content))
    assert f"{said} Their shapes are read as masks with --task segmentation." in read_boxes(tmp_path).notes
    assert not any("--task segmentation" in note for note in read_boxes(tmp_path, told=True).notes)


def test_crowds_shapes_and_ignored_ones(tmp_path: Path) -> None:
    content = coco_content(PAGES)
    content["annotations"][0]["iscrowd"] = 1
    content["annotations"][1]["ignore"] = 1
    del content["annotations"][2]["bbox"]
    content["annotations"][2]["segmentation"] = [[1, 2, 30, 2], [5, 40, 1, 2]]
    write(tmp_path, content)
    listing = read_boxes(tmp_path)
    first, second, _ = (entry.target for entry in listing.entries)
    assert first == Boxes((Box("狗", 10, 20, 110, 70, crowd=True), Box("cat", 0, 0, 200, 100, difficult=True)))
    assert second == Boxes((Box("cat", 1, 2, 30, 40),))
    assert faults(listing) == {"around a shape": [("instances.json", 1, "")]}


def test_what_names_nothing_is_counted(tmp_path: Path) -> None:
    content = coco_content(PAGES)
    content["images"].append({"id": 9, "file_name": "../../etc/passwd", "width": 1, "height": 1})
    content["images"].append({"id": 10})
    content["annotations"] += [{"image_id": 77, "category_id": 1, "bbox": [0, 0, 1, 1]}, {"image_id": 0}]
    content["annotations"].append("nonsense")
    content["annotations"].append({"image_id": 2, "category_id": 1, "bbox": [0, "x", None, True]})
    content["categories"].append({"id": 5, "name": "empty"})
    write(tmp_path, content)
    save_picture(tmp_path / "images" / "d.png", (8, 8))
    listing = read_boxes(tmp_path)
    assert faults(listing) == {
        "no picture": [
            ("instances.json", 1, "../../etc/passwd"),
            ("instances.json", 1, "an image without file_name"),
            ("instances.json", 1, "boxes of an image that is not listed"),
        ],
        "not annotated": [("d.png", 1, "")],
        "no class": [("instances.json", 2, "")],
    }
    assert f"{tmp_path}: categories without a box, which are no classes: 'empty'." in listing.notes


def test_a_broken_file_is_told(tmp_path: Path) -> None:
    write(tmp_path, coco_content(PAGES), "train.json")
    (tmp_path / "annotations" / "val.json").write_text('{"images": [], "annotations": ')
    (tmp_path / "annotations" / "deep.json").write_text("[" * 100_000)
    listing = read_boxes(tmp_path)
    assert [(name, detail[:8]) for name, _, detail in faults(listing)["unreadable"]] == [
        ("deep.json", "no JSON:"),
        ("val.json", "no JSON:"),
    ]
    assert len(listing.entries) == 3
