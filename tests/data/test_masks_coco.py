"""Masks out of COCO's JSON. In: polygons and run lengths. Out: classes a pixel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco

from tellapart.data.examples import ReadOptions
from tellapart.data.listing import read_listing
from tellapart.data.mask_targets import MaskFile
from tellapart.data.masks import read_mask
from tellapart.data.other_tasks import OtherTask
from tellapart.errors import DataError
from tests.data.mask_data import settled, write_picture

SIZE = (12, 8)


def square(left: int, top: int, right: int, bottom: int) -> list[float]:
    return [left, top, right, top, right, bottom, left, bottom]


def write_coco(
    path: Path, annotations: list[dict[str, Any]], pictures: tuple[str, ...] = ("a.jpg",), **image: Any
) -> None:
    size = {"width": SIZE[0], "height": SIZE[1], **image}
    content = {
        "images": [{"id": number, "file_name": name, **size} for number, name in enumerate(pictures)],
        "annotations": [{"id": number, "image_id": 0, **one} for number, one in enumerate(annotations)],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}, {"id": 3, "name": "never"}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    for number, name in enumerate(pictures):
        write_picture(path.parent / name, *SIZE, seed=number)


def drawn(root: Path) -> tuple[np.ndarray, tuple[str, ...], dict[str, list[str]]]:
    """The first picture's mask, the classes, and what is wrong."""
    listing, _ = settled(root)
    target = listing.entries[0].target
    assert isinstance(target, MaskFile)
    assert MaskFile.read(target.text) == target
    return (
        read_mask(target, listing.classes),
        listing.classes,
        {kind: [fault.detail for fault in found] for kind, found in listing.faults.items()},
    )


def test_the_smaller_shape_lies_above_and_crowds_below(tmp_path: Path) -> None:
    runs = coco.encode(np.asfortranarray(np.ones(SIZE[::-1], dtype=np.uint8)))
    packed = {"size": [8, 12], "counts": runs["counts"].decode()}
    write_coco(
        tmp_path / "instances.json",
        [
            {"category_id": 1, "segmentation": [square(3, 3, 5, 5)]},
            {"category_id": 2, "segmentation": [square(2, 2, 8, 7), square(10, 0, 12, 1)]},
            {"category_id": 1, "segmentation": packed, "iscrowd": 1},
            {"category_id": 1, "segmentation": [square(6, 5, 7, 6)], "iscrowd": 1},
        ],
        ("a.jpg", "empty.jpg"),
    )
    mask, classes, faults = drawn(tmp_path)
    assert classes == ("background", "cat", "dog")
    assert faults == {}
    wanted = np.full(SIZE[::-1], 1)
    wanted[2:7, 2:8] = 2
    wanted[0, 10:] = 2
    wanted[3:5, 3:5] = 1
    np.testing.assert_array_equal(mask, wanted)
    listing, _ = settled(tmp_path)
    assert listing.entries[1].target.classes == ("background",)


def test_run_lengths_as_numbers_and_polygons_alike(tmp_path: Path) -> None:
    write_coco(
        tmp_path / "x.json",
        [
            {"category_id": 1, "segmentation": {"size": [8, 12], "counts": [0, 16, 80]}},
            {"category_id": 2, "segmentation": [square(10, 0, 12, 8)]},
        ],
    )
    mask, _, _ = drawn(tmp_path)
    assert mask.tolist() == [[1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2]] * 8


