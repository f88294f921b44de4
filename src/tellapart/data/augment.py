"""Vary a training picture at random. In: uint8 [S', S', 3], a seed. Out: uint8 [S, S, 3]. Next: mixing.py.

For the train split only: validation and test pictures never come here. A horizontal flip is wrong where left and right
tell classes apart (digits, text, hands): set `horizontal_flip` to 0 there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tellapart.data.augmentation import Augmentation
from tellapart.data.policies import PIXEL_OPERATIONS, draw_policy
from tellapart.data.transforms import (
    IDENTITY,
    Geometry,
    erase,
    multiply,
    recolour,
    reshape,
    rotation,
)

_ASPECT = 4 / 3  # of a random crop, either way; as torchvision's RandomResizedCrop
_ERASED_AREA, _ERASED_RATIO = (0.02, 0.33), (0.3, 3.3)  # as torchvision's RandomErasing
# Uniform numbers a picture, drawn at once: each setting has its own, so that changing one does not disturb the others.
_DRAWS = 33


def build_augmentation(augmentation: Augmentation, *, size: int) -> Augment:
    """The function that varies pictures for a network whose input has a side of `size` pixels."""
    return Augment(augmentation=augmentation, size=size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    """A pure function of picture and seed; it touches no global random state and may run in any thread or process."""

    augmentation: Augmentation
    size: int  # pixels, S

    def __call__(self, picture: NDArray[np.uint8], seed: tuple[int, ...]) -> NDArray[np.uint8]:
        """One variant, uint8 [S, S, 3], of the centre square of a picture, uint8 [S', S', 3] with S' >= S.

        `seed` holds whole numbers of 0 and more, such as (run's seed, epoch, row). With everything off the result is the
        centre [S, S]. Mixup, cutmix and mosaic are not applied here: they mix several.
        """
        pixels, _ = self.vary(picture, seed)
        return pixels

    def vary(self, picture: NDArray[np.uint8], seed: tuple[int, ...]) -> tuple[NDArray[np.uint8], Geometry]:
        """The same, uint8 [S, S, 3], and what happened to its shape: `motion.motion_of` moves masks and boxes by it.

        Raises: ValueError for a picture of another kind or shape, or smaller than `size`.
        """
        settings, size = self.augmentation, self.size
        if picture.dtype != np.uint8 or picture.shape != (len(picture), len(picture), 3) or len(picture) < size:
            raise ValueError(f"expected uint8 [S, S, 3] with S >= {size}, got {picture.dtype} {picture.shape}")
        drawn = _draw(settings, size, seed)
        image = reshape(picture, drawn.geometry, size=size, fill=settings.fill, value=settings.fill_value)
        image = recolour(image, **drawn.colours, added=drawn.added)
        for name, strength in drawn.operations:
            image = PIXEL_OPERATIONS[name](image, strength)
        pixels = np.array(image)
        if drawn.chance < settings.erasing:
            erase(pixels, fill=settings.fill, value=settings.fill_value, **drawn.eraser)
        return pixels, drawn.geometry

    def geometry(self, seed: tuple[int, ...]) -> Geometry:
        """What `vary` does to a picture's shape with that `seed`, without the pixels."""
        return _draw(self.augmentation, self.size, seed).geometry


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """What a seed makes of one picture."""

    geometry: Geometry
    colours: dict[str, float]
    added: tuple[float, float, float]  # to red, green and blue
    operations: list[tuple[str, float]]  # on pixels, and how strong
    chance: float  # a rectangle is filled where it is below `erasing`
    eraser: dict[str, float]


def _draw(settings: Augmentation, size: int, seed: tuple[int, ...]) -> _Drawn:
    draws = iter(np.random.default_rng(seed).random(_DRAWS).tolist())
    geometry, colours, eraser = _draw_geometry(settings, draws), _draw_colours(settings, draws), _draw_eraser(draws)
    geometry, operations = draw_policy(settings.policy, geometry, draws)
    chance = eraser.pop("chance")
    return _Drawn(
        geometry=_by_pixels(geometry, settings, size, draws),
        colours=colours,
        added=_draw_added(settings, draws),
        operations=operations,
        chance=chance,
        eraser=eraser,
    )


def _either_way(most: float, draw: float) -> float:
    return most * (2 * draw - 1)


def _between(low: float, high: float, draw: float) -> float:
    return low + (high - low) * draw


def _draw_geometry(settings: Augmentation, draws: Iterator[float]) -> Geometry:
    mirrored, flipped = next(draws) < settings.horizontal_flip, next(draws) < settings.vertical_flip
    turns, angle, shear, scale, right, down, area, aspect, across, below = (next(draws) for _ in range(10))
    matrix = IDENTITY
    if settings.shear:
        matrix = (1.0, math.tan(math.radians(_either_way(settings.shear, shear))), 0.0, 1.0)
    if settings.rotation:
        matrix = multiply(rotation(_either_way(settings.rotation, angle)), matrix)
    factor = _factor(settings.zoom, settings.zoom_out, settings.zoom_in, scale)
    if factor != 1:
        matrix = multiply((factor, 0.0, 0.0, factor), matrix)
    return Geometry(
        box=_box(_between(settings.crop, 1, area), aspect, across, below) if settings.crop < 1 else None,
        matrix=matrix,
        shift=(
            _either_way(max(settings.shift, settings.width_shift), right),
            _either_way(max(settings.shift, settings.height_shift), down),
        ),
        mirrored=mirrored,
        flipped=flipped,
        quarter_turns=int(4 * turns) if settings.quarter_turns else 0,
    )


def _box(area: float, aspect: float, across: float, down: float) -> tuple[float, float, float, float]:
    """A random crop of a unit square: its aspect is log-uniform, as far as a box of that area fits."""
    limit = math.log(min(_ASPECT, 1 / area))
    ratio = math.exp(_either_way(limit, aspect))
    width, height = min(1.0, math.sqrt(area * ratio)), min(1.0, math.sqrt(area / ratio))
    return across * (1 - width), down * (1 - height), width, height


def _draw_colours(settings: Augmentation, draws: Iterator[float]) -> dict[str, float]:
    return {
        "brightness": _factor(settings.brightness, settings.darken, settings.brighten, next(draws)),
        "contrast": 1 + _either_way(settings.contrast, next(draws)),
        "saturation": 1 + _either_way(settings.saturation, next(draws)),
        "hue": _either_way(settings.hue, next(draws)),
    }


def _factor(both: float, down: float, up: float, draw: float) -> float:
    """From 1 - the larger of `both` and `down` to 1 + the larger of `both` and `up`."""
    if not down and not up:
        return 1 + _either_way(both, draw)
    return _between(1 - max(both, down), 1 + max(both, up), draw)


def _draw_added(settings: Augmentation, draws: Iterator[float]) -> tuple[float, float, float]:
    """What is added to red, green and blue, in values of 0 to 255."""
    every, red, green, blue = (next(draws) for _ in range(4))
    shift = _either_way(settings.brightness_shift, every)
    red, green, blue = (255 * (shift + _either_way(settings.channel_shift, one)) for one in (red, green, blue))
    return red, green, blue


def _by_pixels(geometry: Geometry, settings: Augmentation, size: int, draws: Iterator[float]) -> Geometry:
    """Shifted by whole pixels more, as a crop of the padded picture at a random place is."""
    across, down = (round(_either_way(settings.crop_padding, next(draws))) / size for _ in range(2))
    if not settings.crop_padding:
        return geometry
    right, below = geometry.shift
    return replace(geometry, shift=(right + across, below + down))


def _draw_eraser(draws: Iterator[float]) -> dict[str, float]:
    chance, area, ratio, across, down = (next(draws) for _ in range(5))
    ratio = math.exp(_between(math.log(_ERASED_RATIO[0]), math.log(_ERASED_RATIO[1]), ratio))
    return {"chance": chance, "area": _between(*_ERASED_AREA, area), "ratio": ratio, "across": across, "down": down}
