"""Copies that were only turned or mirrored as a whole. In: thumbnails, poses. Out: yes or no. Next: augmented.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tellapart.data.likeness import Thumbnails, measure_likeness, same_picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """The first picture, mirrored left to right or not, then turned, lies on the second."""

    first: int  # row
    second: int
    mirrored: bool
    turns: int  # quarter turns clockwise


def same_when_turned(thumbnails: Thumbnails, poses: Sequence[Pose]) -> list[bool]:
    """Whether the two of each pose show one picture, as near copies do: with what the set shares left out.

    `thumbnails` is [N, 32, 32], sorted by content.
    """
    if not poses:
        return []
    likeness = measure_likeness(thumbnails)
    first = np.array([pose.first for pose in poses])
    turned = [
        np.rot90(thumbnails[pose.first][:, ::-1] if pose.mirrored else thumbnails[pose.first], -pose.turns)
        for pose in poses
    ]
    # A turned picture has the detail of its own that it had before.
    both = replace(
        likeness,
        thumbnails=np.concatenate([thumbnails, np.stack(turned)]),
        tolerance=np.concatenate([likeness.tolerance, likeness.tolerance[first]]),
    )
    pairs = np.stack([np.arange(len(poses)) + len(thumbnails), [pose.second for pose in poses]], axis=1)
    return [bool(same) for same in same_picture(both, pairs)]