def test_what_has_no_shape_or_class_is_told_and_a_changed_json_too(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_coco(
        path,
        [
            {"category_id": 1, "segmentation": [square(0, 0, 6, 8)]},
            {"category_id": 1, "bbox": [1, 1, 3, 3]},
            {"category_id": 9, "segmentation": [square(0, 0, 6, 8)]},
            {"category_id": 1, "segmentation": [square(0, 0, 6, 8)], "image_id": 7},
        ],
    )
    _, classes, faults = drawn(tmp_path)
    assert classes == ("background", "cat")
    assert faults == {"shape without class": [""], "no shape": [""]}
    listing, _ = settled(tmp_path)
    target = listing.entries[0].target
    assert isinstance(target, MaskFile)
    write_coco(path, [{"category_id": 1, "segmentation": [square(0, 0, 7, 8)]}])
    with pytest.raises(DataError, match="has changed since it was looked at"):
        read_mask(target, listing.classes)
    path.unlink()
    with pytest.raises(DataError, match="says nothing of an image '0', or is not there"):
        read_mask(target, listing.classes)


def test_a_picture_of_whose_things_none_has_a_shape_is_left_out(tmp_path: Path) -> None:
    """Something is there: it would be wrong to learn that nothing is."""
    box, shape = {"category_id": 1, "bbox": [1, 1, 3, 3]}, {"category_id": 1, "segmentation": [square(0, 0, 6, 8)]}
    write_coco(tmp_path / "x.json", [{**box, "image_id": 1}, shape], ("a.jpg", "b.jpg"))
    listing, _ = settled(tmp_path)
    assert [entry.path.name for entry in listing.entries] == ["a.jpg"]
    assert [fault.detail for fault in listing.faults["none left"]] == ["of 1"]


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ([[1, 2, 3]], "a polygon whose points are no pairs of numbers"),
        ([["a", "b"] * 3], "points that are no numbers"),
        ([[1e12, 0, 5, 5, 9, 1]], "points that are no numbers, far outside"),
        ({"size": [8, 12], "counts": [1, 2]}, "do not add up to 12 x 8 pixels"),
        ({"size": [8, 13], "counts": [104]}, r"run lengths for \[8, 13\] \(height, width\) in a picture of 12 x 8"),
        ({"size": [8, 12], "counts": {"x": 1}}, "neither numbers nor a text"),
        ({"size": [8, 12], "counts": "é"}, "in a text that is none of COCO's"),
    ],
)
def test_bad_shapes_leave_the_picture_out(tmp_path: Path, shape: object, reason: str) -> None:
    write_coco(tmp_path / "x.json", [{"category_id": 1, "segmentation": shape}])
    with pytest.raises(DataError, match=reason):
        settled(tmp_path)


def test_a_json_without_sizes_speaks_of_the_picture_s_own(tmp_path: Path) -> None:
    write_coco(tmp_path / "x.json", [{"category_id": 1, "segmentation": [square(0, 0, 6, 8)]}], width=None, height=0)
    mask, _, _ = drawn(tmp_path)
    assert mask.tolist() == [[1] * 6 + [0] * 6] * 8


def test_the_json_s_name_or_folder_says_the_split(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "val")):
        write_coco(
            tmp_path / "annotations" / f"instances_{split}2017.json",
            [{"category_id": 1, "segmentation": [square(0, 0, 6, 8)]}],
            (f"{split}.jpg",),
        )
        (tmp_path / "annotations" / f"{split}.jpg").unlink()
        write_picture(tmp_path / f"{split}2017" / f"{split}.jpg", *SIZE, seed=number)
    listing, _ = settled(tmp_path)
    assert [entry.split for entry in listing.entries] == ["train", "validation"]


def test_a_model_is_tested_on_what_it_learned_where_the_data_may_be_either(tmp_path: Path) -> None:
    box = {"bbox": [2, 2, 6, 5], "area": 30}
    write_coco(tmp_path / "instances.json", [{"category_id": 2, "segmentation": [square(2, 2, 8, 7)], **box}])
    tasks = ("segmentation", "detection")
    assert [read_listing(tmp_path, ReadOptions(task=one, task_of_model=True)).task for one in tasks] == list(tasks)  # type: ignore[arg-type]
    assert read_listing(tmp_path).task == "detection"
    with pytest.raises(OtherTask, match="looks like a data set for detection or segmentation"):
        read_listing(tmp_path, ReadOptions(task="classification", task_of_model=True))
