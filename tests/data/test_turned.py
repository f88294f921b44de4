"""Copies that were turned or mirrored as a whole."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from tellapart.data.turned import Pose, same_when_turned

from .made_scenes import made_scene


def thumbnail(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("L").resize((32, 32), Image.Resampling.BILINEAR))


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turns", range(4))
def test_every_pose_is_undone(turns: int, mirrored: bool) -> None:
    scene = made_scene(0, width=200, height=200)
    copy = (ImageOps.mirror(scene) if mirrored else scene).rotate(-90 * turns)
    thumbnails = np.stack([thumbnail(copy), thumbnail(scene), thumbnail(made_scene(1))])
    right = Pose(first=1, second=0, mirrored=mirrored, turns=turns)
    wrong = Pose(first=1, second=0, mirrored=not mirrored, turns=turns)
    other = Pose(first=2, second=0, mirrored=mirrored, turns=turns)
    assert same_when_turned(thumbnails, [right, wrong, other]) == [True, False, False]


def test_nothing_asked_nothing_said() -> None:
    assert same_when_turned(np.zeros((0, 32, 32), dtype=np.uint8), []) == []
