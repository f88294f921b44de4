"""Descriptions of landmarks: what a turn, the mirror image, and another size of the picture make of them."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.data.describing import HALF, RADIUS, describe, mirrored
from tellapart.data.describing import differing as counted

SIZE = 61
PICTURE = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE), dtype=np.uint8)
RANDOM = np.random.default_rng(1)
PLACES = RANDOM.integers(RADIUS, SIZE - RADIUS, (40, 2)).astype(np.int32)
# Not those that lie in the middle between two of the 64 directions.
ANGLES = (RANDOM.integers(0, 64, 40) * 4 + RANDOM.choice([-1, 0, 1], 40)).astype(np.uint8)
FIRST_LEVEL = np.zeros(40, dtype=np.int32)


def described(picture: np.ndarray, places: np.ndarray, angles: np.ndarray) -> np.ndarray:
    return describe([picture], FIRST_LEVEL[: len(places)], places.astype(np.int32), angles.astype(np.uint8))


def differing(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.asarray((np.unpackbits(first, axis=1) != np.unpackbits(second, axis=1)).sum(axis=1))


def test_what_was_turned_with_its_landmarks_is_described_alike() -> None:
    clockwise = np.ascontiguousarray(np.rot90(PICTURE, -1))
    places = np.stack([SIZE - 1 - PLACES[:, 1], PLACES[:, 0]], axis=1)
    here, there = described(PICTURE, PLACES, ANGLES), described(clockwise, places, ANGLES + 64)
    np.testing.assert_array_equal(here, there)
    assert differing(here, described(PICTURE, PLACES, ANGLES + 64)).min() > 60


def test_in_the_mirror_image_the_halves_change_places() -> None:
    here = described(PICTURE, PLACES, ANGLES)
    places = np.stack([SIZE - 1 - PLACES[:, 0], PLACES[:, 1]], axis=1)
    there = described(np.ascontiguousarray(PICTURE[:, ::-1]), places, 128 - ANGLES.astype(np.int64))
    np.testing.assert_array_equal(mirrored(here), there)
    np.testing.assert_array_equal(mirrored(here)[:, :HALF], here[:, HALF:])
    assert differing(here, there).min() > 60


def test_all_that_differs_tells() -> None:
    # Of a random picture every comparison comes out either way, and no two of them always alike.
    bits = np.unpackbits(described(PICTURE, PLACES, ANGLES), axis=1)
    assert 0.1 < bits.mean(axis=0).min() < bits.mean(axis=0).max() < 0.9
    assert len(np.unique(bits, axis=1).T) == 256


@pytest.mark.parametrize("angle", [0, 64, 200])
def test_on_a_slope_a_bit_says_which_place_is_higher_up(angle: int) -> None:
    slope = np.tile(np.arange(SIZE, dtype=np.uint8) * 4, (SIZE, 1))
    place = np.array([[30, 30]])
    up, down = described(slope, place, np.array([angle])), described(255 - slope, place, np.array([angle]))
    same = differing(up, 255 - down)[0]
    assert same < 40  # places at one height are lower neither way
    assert differing(up, down)[0] > 200


def test_a_landmark_of_a_smaller_level_is_described_there() -> None:
    smaller = np.ascontiguousarray(PICTURE[:40, :50])
    place = np.array([[20, 25]], dtype=np.int32)
    found = describe([PICTURE, smaller], np.array([1], dtype=np.int32), place, np.array([12], dtype=np.uint8))
    np.testing.assert_array_equal(found, described(smaller, place, np.array([12])))


def test_bits_that_differ_are_counted() -> None:
    first, second = RANDOM.integers(0, 256, (2, 500, 32), dtype=np.uint8)
    second[:100] = first[:100]
    second[50:100, 3] ^= 0b1010
    second[100] = 255 - first[100]
    np.testing.assert_array_equal(counted(first, second), differing(first, second))
    assert counted(first, second)[[0, 50, 100]].tolist() == [0, 2, 256]
