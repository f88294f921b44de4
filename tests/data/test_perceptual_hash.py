"""The hash that near copies share: that of imagehash, an independent implementation. In: small pictures. Out: hashes."""

from __future__ import annotations

from pathlib import Path

import imagehash
import numpy as np
import pytest
import sklearn.datasets
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.perceptual_hash import SIDE, perceptual_hash

PHOTOGRAPHS = sorted((Path(sklearn.datasets.__file__).parent / "images").glob("*.jpg"))


def by_imagehash(pixels: NDArray[np.uint8]) -> int:
    return int(str(imagehash.phash(Image.fromarray(pixels))), 16)


@pytest.mark.parametrize("seed", range(20))
def test_it_is_that_of_imagehash(seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
    assert perceptual_hash(pixels) == by_imagehash(pixels)


@pytest.mark.parametrize("path", PHOTOGRAPHS, ids=lambda path: path.stem)
def test_of_photographs_too(path: Path) -> None:
    grey = np.asarray(Image.open(path).convert("L").resize((SIDE, SIDE)))
    assert perceptual_hash(grey) == by_imagehash(grey)


@pytest.mark.parametrize("seed", range(5))
def test_frequencies_that_a_picture_does_not_have_are_left_to_no_rounding(seed: int) -> None:
    half = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE // 2), dtype=np.uint8)
    mirrored = np.concatenate([half, half[:, ::-1]], axis=1)
    assert perceptual_hash(mirrored) == by_imagehash(mirrored)


@pytest.mark.parametrize("level", [1, 77, 255])
def test_of_one_colour_only_the_mean_is_above_the_median(level: int) -> None:
    assert perceptual_hash(np.full((SIDE, SIDE), level, dtype=np.uint8)) == 1 << 63


def test_black_is_nothing() -> None:
    assert perceptual_hash(np.zeros((SIDE, SIDE), dtype=np.uint8)) == 0
