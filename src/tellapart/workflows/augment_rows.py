"""One picture and its variants, its boxes drawn along. In: Entry, Decoded. Out: SheetRow. Next: drawing/contact_sheet.py."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.augment import build_augmentation
from tellapart.data.augmentation import Augmentation
from tellapart.data.elastic import bend, draw_mesh
from tellapart.data.examples import Entry, Inspection, Listing
from tellapart.data.motion import into_square, motion_of, move_boxes
from tellapart.data.readers import READERS
from tellapart.decoding import Decoded
from tellapart.drawing.boxes import DrawnBox, draw_boxes
from tellapart.drawing.contact_sheet import SheetRow
from tellapart.preprocessing import Preprocessing, prepare
from tellapart.tiling import cut_part, part_around
from tellapart.workflows.augment_sample import View, told_label


def settled(listing: Listing, sampled: list[tuple[Entry, Decoded]]) -> list[tuple[Entry, Decoded]]:
    """The same with targets in pixels of the opened pictures."""
    if not any(entry.target.outlines for entry, _ in sampled):
        return sampled
    inspections = [
        Inspection(file_hash="", width=decoded.width, height=decoded.height, turned=decoded.turned)
        for _, decoded in sampled
    ]
    part = replace(listing, entries=tuple(entry for entry, _ in sampled))
    found, _ = READERS[listing.task].settle(part, inspections)
    own = {entry.path: entry for entry in found.entries}
    return [(own[entry.path], decoded) for entry, decoded in sampled if entry.path in own]


def sheet_row(
    entry: Entry,
    decoded: Decoded,
    augmentation: Augmentation,
    view: View,
    classes: Sequence[str],
    *,
    columns: int,
    seed: tuple[int, int],
) -> SheetRow:
    """As it is, as validation sees it, and `columns` variants; boxes of `classes` are drawn as they move along."""
    image, sides = decoded.image, _sides(entry)
    if view.fit == "tile":
        image, sides = _one_tile(image, sides, view)
        decoded, view = replace(decoded, image=image, width=view.size, height=view.size), replace(view, fit="pad")
    validation = Preprocessing(size=view.size, crop=view.crop, fit=view.fit)
    side = max(view.size, math.floor(view.size / view.crop))
    if view.grey:
        image = image.convert("L").convert("RGB")
    whole = Preprocessing(size=side, crop=1.0, fit=view.fit)
    source = prepare(image, whole)
    augment = build_augmentation(augmentation, size=view.size)
    boxes = entry.target.outlines

    def outlined(pixels: NDArray[np.uint8], given: NDArray[np.float64], kept: Sequence[int]) -> NDArray[np.uint8]:
        named = [boxes[number].label for number in kept]
        return _outlined(pixels, given, named, classes)

    def variant(column: int) -> NDArray[np.uint8]:
        pixels, geometry = augment.vary(source, (*seed, column))
        if augmentation.elastic:  # its mask would be bent with it; boxes never are
            nothing = np.zeros(pixels.shape[:2], dtype=np.uint8)
            pixels, _ = bend(pixels, nothing, draw_mesh((*seed, column), strength=augmentation.elastic))
        within = into_square(sides, width=decoded.width, height=decoded.height, preprocessing=whole)
        moved, kept = move_boxes(within.reshape(-1, 4), motion_of(geometry, side=side, size=view.size))
        return outlined(pixels, moved, kept.tolist())

    every = range(len(boxes))
    shown = into_square(sides, width=decoded.width, height=decoded.height, preprocessing=validation)
    return SheetRow(
        label=told_label(entry),
        name=entry.path.name,
        picture=Image.fromarray(
            outlined(np.asarray(image), sides.reshape(-1, 4) * (image.width / decoded.width), every)
        ),
        validation=outlined(prepare(image, validation), shown.reshape(-1, 4), every),
        variants=[variant(column) for column in range(columns)],
    )


def _sides(entry: Entry) -> NDArray[np.float64]:
    """The corners of what can be drawn on a picture, [n, 2, 2]."""
    outlines = entry.target.outlines
    return np.array([[box.left, box.top, box.right, box.bottom] for box in outlines], dtype=np.float64).reshape(
        -1, 2, 2
    )


def _one_tile(image: Image.Image, sides: NDArray[np.float64], view: View) -> tuple[Image.Image, NDArray[np.float64]]:
    """The tile of a picture around its first box, or of its middle, and the corners in pixels of that."""
    inputs = Preprocessing(size=view.size, crop=1.0, fit="tile", scale=view.scale)
    left, top, right, bottom = sides[0].ravel().tolist() if len(sides) else (0, 0, image.width, image.height)
    part = part_around((left, top, right, bottom), image.width, image.height, inputs)
    scale = view.size / (part.right - part.left), view.size / (part.bottom - part.top)
    return Image.fromarray(cut_part(image, part, inputs)), (sides - (part.left, part.top)) * scale


def _outlined(
    pixels: NDArray[np.uint8], sides: NDArray[np.float64], labels: Sequence[str], classes: Sequence[str]
) -> NDArray[np.uint8]:
    """A picture [H, W, 3] with boxes [n, 4] drawn on it, a class a colour; itself where there are none."""
    if not labels:
        return pixels
    boxes = [
        DrawnBox(sides=(left, top, right, bottom), label=name, number=classes.index(name), named=False)
        for (left, top, right, bottom), name in zip(sides.tolist(), labels, strict=True)
    ]
    return np.asarray(draw_boxes(pixels, boxes, longest=max(pixels.shape)))
