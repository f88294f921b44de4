"""Folders of pictures with masks, read and settled. In: small data sets. Out: entries, splits, classes, what is told."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from tellapart.data.examples import Listing, ReadOptions
from tellapart.data.listing import read_listing
from tellapart.data.mask_targets import MaskFile
from tellapart.data.masks import read_mask
from tellapart.errors import DataError, SettingsError
from tests.data.mask_data import halves, settled, write_mask, write_picture, write_set

SAME = {"a": halves(0, 1), "b": halves(1, 0), "c": halves(0, 1)}


def splits(listing: Listing) -> dict[str, str | None]:
    return {entry.path.stem: entry.split for entry in listing.entries}


def faults(listing: Listing) -> dict[str, list[str]]:
    return {kind: [Path(fault.path).name for fault in found] for kind, found in listing.faults.items()}


def masks(listing: Listing) -> Mapping[str, list[list[int]]]:
    """By the picture's name."""
    found = {}
    for entry in listing.entries:
        assert isinstance(entry.target, MaskFile)
        found[entry.path.stem] = read_mask(entry.target, listing.classes).tolist()
    return found


def test_folders_of_pictures_and_masks_are_found_and_told(tmp_path: Path) -> None:
    write_set(tmp_path, SAME)
    write_picture(tmp_path / "images" / "alone.jpg")
    write_mask(tmp_path / "masks" / "nobody.png", halves(0, 1))
    listing = read_listing(tmp_path)
    assert listing.task == "segmentation"
    assert listing.notes[0] == (
        f"{tmp_path}: images/ beside masks/ with pictures in both, read as pictures with masks (task segmentation)."
    )
    assert faults(listing) == {"no mask": ["alone.jpg"], "mask without picture": ["nobody.png"]}
    assert [entry.path.name for entry in listing.entries] == ["a.jpg", "b.jpg", "c.jpg"]


@pytest.mark.parametrize("inside", [True, False])
def test_splits_by_folders(tmp_path: Path, inside: bool) -> None:
    for number, split in enumerate(("train", "val", "test")):
        images, beside = (f"images/{split}", f"masks/{split}") if inside else (f"{split}/images", f"{split}/masks")
        write_set(tmp_path, {f"{number}": halves(0, 1)}, images, beside)
    listing, _ = settled(tmp_path)
    assert splits(listing) == {"0": "train", "1": "validation", "2": "test"}


def test_pascal_voc_with_its_lists(tmp_path: Path) -> None:
    palette = [0, 0, 0, 128, 0, 0, 0, 128, 0] + [7] * 756 + [224, 224, 192]
    for number in range(6):
        write_picture(tmp_path / "JPEGImages" / f"{number}.jpg", seed=number)
        (tmp_path / "Annotations").mkdir(exist_ok=True)
        (tmp_path / "Annotations" / f"{number}.xml").write_text("<annotation/>")
        if number < 4:
            mask = halves(0, number % 2 + 1)
            mask[0, 0] = 255
            write_mask(tmp_path / "SegmentationClass" / f"{number}.png", mask, palette)
            write_mask(tmp_path / "SegmentationObject" / f"{number}.png", mask, palette)
    lists = tmp_path / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("0\n1\n")
    (lists / "val.txt").write_text("2\n")
    (lists / "trainval.txt").write_text("0\n1\n2\n")
    (tmp_path / "ImageSets" / "Main").mkdir()
    (tmp_path / "ImageSets" / "Main" / "train.txt").write_text("5\n")
    listing, _ = settled(tmp_path)
    assert splits(listing) == {"0": "train", "1": "train", "2": "validation"}
    assert faults(listing) == {"in no list": ["3.jpg"]}
    assert listing.classes == ("background", "1", "2")
    assert masks(listing)["1"][0] == [255, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2]
    assert any("the lists train.txt, trainval.txt, val.txt say the splits." in note for note in listing.notes)
    assert any("what has the value 255 counts nowhere, 1.04 % of the pixels" in note for note in listing.notes)


def test_lists_of_pairs_as_paddleseg_has_them(tmp_path: Path) -> None:
    for number, name in enumerate("abc"):
        write_picture(tmp_path / "p" / f"{name}.jpg", seed=number)
        write_mask(tmp_path / "q" / f"{name}{number}.png", halves(0, 1))
    (tmp_path / "train.txt").write_text("p/a.jpg q/a0.png\np/b.jpg q/b1.png\n../../etc/passwd q/b1.png\n")
    (tmp_path / "val_list.txt").write_text("/p/c.jpg q/c2.png\n")
    (tmp_path / "labels.txt").write_text("ground\ncrack\n")
    listing, _ = settled(tmp_path)
    assert splits(listing) == {"a": "train", "b": "train", "c": "validation"}
    assert listing.classes == ("ground", "crack")
    assert any(f"the values are named by {tmp_path / 'labels.txt'}." in note for note in listing.notes)


