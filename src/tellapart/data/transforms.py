"""Change one picture: geometry in one step, colour in one step. In: uint8 [H, W, 3], plain numbers. Out: pixels. Next: policies.py.

Pillow does the work: on one thread it is about twice as fast as torchvision's transforms on tensors, and it needs no random
state of torch's, which threads would share. Coordinates are x, y in pixels, with (0, 0) in the upper left corner.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Keras calls "mirror" reflect. "nearest" goes on with the border's pixels, "wrap" with those of the other side.
Fill = Literal["mean", "black", "white", "constant", "mirror", "reflect", "nearest", "wrap"]
Matrix = tuple[float, float, float, float]  # a, b, c, d: x' = a x + b y, y' = c x + d y
Colour = tuple[int, int, int]

IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0)
_CONTINUED: dict[str, Literal["symmetric", "edge", "wrap"]] = {
    "mirror": "symmetric",
    "reflect": "symmetric",
    "nearest": "edge",
    "wrap": "wrap",
}
_ALIASING = 1.5  # source pixels from one output pixel to the next; beyond, bilinear sampling would skip some of them
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's mode L
# FCC NTSC: rows Y, I, Q. Turning I and Q turns the hue and keeps the luma.
_YIQ = np.array([_LUMA, (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135)])
_RGB = np.linalg.inv(_YIQ)
_TURNS = (None, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """What happens to the shape of a picture: a box is cut out, made S x S, changed about its centre, shifted, then turned."""

    box: tuple[float, float, float, float] | None = (
        None  # left, top, width, height as shares of the source; None: the centre
    )
    matrix: Matrix = IDENTITY  # rotation, shear and zoom together
    shift: tuple[float, float] = (0.0, 0.0)  # right and down, as shares of S
    mirrored: bool = False  # left becomes right
    flipped: bool = False  # top becomes bottom
    quarter_turns: int = 0  # anticlockwise, after the flips


def multiply(second: Matrix, first: Matrix) -> Matrix:
    """The matrix of `first`, then `second`."""
    a, b, c, d = second
    e, f, g, h = first
    return a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h


def rotation(degrees: float) -> Matrix:
    """Clockwise on the screen, where y points down."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return cosine, -sine, sine, cosine


