"""Colours as their profile means them. In: a picture with an ICC profile. Out: RGB in sRGB. Next: decoding.py.

A profile that changes nothing worth a word, as the usual ones of sRGB do, is found by trying it once and left alone from then
on: a look-up a picture. Pillow's LittleCMS does the work. Source: ICC.1:2022.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

BROKEN = "broken"

_MOST_BYTES = 16 * 1024 * 1024  # of a profile; those of printers have some two
_KEPT = 64  # profiles whose answer is known; a data set has a handful
_ALIKE = 2  # levels of 255, the most that a profile may change colours to be left alone
_SPACES = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK"}  # Pillow's mode, the profile's colour space
_STEPS = (0, 36, 73, 109, 146, 182, 219, 255)

Apply = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is known of one profile for one mode."""

    name: str  # what it calls itself, or BROKEN
    apply: Apply | None  # None: the colours stay as they are


def to_srgb(image: Image.Image, profile: bytes) -> tuple[Image.Image, str]:
    """A picture of mode RGB, L or CMYK in sRGB, and the name of the profile that was followed.

    The name is "" where the profile changes nothing, and BROKEN where it cannot be read, or is one for other kinds of
    colours; the picture is then as it was given.
    """
    known = _known(profile, image.mode) if image.mode in _SPACES and len(profile) <= _MOST_BYTES else _BROKEN
    if known.apply is None:
        return image, known.name
    return known.apply(image), known.name


_BROKEN = _Known(name=BROKEN, apply=None)
_one_at_a_time = threading.Lock()


def _known(profile: bytes, mode: str) -> _Known:
    with _one_at_a_time:  # of two threads that meet a profile first, one tries it
        return _try(profile, mode)


@lru_cache(maxsize=_KEPT)
def _try(profile: bytes, mode: str) -> _Known:
    from PIL import ImageCms

    # LittleCMS says what is wrong with a profile in many ways, and all of them mean: it cannot be followed.
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space != _SPACES[mode]:
            return _BROKEN
        name = " ".join(ImageCms.getProfileDescription(source).split())[:80] or "a profile without a name"
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
        sample = _sample(mode)
        found = ImageCms.applyTransform(sample, transform)
    except Exception:
        return _BROKEN
    if found is None:
        return _BROKEN
    if mode != "CMYK" and _difference(found, sample.convert("RGB")) <= _ALIKE:
        return _Known(name="", apply=None)

    def apply(image: Image.Image) -> Image.Image:
        converted = ImageCms.applyTransform(image, transform)
        assert converted is not None  # only a transform in place gives none
        return converted

    return _Known(name=name, apply=apply)


def _sample(mode: str) -> Image.Image:
    """Colours over all of RGB, or every grey."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    grid = np.stack(np.meshgrid(_STEPS, _STEPS, _STEPS), axis=-1).reshape(1, -1, 3).astype(np.uint8)
    return Image.fromarray(grid) if mode == "RGB" else Image.fromarray(grid).convert(mode)


def _difference(first: Image.Image, second: Image.Image) -> int:
    return int(np.abs(np.asarray(first).astype(np.int16) - np.asarray(second)).max())
