"""How pictures are to be varied: presets, ranges, words. In: a recipe's table. Out: Augmentation. Next: augment.py."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tellapart.data.policies import Policy
from tellapart.data.transforms import Fill
from tellapart.errors import SettingsError

Preset = Literal["none", "light", "medium", "strong", "trivial", "randaugment"]


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
    width_shift: float = 0.0  # the same, right and left alone; beside `shift` the larger counts
    height_shift: float = 0.0  # up and down alone
    crop_padding: float = 0.0  # pixels of the input: a crop of its own size out of the padded picture, by whole pixels
    shear: float = 0.0  # degrees, at most, either way, along x
    zoom: float = 0.0  # share, at most: 0.2 is 0.8 to 1.2 times as large
    zoom_in: float = 0.0  # share, at most, that it is larger: 0.5 is up to 1.5 times; beside `zoom` the larger counts
    zoom_out: float = 0.0  # share, at most, that it is smaller: 0.3 is down to 0.7 times
    crop: float = 1.0  # least share of the picture's area that a random crop keeps; 1 is the centre, as in validation
    brightness: float = 0.0  # share, at most: 0.2 is 0.8 to 1.2 times as bright
    brighten: float = 0.0  # share, at most, that it is brighter; beside `brightness` the larger counts
    darken: float = 0.0  # share, at most, that it is darker
    brightness_shift: float = 0.0  # share of white, at most, that is added to all values, or taken away
    channel_shift: float = 0.0  # the same, for red, green and blue each its own
    contrast: float = 0.0  # share, at most
    saturation: float = 0.0  # share, at most
    hue: float = 0.0  # share of the colour circle, at most, either way
    erasing: float = 0.0  # probability that a rectangle is filled
    fill: Fill = "mirror"  # of what a rotation or shift brings in from outside the picture
    fill_value: float = 0.0  # of the fill "constant": 0 is black, 255 white
    mixup: float = 0.0  # alpha of the Beta distribution; 0 is off
    cutmix: float = 0.0  # alpha; with both, each batch gets one of the two
    mosaic: float = 0.0  # probability that a picture with boxes is one of four in one
    elastic: float = 0.0  # share of the side, standard deviation of how far points of a picture with a mask move


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
    "width_shift": Range(0, 0.5, "a share of the width", 0.1),
    "height_shift": Range(0, 0.5, "a share of the height", 0.1),
    "crop_padding": Range(0, 512, "pixels", 4),
    "shear": Range(0, 45, "degrees", 5),
    "zoom": Range(0, 0.9, "a share", 0.1),
    "zoom_in": Range(0, 9, "a share", 0.2),
    "zoom_out": Range(0, 0.9, "a share", 0.2),
    "crop": Range(0.01, 1, "a share of the area", 0.7, off=1),
    "brightness": Range(0, 1, "a share", 0.2),
    "brighten": Range(0, 9, "a share", 0.2),
    "darken": Range(0, 1, "a share", 0.2),
    "brightness_shift": Range(0, 1, "a share of white", 0.1),
    "channel_shift": Range(0, 1, "a share of white", 0.1),
    "contrast": Range(0, 1, "a share", 0.2),
    "saturation": Range(0, 1, "a share", 0.2),
    "hue": Range(0, 0.5, "a share of the colour circle", 0.05),
    "erasing": _PROBABILITY,
    "mixup": Range(0.01, 10, "an alpha", 0.2),
    "cutmix": Range(0.01, 10, "an alpha", 1),
    "mosaic": _PROBABILITY,
    "elastic": Range(0, 0.2, "a share of the side", 0.03),
    "fill_value": Range(0, 255, "a value", 128),
}
# What came later: where it is not told, checkpoints from before it stay those of the same training.
LATER = (
    "width_shift",
    "height_shift",
    "crop_padding",
    "zoom_in",
    "zoom_out",
    "brighten",
    "darken",
    "brightness_shift",
    "channel_shift",
    "fill_value",
)
_MOVED = ("rotation", "shift", "width_shift", "height_shift", "crop_padding", "shear", "zoom", "zoom_in", "zoom_out")
_FILLED = (*_MOVED, "erasing")  # what brings in something from outside the picture
_POLICIES: Mapping[Policy, str] = {
    "trivial": "one operation of TrivialAugment",
    "randaugment": "two operations of RandAugment",
}
FILLS: tuple[Fill, ...] = ("mean", "black", "white", "constant", "mirror", "nearest", "wrap", "reflect")

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


def switched_on(augmentation: Augmentation) -> list[tuple[str, str]]:
    """What is switched on, each as words and a value: ("rotation", "15"), ("quarter turns", "")."""
    off = Augmentation()
    shown = []
    for name in (*(one for one in RANGES if one != "fill_value"), "quarter_turns"):
        value = getattr(augmentation, name)
        if value != getattr(off, name):
            shown.append((name.replace("_", " "), "" if value is True else f"{value:g}"))
    if augmentation.policy != "none":
        shown.append((_POLICIES[augmentation.policy], ""))
    if augmentation.policy != "none" or any(getattr(augmentation, name) for name in _FILLED):
        value = f" {augmentation.fill_value:g}" if augmentation.fill == "constant" else ""
        shown.append(("fill", f"{augmentation.fill}{value}"))
    return shown


def describe(augmentation: Augmentation) -> str:
    """The same as one text: `rotation 15, crop 0.7, fill mirror`; "" where nothing is."""
    return ", ".join(f"{name} {value}".rstrip() for name, value in switched_on(augmentation))


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
