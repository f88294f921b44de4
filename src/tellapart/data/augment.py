"""Vary a training picture at random. In: uint8 [S', S', 3], a seed. Out: uint8 [S, S, 3]. Next: mixing.py.

For the train split only: validation and test pictures never come here. A horizontal flip is wrong where left and right
tell classes apart (digits, text, hands): set `horizontal_flip` to 0 there.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.data.policies import PIXEL_OPERATIONS, Policy, draw_policy
from tellapart.data.transforms import (
    IDENTITY,
    Fill,
    Geometry,
    erase,
    multiply,
    recolour,
    reshape,
    rotation,
)
from tellapart.errors import SettingsError

Preset = Literal["none", "light", "medium", "strong", "trivial", "randaugment"]

_ASPECT = 4 / 3  # of a random crop, either way; as torchvision's RandomResizedCrop
_ERASED_AREA, _ERASED_RATIO = (0.02, 0.33), (0.3, 3.3)  # as torchvision's RandomErasing
# Uniform numbers a picture, drawn at once: each setting has its own, so that changing one does not disturb the others.
_DRAWS = 27


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """How training pictures are varied; the defaults leave them as they are, `RANGES` says what is allowed."""

    preset: Preset = "none"
    policy: Policy = "none"  # of the preset: one or two operations drawn from a list, beside what follows
    horizontal_flip: float = 0.0  # probability
    vertical_flip: float = 0.0  # probability
    quarter_turns: bool = False  # by 0, 90, 180 or 270 degrees, all as likely
    rotation: float = 0.0  # degrees, at most, either way
    shift: float = 0.0  # share of the side, at most, in each direction
    shear: float = 0.0  # degrees, at most, either way, along x
    zoom: float = 0.0  # share, at most: 0.2 is 0.8 to 1.2 times as large
    crop: float = 1.0  # least share of the picture's area that a random crop keeps; 1 is the centre, as in validation
    brightness: float = 0.0  # share, at most: 0.2 is 0.8 to 1.2 times as bright
    contrast: float = 0.0  # share, at most
    saturation: float = 0.0  # share, at most
    hue: float = 0.0  # share of the colour circle, at most, either way
    erasing: float = 0.0  # probability that a rectangle is filled
    fill: Fill = "mirror"  # of what a rotation or shift brings in from outside the picture
    mixup: float = 0.0  # alpha of the Beta distribution; 0 is off
    cutmix: float = 0.0  # alpha; with both, each batch gets one of the two
    mosaic: float = 0.0  # probability that a picture with boxes is one of four in one


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers that a setting may take: from `low` to `high`, or `off`."""

    low: float
    high: float
    unit: str
    example: float
    off: float = 0.0


_PROBABILITY = Range(0, 1, "a probability", 0.5)
RANGES: Mapping[str, Range] = {
    "horizontal_flip": _PROBABILITY,
    "vertical_flip": _PROBABILITY,
    "rotation": Range(0, 180, "degrees", 15),
    "shift": Range(0, 0.5, "a share of the side", 0.1),
    "shear": Range(0, 45, "degrees", 5),
    "zoom": Range(0, 0.9, "a share", 0.1),
    "crop": Range(0.01, 1, "a share of the area", 0.7, off=1),
    "brightness": Range(0, 1, "a share", 0.2),
    "contrast": Range(0, 1, "a share", 0.2),
    "saturation": Range(0, 1, "a share", 0.2),
    "hue": Range(0, 0.5, "a share of the colour circle", 0.05),
    "erasing": _PROBABILITY,
    "mixup": Range(0.01, 10, "an alpha", 0.2),
    "cutmix": Range(0.01, 10, "an alpha", 1),
    "mosaic": _PROBABILITY,
}
_FILLED = ("rotation", "shift", "shear", "zoom", "erasing")  # what brings in something from outside the picture
_POLICIES: Mapping[Policy, str] = {
    "trivial": "one operation of TrivialAugment",
    "randaugment": "two operations of RandAugment",
}
FILLS: tuple[Fill, ...] = ("mean", "black", "white", "mirror")

_LIGHT: Mapping[str, Any] = {"horizontal_flip": 0.5, "shift": 0.05, "zoom": 0.1, "brightness": 0.1}
PRESETS: Mapping[Preset, Mapping[str, Any]] = {
    "none": {},
    "light": _LIGHT,
    "medium": {
        **_LIGHT,
        "rotation": 15.0,
        "shear": 5.0,
        "crop": 0.7,
        "brightness": 0.2,
        "contrast": 0.2,
        "saturation": 0.2,
    },
    "strong": {
        "horizontal_flip": 0.5,
        "shift": 0.1,
        "zoom": 0.2,
        "rotation": 30.0,
        "shear": 10.0,
        "crop": 0.5,
        "brightness": 0.4,
        "contrast": 0.4,
        "saturation": 0.4,
        "hue": 0.05,
        "erasing": 0.25,
        "mixup": 0.2,
    },
    "trivial": {"policy": "trivial", "horizontal_flip": 0.5},  # Müller and Hutter 2021, arXiv 2103.10158: one operation
    "randaugment": {"policy": "randaugment", "horizontal_flip": 0.5},  # Cubuk et al. 2019, arXiv 1909.13719
}


