"""One mask opened. In: a picture with a mask, a memory. Out: what its file says, decoded once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from tellapart.data.examples import Listing, ReadOptions
from tellapart.data.inspection import inspect_all
from tellapart.data.listing import read_listing
from tellapart.data.mask_settling import settle_masks
from tellapart.data.mask_targets import MaskFile
from tellapart.data.masks import read_mask
from tellapart.data.reader import Opening
from tests.data.mask_data import halves, settled, write_mask, write_picture, write_set


class Kept:
    """A memory that can be looked at."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.found = 0

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        known = {key: self.values[key] for key in keys if key in self.values}
        self.found += len(known)
        return known

    def put_many(self, items: Mapping[str, bytes]) -> None:
        self.values.update(items)


def test_what_was_found_is_remembered_by_content(tmp_path: Path) -> None:
    write_set(tmp_path, {"a": halves(0, 255), "b": halves(255, 0), "c": halves(0, 255, 9, 8), "d": halves(1, 1)})
    write_mask(tmp_path / "masks" / "c.png", halves(0, 1, 24, 8))
    (tmp_path / "masks" / "d.png").write_bytes(b"none")
    memory, done = Kept(), list[int]()

    def look() -> Listing:
        listing = read_listing(tmp_path, ReadOptions(task="segmentation"))
        inspections = inspect_all([entry.path for entry in listing.entries], workers=1)
        done.clear()
        return settle_masks(listing, inspections, Opening(workers=2, remembered=memory, advance=done.append))[0]

    first = look()
    assert sum(done) == 4
    assert (len(memory.values), memory.found) == (4, 0)
    assert look() == first
    assert memory.found == 4
    # It is believed, unless it is broken.
    for key, value in memory.values.items():
        memory.values[key] = value.replace(b'"pixels": [48, 48]', b'"pixels": [1, 95]')
    changed = look().entries[0].target
    assert isinstance(changed, MaskFile)
    assert changed.areas == {"background": 1, "foreground": 95}
    for key in memory.values:
        memory.values[key] = b'{"problem": 3}'
    assert look() == first
    assert all(len(value) > 20 for value in memory.values.values())
    write_mask(tmp_path / "masks" / "a.png", halves(255, 255))
    again = look().entries[0].target
    assert isinstance(again, MaskFile)
    assert again.areas == {"foreground": 96}


@pytest.mark.parametrize("also_plain", [True, False])
def test_smoothed_masks_are_cut_in_the_middle_and_told(tmp_path: Path, also_plain: bool) -> None:
    disc = np.zeros((64, 64), dtype=np.uint8)
    disc[20:44, 20:44] = 255
    blurred = np.asarray(Image.fromarray(disc).filter(ImageFilter.GaussianBlur(1)))
    write_set(tmp_path, {"a": blurred, "b": blurred.T, "c": disc if also_plain else blurred[::-1]})
    listing, _ = settled(tmp_path)
    assert listing.classes == ("background", "foreground")
    assert len(listing.faults["smoothed"]) == (2 if also_plain else 3)
    target = listing.entries[0].target
    assert isinstance(target, MaskFile)
    np.testing.assert_array_equal(read_mask(target, listing.classes), blurred >= 128)
    assert MaskFile.read(target.text) == target


def test_a_mask_of_a_class_more_is_not_cut(tmp_path: Path) -> None:
    disc = np.zeros((64, 64), dtype=np.uint8)
    disc[20:44, 20:44] = 255
    blurred = np.asarray(Image.fromarray(disc).filter(ImageFilter.GaussianBlur(1)))
    write_set(tmp_path, {"a": blurred, "b": halves(0, 100, 64, 64)})
    listing, _ = settled(tmp_path)
    assert len(listing.classes) > 3
    assert "smoothed" not in listing.faults


def test_a_picture_that_cannot_be_read_keeps_its_mask_as_it_was_given(tmp_path: Path) -> None:
    write_set(tmp_path, {"a": halves(0, 255), "b": halves(255, 0)})
    (tmp_path / "images" / "b.jpg").write_bytes(b"\xff\xd8\xff broken")
    listing, inspections = settled(tmp_path)
    assert listing.entries[1].target == MaskFile(tmp_path / "masks" / "b.png")
    assert inspections[1].problem


def test_masks_of_16_bits(tmp_path: Path) -> None:
    mask = halves(0, 1).astype(np.uint16) * 1000
    write_set(tmp_path, {"a": mask, "b": mask + np.uint16(7)})
    listing, _ = settled(tmp_path)
    assert listing.classes == ("background", "7", "1000", "1007")
    things = np.repeat(np.arange(26_000, 26_004, dtype=np.uint16), 24).reshape(8, 12)
    for name in ("a", "b"):
        write_mask(tmp_path / "masks" / f"{name}.png", things)
    listing, _ = settled(tmp_path, classes="person=26000-26999")
    assert listing.classes == ("person",)
    write_picture(tmp_path / "images" / "c.jpg", 20, 20)
    write_mask(tmp_path / "masks" / "c.png", np.arange(400, dtype=np.uint16).reshape(20, 20) + 26_000)
    listing, _ = settled(tmp_path, classes="person=26000-26999")
    assert "more than 256 different values" in listing.faults["unreadable mask"][0].detail
