"""Which pictures share landmarks: the originals of varied copies are among them."""

from __future__ import annotations

from PIL import ImageOps

from tellapart.data.landmark_votes import find_candidates
from tellapart.data.landmarks import no_landmarks

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