def test_a_list_in_another_encoding_is_refused_and_not_passed_over(tmp_path: Path) -> None:
    write_set(tmp_path, {"图1": halves(0, 1), "图2": halves(0, 1)})
    (tmp_path / "train.txt").write_text("图1\n", encoding="utf-16")
    (tmp_path / "val.txt").write_text("图2\n")
    assert splits(settled(tmp_path)[0]) == {"图1": "train", "图2": "validation"}
    (tmp_path / "train.txt").write_text("\n图1\n", encoding="gb18030")  # which is UTF-8 too: of another letter
    listing, _ = settled(tmp_path)
    told = f"{tmp_path / 'train.txt'}: a list of 1 line, none of which names a picture here; it says no split."
    assert told in listing.notes
    (tmp_path / "train.txt").write_text("\n裂缝\n", encoding="gb18030")
    with pytest.raises(
        DataError, match=r"train\.txt', which lists pictures, is not in UTF-8 \(line 2\)\. Save it as UTF-8"
    ):
        settled(tmp_path)


def test_one_mask_a_class_is_joined(tmp_path: Path) -> None:
    for number, name in enumerate(("a", "b")):
        write_picture(tmp_path / "images" / f"{name}.jpg", seed=number)
        write_mask(tmp_path / "masks" / "cell" / f"{name}.png", halves(255, 0))
        wall = np.zeros((8, 12), dtype=np.uint8)
        wall[:4, 3:9] = 1
        write_mask(tmp_path / "masks" / "wall" / f"{name}.png", wall)
    listing, _ = settled(tmp_path)
    assert listing.classes == ("background", "cell", "wall")
    found = np.array(masks(listing)["a"])
    assert found[0].tolist() == [1, 1, 1, 2, 2, 2, 2, 2, 2, 0, 0, 0]
    assert found[7].tolist() == [1] * 6 + [0] * 6
    text = listing.entries[0].target.text
    assert read_mask(MaskFile.read(text), listing.classes).tolist() == found.tolist()
    ordered, _ = settled(tmp_path, classes="wall,background,cell")
    assert ordered.classes == ("wall", "background", "cell")
    without, _ = settled(tmp_path, ignore_label="wall")
    assert masks(without)["a"][0][3] == 255
    with pytest.raises(DataError, match=r"show 'background', and --classes has wall, cell\. Name all their classes"):
        settled(tmp_path, classes="wall,cell")


def test_a_part_must_be_black_and_white_and_of_the_others_size(tmp_path: Path) -> None:
    for number, name in enumerate(("a", "b", "c")):
        write_picture(tmp_path / "images" / f"{name}.jpg", seed=number)
        write_mask(tmp_path / "masks" / "cell" / f"{name}.png", halves(1, 0))
        write_mask(tmp_path / "masks" / "wall" / f"{name}.png", halves(0, 1))
    write_mask(tmp_path / "masks" / "wall" / "a.png", [[0, 1, 2]] * 2)
    write_mask(tmp_path / "masks" / "wall" / "b.png", [[0, 1]] * 2)
    listing, _ = settled(tmp_path)
    assert [fault.detail for fault in listing.faults["unreadable mask"]] == [
        "a.png is the mask of 'wall' alone, and has 3 values, not two",
        "b.png has another size than the masks of the other classes",
    ]
    assert len(listing.entries) == 1


def test_a_smoothed_part_is_cut_in_the_middle(tmp_path: Path) -> None:
    disc = np.zeros((64, 64), dtype=np.uint8)
    disc[20:44, 20:44] = 255
    blurred = np.asarray(Image.fromarray(disc).filter(ImageFilter.GaussianBlur(1)))
    for number, name in enumerate(("a", "b")):
        write_picture(tmp_path / "images" / f"{name}.jpg", 64, 64, seed=number)
        write_mask(tmp_path / "masks" / "cell" / f"{name}.png", blurred)
        write_mask(tmp_path / "masks" / "wall" / f"{name}.png", halves(0, 0, 64, 64))
    listing, _ = settled(tmp_path)
    assert masks(listing)["a"] == (blurred >= 128).astype(int).tolist()


