"""Boxes turned as Pillow turns pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from tellapart.data.box_turning import exchanges_sides, orientation_of, upright
from tellapart.data.targets import Box
from tests.data.box_forms import save_picture


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_turn_with_the_picture(orientation: int, tmp_path: Path) -> None:
    stored = np.zeros((40, 60, 3), dtype=np.uint8)
    stored[5:15, 20:50] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.png"
    Image.fromarray(stored).save(path, exif=exif)
    assert orientation_of(path) == orientation
    with Image.open(path) as picture:
        turned = np.asarray(ImageOps.exif_transpose(picture))
    rows, columns = np.nonzero(turned[:, :, 0])
    wanted = Box("a", columns.min(), rows.min(), columns.max() + 1, rows.max() + 1, truncated=True)
    box = Box("a", 20, 5, 50, 15, truncated=True)
    assert upright([box], orientation, width=turned.shape[1], height=turned.shape[0]) == [wanted]
    assert exchanges_sides(orientation) == (turned.shape[:2] != stored.shape[:2])


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_what_is_no_orientation_turns_nothing(orientation: int, tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png", (8, 8), orientation=orientation)
    assert orientation_of(tmp_path / "a.png") == 1
    (tmp_path / "b.png").write_text("nothing")
    assert orientation_of(tmp_path / "b.png") == 1
    assert orientation_of(tmp_path / "c.png") == 1
