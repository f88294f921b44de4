"""Masks laid over their picture. In: pixels, a mask, colours. Out: pixels, a Pillow picture. Next: lettering.py.

The inside of a class is tinted, its border is a line of the whole colour, so that both are seen on any picture. H rows, W columns,
K classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tellapart.answers.mask_files import IGNORED, IGNORED_COLOUR, Colour, coloured
from tellapart.drawing.lettering import Pen, common_font

STRENGTH = 0.45  # of a class's colour, inside
MISSED: Colour = (213, 94, 0)  # vermilion: a thing where nothing was told
SURPLUS: Colour = (0, 114, 178)  # blue: nothing where a thing was told
SWAPPED: Colour = (240, 228, 66)  # yellow: one thing for another
_PIXELS_A_LINE = 500  # of the longer side, for each pixel of a border's width
_LETTERS = (12, 22)  # pixels, least and most
_PIXELS_A_LETTER = 45
_WHITE, _BLACK = (255, 255, 255), (20, 20, 20)


def lay_mask(
    pixels: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    colours: Sequence[Colour],
    *,
    background: int | None = None,
    strength: float = STRENGTH,
) -> NDArray[np.uint8]:
    """A picture uint8 [H, W, 3] under its mask [H, W]; the background and what counts nowhere (255) stay as they are.

    `strength` in [0, 1] is how much of a colour there is inside; colours are [K]. Raises: ValueError for another size.
    """
    if pixels.shape != (*mask.shape, 3):
        raise ValueError(f"a mask of {mask.shape} over a picture of {pixels.shape}")
    seen = mask != IGNORED
    if background is not None:
        seen &= mask != background
    colour = coloured(mask, colours).astype(np.float32)
    found = pixels.astype(np.float32)
    found[seen] += strength * (colour[seen] - found[seen])
    line = border_line(mask, max(1, round(max(mask.shape) / _PIXELS_A_LINE))) & seen
    found[line] = colour[line]
    return np.asarray(np.rint(found), dtype=np.uint8)


def lay_difference(
    pixels: NDArray[np.uint8], truth: NDArray[np.uint8], told: NDArray[np.uint8], *, background: int | None
) -> NDArray[np.uint8]:
    """A grey, pale picture [H, W, 3] on which wrong pixels have the colours of what is wrong; what counts nowhere is grey.

    Without a background every wrong pixel is swapped.
    """
    grey = pixels.astype(np.float32).mean(axis=2, keepdims=True) * 0.5 + 110
    found = np.repeat(np.rint(grey), 3, axis=2).astype(np.uint8)
    wrong = (truth != told) & (truth != IGNORED)
    found[wrong] = SWAPPED
    if background is not None:
        found[wrong & (told == background)] = MISSED
        found[wrong & (truth == background)] = SURPLUS
    found[truth == IGNORED] = IGNORED_COLOUR
    return found


def border_line(mask: NDArray[np.uint8], width: int) -> NDArray[np.bool_]:
    """Pixels within `width` pixels of another class, along rows and columns, [H, W]."""
    line = np.zeros(mask.shape, dtype=np.bool_)
    across, down = mask[:, 1:] != mask[:, :-1], mask[1:] != mask[:-1]
    for step in range(width):
        line[:, step + 1 :] |= across[:, : across.shape[1] - step]
        line[:, : mask.shape[1] - 1 - step] |= across[:, step:]
        line[step + 1 :] |= down[: down.shape[0] - step]
        line[: mask.shape[0] - 1 - step] |= down[step:]
    return line


def with_legend(picture: Image.Image, entries: Sequence[tuple[str, Colour]]) -> Image.Image:
    """The picture with a strip below it that says which colour is what; the picture itself is not touched."""
    if not entries:
        return picture
    letters = round(min(_LETTERS[1], max(_LETTERS[0], max(picture.size) / _PIXELS_A_LETTER)))
    font = common_font([name for name, _ in entries])
    probe = Pen(draw=ImageDraw.Draw(Image.new("RGB", (1, 1))), font=font)
    gap, square = letters // 2, letters
    rows: list[list[tuple[str, Colour, int]]] = [[]]
    left = gap
    for name, colour in entries:
        _, taken = probe.fitted(name, letters, max(1, picture.width - square - 3 * gap))
        wide = square + gap + taken + 2 * gap
        if rows[-1] and left + wide > picture.width:
            rows.append([])
            left = gap
        rows[-1].append((name, colour, left))
        left += wide
    line = round(letters * 1.7)
    sheet = Image.new("RGB", (picture.width, picture.height + line * len(rows) + gap), _WHITE)
    sheet.paste(picture, (0, 0))
    pen = Pen(draw=ImageDraw.Draw(sheet), font=font)
    for number, row in enumerate(rows):
        top = picture.height + gap + number * line
        for name, colour, left in row:
            pen.draw.rectangle((left, top, left + square - 1, top + square - 1), fill=colour, outline=_BLACK)
            pen.write(
                (left + square + gap, top), name, letters, _BLACK, max(1, picture.width - left - square - 2 * gap)
            )
    return sheet
