"""Whether two pictures show one scene, and which is the original."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from tellapart.data.landmarks import no_landmarks
from tellapart.data.same_scene import (
    Overlap,
    agreement_of_best,
    in_place,
    looks_original,
    measure_overlap,
    same_scene,
)
from tellapart.data.template import NOTHING

from .made_scenes import cropped, landmarks, made_scene, turned

VARIATIONS: dict[str, tuple[Callable[[Image.Image], Image.Image], bool, int, bool]] = {
    # how, a mirror image, quarter turns clockwise, in place
    "turned by 30 degrees": (lambda picture: turned(picture, 30), False, 0, False),
    "mirrored and turned": (lambda picture: turned(ImageOps.mirror(picture), -20), True, 0, False),
    "a quarter turn": (lambda picture: picture.rotate(-90, expand=True), False, 1, True),
    "upside down": (lambda picture: picture.rotate(180), False, 2, True),
    "flipped top to bottom": (ImageOps.flip, True, 2, True),
    "cropped": (lambda picture: cropped(picture, 0.7), False, 0, False),
    "dark and grey": (
        lambda picture: ImageEnhance.Brightness(turned(picture, 15)).enhance(0.6).convert("L"),
        False,
        0,
        False,
    ),
}


def measured(first: Image.Image, second: Image.Image, *, mirrored: bool = False) -> Overlap | None:
    return measure_overlap(
        landmarks(first.convert("RGB")), landmarks(second.convert("RGB")), NOTHING, mirrored=mirrored
    )


@pytest.mark.parametrize("name", VARIATIONS)
def test_a_varied_copy_lies_on_its_original(name: str) -> None:
    vary, mirrored, turns, placed = VARIATIONS[name]
    found = measured(made_scene(0), vary(made_scene(0)), mirrored=mirrored)
    assert found is not None
    assert found.likeness > 0.7
    assert (found.turns, in_place(found)) == (turns, placed)
    if not placed:
        assert same_scene(found, mirrored=mirrored)


@pytest.mark.parametrize("mirrored", [False, True])
def test_other_scenes_do_not(mirrored: bool) -> None:
    for seed in range(1, 8):
        found = measured(made_scene(0), made_scene(seed), mirrored=mirrored)
        assert found is None or not same_scene(found, mirrored=mirrored)


def test_the_shares_of_a_crop() -> None:
    found = measured(made_scene(0), cropped(made_scene(0), 0.7))
    assert found is not None
    assert found.second == pytest.approx(1.0, abs=0.02)  # all of the crop comes from the original
    assert found.first == pytest.approx(0.49, abs=0.04)  # 0.7 times 0.7 of the original is in the crop
    other = measured(cropped(made_scene(0), 0.7), made_scene(0))
    assert other is not None
    assert (other.first, other.second) == (pytest.approx(1.0, abs=0.02), pytest.approx(0.49, abs=0.04))


def test_the_original_shows_more_or_has_less_filled_in() -> None:
    scene = made_scene(0)
    for copy in (cropped(scene, 0.75), turned(scene, 35)):
        found, back = measured(scene, copy), measured(copy, scene)
        assert found is not None
        assert back is not None
        assert looks_original(landmarks(scene), landmarks(copy), found)
        assert not looks_original(landmarks(copy), landmarks(scene), back)


def test_without_landmarks_nothing_is_said() -> None:
    assert measure_overlap(no_landmarks(), landmarks(made_scene(0)), NOTHING, mirrored=False) is None
    assert measure_overlap(landmarks(made_scene(0)), no_landmarks(), NOTHING, mirrored=True) is None


def overlap(
    *,
    likeness: float,
    agreement: float = 0.8,
    off: float = 40.0,
    turns: int = 0,
    shared: int = 30,
    part: float = 0.8,
    detail: float = 0.7,
) -> Overlap:
    return Overlap(
        shared=shared,
        likeness=likeness,
        agreement=agreement,
        detail=detail,
        first=part,
        second=part,
        turns=turns,
        off=off,
    )


def test_the_nearer_to_one_pose_the_more_is_asked_for() -> None:
    assert same_scene(overlap(likeness=0.65), mirrored=True)
    assert same_scene(overlap(likeness=0.65, turns=1), mirrored=False)
    assert not same_scene(overlap(likeness=0.64), mirrored=True)
    assert not same_scene(overlap(likeness=0.68), mirrored=False)
    assert same_scene(overlap(likeness=0.69), mirrored=False)
    assert not same_scene(overlap(likeness=0.71, agreement=0.95, off=19.0), mirrored=False)
    assert same_scene(overlap(likeness=0.72, agreement=0.9, off=19.0), mirrored=False)
    assert not same_scene(overlap(likeness=0.99, shared=11), mirrored=True)
    assert not same_scene(overlap(likeness=0.99, part=0.2), mirrored=True)


def test_in_one_pose_the_best_of_the_overlap_must_agree_too() -> None:
    # One hand, a moment later: alike all over, and nowhere the same.
    assert not same_scene(overlap(likeness=0.76, agreement=0.89, off=4.0), mirrored=False)
    assert same_scene(overlap(likeness=0.76, agreement=0.9, off=4.0), mirrored=False)


def test_where_the_best_of_the_overlap_agrees_well_elsewhere_than_in_place_less_likeness_suffices() -> None:
    for mirrored, turns in ((True, 0), (False, 1), (False, 0)):
        assert same_scene(overlap(likeness=0.55, agreement=0.83, turns=turns), mirrored=mirrored)
        assert not same_scene(overlap(likeness=0.55, agreement=0.82, turns=turns), mirrored=mirrored)
        assert not same_scene(overlap(likeness=0.54, agreement=0.83, turns=turns), mirrored=mirrored)
    assert not same_scene(overlap(likeness=0.6, agreement=0.95, turns=1, off=7.0), mirrored=False)
    assert not same_scene(overlap(likeness=0.6, agreement=0.95, off=19.0), mirrored=False)


def test_very_many_landmarks_that_agree_on_a_turn_tell_more_than_likeness() -> None:
    assert same_scene(overlap(likeness=0.6, shared=36), mirrored=True)
    assert same_scene(overlap(likeness=0.6, shared=36, turns=2), mirrored=False)
    assert not same_scene(overlap(likeness=0.6, shared=35, turns=2), mirrored=False)
    assert not same_scene(overlap(likeness=0.59, shared=100, turns=2), mirrored=False)
    # Two pictures of one hand before one creased wall share as many, but lie as they lie.
    assert not same_scene(overlap(likeness=0.68, shared=100), mirrored=False)


def test_the_less_there_is_to_see_the_more_is_asked_for() -> None:
    assert not same_scene(overlap(likeness=0.84, detail=0.5), mirrored=True)
    assert same_scene(overlap(likeness=0.86, detail=0.5), mirrored=True)
    assert not same_scene(overlap(likeness=0.88, detail=0.5), mirrored=False)
    assert same_scene(overlap(likeness=0.9, detail=0.5), mirrored=False)
    assert same_scene(overlap(likeness=0.65, detail=1.0), mirrored=True)
    assert not same_scene(overlap(likeness=0.8, agreement=1.0, detail=0.4), mirrored=True)
    assert same_scene(overlap(likeness=0.8, agreement=1.0, detail=0.55), mirrored=True)


def test_what_was_cut_out_is_left_out_of_the_agreement() -> None:
    random = np.random.default_rng(0)
    shown = np.ones((40, 50), dtype=np.bool_)
    shown[:, :10] = False
    one, brighter = random.normal(size=(40, 50)), np.zeros((40, 50))
    brighter[:] = 3 * one + 20
    brighter[10:22, 20:35] = 0
    whole = float(np.corrcoef(one[shown], brighter[shown])[0, 1])
    assert whole < 0.6
    assert agreement_of_best(one[shown], brighter[shown], shown) == pytest.approx(1.0)
    strange = random.normal(size=(40, 50))
    assert agreement_of_best(one[shown], strange[shown], shown) < 0.4


def test_a_copy_with_holes_agrees_where_it_is_not_holed() -> None:
    scene = made_scene(0)
    copy = scene.rotate(90, expand=True)
    for place in ((10, 10), (90, 60), (120, 180)):
        copy.paste("black", (*place, place[0] + 24, place[1] + 24))
    found = measured(scene, copy)
    assert found is not None
    assert found.agreement > found.likeness + 0.05
