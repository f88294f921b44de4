"""Masks and boxes move with their picture. In: geometries. Out: what torchvision, an independent hand, makes of them."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from tellapart.data.augment import build_augmentation
from tellapart.data.augmentation import resolve
from tellapart.data.motion import into_square, motion_of, move_boxes, move_mask
from tellapart.data.transforms import IDENTITY, Geometry, multiply, reshape, rotation
from tellapart.preprocessing import Preprocessing, decode, prepare

BOXES = np.array([[10.0, 20.0, 30.0, 50.0], [40.0, 8.0, 64.0, 24.0], [0.0, 0.0, 64.0, 64.0]])
IGNORED = 255


def spots(side: int) -> NDArray[np.uint8]:
    """A mask of classes 0 to 4 in patches of some pixels."""
    coarse = np.random.default_rng(0).integers(0, 5, (8, 8), dtype=np.uint8)
    return np.kron(coarse, np.ones((side // 8, side // 8), dtype=np.uint8))


def as_boxes(boxes: NDArray[np.float64], side: int) -> tv_tensors.BoundingBoxes:
    return tv_tensors.BoundingBoxes(torch.from_numpy(boxes), format="XYXY", canvas_size=(side, side))  # type: ignore[call-arg]


@pytest.mark.parametrize("degrees", [-170.0, -30.0, 0.0, 15.0, 90.0])
@pytest.mark.parametrize("shear", [0.0, 20.0])
@pytest.mark.parametrize(("right", "down", "scale"), [(0, 0, 1.0), (8, -4, 1.25)])
def test_masks_and_boxes_move_as_torchvision_moves_them(
    degrees: float, shear: float, right: int, down: int, scale: float
) -> None:
    asked: dict[str, Any] = {"angle": degrees, "translate": [right, down], "scale": scale, "shear": [shear, 0.0]}
    leaning = (1.0, -math.tan(math.radians(shear)), 0.0, 1.0)
    matrix = multiply((scale, 0.0, 0.0, scale), multiply(rotation(degrees), leaning))
    motion = motion_of(Geometry(matrix=matrix, shift=(right / 64, down / 64)), side=64, size=64)

    expected = functional.affine(tv_tensors.Mask(torch.from_numpy(spots(64))[None]), **asked, fill=IGNORED)[0].numpy()
    found = move_mask(spots(64), motion, fill=IGNORED)
    assert (found == expected).mean() > 0.99  # the middle of a pixel may fall on the border between two

    moved = functional.affine(as_boxes(BOXES, 64), **asked).numpy()
    found_boxes, kept = move_boxes(BOXES, motion, keep=0.0)
    np.testing.assert_allclose(found_boxes, moved[kept], atol=1e-4)
    gone = np.setdiff1d(np.arange(len(BOXES)), kept)
    assert all((moved[row, 2] <= moved[row, 0]) or (moved[row, 3] <= moved[row, 1]) for row in gone)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_flips_and_quarter_turns_move_as_torchvision_moves_them(mirrored: bool, flipped: bool, turns: int) -> None:
    geometry = Geometry(mirrored=mirrored, flipped=flipped, quarter_turns=turns)
    motion = motion_of(geometry, side=64, size=64)
    mask, boxes = tv_tensors.Mask(torch.from_numpy(spots(64))[None]), as_boxes(BOXES, 64)
    if mirrored:
        mask, boxes = functional.horizontal_flip(mask), functional.horizontal_flip(boxes)
    if flipped:
        mask, boxes = functional.vertical_flip(mask), functional.vertical_flip(boxes)
    if turns:
        mask, boxes = functional.rotate(mask, 90.0 * turns), functional.rotate(boxes, 90.0 * turns)
    np.testing.assert_array_equal(move_mask(spots(64), motion, fill=IGNORED), mask[0].numpy())
    found, kept = move_boxes(BOXES, motion)
    assert kept.tolist() == [0, 1, 2]
    np.testing.assert_allclose(found, boxes.numpy(), atol=1e-4)


@pytest.mark.parametrize("box", [(0.125, 0.25, 0.5, 0.75), (0.0, 0.0, 1.0, 1.0)])
def test_a_box_that_is_cut_out_moves_as_in_torchvision(box: tuple[float, float, float, float]) -> None:
    motion = motion_of(Geometry(box=box), side=64, size=32)
    left, top, width, height = (round(64 * share) for share in box)
    # As a picture: of a Mask torchvision takes the pixel at the corner, half a pixel off, whatever is asked for.
    mask: Any = functional.resized_crop(
        torch.from_numpy(spots(64))[None],
        top,
        left,
        height,
        width,
        [32, 32],
        interpolation=InterpolationMode.NEAREST_EXACT,
    )
    np.testing.assert_array_equal(move_mask(spots(64), motion, fill=IGNORED), mask[0].numpy())
    expected = functional.clamp_bounding_boxes(
        functional.resized_crop(as_boxes(BOXES, 64), top, left, height, width, [32, 32])
    ).numpy()
    found, kept = move_boxes(BOXES, motion, keep=0.0)
    np.testing.assert_allclose(found, expected[kept], atol=1e-4)


def test_the_centre_by_hand() -> None:
    """Of 11 pixels the middle 8 begin at 1 (the larger half is cut right and below); the box loses what sticks out."""
    motion = motion_of(Geometry(), side=11, size=8)
    mask = np.arange(121, dtype=np.int32).reshape(11, 11)
    np.testing.assert_array_equal(move_mask(mask, motion, fill=-1), mask[1:9, 1:9])
    boxes, kept = move_boxes(np.array([[0.0, 3.0, 5.0, 11.0], [9.0, 9.0, 11.0, 11.0]]), motion)
    np.testing.assert_allclose(boxes, [[0.0, 2.0, 4.0, 8.0]])
    assert kept.tolist() == [0]


def test_what_comes_from_outside_is_ignored() -> None:
    motion = motion_of(Geometry(shift=(0.25, 0.0)), side=8, size=8)
    found = move_mask(np.ones((8, 8), dtype=np.uint16), motion, fill=7)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, [[7, 7, 1, 1, 1, 1, 1, 1]] * 8)


@pytest.mark.parametrize(("keep", "kept"), [(0.0, [0, 1]), (0.25, [0, 1]), (0.26, [0]), (0.75, [0]), (0.8, [])])
def test_a_box_with_too_little_left_is_left_out(keep: float, kept: list[int]) -> None:
    """Shifted right by half the side: of the first box 3 of 4 columns are left, of the second 1 of 4, of the third none."""
    motion = motion_of(Geometry(shift=(0.5, 0.0)), side=8, size=8)
    boxes = np.array([[1.0, 0.0, 5.0, 2.0], [3.0, 0.0, 7.0, 2.0], [4.0, 0.0, 8.0, 2.0]])
    found, rows = move_boxes(boxes, motion, keep=keep)
    assert rows.tolist() == kept
    np.testing.assert_allclose(found, np.array([[5.0, 0.0, 8.0, 2.0], [7.0, 0.0, 8.0, 2.0]])[kept])


def test_a_picture_without_boxes_has_none() -> None:
    found, kept = move_boxes(np.zeros((0, 4)), motion_of(Geometry(), side=8, size=8))
    assert (found.shape, kept.shape) == ((0, 4), (0,))


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the mask is \(8, 9\), the picture \(8, 8\)"):
        move_mask(np.zeros((8, 9), dtype=np.uint8), motion_of(Geometry(), side=8, size=8), fill=0)


def test_there_and_back() -> None:
    geometry = Geometry(
        box=(0.1, 0.2, 0.6, 0.5), matrix=rotation(20), shift=(0.1, -0.2), mirrored=True, flipped=True, quarter_turns=3
    )
    motion = motion_of(geometry, side=48, size=32)
    points = np.random.default_rng(0).uniform(-10, 60, (5, 4, 2))
    np.testing.assert_allclose(motion.to_source(motion.to_variant(points)), points, atol=1e-9)
    assert motion_of(Geometry(), side=32, size=32).to_source(points) == pytest.approx(points)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_points_of_a_source_by_hand(orientation: int) -> None:
    """Upright, 400 x 300 pixels; for 96 pixels and a crop of 0.75 the shorter side is made 128, of which 96 are kept.

    So the network sees 300 x 96 / 128 = 225 pixels from (87.5, 37.5) on, each 96 / 225 of a pixel of its own.
    """
    turned = orientation in (6, 8)
    stored = Image.new("RGB", (300, 400) if turned else (400, 300))
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    stored.save(file, "JPEG", exif=exif)
    decoded = decode(file.getvalue(), target=96)
    assert (decoded.width, decoded.height) == (400, 300)
    points = np.array([[87.5, 37.5], [200.0, 150.0], [312.5, 262.5], [0.0, 300.0]])
    found = into_square(
        points, width=decoded.width, height=decoded.height, preprocessing=Preprocessing(size=96, crop=0.75)
    )
    np.testing.assert_allclose(found, [[0, 0], [48, 48], [96, 96], [-87.5 * 96 / 225, 262.5 * 96 / 225]])


def test_a_point_is_where_the_pixels_show_it() -> None:
    """A white dot of a black picture, 12 pixels wide, found again in what the network sees."""
    picture = np.zeros((300, 400, 3), dtype=np.uint8)
    picture[94:106, 244:256] = 255
    preprocessing = Preprocessing(size=96, crop=0.75)
    rows, columns = np.nonzero(prepare(Image.fromarray(picture), preprocessing)[..., 0] > 127)
    (place,) = into_square(np.array([[250.0, 100.0]]), width=400, height=300, preprocessing=preprocessing)
    np.testing.assert_allclose([columns.mean() + 0.5, rows.mean() + 0.5], place, atol=0.3)


@pytest.mark.parametrize("preset", ["light", "medium", "strong", "trivial", "randaugment"])
def test_a_mask_stays_on_its_picture_under_every_preset(preset: str) -> None:
    """A bright square on black: where the variant is bright, its mask says so, whatever was drawn."""
    picture = np.zeros((64, 64, 3), dtype=np.uint8)
    picture[20:44, 12:52] = 255
    mask = (picture[..., 0] > 0).astype(np.uint8)
    colours = dict.fromkeys(("brightness", "contrast", "saturation", "hue", "erasing"), 0.0)
    augment = build_augmentation(
        resolve(preset, **colours, quarter_turns=True, vertical_flip=0.5, fill="black"), size=48
    )
    moves = 0
    for seed in range(40):
        _, geometry = augment.vary(picture, (seed,))
        pixels = np.asarray(reshape(picture, geometry, size=48, fill="black"))
        motion = motion_of(geometry, side=64, size=48)
        moved = move_mask(mask, motion, fill=0)
        assert (moved == (pixels[..., 0] > 127)).mean() > 0.97
        boxes, _ = move_boxes(np.array([[12.0, 20.0, 52.0, 44.0]]), motion, keep=0.0)
        rows, columns = np.nonzero(moved)
        (left, top, right, bottom) = boxes[0]
        assert left - 1 <= columns.min()
        assert columns.max() < right + 1
        assert top - 1 <= rows.min()
        assert rows.max() < bottom + 1
        moves += geometry.matrix != IDENTITY or geometry.box is not None or geometry.shift != (0.0, 0.0)
    assert moves > 10


def test_varying_and_calling_give_the_same_pixels() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    augment = build_augmentation(resolve("strong"), size=32)
    pixels, _ = augment.vary(picture, (3, 1))
    np.testing.assert_array_equal(pixels, augment(picture, (3, 1)))
