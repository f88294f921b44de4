"""Pictures as PNG files. In: pictures and arrays. Out: files that hold the same pixels."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.drawing.png import encode_png, write_png
from tellapart.errors import StorageError

PIXELS = np.random.default_rng(0).integers(0, 256, (7, 5, 4), dtype=np.uint8)


@pytest.mark.parametrize("shape", [(7, 5), (7, 5, 3), (7, 5, 4)])
@pytest.mark.parametrize("smallest", [False, True])
def test_every_pixel_comes_back(shape: tuple[int, ...], smallest: bool) -> None:
    picture = PIXELS[..., 0] if len(shape) == 2 else PIXELS[..., : shape[2]]
    data = encode_png(picture, smallest=smallest)
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), picture)


def test_an_array_and_a_picture_give_the_same_file() -> None:
    assert encode_png(PIXELS) == encode_png(Image.fromarray(PIXELS))


def test_smallest_is_no_larger() -> None:
    flat = np.zeros((200, 200, 4), dtype=np.uint8)
    flat[::7] = 90
    assert len(encode_png(flat, smallest=True)) <= len(encode_png(flat))


def test_a_file_takes_the_place_of_an_earlier_one_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "new" / "sheet.picture"
    write_png(path, PIXELS[..., :3])
    write_png(path, PIXELS[..., 0])
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(path.read_bytes()))), PIXELS[..., 0])
    assert [one.name for one in path.parent.iterdir()] == ["sheet.picture"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="in the way|not a folder"):
        write_png(tmp_path / "file" / "sheet.png", PIXELS)