def centre(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """A view [S, S, 3], `size` S, of the centre of [H, W, 3]; of an odd remainder the larger half is cut right and below."""
    top, left = ((side - size) // 2 for side in picture.shape[:2])
    return picture[top : top + size, left : left + size]


def reshape(
    picture: NDArray[np.uint8], geometry: Geometry, *, size: int, fill: Fill, value: float = 0.0
) -> Image.Image:
    """Sample a square picture uint8 [S', S', 3] once, bilinearly, to an RGB picture of side `size`.

    What lies outside the picture is filled, by "constant" with `value`, 0 to 255; what lies outside the centre square only is
    taken from the picture.
    Where the picture shrinks, it is smoothed first.
    """
    if geometry.box is None and geometry.matrix == IDENTITY and geometry.shift == (0.0, 0.0):
        image = Image.fromarray(centre(picture, size))
    else:
        image = _sample(picture, sampled_from(geometry, picture.shape[0], size), size, fill, value)
    if geometry.mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if geometry.flipped:
        image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    turn = _TURNS[geometry.quarter_turns % 4]
    return image if turn is None else image.transpose(turn)


def recolour(
    image: Image.Image,
    *,
    brightness: float = 1.0,
    contrast: float = 1.0,
    saturation: float = 1.0,
    hue: float = 0.0,
    added: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Image.Image:
    """Change colours in one pass; factors of 1 and a hue of 0 (in turns of the colour circle) leave them alone.

    `added` is what red, green and blue get at the end, in values of 0 to 255.

    Brightness scales, contrast moves away from the picture's mean grey, saturation from each pixel's grey (all as
    torchvision's functions, but clipped once, at the end); hue turns the colours in YIQ, which keeps their luma.
    """
    if brightness == contrast == saturation == 1.0 and hue == 0.0 and not any(added):
        return image
    offset = 0.0
    if contrast != 1.0:
        offset = (1 - contrast) * brightness * sum(w * v for w, v in zip(_LUMA, mean_colour(image), strict=True))
    grey = np.tile(_LUMA, (3, 1))
    matrix = brightness * contrast * (saturation * np.eye(3) + (1 - saturation) * grey)
    if hue != 0.0:
        matrix = _hue_matrix(hue) @ matrix
    # Grey stays grey under saturation and hue, so the offset passes through both.
    rows = (value for row, more in zip(matrix.tolist(), added, strict=True) for value in (*row, offset + more))
    return image.convert("RGB", tuple(rows))


def mean_colour(image: Image.Image) -> Colour:
    """The mean of each channel, rounded."""
    red, green, blue = image.resize((1, 1), Image.Resampling.BOX).tobytes()
    return red, green, blue


def erase(
    pixels: NDArray[np.uint8],
    *,
    area: float,
    ratio: float,
    across: float,
    down: float,
    fill: Fill,
    value: float = 0.0,
) -> NDArray[np.uint8]:
    """Fill a rectangle of [S, S, 3] in place: `area` a share, `ratio` height by width, `across` and `down` its place, 0 to 1.

    Source: Zhong et al. 2017, arXiv 1708.04896. Inside a picture nothing goes on: what is no colour fills with the mean.
    """
    size = pixels.shape[0]
    height = min(size, max(1, round(size * math.sqrt(area * ratio))))
    width = min(size, max(1, round(size * math.sqrt(area / ratio))))
    top, left = round(down * (size - height)), round(across * (size - width))
    pixels[top : top + height, left : left + width] = _colour(Image.fromarray(pixels), fill, value)
    return pixels


def sampled_from(geometry: Geometry, side: int, size: int) -> tuple[float, float, float, float, float, float]:
    """Where each output point comes from, before flips and turns: a to f of x = a x' + b y' + c, y = d x' + e y' + f.

    In pixels of a square source of `side` pixels, and of an output of `size` pixels.
    """
    if geometry.box is None:
        left = top = float((side - size) // 2)
        width = height = float(size)
    else:
        left, top, width, height = (share * side for share in geometry.box)
    a, b, c, d = geometry.matrix
    determinant = a * d - b * c
    across, down = width / size / determinant, height / size / determinant
    linear = (d * across, -b * across, -c * down, a * down)
    x, y = (size / 2 + share * size for share in geometry.shift)
    return (
        linear[0],
        linear[1],
        left + width / 2 - linear[0] * x - linear[1] * y,
        linear[2],
        linear[3],
        top + height / 2 - linear[2] * x - linear[3] * y,
    )


def _sample(
    picture: NDArray[np.uint8],
    affine: tuple[float, float, float, float, float, float],
    size: int,
    fill: Fill,
    value: float,
) -> Image.Image:
    a, b, c, d, e, f = affine
    side = picture.shape[0]
    corners = ((0, 0), (size, 0), (0, size), (size, size))
    xs, ys = [a * x + b * y + c for x, y in corners], [d * x + e * y + f for x, y in corners]
    outside = max(-min(xs), -min(ys), max(xs) - side, max(ys) - side)
    if outside <= 0 and b == d == 0:  # a box within the picture: Pillow's resize smooths as it shrinks
        return Image.fromarray(picture).resize(
            (size, size), Image.Resampling.BILINEAR, box=(xs[0], ys[0], xs[3], ys[3])
        )
    step = max(math.hypot(a, d), math.hypot(b, e))
    if step > _ALIASING:
        smaller = max(1, round(side / step))
        picture = np.asarray(Image.fromarray(picture).resize((smaller, smaller), Image.Resampling.BILINEAR))
        ratio = smaller / side
        a, b, c, d, e, f, outside = (value * ratio for value in (a, b, c, d, e, f, outside))
    if outside > 0 and fill in _CONTINUED:
        margin = math.ceil(outside)
        picture = np.pad(picture, ((margin, margin), (margin, margin), (0, 0)), mode=_CONTINUED[fill])
        c, f = c + margin, f + margin
    image = Image.fromarray(picture)
    return image.transform(
        (size, size),
        Image.Transform.AFFINE,
        (a, b, c, d, e, f),
        Image.Resampling.BILINEAR,
        fillcolor=_colour(image, fill, value) if outside > 0 and fill not in _CONTINUED else None,
    )


def _colour(image: Image.Image, fill: Fill, value: float) -> Colour:
    told = {"black": 0, "white": 255, "constant": round(value)}.get(fill)
    if told is not None:
        return told, told, told
    return mean_colour(image)


def _hue_matrix(turns: float) -> NDArray[np.float64]:
    cosine, sine = math.cos(2 * math.pi * turns), math.sin(2 * math.pi * turns)
    turned = _RGB @ np.array([(1, 0, 0), (0, cosine, sine), (0, -sine, cosine)]) @ _YIQ
    return np.asarray(turned, dtype=np.float64)