def test_bad_masks_are_left_out_with_the_reason(tmp_path: Path) -> None:
    write_set(tmp_path, {name: halves(0, 1) for name in "abcdefgh"})
    write_mask(tmp_path / "masks" / "a.png", np.random.default_rng(0).integers(0, 256, (8, 12, 3)))
    (tmp_path / "masks" / "b.png").write_bytes(b"")
    write_mask(tmp_path / "masks" / "c.png", halves(0, 1, 9, 8))
    write_mask(tmp_path / "masks" / "d.png", halves(0, 1, 24, 16))
    write_mask(tmp_path / "masks" / "e.png", halves(255, 255))
    (tmp_path / "masks" / "f.png").unlink()
    write_mask(tmp_path / "masks" / "f.jpg", halves(0, 1))
    listing, kept = settled(tmp_path)
    assert faults(listing) == {
        "unreadable mask": ["a.jpg", "b.jpg", "f.jpg"],
        "other shape": ["c.jpg"],
        "mask scaled": ["d.jpg"],
        "nothing counts": ["e.jpg"],
    }
    assert [entry.path.stem for entry in listing.entries] == ["d", "g", "h"]
    assert len(kept) == len(listing.entries)
    details = {Path(fault.path).stem: fault.detail for found in listing.faults.values() for fault in found}
    assert details["b"] == "empty file"
    assert "saved as JPEG" in details["f"]
    assert details["c"] == "9 x 8 of 12 x 8"


def test_when_no_mask_can_be_used_the_first_reason_is_told(tmp_path: Path) -> None:
    write_set(tmp_path, {"a": halves(0, 1)})
    write_mask(tmp_path / "masks" / "a.png", halves(0, 1, 9, 8))
    with pytest.raises(
        DataError, match=r"none of the 1 mask of .* can be used; that of the first picture, .*a\.jpg, because: other"
    ):
        settled(tmp_path)


def test_a_picture_that_exif_turns(tmp_path: Path) -> None:
    write_picture(tmp_path / "images" / "a.jpg", 12, 8, 0, orientation=6)
    write_mask(tmp_path / "masks" / "a.png", halves(0, 1, 12, 8))
    write_picture(tmp_path / "images" / "b.jpg", 12, 8, 1, orientation=3)
    write_mask(tmp_path / "masks" / "b.png", halves(0, 1, 12, 8))
    listing, inspections = settled(tmp_path)
    assert (inspections[0].width, inspections[0].height) == (8, 12)
    assert faults(listing) == {"mask turned": ["a.jpg"], "mask perhaps turned": ["b.jpg"]}
    assert masks(listing)["a"] == np.rot90(halves(0, 1), -1).tolist()
    assert MaskFile.read(listing.entries[0].target.text) == listing.entries[0].target


def test_an_archive_is_read_in_place(tmp_path: Path) -> None:
    write_set(tmp_path / "set", SAME)
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in sorted((tmp_path / "set").rglob("*.*")):
            archive.write(path, path.relative_to(tmp_path))
    listing, _ = settled(tmp_path / "set.zip")
    assert masks(listing)["a"] == halves(0, 1).tolist()


def test_a_folder_without_masks_says_how_they_are_arranged(tmp_path: Path) -> None:
    write_picture(tmp_path / "images" / "a.jpg")
    with pytest.raises(DataError, match=r"has no picture with a mask\. Arrange them as images/a\.jpg and masks/a\.png"):
        read_listing(tmp_path, ReadOptions(task="segmentation"))


def test_flags_on_values_are_about_masks(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        write_picture(tmp_path / name / "1.jpg")
    with pytest.raises(
        SettingsError, match=r"--classes is 'a,b', which is about the values of masks, and .* has labels"
    ):
        read_listing(tmp_path, ReadOptions(classes="a,b"))
    with pytest.raises(SettingsError, match="--ignore-label is '3'"):
        read_listing(tmp_path, ReadOptions(ignore_label="3"))


@pytest.mark.parametrize(
    "names",
    [
        ("mask/1.jpg", "no_mask/1.jpg"),
        ("with_mask/1.jpg", "without_mask/1.jpg", "images/1.jpg"),
        ("mask/1.jpg", "normal/1.jpg"),
        ("label/1.jpg", "original/2.jpg"),
        ("cat/cat_seg.jpg", "dog/1.jpg"),
    ],
)
def test_classes_that_are_called_like_masks_stay_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    for number, name in enumerate(names):
        write_picture(tmp_path / name, seed=number)
    if "images/1.jpg" in names:
        with pytest.raises(DataError):
            read_listing(tmp_path, ReadOptions(task="detection"))
        return
    assert read_listing(tmp_path).task == "classification"


def test_masks_beside_pictures_in_folders_that_may_be_classes(tmp_path: Path) -> None:
    for number, name in enumerate(("benign", "malignant")):
        write_picture(tmp_path / name / f"{name}.png", seed=number)
        write_mask(tmp_path / name / f"{name}_mask.png", halves(0, 255))
    listing = read_listing(tmp_path)
    assert listing.task == "segmentation"
    assert "pictures beside masks such as 'benign_mask.png'" in listing.notes[0]
    assert read_listing(tmp_path, ReadOptions(task="classification")).classes == ("benign", "malignant")
