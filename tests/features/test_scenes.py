"""Augmented copies among files: found, kept, and found again without opening one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps
from sklearn.datasets import load_digits

from tellapart.data.examples import PictureFile
from tellapart.data.inspection import inspect_all
from tellapart.data.landmark_votes import Candidates
from tellapart.data.landmarks import Landmarks
from tellapart.data.template import NOTHING
from tellapart.features import scene_search
from tellapart.features.cache import Cache
from tellapart.features.landmark_store import LandmarkStore
from tellapart.features.scene_search import search
from tellapart.features.scenes import LANDMARKS, Known, landmarks_key, look_up, opencv_version
from tests.data.made_scenes import cropped, made_scene, turned


def saved(folder: Path, pictures: dict[str, Image.Image]) -> list[PictureFile]:
    """The pictures as files; the name is the content hash, so that pairs can be read."""
    files = []
    for name, picture in pictures.items():
        path = folder / f"{name}.png"
        picture.save(path)
        files.append(PictureFile(path=path, file_hash=hashlib.sha256(path.read_bytes()).hexdigest(), content_hash=name))
    return files


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", limit_bytes=10**9)


def made() -> dict[str, Image.Image]:
    scenes = {f"scene {number}": made_scene(number) for number in range(6)}
    return scenes | {
        "copy of 1": turned(scenes["scene 1"], 25),
        "copy of 2": ImageOps.mirror(scenes["scene 2"]).rotate(90, expand=True),
        "copy of 4": cropped(scenes["scene 4"], 0.75),
        "plain": Image.new("RGB", (100, 100), "grey"),
    }


def test_copies_are_found_and_remembered(tmp_path: Path, cache: Cache) -> None:
    files = saved(tmp_path, made())
    told: list[int] = []
    with cache:
        assert look_up(files, cache) == Known(scenes=None, whole=False)
        found = search(files, cache=cache, workers=2, advance=told.append)
        assert {frozenset(pair) for pair in found.pairs} == {
            frozenset((f"scene {number}", f"copy of {number}")) for number in (1, 2, 4)
        }
        assert ("scene 1", "copy of 1") in found.pairs  # the original first
        assert ("scene 4", "copy of 4") in found.pairs
        assert sum(told) == len(files)
        for file in files:
            file.path.unlink()
        again = look_up(files[::-1], cache)
        assert again.scenes == found
        fewer = look_up(files[:-1], cache)
        assert (fewer.scenes, fewer.whole) == (None, True)
        assert search(files[:-1], cache=cache, workers=1) == found


def test_a_picture_that_vanished_is_passed_over_and_not_remembered(tmp_path: Path, cache: Cache) -> None:
    files = saved(tmp_path, made())
    files[0].path.unlink()
    with cache:
        found = search(files, cache=cache, workers=2)
        assert len(found.pairs) == 3
        assert not look_up(files[:3], cache).whole
        assert look_up(files[1:3], cache).whole


def test_the_audit_keeps_the_landmarks_that_a_search_would_find(tmp_path: Path, cache: Cache) -> None:
    paths = [tmp_path / name for name in ("one.jpg", "two.png", "small.png")]
    made_scene(0, width=1200, height=900).save(paths[0])
    made_scene(1).save(paths[1])
    made_scene(2, width=60, height=90).save(paths[2])
    with cache, Cache(tmp_path / "other", limit_bytes=10**9) as other:
        with LandmarkStore(cache) as store:
            inspections = inspect_all(paths, workers=2, seen=store.keep)
        files = [
            PictureFile(path=path, file_hash=one.file_hash, content_hash=one.content_hash)
            for path, one in zip(paths, inspections, strict=True)
        ]
        assert look_up(files[:2], cache).whole
        assert not look_up(files[2:], cache).whole  # too small to be compared
        search(files[:2], cache=other, workers=1)
        keys = [landmarks_key(file.content_hash) for file in files[:2]]
        assert other.get_many(LANDMARKS, keys) == cache.get_many(LANDMARKS, keys)


def test_the_library_of_local_features_under_any_of_its_names() -> None:
    present, absent = "numpy", "a-package-that-is-not-there"
    assert opencv_version([absent, present]) == np.__version__
    assert opencv_version([present, present]) == f"{np.__version__}+{np.__version__}"
    assert opencv_version([absent]) == cv2.__version__


def cell(number: int) -> Image.Image:
    """One of many things of one shape before one camera: the same frame and bars, a small mark of its own."""
    picture = made_scene(99)
    left, top = 5 + 36 * (number % 6), 5 + 38 * (number // 6)
    ImageDraw.Draw(picture).ellipse((left, top, left + 24, top + 24), fill="white", outline="black")
    return picture


def test_things_of_one_shape_in_one_place_are_not_joined(tmp_path: Path, cache: Cache) -> None:
    cells = {f"cell {number}": cell(number) for number in range(24)}
    with cache:
        found = search(saved(tmp_path, cells), cache=cache, workers=2)
    assert found.pairs == ()


@pytest.mark.slow
def test_strokes_of_one_figure_are_not_joined(tmp_path: Path, cache: Cache) -> None:
    digits = load_digits().images[:600]
    pictures = {
        str(row): Image.fromarray(np.rint(digit * (255 / 16)).astype(np.uint8)).resize(
            (96, 96), Image.Resampling.BICUBIC
        )
        for row, digit in enumerate(digits)
    }
    with cache:
        assert search(saved(tmp_path, pictures), cache=cache, workers=2).pairs == ()


@pytest.mark.parametrize("common", [0.1, 0.5])
def test_of_what_is_taken_alike_every_landmark_asks(
    common: float, tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    find = scene_search.find_candidates

    def spied(listed: Sequence[Landmarks], *, thorough: bool, workers: int) -> Candidates:
        asked.append(thorough)
        return find(listed, thorough=thorough, workers=workers)

    monkeypatch.setattr(scene_search, "find_template", lambda reliefs: replace(NOTHING, common=common))
    monkeypatch.setattr(scene_search, "find_candidates", spied)
    with cache:
        assert len(search(saved(tmp_path, made()), cache=cache, workers=1).pairs) == 3
    assert asked == [common > 0.15]
