"""Keras' augmentation layers, as settings. In: arguments. Out: settings of [augment], a remark. Next: keras_augmentation.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tellapart.errors import SettingsError
from tellapart.settings.keras_ranges import either, higher_and_lower, numbers, shares, told_around

Given = Mapping[str, Any]
Read = tuple[dict[str, Any], str]  # settings, and what is done otherwise; "" for nothing
_DIGITS = 4


class KerasLayer(NamedTuple):
    """How one layer is read."""

    arguments: tuple[str, ...]  # by their places
    read: Callable[[Given, int | None], Read]
    moves: bool = False  # it brings in what lies outside the picture


def _flip(given: Given, size: int | None) -> Read:
    mode = given.get("mode", "horizontal_and_vertical")
    known = {"horizontal": ("horizontal_flip",), "vertical": ("vertical_flip",)}
    names = known.get(mode, ("horizontal_flip", "vertical_flip"))
    if mode not in (*known, "horizontal_and_vertical"):
        raise SettingsError(
            f"RandomFlip has the mode {mode!r}; Keras has horizontal, vertical and horizontal_and_vertical."
        )
    return dict.fromkeys(names, 0.5), ""


def _rotation(given: Given, size: int | None) -> Read:
    factor = given.get("factor", 0.0)
    remark = told_around("RandomRotation's factor", factor, 0)
    return {"rotation": round(360 * either("factor", factor), _DIGITS)}, remark


def _translation(given: Given, size: int | None) -> Read:
    found = {
        "height_shift": shares("height_factor", float(either("height_factor", given.get("height_factor", 0.0))), size),
        "width_shift": shares("width_factor", float(either("width_factor", given.get("width_factor", 0.0))), size),
    }
    remarks = (told_around(name, given.get(name, 0.0), 0) for name in ("height_factor", "width_factor"))
    return {name: value for name, value in found.items() if value}, " ".join(filter(None, remarks))


def _zoom(given: Given, size: int | None) -> Read:
    """Negative factors show it larger: -0.2 samples 0.8 of the height."""
    factor = numbers("height_factor", given.get("height_factor", 0.0))
    low, high = (-factor[0], factor[0]) if len(factor) == 1 else (factor[0], factor[1])
    ratio = "RandomZoom keeps the ratio of the sides here." if given.get("width_factor") is not None else ""
    span = [1 + min(low, high), 1 + max(low, high)]
    remark = " ".join(filter(None, (ratio, told_around("1 + RandomZoom's height_factor", span, 1))))
    return higher_and_lower("height_factor", span, up="zoom_in", down="zoom_out", inverted=True), remark


def _contrast(given: Given, size: int | None) -> Read:
    factor = given.get("factor", 0.0)
    lower, upper = factor if isinstance(factor, list) and len(factor) == 2 else (0.0, 0.0)  # below 1, and above it
    return {"contrast": either("factor", factor)}, told_around("RandomContrast's factor", [-lower, upper], 0)


def _brightness(given: Given, size: int | None) -> Read:
    factor = given.get("factor", 0.0)
    return {"brightness_shift": either("factor", factor)}, told_around("RandomBrightness's factor", factor, 0)


def _shear(given: Given, size: int | None) -> Read:
    from math import atan, degrees

    share = either("x_factor", given.get("x_factor", 0.0))
    return {"shear": round(degrees(atan(share)), _DIGITS)}, "RandomShear leans along x alone here."


def _crop(given: Given, size: int | None) -> Read:
    side = max(either("height", given.get("height", 0)), either("width", given.get("width", 0)))
    if size is None or not side < size:
        raise SettingsError(
            f"RandomCrop is to {side:g} pixels; of how many is not told. Give --size with the side that pictures have before it."
        )
    return {"crop": round((side / size) ** 2, _DIGITS)}, "RandomCrop's pieces are made as large as the network's input."


def _rescaling(given: Given, size: int | None) -> Read:
    return (
        {},
        "Rescaling is left out: pixels are scaled by the network's own normalisation, in training and in model.onnx alike.",
    )


LAYERS: Mapping[str, KerasLayer] = {
    "RandomFlip": KerasLayer(("mode",), _flip),
    "RandomRotation": KerasLayer(("factor",), _rotation, moves=True),
    "RandomTranslation": KerasLayer(("height_factor", "width_factor"), _translation, moves=True),
    "RandomZoom": KerasLayer(("height_factor", "width_factor"), _zoom, moves=True),
    "RandomContrast": KerasLayer(("factor",), _contrast),
    "RandomBrightness": KerasLayer(("factor", "value_range"), _brightness),
    "RandomShear": KerasLayer(("x_factor", "y_factor"), _shear, moves=True),
    "RandomCrop": KerasLayer(("height", "width"), _crop),
    "Rescaling": KerasLayer(("scale", "offset"), _rescaling),
}
