"""Pictures as a browser can show them. In: files of many kinds. Out: upright PNG or JPEG."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.errors import PictureError
from tellapart.serving.desk_pictures import SIDE, PictureMaker


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_a_small_picture_loses_nothing(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    Image.fromarray(array).save(tmp_path / "a.tif")
    made = PictureMaker().make(str(tmp_path / "a.tif"))
    assert made.kind == "image/png"
    np.testing.assert_array_equal(pixels(made.data), array)


def test_a_picture_stands_upright(tmp_path: Path) -> None:
    image, exif = Image.new("RGB", (8, 4)), Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.jpg", exif=exif)
    assert pixels(PictureMaker().make(str(tmp_path / "a.jpg")).data).shape == (8, 4, 3)


def test_a_large_picture_is_shown_smaller_unless_all_is_asked_for(tmp_path: Path) -> None:
    Image.new("RGB", (2 * SIDE, 600), (10, 200, 30)).save(tmp_path / "a.jpg")
    maker = PictureMaker()
    small, whole = maker.make(str(tmp_path / "a.jpg")), maker.make(str(tmp_path / "a.jpg"), whole=True)
    assert (small.kind, pixels(small.data).shape) == ("image/jpeg", (300, SIDE, 3))
    assert (whole.kind, pixels(whole.data).shape) == ("image/jpeg", (600, 2 * SIDE, 3))
    assert small.tag != whole.tag


def test_deep_values_are_shown_in_their_own_range_or_the_models(tmp_path: Path) -> None:
    array = np.array([[1000, 1500, 2000]], dtype=np.uint16)
    Image.fromarray(array).save(tmp_path / "a.png")
    own = pixels(PictureMaker().make(str(tmp_path / "a.png")).data)
    told = pixels(PictureMaker(span=(0, 2000)).make(str(tmp_path / "a.png")).data)
    assert own[0, :, 0].tolist() == [0, 128, 255] or own[0, :, 0].tolist() == [0, 127, 255]
    assert told[0, 0, 0] in (127, 128)


def test_made_pictures_are_kept_until_the_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.bmp"  # of the same size, whatever it shows
    Image.new("RGB", (4, 4)).save(path)
    maker = PictureMaker()
    first = maker.make(str(path))
    assert maker.make(str(path)) is first
    Image.new("RGB", (4, 4), "white").save(path)
    os.utime(path, (1, 1))
    assert pixels(maker.make(str(path)).data)[0, 0].tolist() == [255, 255, 255]


def test_no_more_is_kept_than_told(tmp_path: Path) -> None:
    maker = PictureMaker(kept_bytes=1)
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    assert maker.make(str(tmp_path / "a.png")) is not maker.make(str(tmp_path / "a.png"))


@pytest.mark.parametrize(
    ("name", "reason"), [("bad.jpg", "not a picture"), ("gone.jpg", "cannot be read: No such file")]
)
def test_what_cannot_be_shown_says_why(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    with pytest.raises(PictureError, match=reason):
        PictureMaker().make(str(tmp_path / name))
