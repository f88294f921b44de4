"""Which mask is of which picture. In: names of files. Out: pairs, and what is alone."""

from __future__ import annotations

import os

import pytest

from tellapart.data.mask_pairs import find_pairs
from tellapart.errors import DataError


def pairs(*names: str) -> tuple[dict[str, str], dict[str, dict[str, list[str]]], list[str], list[str]]:
    """By paths below the root: masks, classes with their masks, pictures and masks that are alone."""
    found = find_pairs("/root", [f"/root/{name}" for name in names])

    def short(path: str) -> str:
        return os.path.relpath(path, "/root")

    parts: dict[str, dict[str, list[str]]] = {}
    for picture, own in found.parts.items():
        for name, path in own:
            parts.setdefault(short(picture), {}).setdefault(name, []).append(short(path))
    masks = {short(picture): short(mask) for picture, mask in found.masks.items()}
    return masks, parts, list(map(short, found.without_mask)), list(map(short, found.without_picture))


@pytest.mark.parametrize(
    ("picture", "mask"),
    [
        ("images/a.jpg", "masks/a.png"),
        ("image/0.png", "label/0.png"),
        ("图片/猫.jpg", "标注/猫.png"),
        ("JPEGImages/2007_000032.jpg", "SegmentationClass/2007_000032.png"),
        ("data/Images/a.JPG", "data/Ground_Truth/a.bmp"),
        ("CVC/Original/1.tif", "CVC/Ground Truth/1.tif"),
        ("train/images/a.jpg", "train/masks/a.png"),
        ("images/train/a.jpg", "masks/train/a.png"),
        ("train_images/a.jpg", "train_masks/a.png"),
        ("train/a.jpg", "trainannot/a.png"),
        ("train/a.jpg", "train_masks/a_mask.gif"),
        ("images/a.jpg", "masks/a_mask.png"),
        ("images/a.jpg", "masks/mask_a.png"),
        ("images/img_a.jpg", "masks/mask_a.png"),
        ("images/a_sat.jpg", "masks/a-mask.png"),
        ("leftImg8bit/train/bonn/bonn_1_leftImg8bit.png", "gtFine/train/bonn/bonn_1_gtFine_labelIds.png"),
        ("images/scene/a.jpg", "masks/a.png"),
        ("images/a.jpg", "masks/train/a.png"),
    ],
)
def test_the_usual_arrangements(picture: str, mask: str) -> None:
    assert pairs(picture, mask) == ({picture: mask}, {}, [], [])


def test_pictures_and_masks_that_are_alone() -> None:
    assert pairs("images/a.jpg", "images/b.jpg", "masks/a.png", "masks/c.png") == (
        {"images/a.jpg": "masks/a.png"},
        {},
        ["images/b.jpg"],
        ["masks/c.png"],
    )


def test_masks_beside_their_pictures() -> None:
    assert pairs("x/a.jpg", "x/a_mask.png", "y/b.jpg", "y/b.mask.png", "y/c.jpg") == (
        {"x/a.jpg": "x/a_mask.png", "y/b.jpg": "y/b.mask.png"},
        {},
        ["y/c.jpg"],
        [],
    )
    # Ultrasound pictures with a mask for each tumour.
    assert pairs("b/b (1).png", "b/b (1)_mask.png", "b/b (1)_mask_1.png", "b/b (2).png", "b/b (2)_mask.png") == (
        {"b/b (2).png": "b/b (2)_mask.png"},
        {"b/b (1).png": {"foreground": ["b/b (1)_mask.png", "b/b (1)_mask_1.png"]}},
        [],
        [],
    )


def test_one_mask_a_class_by_folders_or_by_the_ends_of_names() -> None:
    found = {"images/a.jpg": {"cell": ["masks/cell/a.png"], "wall": ["masks/wall/a.png"]}}
    assert pairs("images/a.jpg", "masks/cell/a.png", "masks/wall/a.png") == ({}, found, [], [])
    ends = {
        "images/a.jpg": {"cell": ["masks/a_cell.png"], "wall": ["masks/a_wall_mask.png"]},
        "images/b.jpg": {"wall": ["masks/b_wall_mask.png"]},
    }
    assert pairs(
        "images/a.jpg", "images/b.jpg", "masks/a_cell.png", "masks/a_wall_mask.png", "masks/b_wall_mask.png"
    ) == ({}, ends, [], [])
    one = {"images/a.jpg": {"crack": ["masks/crack/a.png"]}}
    assert pairs("images/a.jpg", "masks/crack/a.png") == ({}, one, [], [])


def test_one_end_alone_says_no_class() -> None:
    """As CamVid has them."""
    assert pairs("images/a.png", "images/b.png", "labels/a_L.png", "labels/b_L.png") == (
        {"images/a.png": "labels/a_L.png", "images/b.png": "labels/b_L.png"},
        {},
        [],
        [],
    )


def test_names_without_what_all_begin_and_end_with() -> None:
    """As DRIVE has them."""
    assert pairs(
        "training/images/21_training.tif",
        "training/images/22_training.tif",
        "training/1st_manual/21_manual1.gif",
        "training/1st_manual/22_manual1.gif",
    )[0] == {
        "training/images/21_training.tif": "training/1st_manual/21_manual1.gif",
        "training/images/22_training.tif": "training/1st_manual/22_manual1.gif",
    }


def test_a_folder_for_each_picture_with_a_mask_for_each_thing() -> None:
    """As the Data Science Bowl of 2018 has them."""
    assert pairs("x/images/x.png", "x/masks/1a.png", "x/masks/2b.png", "y/images/y.png", "y/masks/3c.png")[1] == {
        "x/images/x.png": {"foreground": ["x/masks/1a.png", "x/masks/2b.png"]},
        "y/images/y.png": {"foreground": ["y/masks/3c.png"]},
    }


def test_several_folders_of_masks_are_asked_about() -> None:
    with pytest.raises(DataError, match=r"the picture /root/images/a.jpg has masks in 'gt' and in 'masks'. Keep one"):
        pairs("images/a.jpg", "masks/a.png", "gt/a.png")


def test_colours_and_numbers_of_things_are_passed_over() -> None:
    city = [f"gtFine/val/a/a_1_gtFine_{end}.png" for end in ("color", "instanceIds", "labelIds")]
    masks, _, _, alone = pairs("leftImg8bit/val/a/a_1_leftImg8bit.png", *city)
    assert masks == {"leftImg8bit/val/a/a_1_leftImg8bit.png": city[2]}
    assert alone == []
