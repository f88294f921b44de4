"""Which pictures share landmarks: the originals of varied copies are among them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import ImageOps

from tellapart.data.describing import mirrored
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


def made(descriptors: np.ndarray, angles: np.ndarray, points: np.ndarray | None = None) -> Landmarks:
    """Landmarks with these descriptions, in a picture of 100 pixels; what else they have does not matter here."""
    return replace(
        no_landmarks(),
        points=np.full((len(descriptors), 2), 50, dtype=np.uint8) if points is None else points,
        angles=(angles % 256).astype(np.uint8),
        descriptors=descriptors,
        width=100,
    )


RANDOM = np.random.default_rng(0)
THIRTY = RANDOM.integers(0, 256, (30, 32), dtype=np.uint8)
ANGLES = RANDOM.integers(0, 256, 30)
POINTS = RANDOM.integers(10, 90, (30, 2)).astype(np.uint8)


def test_each_landmark_that_asks_has_one_vote() -> None:
    # Half of 60 ask; each finds its twin, turned by a quarter as all others are.
    found = find_candidates([made(THIRTY, ANGLES), made(THIRTY, ANGLES + 64)])
    assert (found.pairs.tolist(), found.mirrored.tolist()) == ([[0, 1]], [False])
    assert found.votes == pytest.approx([30.0])


def test_where_things_are_taken_alike_every_landmark_asks() -> None:
    found = find_candidates([made(THIRTY, ANGLES), made(THIRTY, ANGLES + 64)], thorough=True)
    assert found.votes == pytest.approx([60.0])
    # One that only the other's second landmark shows is asked from both sides; what looks like two gives each a half, both ways.
    others = RANDOM.integers(0, 256, (2, 1, 32), dtype=np.uint8)
    single = made(THIRTY[:2], ANGLES[[0, 0]])
    second, third = (made(np.concatenate([other, THIRTY[:1]]), ANGLES[[0, 0]]) for other in others)
    assert find_candidates([single, second], thorough=True).votes == pytest.approx([2.0])
    assert len(find_candidates([single, second, third], thorough=True).votes) == 0


def test_votes_that_disagree_about_the_turn_do_not_count_together() -> None:
    turns = np.where(np.arange(30) // 2 % 2, 64, 200)
    found = find_candidates([made(THIRTY, ANGLES), made(THIRTY, ANGLES + turns)])
    assert found.votes == pytest.approx([16.0])


def test_nor_do_those_that_disagree_about_the_shift() -> None:
    away = np.where(np.arange(30)[:, None] // 2 % 2, [[70, 0]], [[0, 0]])
    found = find_candidates([made(THIRTY, ANGLES, POINTS), made(THIRTY, ANGLES, (POINTS + away).astype(np.uint8))])
    assert found.votes == pytest.approx([16.0])


def test_what_looks_like_two_gives_each_a_half() -> None:
    found = find_candidates([made(THIRTY, ANGLES + turn) for turn in (0, 30, 90)])
    assert found.pairs.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert found.votes == pytest.approx([15.0, 15.0, 15.0])


def test_one_vote_is_none() -> None:
    # The first landmarks of both ask. What a second one looks like is asked from one side only.
    other = RANDOM.integers(0, 256, (1, 32), dtype=np.uint8)
    first, angles = made(THIRTY[:2], ANGLES[:2]), ANGLES[[0, 0]]
    assert find_candidates([first, made(np.concatenate([THIRTY[:1], other]), angles)]).votes == pytest.approx([2.0])
    assert len(find_candidates([first, made(np.concatenate([other, THIRTY[:1]]), angles)]).votes) == 0


def near(descriptors: np.ndarray, bits: int) -> np.ndarray:
    """The same but for so many bits, the first ones."""
    flipped = np.unpackbits(descriptors, axis=1)
    flipped[:, :bits] ^= 1
    return np.packbits(flipped, axis=1)


def test_what_differs_in_four_bits_more_gets_half_of_the_share() -> None:
    # Of what is alike only the first picture's three landmarks ask: two votes for one that is the same, one for four bits off.
    blank = np.zeros((1, 32), dtype=np.uint8)
    asks = np.concatenate([THIRTY[:1], blank, THIRTY[1:2], blank, THIRTY[2:3], blank])
    silent = np.concatenate([255 - blank, THIRTY[:1], 255 - blank, THIRTY[1:2], 255 - blank, THIRTY[2:3]])
    farther = np.concatenate([255 - blank, near(THIRTY[:1], 4), 255 - blank, near(THIRTY[1:2], 4)])
    farther = np.concatenate([farther, 255 - blank, near(THIRTY[2:3], 4)])
    angles = np.zeros(6, dtype=np.int64)
    found = find_candidates([made(asks, angles), made(silent, angles + 64), made(farther, angles + 128)])
    votes = dict(zip(map(tuple, found.pairs.tolist()), found.votes.tolist(), strict=True))
    assert votes[0, 1] == pytest.approx(2.0)


def test_a_pair_that_is_the_best_of_neither_picture_needs_more_votes() -> None:
    # Both have a twin. Five landmarks of the two are alike but for two bits, which is under two votes beside the twins'.
    own = RANDOM.integers(0, 256, (3, 32), dtype=np.uint8)
    first = made(THIRTY[:8], ANGLES[:8])
    second = made(np.concatenate([near(THIRTY[:5], 2), own]), ANGLES[:8] + 64)
    assert find_candidates([first, first, second, second]).pairs.tolist() == [[0, 1], [2, 3]]
    assert find_candidates([first, second]).pairs.tolist() == [[0, 1]]


@pytest.mark.parametrize("first", [True, False])
def test_the_turn_and_the_place_in_a_mirror_image_run_backwards(first: bool) -> None:
    # The one at angle a shows at half a turn less a, the one at x at the width less x.
    plain, there = made(THIRTY, ANGLES, POINTS), (100 - POINTS[:, 0]).astype(np.uint8)
    other = made(mirrored(THIRTY), 128 - ANGLES, np.stack([there, POINTS[:, 1]], axis=1))
    found = find_candidates([plain, other] if first else [other, plain])
    assert (found.pairs.tolist(), found.mirrored.tolist()) == ([[0, 1]], [True])
    assert found.votes == pytest.approx([30.0])
