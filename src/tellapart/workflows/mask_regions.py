"""The connected parts of a mask, one of which is explained. In: Painted. Out: MaskRegion. Next: explain_masks.py."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.mask_files import Painted
from tellapart.answers.mask_parts import find_parts
from tellapart.reporter import counted
from tellapart.tiling import TilePart

UNCERTAIN = "uncertainty"
_MOST_PARTS = 100  # that can be asked for, each a picture's size in memory


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaskRegion:
    """One connected part, and the tile that shows it."""

    label: int
    inside: NDArray[np.bool_]  # [H, W], of the picture
    tile: TilePart
    within: NDArray[np.bool_]  # [S, S], of the tile


def regions_of(painted: Painted, target: int | None) -> list[tuple[int, NDArray[np.bool_]]]:
    """Connected parts, the largest first: their class, and where they are; without `target` none of the background's."""
    parts = find_parts(painted.mask)
    numbers = parts.numbered(*painted.mask.shape)
    kept = parts.labels == target if target is not None else parts.labels != painted.background
    order = sorted(np.flatnonzero(kept).tolist(), key=lambda part: (-int(parts.sizes[part]), part))
    return [(int(parts.labels[part]), numbers == part) for part in order[:_MOST_PARTS]]


def region_at(painted: Painted, chosen: tuple[int, NDArray[np.bool_]], side: int) -> MaskRegion:
    """The part, and the tile with its middle in the middle, as far as the picture allows."""
    label, inside = chosen
    height, width = painted.mask.shape
    ys, xs = np.nonzero(inside)
    left = min(max(0, round(float(xs.mean())) - side // 2), max(0, width - side))
    top = min(max(0, round(float(ys.mean())) - side // 2), max(0, height - side))
    seen = inside[top : top + side, left : left + side]
    within = np.zeros((side, side), dtype=np.bool_)
    within[: seen.shape[0], : seen.shape[1]] = seen
    if not within.any():  # a ring whose middle is elsewhere
        left, top = min(int(xs[0]), max(0, width - side)), min(int(ys[0]), max(0, height - side))
        seen = inside[top : top + side, left : left + side]
        within[: seen.shape[0], : seen.shape[1]] = seen
    return MaskRegion(label=label, inside=inside, tile=TilePart(left, top, left + side, top + side), within=within)


def no_such_part(count: int, wanted: int, class_name: str | None) -> str:
    """Why there is no part of that number among `count`."""
    of_class = "" if class_name is None else f" of class {class_name}"
    if not count:
        return f"nothing{of_class} is told in it, so there is no part to explain; {UNCERTAIN} is drawn all the same"
    return (
        f"{counted(count, 'part')}{of_class} {'is' if count == 1 else 'are'} told in it, so there is no part {wanted}"
    )
