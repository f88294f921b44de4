"""A picture to a network's input, and the way back. In: pictures of several shapes. Out: pixels that are found again."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tellapart.answers.answering import Placement
from tellapart.answers.pictures import place, prepare_picture
from tellapart.answers.table import ANSWERINGS
from tellapart.errors import PictureError
from tellapart.preprocessing import Preprocessing


def encoded(image: Image.Image, layout: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, layout, **options)
    return file.getvalue()


def test_the_part_that_is_shown_is_a_square_in_the_middle() -> None:
    """By hand: 80 of the shorter side's 100 pixels with a crop of 0.8, so 10 are left out above and below."""
    found = place(300, 100, Preprocessing(size=32, crop=0.8))
    assert found == Placement(width=300, height=100, left=110, top=10, right=190, bottom=90)
    assert place(100, 300, Preprocessing(size=32, crop=1.0)) == Placement(
        width=100, height=300, left=0, top=100, right=100, bottom=200
    )


def test_points_of_the_input_lead_back_to_the_source() -> None:
    found = Placement(width=300, height=100, left=110, top=10, right=190, bottom=90)
    points = np.array([[0, 0], [1, 1], [0.5, 0.25]])
    np.testing.assert_allclose(found.to_source(points), [[110, 10], [190, 90], [150, 30]])
    assert found.to_source(points[None]).shape == (1, 3, 2)


@pytest.mark.parametrize(("width", "height"), [(400, 300), (300, 400), (640, 640)])
@pytest.mark.parametrize("layout", ["PNG", "JPEG"])
def test_a_spot_seen_in_the_input_is_found_in_the_source(width: int, height: int, layout: str) -> None:
    x, y = width // 2 + 40, height // 2 - 60
    picture = Image.new("RGB", (width, height), "black")
    picture.paste("white", (x - 10, y - 10, x + 10, y + 10))
    # Small enough that a JPEG is decoded at a reduced scale: the way back must lead to the stored pixels all the same.
    array, placement = prepare_picture(encoded(picture, layout), Preprocessing(size=64))
    weights = array[..., 0].astype(np.float64)
    rows, columns = np.mgrid[0.5:64.5, 0.5:64.5]
    centre = np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum() / 64
    np.testing.assert_allclose(placement.to_source(centre), [x, y], atol=1.5)
    assert (placement.width, placement.height) == (width, height)


def test_the_source_is_the_picture_as_it_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    data = encoded(Image.new("RGB", (40, 20), "white"), "JPEG", exif=exif)
    _, placement = prepare_picture(data, Preprocessing(size=8))
    assert (placement.width, placement.height) == (20, 40)


def test_pixels_are_treated_as_their_file_would_be() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 50, 3), dtype=np.uint8)
    of_file, of_pixels = (
        prepare_picture(data, Preprocessing(size=16)) for data in (encoded(Image.fromarray(pixels)), pixels)
    )
    np.testing.assert_array_equal(of_file[0], of_pixels[0])
    assert of_file[1] == of_pixels[1]
    with pytest.raises(PictureError, match="50 x 30 pixels; the limit is 1,000 in all"):
        prepare_picture(pixels, Preprocessing(size=16), max_pixels=1000)


@pytest.mark.parametrize("task", sorted(set(ANSWERINGS) - {"text"}))  # which takes none
def test_every_task_on_whole_pictures_prepares_in_this_way(task: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 50, 3), dtype=np.uint8)
    inputs = Preprocessing(size=16, crop=0.5)
    array, found = ANSWERINGS[task].prepare(pixels, inputs)
    wanted = prepare_picture(pixels, inputs)
    np.testing.assert_array_equal(array, wanted[0])
    assert found == wanted[1]
    for data in (pixels, encoded(Image.fromarray(pixels))):
        with pytest.raises(PictureError, match="limit is 1,000"):
            ANSWERINGS[task].prepare(data, inputs, max_pixels=1000)


def test_what_was_cut_off_is_remarked() -> None:
    """A file of 16 bits whose values go beyond the model's range is used, and says so; one within it says nothing."""
    data = encoded(Image.fromarray(np.array([[0, 4096], [100, 300]], dtype=np.uint16)))
    _, within = prepare_picture(data, Preprocessing(size=2, value_range=(0, 4096)))
    _, beyond = prepare_picture(data, Preprocessing(size=2, value_range=(0, 255)))
    assert within.remark == ""
    assert beyond.remark
