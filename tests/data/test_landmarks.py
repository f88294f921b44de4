"""Local features of a picture: found, packed, and the same for its mirror image."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from tellapart.data.landmarks import MOST, RELIEF, SIDE, Landmarks, no_landmarks, pack, unpack

from .made_scenes import landmarks, made_scene


def bits(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """How many bits of each description differ from the nearest one of the others."""
    pairs = np.unpackbits(first, axis=1)[:, None, :] != np.unpackbits(second, axis=1)[None, :, :]
    return pairs.sum(axis=2).min(axis=1)


def test_a_picture_with_detail_has_many() -> None:
    found = landmarks(made_scene(0))
    assert 60 <= len(found.points) <= MOST
    assert found.descriptors.shape == found.mirrored.shape == (len(found.points), 32)
    assert found.points[:, 0].max() < SIDE
    assert found.points[:, 1].max() < SIDE * 180 // 240
    assert found.relief.shape == (RELIEF * 180 // 240, RELIEF)
    assert found.width == SIDE


def test_brightness_and_contrast_change_little() -> None:
    picture = made_scene(1)
    darker = picture.point(lambda value: int(40 + value * 0.5))
    assert np.median(bits(landmarks(picture).descriptors, landmarks(darker).descriptors)) <= 20


def test_the_mirror_image_is_described_as_it_is_found_there() -> None:
    picture = made_scene(2)
    there = landmarks(ImageOps.mirror(picture)).descriptors
    here = landmarks(picture)
    assert np.median(bits(here.mirrored, there)) <= 25
    assert np.median(bits(here.descriptors, there)) >= 50


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (300, 200)])
def test_a_plain_picture_has_none(size: tuple[int, int]) -> None:
    assert len(landmarks(Image.new("RGB", size, "grey")).points) == 0


def test_packed_and_unpacked_they_are_the_same() -> None:
    for found in (landmarks(made_scene(3)), no_landmarks()):
        again = unpack(pack(found))
        assert again is not None
        for name in Landmarks.__slots__:
            np.testing.assert_array_equal(getattr(again, name), getattr(found, name))


@pytest.mark.parametrize("cut", [0, 3, -1])
def test_other_bytes_are_none(cut: int) -> None:
    assert unpack(pack(landmarks(made_scene(4)))[:cut]) is None
