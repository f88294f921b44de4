"""What is around each landmark, as it is and mirrored. In: an evened picture, corners. Out: 256 bits each. Next: landmarks.py.

Each bit compares two places on a disc that is turned with the landmark. For each comparison the one with both places mirrored
is there, too: 16 bytes further on. So the description of the mirror image is the same one with its halves changed.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

RADIUS = 12  # pixels around a landmark
HALF = 16  # bytes

_PLACES = 64  # on each side of the mirror line
_DIRECTIONS = 64  # in which a disc is laid
_GOLDEN = 2.399963  # radians, Vogel 1979: places so far apart in turn are spread evenly over a disc
_SMOOTHED = 7  # pixels, before two places are compared

_ONE, _TWO, _FOUR, _LAST_BYTE = (np.uint64(shift) for shift in (1, 2, 4, 56))
_PAIRS, _FOURS, _EIGHTS, _EACH_BYTE = (np.uint64(int(byte * 8, 16)) for byte in ("55", "33", "0f", "01"))

Bytes = NDArray[np.uint8]
Whole = NDArray[np.int32]


def _disc() -> Whole:
    """Where the places lie from the middle, x and y in whole pixels, with the disc laid in each direction [64, 128, 2].

    The 64 of one side first, then their mirror images.
    """
    number = np.arange(_PLACES)
    turn = (number * _GOLDEN) % np.pi
    away = RADIUS * np.sqrt((number + 0.5) / _PLACES)
    along, aside = np.tile(away * np.cos(turn), 2), np.concatenate((away, -away)) * np.sin(np.tile(turn, 2))
    laid = np.arange(_DIRECTIONS)[:, None] * (2 * np.pi / _DIRECTIONS)
    x = np.cos(laid) * along - np.sin(laid) * aside
    y = np.sin(laid) * along + np.cos(laid) * aside
    return np.asarray(np.rint(np.stack((x, y), axis=-1)), dtype=np.int32)


def _comparisons() -> tuple[Whole, Whole]:
    """Which two places each bit compares [256]: any two far from each other in the spiral, the same on every machine."""
    number = np.arange(_PLACES, dtype=np.int32)
    first = np.concatenate((number, number))
    second = np.concatenate([(step * number + start) % (2 * _PLACES) for step, start in ((37, 14), (91, 11))])
    every = 2 * _PLACES
    return (
        np.concatenate((first, (first + _PLACES) % every), dtype=np.int32),
        np.concatenate((second, (second + _PLACES) % every), dtype=np.int32),
    )


_DISC = _disc()
_FIRST, _SECOND = _comparisons()


def describe(levels: Sequence[Bytes], level: Whole, places: Whole, angles: Bytes) -> Bytes:
    """Descriptions [K, 32] of the K landmarks at `places` [K, 2], x and y in pixels of the levels that they are on.

    Levels [H, W] are sizes of one picture, none wider than the first; angles are 256ths of a turn. Nothing within RADIUS of a rim.
    """
    width = levels[0].shape[1]
    tops = np.cumsum([0, *(len(picture) for picture in levels)])
    canvas = np.zeros((tops[-1], width), dtype=np.uint8)
    for picture, top in zip(levels, tops, strict=False):
        canvas[top : top + len(picture), : picture.shape[1]] = picture
    smooth = cv2.blur(canvas, (_SMOOTHED, _SMOOTHED))  # over the rims, too, but there is nothing that near to one
    middles = (tops[level] + places[:, 1]) * width + places[:, 0]
    turned = (_DISC @ np.array([1, width], dtype=np.int32))[
        (angles.astype(np.int32) * _DIRECTIONS + 128) // 256 % _DIRECTIONS
    ]
    seen = smooth.ravel()[middles[:, None] + turned]
    return np.packbits(seen.take(_FIRST, axis=1) < seen.take(_SECOND, axis=1), axis=1)


def mirrored(descriptions: Bytes) -> Bytes:
    """The descriptions [K, 32] of the same landmarks in the mirror image."""
    return np.concatenate((descriptions[:, HALF:], descriptions[:, :HALF]), axis=1)


def differing(first: Bytes, second: Bytes) -> NDArray[np.int64]:
    """In how many of its 256 bits each description of the first [n, 32] differs from that of the second [n].

    Source: Warren 2002, Hacker's Delight, section 5-1; a table of counts is five times as slow.
    """
    left = first.view(np.uint64) ^ second.view(np.uint64)
    left -= (left >> _ONE) & _PAIRS
    left = (left & _FOURS) + ((left >> _TWO) & _FOURS)
    left = (left + (left >> _FOUR)) & _EIGHTS
    # A byte holds what two of the four words come to, 128 at most.
    halves = (left[:, :2] + left[:, 2:]) * _EACH_BYTE >> _LAST_BYTE
    return np.asarray(halves.sum(axis=1), dtype=np.int64)
