"""What is wrong with a network's input. In: the right one, the found one, the picture. Out: the fault in words. Next: self_test.py.

Pillow's resampling is written out here, so that it can be done wrongly on purpose: with another filter, or one that does not widen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from prepare_picture import Pixels, Settings, ShownPart, parts, prepare

Numbers = NDArray[np.float64]
NEAR = 0.5  # of what was found: a fault is named that leaves at most that much of the difference
LEFT = 1.0  # levels on average: where a fault leaves more than that, it is not the only one
MORE = 0.8  # of the difference so far, that another fault must fall below
MIRRORED = "the picture is mirrored"
IMAGENET = (
    np.array([0.485, 0.456, 0.406]),
    np.array([0.229, 0.224, 0.225]),
)  # mean and deviation, as many programs have them
SUPPORT = {"bilinear": 1.0, "bicubic": 2.0, "lanczos": 3.0}
ONE = 2.0**22  # weights are whole numbers of 2^-22


class InputVerdict(NamedTuple):
    """How two inputs differ, in levels of 255, and why; "" where no usual fault explains it."""

    most: float
    mean: float
    fault: str


def kernel(name: str, x: NDArray[Any]) -> Numbers:
    """The filter's weight at a distance from the middle; bicubic is Keys' of 1981 with a = -0.5."""
    x = np.abs(x)
    if name == "bilinear":
        return np.maximum(0.0, 1 - x)
    if name == "lanczos":
        return np.where(x < 3, np.sinc(x) * np.sinc(x / 3), 0.0)
    near, far = (1.5 * x - 2.5) * x * x + 1, (((x - 5) * x + 8) * x - 4) * -0.5
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def weights(length: int, start: float, end: float, count: int, name: str, *, antialias: bool) -> Numbers:
    """[count, length]: how much of each old pixel is in each new one, in whole numbers of 2^-22."""
    scale = float(np.float32(np.float32(end) - np.float32(start))) / count
    wide = max(scale, 1.0) if antialias else 1.0
    found = np.zeros((count, length))
    for at in range(count):
        centre = float(np.float32(start)) + (at + 0.5) * scale
        first = max(0, int(centre - SUPPORT[name] * wide + 0.5))
        last = min(length, int(centre + SUPPORT[name] * wide + 0.5))
        raw = kernel(name, (np.arange(first, last) - centre + 0.5) / wide)
        found[at, first:last] = np.trunc(raw / (raw.sum() or 1.0) * ONE + np.where(raw < 0, -0.5, 0.5))
    return found


def resample(pixels: Pixels, across: int, down: int, box: ShownPart, name: str, *, antialias: bool = True) -> Pixels:
    """Pillow's resize of a part, to the bit: one direction, rounded to 8 bits, then the other."""
    height, width, _ = pixels.shape
    columns = weights(width, box.left, box.right, across, name, antialias=antialias)
    rows = weights(height, box.top, box.bottom, down, name, antialias=antialias)
    if height - down > 2 * max(0, width - across):  # since Pillow 13
        return _round(
            np.einsum(
                "xw,hwc->hxc", columns, _round(np.einsum("yh,hwc->ywc", rows, pixels, optimize=True)), optimize=True
            )
        )
    return _round(
        np.einsum("yh,hxc->yxc", rows, _round(np.einsum("xw,hwc->hxc", columns, pixels, optimize=True)), optimize=True)
    )


def _round(sums: Numbers) -> Pixels:
    return np.asarray(np.clip(np.floor(sums / ONE + 0.5), 0, 255).astype(np.uint8))


def judge(right: Pixels, found: NDArray[Any], image: Image.Image, part: ShownPart, settings: Settings) -> InputVerdict:
    """Compare an input [S, S, 3] with what another program made, in any order and scale."""
    if found.size != right.size:
        return InputVerdict(math.inf, math.inf, f"there are {found.size} numbers, not {right.size}")
    own = np.abs(found.reshape(-1).astype(np.float64) - right.reshape(-1))
    if own.max() <= 1:
        return InputVerdict(float(own.max()), float(own.mean()), "")
    best, faults = float(own.mean()), ""
    seen = list(_views(found.reshape(-1), settings))
    for name, make in _geometries(image, part, settings).items():
        wanted = make().astype(np.float64)
        for names, values in seen:
            apart = float(np.abs(values - wanted).mean())
            if apart < MORE * best:
                best, faults = apart, "; ".join(filter(None, (*names, name)))
    if best > NEAR * own.mean():
        faults = ""
    elif best > LEFT:
        faults += "; and that is not all of it"
    return InputVerdict(float(own.max()), float(own.mean()), faults)


