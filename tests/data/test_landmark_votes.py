"""Which pictures share landmarks: the originals of varied copies are among them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import ImageOps

from tellapart.data.landmark_votes import find_candidates
from tellapart.data.landmarks import Landmarks, no_landmarks

from .made_scenes import cropped, landmarks, made_scene, turned

COUNT = 40


def test_copies_find_their_originals() -> None:
    scenes = [made_scene(seed) for seed in range(COUNT)]
    varied = [
        turned(scene, 25)
        if row % 3 == 0
        else ImageOps.mirror(cropped(scene, 0.85))
        if row % 3 == 1
        else scene.rotate(180)
        for row, scene in enumerate(scenes)
    ]
    found = find_candidates([landmarks(picture) for picture in (*scenes, *varied)])
    pairs = {
        tuple(pair): mirrored for pair, mirrored in zip(found.pairs.tolist(), found.mirrored.tolist(), strict=True)
    }
    assert [pairs.get((row, COUNT + row)) for row in range(COUNT)] == [row % 3 == 1 for row in range(COUNT)]
    assert (found.pairs[:, 0] < found.pairs[:, 1]).all()
    assert len(pairs) == len(found.pairs) <= 4 * 2 * COUNT
    best = found.votes.argsort()[::-1][: COUNT // 2]
    assert (found.pairs[best, 1] - found.pairs[best, 0] == COUNT).all()


def test_no_landmarks_no_candidates() -> None:
    assert len(find_candidates([]).pairs) == 0
    assert len(find_candidates([no_landmarks(), no_landmarks()]).pairs) == 0


def test_pictures_without_landmarks_may_stand_between_others() -> None:
    scene = made_scene(0)
    found = find_candidates([no_landmarks(), landmarks(scene), no_landmarks(), landmarks(turned(scene, 10))])
    assert found.pairs.tolist() == [[1, 3]]
    assert found.mirrored.tolist() == [False]


def made(descriptors: np.ndarray, angles: np.ndarray, *, mirrored: np.ndarray | None = None) -> Landmarks:
    """Landmarks with these descriptions; what else they have does not matter here."""
    other = np.random.default_rng(9).integers(0, 256, descriptors.shape, dtype=np.uint8)
    return replace(
        no_landmarks(),
        points=np.zeros((len(descriptors), 2), dtype=np.uint8),
        angles=(angles % 256).astype(np.uint8),
        descriptors=descriptors,
        mirrored=other if mirrored is None else mirrored,
    )


RANDOM = np.random.default_rng(0)
THIRTY = RANDOM.integers(0, 256, (30, 32), dtype=np.uint8)
ANGLES = RANDOM.integers(0, 256, 30)


def test_each_landmark_that_asks_has_one_vote() -> None:
    # A third of 60 asks; each finds its twin, turned by a quarter as all others are.
    found = find_candidates([made(THIRTY, ANGLES), made(THIRTY, ANGLES + 64)])
    assert (found.pairs.tolist(), found.mirrored.tolist()) == ([[0, 1]], [False])
    assert found.votes == pytest.approx([20.0])


def test_votes_that_disagree_about_the_turn_do_not_count_together() -> None:
    turns = np.where(np.arange(30) // 3 % 2, 64, 200)
    found = find_candidates([made(THIRTY, ANGLES), made(THIRTY, ANGLES + turns)])
    assert found.votes == pytest.approx([10.0])


def test_what_looks_like_two_gives_each_a_half() -> None:
    found = find_candidates([made(THIRTY, ANGLES + turn) for turn in (0, 30, 90)])
    assert found.pairs.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert found.votes == pytest.approx([10.0, 10.0, 10.0])


def test_the_turn_of_a_mirror_image_runs_backwards() -> None:
    # Seen from either side the mirrored description is the other's: the one at angle a shows at half a turn less a.
    strange = np.random.default_rng(1).integers(0, 256, THIRTY.shape, dtype=np.uint8)
    first, second = made(THIRTY, ANGLES, mirrored=strange), made(strange, 128 - ANGLES + 40, mirrored=THIRTY)
    found = find_candidates([first, second])
    assert (found.pairs.tolist(), found.mirrored.tolist()) == ([[0, 1]], [True])
    assert found.votes == pytest.approx([20.0])
