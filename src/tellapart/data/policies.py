"""Operations drawn from a list, TrivialAugment and RandAugment. In: random numbers. Out: what to do. Next: augment.py."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from PIL import Image, ImageEnhance, ImageOps

from tellapart.data.transforms import Geometry, Matrix, multiply, recolour, rotation

Policy = Literal["none", "trivial", "randaugment"]

OPERATIONS = (
    "identity",
    "shear_x",
    "shear_y",
    "shift_x",
    "shift_y",
    "rotate",
    "brightness",
    "colour",
    "contrast",
    "sharpness",
    "posterize",
    "solarize",
    "autocontrast",
    "equalize",
)

# name -> what it does at a strength; brightness, colour, contrast and sharpness are factors less 1
PIXEL_OPERATIONS: Mapping[str, Callable[[Image.Image, float], Image.Image]] = {
    "brightness": lambda image, strength: recolour(image, brightness=1 + strength),
    "colour": lambda image, strength: recolour(image, saturation=1 + strength),
    "contrast": lambda image, strength: recolour(image, contrast=1 + strength),
    "sharpness": lambda image, strength: ImageEnhance.Sharpness(image).enhance(1 + strength),
    "posterize": lambda image, bits: ImageOps.posterize(image, int(bits)),
    "solarize": lambda image, threshold: ImageOps.solarize(image, round(255 * threshold)),
    "autocontrast": lambda image, _: ImageOps.autocontrast(image),
    "equalize": lambda image, _: ImageOps.equalize(image),
}

_STRENGTHS = 31  # 0 to 30
_OPERATIONS_DRAWN: Mapping[Policy, int] = {"none": 0, "trivial": 1, "randaugment": 2}
_RANDAUGMENT_STRENGTH = 9  # with two operations: torchvision's defaults
# The largest strength of each operation, at 30. Shears are tangents; shifts are shares of the side, since TrivialAugmentWide's
# 32 pixels are meant for 224; posterize takes so many of the 8 bits away.
_LARGEST: Mapping[Policy, Mapping[str, float]] = {
    "trivial": {"shear": 0.99, "shift": 32 / 224, "rotate": 135.0, "enhance": 0.99, "posterize": 6},
    "randaugment": {"shear": 0.3, "shift": 150 / 331, "rotate": 30.0, "enhance": 0.9, "posterize": 4},
}


def draw_policy(policy: Policy, geometry: Geometry, draws: Iterator[float]) -> tuple[Geometry, list[tuple[str, float]]]:
    """The policy's operations: those on the shape join `geometry`, so that it stays one step; the others come after.

    `draws` are uniform in [0, 1): three for each operation. Returns the pixel operations as (name, strength).
    Source: TrivialAugmentWide, Müller and Hutter 2021, arXiv 2103.10158; RandAugment, Cubuk et al. 2019, arXiv 1909.13719.
    """
    pixel_operations: list[tuple[str, float]] = []
    for _ in range(_OPERATIONS_DRAWN[policy]):
        name = OPERATIONS[int(next(draws) * len(OPERATIONS))]
        drawn = int(next(draws) * _STRENGTHS)
        share = (drawn if policy == "trivial" else _RANDAUGMENT_STRENGTH) / (_STRENGTHS - 1)
        signed = share if next(draws) < 0.5 else -share
        largest = _LARGEST[policy]
        if name in ("shear_x", "shear_y", "shift_x", "shift_y", "rotate"):
            geometry = _joined(geometry, name, signed * largest[name.split("_")[0]])
        elif name == "posterize":
            pixel_operations.append((name, 8.0 - round(share * largest["posterize"])))
        elif name == "solarize":
            pixel_operations.append((name, 1 - share))
        elif name != "identity":
            pixel_operations.append((name, signed * largest["enhance"]))
    return geometry, pixel_operations


def _joined(geometry: Geometry, name: str, strength: float) -> Geometry:
    right, down = geometry.shift
    if name == "shift_x":
        return dataclasses.replace(geometry, shift=(right + strength, down))
    if name == "shift_y":
        return dataclasses.replace(geometry, shift=(right, down + strength))
    matrix: Matrix = (1.0, 0.0, strength, 1.0)
    if name == "rotate":
        matrix = rotation(strength)
    elif name == "shear_x":
        matrix = (1.0, strength, 0.0, 1.0)
    return dataclasses.replace(geometry, matrix=multiply(matrix, geometry.matrix))
