"""Small pictures with masks. In: a folder. Out: files. Next: test_masks_listing.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.examples import Inspection, Listing, ReadOptions
from tellapart.data.inspection import inspect_all
from tellapart.data.listing import read_listing
from tellapart.data.mask_settling import settle_masks


def write_picture(path: Path, width: int = 12, height: int = 8, seed: int = 0, *, orientation: int = 1) -> None:
    """Noise, of which no two pictures are alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(path, exif=exif)


def write_mask(path: Path, pixels: Sequence[Sequence[int]] | NDArray[np.generic], palette: Sequence[int] = ()) -> None:
    """Values as they are: [H, W] numbers, or [H, W, 3] colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.asarray(pixels)
    image = Image.fromarray(array if array.dtype in (np.uint16, np.int32, np.float32) else array.astype(np.uint8))
    if palette:
        image = Image.frombytes("P", image.size, array.astype(np.uint8).tobytes())
        image.putpalette(list(palette))
    image.save(path)


def halves(left: int, right: int, width: int = 12, height: int = 8) -> NDArray[np.uint8]:
    """A mask with one value in its left half and another in its right one."""
    mask = np.full((height, width), left, dtype=np.uint8)
    mask[:, width // 2 :] = right
    return mask


def write_set(
    root: Path, masks: Mapping[str, NDArray[np.generic]], images: str = "images", beside: str = "masks"
) -> None:
    """A picture and a mask under each name, in two folders."""
    for number, (name, mask) in enumerate(masks.items()):
        write_picture(root / images / f"{name}.jpg", mask.shape[1], mask.shape[0], seed=number)
        write_mask(root / beside / f"{name}.png", mask)


def settled(source: Path, **told: str | None) -> tuple[Listing, list[Inspection]]:
    """A data set read, opened and settled, as `check` does it."""
    listing = read_listing(source, ReadOptions(**{"task": "segmentation", **told}))  # type: ignore[arg-type]
    return settle_masks(listing, inspect_all([entry.path for entry in listing.entries], workers=1))
