"""Crops of pictures and masks. In: made pictures. Out: what is shown, of what."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.data.augment import Augment
from tellapart.data.augmentation import Augmentation
from tellapart.data.examples import PictureFile
from tellapart.data.targets import IGNORED, MaskFile
from tellapart.errors import DataError
from tellapart.preprocessing import Preprocessing
from tellapart.tasks.segmentation.crops import crops_of, cut, lay
from tellapart.tasks.segmentation.masks_of import MasksOf
from tellapart.tasks.segmentation.pictures import OpenedPictures

SIZES = [(80, 64), (20, 24), (96, 32)]  # width, height
CLASSES = ("background", "thing", "rare")
PREPROCESSING = Preprocessing(size=32, fit="tile")


def mask_of(width: int, height: int) -> np.ndarray:
    """Half background, half thing; one pixel of the rare class near the lower right corner, an ignored row above."""
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[:, width // 2 :] = 1
    mask[height - 3, width - 3] = 2
    mask[0] = IGNORED
    return mask


def pixels_of(mask: np.ndarray) -> np.ndarray:
    """Red says the class, green and blue where a pixel lies."""
    rows, columns = np.indices(mask.shape)
    return np.stack([mask, rows, columns], axis=2).astype(np.uint8)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> OpenedPictures:
    folder = tmp_path_factory.mktemp("crops")
    pictures, targets = [], []
    for number, size in enumerate(SIZES):
        mask = mask_of(*size)
        Image.fromarray(pixels_of(mask)).save(folder / f"{number}.png")
        Image.fromarray(mask).save(folder / f"{number}-mask.png")
        pictures.append(PictureFile(path=folder / f"{number}.png", file_hash="", content_hash=str(number)))
        targets.append(MaskFile(folder / f"{number}-mask.png"))
    return OpenedPictures(tuple(pictures), MasksOf(tuple(targets), CLASSES), class_count=3, preprocessing=PREPROCESSING)


def test_what_is_not_varied_shows_each_pixel_once(opened: OpenedPictures) -> None:
    crops = crops_of(opened, SIZES, size=32, augment=None, seed=0)
    assert crops.origin.tolist() == [0] * 6 + [1] + [2] * 3
    pixels, masks = crops.get(np.arange(len(crops)), 0)
    for number, (width, height) in enumerate(SIZES):
        own = crops.origin == number
        counted = masks[own] != IGNORED
        assert counted.sum() == (height - 1) * width  # the first row counts nowhere
        np.testing.assert_array_equal(pixels[own][counted][:, 0], masks[own][counted])
        places = {tuple(place) for place in pixels[own][counted][:, 1:].tolist()}
        assert len(places) == (height - 1) * width
    again = crops.get(np.arange(len(crops)), 5)
    np.testing.assert_array_equal(again[1], masks)


def test_beyond_a_small_picture_its_mirror_image_counts_nowhere(opened: OpenedPictures) -> None:
    pixels, mask = cut(opened[1], -3, 0, 32)
    assert (mask[:3] == IGNORED).all()
    assert (mask[:, 20:] == IGNORED).all()
    assert (mask[27:] == IGNORED).all()
    assert pixels[:, 0, 1].tolist() == [2, 1, 0, *range(24), 23, 22, 21, 20, 19]
    assert pixels[5, :, 2].tolist() == [*range(20), *range(19, 7, -1)]


def by_name(**settings: object) -> Augment:
    return Augment(augmentation=Augmentation(**settings), size=32)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "augment",
    [
        by_name(horizontal_flip=0.5, vertical_flip=0.5, quarter_turns=True),
        by_name(rotation=40.0, zoom=0.3, shear=10.0),
        by_name(elastic=0.04),
        by_name(policy="trivial"),
    ],
    ids=["turned", "rotated", "elastic", "policy"],
)
def test_the_mask_goes_where_the_picture_goes(opened: OpenedPictures, augment: Augment) -> None:
    crops = crops_of(opened, SIZES, size=32, augment=augment, seed=3)
    rows = np.arange(len(crops))
    pixels, masks = crops.get(rows, 2)
    assert pixels.shape == (len(crops), 32, 32, 3)
    assert masks.shape == (len(crops), 32, 32)
    if augment.augmentation.policy == "none":  # policies change colours as well
        # Red is the class: 0 or 1 in most places; where neighbours are mixed it lies between.
        sure = (masks < 2) & (np.abs(pixels[..., 0].astype(int) - masks) > 0)
        assert sure.mean() < 0.06
    np.testing.assert_array_equal(crops.get(rows[4:7], 2)[1], masks[4:7])
    assert not np.array_equal(crops.get(rows, 3)[0], pixels)


def test_half_of_the_crops_are_laid_around_a_class(opened: OpenedPictures) -> None:
    picture = opened[0]
    shown = 0
    for number in range(400):
        top, left = lay(picture, 16, np.random.default_rng(number))
        assert 0 <= top <= 48
        assert 0 <= left <= 64
        shown += bool((picture.mask[top : top + 16, left : left + 16] == 2).any())
    # Of the crops that are laid anywhere 1 in 400 shows the pixel; of the others one in three is laid around it.
    assert 0.1 < shown / 400 < 0.25
    assert lay(opened[1], 32, np.random.default_rng(0)) == (0, 0)


def test_opened_pictures_keep_within_their_bytes_and_travel(opened: OpenedPictures) -> None:
    small = pickle.loads(pickle.dumps(opened))
    small._limit = 30_000
    for _ in range(2):
        for number in range(3):
            np.testing.assert_array_equal(small[number].mask, opened[number].mask)
    assert small._bytes <= 30_000
    assert len(small._kept) < 3


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: Image.new("L", (5, 5)).save(path)], ids=["gone", "small"])
def test_a_mask_that_is_gone_or_another_stops_the_training(
    opened: OpenedPictures, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    mask = tmp_path / "mask.png"
    Image.fromarray(mask_of(80, 64)).save(mask)
    alone = OpenedPictures(
        opened.pictures[:1], MasksOf((MaskFile(mask),), CLASSES), class_count=3, preprocessing=PREPROCESSING
    )
    spoil(mask)
    with pytest.raises(DataError, match=r"mask|must be alike"):
        alone[0]
