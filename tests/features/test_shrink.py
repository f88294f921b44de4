"""Pictures are decoded once, exactly as everywhere else. In: files, a limit. Out: squares, or reasons."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.examples import PictureFile
from tellapart.errors import DataError
from tellapart.features.shrink import AugmentedPictures, ShrunkPictures, content_number, shrink, training_square
from tellapart.preprocessing import Preprocessing, load

PREPROCESSING = Preprocessing(size=12, crop=0.875, interpolation="bilinear")
LIMIT = 10**8


def make(folder: Path, count: int = 6) -> list[PictureFile]:
    chance = np.random.default_rng(0)
    pictures = []
    for number in range(count):
        path = folder / f"{number}.{'jpg' if number % 2 else 'png'}"
        Image.fromarray(chance.integers(0, 256, (30 + number, 50, 3), dtype=np.uint8)).save(path)
        pictures.append(describe(path))
    return pictures


def describe(path: Path) -> PictureFile:
    data = path.read_bytes()
    return PictureFile(
        path=path, file_hash=hashlib.sha256(data).hexdigest(), content_hash=hashlib.sha1(data).hexdigest()
    )


def run(
    pictures: list[PictureFile], folder: Path, *, preprocessing: Preprocessing = PREPROCESSING, limit: int = LIMIT
) -> ShrunkPictures:
    counted: list[int] = []
    shrunk = shrink(
        pictures, preprocessing=preprocessing, folder=folder / "cache", limit_bytes=limit, advance=counted.append
    )
    assert sum(counted) == len(pictures)
    return shrunk


@pytest.mark.parametrize("limit", [LIMIT, 0])
def test_validation_gets_exactly_what_prediction_gets(tmp_path: Path, limit: int) -> None:
    pictures = make(tmp_path)
    shrunk = run(pictures, tmp_path, limit=limit)
    assert (shrunk.store is None) == (limit == 0)
    rows = np.array([4, 1, 1, 0, 5, 2, 3])
    expected = np.stack([load(pictures[row].path.read_bytes(), PREPROCESSING) for row in rows])
    np.testing.assert_array_equal(shrunk.read(rows), expected)
    np.testing.assert_array_equal(shrunk.get(rows, 7), expected)
    np.testing.assert_array_equal(shrunk.read([2]), expected[5:6])
    assert shrunk.read(rows).dtype == np.uint8


def test_training_squares_hold_the_whole_centre_square(tmp_path: Path) -> None:
    square = training_square(Preprocessing(size=224, crop=0.875))
    assert (square.size, square.crop) == (256, 1.0)
    assert training_square(Preprocessing(size=224, crop=0.9)).size == 248  # floor of 248.9, as timm resizes
    small = training_square(Preprocessing(size=8, crop=0.8, interpolation="bilinear"))
    wide = Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 120, 3), dtype=np.uint8))
    wide.save(tmp_path / "wide.png")
    shrunk = run([describe(tmp_path / "wide.png")], tmp_path, preprocessing=small)
    assert shrunk.side == 10
    # All of it at a quarter of its size, then the middle.
    expected = np.asarray(wide.resize((30, 10), Image.Resampling.BILINEAR).crop((10, 0, 20, 10)))
    np.testing.assert_array_equal(shrunk.read([0])[0], expected)


def test_a_second_time_no_file_is_read(tmp_path: Path) -> None:
    pictures = make(tmp_path)
    first = run(pictures, tmp_path).read(range(6))
    for picture in pictures:
        picture.path.unlink()
    shrunk = run(pictures[::-1], tmp_path)
    assert shrunk.problems == {}
    np.testing.assert_array_equal(shrunk.read(range(6)), first[::-1])


def test_new_pictures_alone_are_decoded_when_some_are_added(tmp_path: Path) -> None:
    pictures = make(tmp_path)
    first = run(pictures[:5], tmp_path).read(range(5))
    for picture in pictures[:5]:
        picture.path.unlink()
    shrunk = run(pictures, tmp_path)
    assert shrunk.problems == {}
    np.testing.assert_array_equal(shrunk.read(range(5)), first)


@pytest.mark.parametrize("limit", [LIMIT, 0])
def test_a_picture_that_vanished_or_changed_is_a_problem_and_never_black(tmp_path: Path, limit: int) -> None:
    pictures = make(tmp_path)
    pictures.append(pictures[2])
    pictures[1].path.unlink()
    Image.new("RGB", (20, 20)).save(pictures[2].path)
    shrunk = run(pictures, tmp_path, limit=limit)
    assert list(shrunk.problems) == [1, 2, 6]
    assert shrunk.problems[1].startswith("vanished after the audit: No such file")
    assert shrunk.problems[2] == shrunk.problems[6] == "changed after the audit; train again"
    for row in (1, 2, 6):
        with pytest.raises((ValueError, DataError)):
            shrunk.read([0, row])
    np.testing.assert_array_equal(shrunk.read([0])[0], load(pictures[0].path.read_bytes(), PREPROCESSING))


def test_a_file_that_is_no_picture_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_bytes(b"this is a text")
    assert run([describe(tmp_path / "text.png")], tmp_path).problems == {0: "not a picture in a known format"}


def test_a_file_that_goes_during_training_is_named(tmp_path: Path) -> None:
    pictures = make(tmp_path)
    shrunk = run(pictures, tmp_path, limit=0)
    pictures[3].path.unlink()
    with pytest.raises(DataError, match=r"3\.jpg: vanished after the audit: .*; put it back as it was, or train again"):
        shrunk.read([2, 3])


def test_other_preprocessing_is_another_store(tmp_path: Path) -> None:
    pictures = make(tmp_path)
    run(pictures, tmp_path)
    for other in (Preprocessing(size=12, crop=0.5), Preprocessing(size=12, interpolation="nearest")):
        shrunk = run(pictures, tmp_path, preprocessing=other)
        expected = np.stack([load(picture.path.read_bytes(), other) for picture in pictures])
        np.testing.assert_array_equal(shrunk.read(range(6)), expected)


def test_variants_follow_from_seed_picture_and_epoch_alone(tmp_path: Path) -> None:
    seeds: list[tuple[int, ...]] = []

    def augment(picture: NDArray[np.uint8], seed: tuple[int, ...]) -> NDArray[np.uint8]:
        seeds.append(seed)
        left, top = np.random.default_rng(seed).integers(0, 2, 2)
        return picture[top : top + 12, left : left + 12]

    pictures = make(tmp_path)
    square = training_square(PREPROCESSING)
    forward = AugmentedPictures(pictures=run(pictures, tmp_path, preprocessing=square), augment=augment, seed=3)
    backward = AugmentedPictures(pictures=run(pictures[::-1], tmp_path, preprocessing=square), augment=augment, seed=3)
    assert (len(forward), forward.get(np.arange(6), 0).shape) == (6, (6, 12, 12, 3))
    for epoch in range(4):
        np.testing.assert_array_equal(forward.get(np.arange(6), epoch), backward.get(np.arange(6)[::-1], epoch))
    assert len(set(seeds)) == 6 * 4
    assert {seed[::2] for seed in seeds} == {(3, epoch) for epoch in range(4)}


def test_shrunk_pictures_go_to_another_process_without_their_pixels(tmp_path: Path) -> None:
    shrunk = run(make(tmp_path), tmp_path)
    data = pickle.dumps(shrunk)
    assert len(data) < 4000
    np.testing.assert_array_equal(pickle.loads(data).read(range(6)), shrunk.read(range(6)))


def test_content_numbers_are_spread_and_never_change() -> None:
    numbers = [content_number(f"{value}") for value in range(1000)]
    assert len(set(numbers)) == 1000
    assert 0.45 < np.mean(numbers) / 2**64 < 0.55
    expected = hashlib.blake2b(b"a", digest_size=8).hexdigest()
    assert f"{content_number('a'):016x}" == "".join(
        reversed([expected[place : place + 2] for place in range(0, 16, 2)])
    )