def _geometries(image: Image.Image, part: ShownPart, settings: Settings) -> dict[str, Callable[[], Pixels]]:
    """Other ways to prepare a picture, each a usual mistake, by its name."""
    pixels, size, fit = np.asarray(image), settings["size"], settings["fit"]
    whole = ShownPart(0, 0, image.width, image.height)

    def other(shown: Image.Image = image, **more: Any) -> Callable[[], Pixels]:
        return lambda: prepare(shown, part, {**settings, **more})

    def filtered(name: str, *, antialias: bool) -> Callable[[], Pixels]:
        (box,) = parts(image.width, image.height, settings) if fit in ("crop", "squash") else [whole]
        if fit in ("crop", "squash"):
            return lambda: resample(pixels, size, size, box, name, antialias=antialias)
        return other(interpolation=name)

    squeezed = other(fit="squash", crop=1.0)
    found = {
        "": other(),
        "the filter does not widen (no antialiasing)": filtered(settings["interpolation"], antialias=False),
        "the filter is bilinear without antialiasing, as a canvas or OpenCV has it": filtered(
            "bilinear", antialias=False
        ),
        "the filter is bilinear": filtered("bilinear", antialias=True),
        "the filter is bicubic": filtered("bicubic", antialias=True),
        "the picture is upside down (orientation)": other(image.transpose(Image.Transpose.ROTATE_180)),
    }
    found.pop(f"the filter is {settings['interpolation']}", None)
    if fit == "crop":
        found["nothing is cropped (the whole picture was squeezed into the square)"] = squeezed
        found["the crop is too large (the whole shorter side)"] = other(crop=1.0)
        if settings["interpolation"] != "bilinear":
            bilinear = {"interpolation": "bilinear"}
            found["nothing is cropped (the whole picture was squeezed into the square); the filter is bilinear"] = (
                other(fit="squash", crop=1.0, **bilinear)
            )
            found["the crop is too large (the whole shorter side); the filter is bilinear"] = other(
                crop=1.0, **bilinear
            )
    elif fit == "pad":
        found["the picture was squeezed, not padded"] = squeezed
        found["the picture was cropped, not padded"] = other(fit="crop", crop=1.0)
        found["the edge has another colour"] = other(mean=[0.0, 0.0, 0.0])
    elif fit == "crop_or_pad":
        found["the picture was scaled, not cropped or padded as it is"] = squeezed
        found["the edge has another colour"] = other(mean=[0.0, 0.0, 0.0])
    elif fit == "tile":
        found["the whole picture was squeezed, not cut into tiles"] = squeezed
    return found | {"; ".join(filter(None, (name, MIRRORED))): _mirrored(make) for name, make in found.items()}


def _mirrored(make: Callable[[], Pixels]) -> Callable[[], Pixels]:
    return lambda: make()[:, ::-1]


def _views(found: NDArray[Any], settings: Settings) -> Iterator[tuple[tuple[str, str, str], Numbers]]:
    """The same numbers, laid out and scaled in every usual way, [S, S, 3] from 0 to 255."""
    size = settings["size"]
    values = found.astype(np.float64)
    mean, deviation = np.array(settings["mean"]), np.array(settings["std"])
    whole = found.dtype == np.uint8
    for layout in ("", "channels come first"):
        laid = np.moveaxis(values.reshape(3, size, size), 0, 2) if layout else values.reshape(size, size, 3)
        for order in ("", "red and blue are swapped (BGR)"):
            swapped = laid[..., ::-1] if order else laid
            yield (layout, order, ""), swapped
            if not whole:
                yield (layout, order, "values run from 0 to 1"), swapped * 255
                normal = "values are normalised by mean and deviation, which the network does itself"
                yield (layout, order, normal), (swapped * deviation + mean) * 255
                twice = "values are normalised twice by mean and deviation"
                yield (layout, order, twice), ((swapped * deviation + mean) * deviation + mean) * 255
                others = "values are normalised by ImageNet's mean and deviation, which are not the network's"
                yield (layout, order, others), (swapped * IMAGENET[1] + IMAGENET[0]) * 255