def resolve(preset: Preset, **changes: Any) -> Augmentation:
    """The augmentation of a preset with single settings changed; a change of None keeps the preset's value.

    Raises: SettingsError for an unknown preset or setting, or a value outside its range.
    """
    if preset not in PRESETS:
        raise SettingsError(
            f"there is no augmentation preset {preset!r}.{_hint(preset, PRESETS)} The presets are: {', '.join(PRESETS)}."
        )
    values = dict(PRESETS[preset])
    for name, value in changes.items():
        if value is not None:
            values[name] = _checked(name, value)
    return Augmentation(preset=preset, **values)


def from_settings(values: Mapping[str, Any]) -> Augmentation:
    """The augmentation of a recipe's table: `preset` (default none) and changes. Raises: SettingsError."""
    return resolve(**{"preset": "none", **values})


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
        drawn = _draw(settings, seed)
        image = reshape(picture, drawn.geometry, size=size, fill=settings.fill)
        image = recolour(image, **drawn.colours)
        for name, strength in drawn.operations:
            image = PIXEL_OPERATIONS[name](image, strength)
        pixels = np.array(image)
        if drawn.chance < settings.erasing:
            erase(pixels, fill=settings.fill, **drawn.eraser)
        return pixels, drawn.geometry

    def geometry(self, seed: tuple[int, ...]) -> Geometry:
        """What `vary` does to a picture's shape with that `seed`, without the pixels."""
        return _draw(self.augmentation, seed).geometry


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """What a seed makes of one picture."""

    geometry: Geometry
    colours: dict[str, float]
    operations: list[tuple[str, float]]  # on pixels, and how strong
    chance: float  # a rectangle is filled where it is below `erasing`
    eraser: dict[str, float]


def _draw(settings: Augmentation, seed: tuple[int, ...]) -> _Drawn:
    draws = iter(np.random.default_rng(seed).random(_DRAWS).tolist())
    geometry, colours, eraser = _draw_geometry(settings, draws), _draw_colours(settings, draws), _draw_eraser(draws)
    geometry, operations = draw_policy(settings.policy, geometry, draws)
    chance = eraser.pop("chance")
    return _Drawn(geometry=geometry, colours=colours, operations=operations, chance=chance, eraser=eraser)


def describe(augmentation: Augmentation) -> str:
    """What is switched on, in words: `rotation 15, crop 0.7, fill mirror`; "" where nothing is."""
    off = Augmentation()
    shown = []
    for name in (*RANGES, "quarter_turns"):
        value = getattr(augmentation, name)
        if value != getattr(off, name):
            shown.append(name.replace("_", " ") + ("" if value is True else f" {value:g}"))
    if augmentation.policy != "none":
        shown.append(_POLICIES[augmentation.policy])
    if augmentation.policy != "none" or any(getattr(augmentation, name) for name in _FILLED):
        shown.append(f"fill {augmentation.fill}")
    return ", ".join(shown)


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
    if settings.zoom:
        factor = 1 + _either_way(settings.zoom, scale)
        matrix = multiply((factor, 0.0, 0.0, factor), matrix)
    return Geometry(
        box=_box(_between(settings.crop, 1, area), aspect, across, below) if settings.crop < 1 else None,
        matrix=matrix,
        shift=(_either_way(settings.shift, right), _either_way(settings.shift, down)) if settings.shift else (0.0, 0.0),
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
    factors = {
        name: 1 + _either_way(getattr(settings, name), next(draws)) for name in ("brightness", "contrast", "saturation")
    }
    return {**factors, "hue": _either_way(settings.hue, next(draws))}


def _draw_eraser(draws: Iterator[float]) -> dict[str, float]:
    chance, area, ratio, across, down = (next(draws) for _ in range(5))
    ratio = math.exp(_between(math.log(_ERASED_RATIO[0]), math.log(_ERASED_RATIO[1]), ratio))
    return {"chance": chance, "area": _between(*_ERASED_AREA, area), "ratio": ratio, "across": across, "down": down}


def _checked(name: str, value: Any) -> Any:
    if name == "fill":
        if value not in FILLS:
            raise SettingsError(
                f"fill is {value!r}; it must be one of: {', '.join(FILLS)}. Choose mirror, for example."
            )
        return value
    if name == "quarter_turns":
        if not isinstance(value, bool):
            raise SettingsError(f"quarter_turns is {value!r}; it is a switch. Set it to true or false.")
        return value
    if name not in RANGES:
        known = (*RANGES, "quarter_turns", "fill")
        raise SettingsError(
            f"there is no augmentation setting {name!r}.{_hint(name, known)} The settings are: preset, {', '.join(known)}."
        )
    allowed = RANGES[name]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not (allowed.low <= value <= allowed.high or value == allowed.off):
        rule = f"{allowed.off:g} (off) or from " if allowed.off < allowed.low else "from "
        raise SettingsError(
            f"{name} is {value!r}; it must be {rule}{allowed.low:g} to {allowed.high:g} ({allowed.unit}). "
            f"Set it to {allowed.example:g}, for example."
        )
    return float(value)


def _hint(name: str, known: Any) -> str:
    close = difflib.get_close_matches(str(name), list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
