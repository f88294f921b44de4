"""Pixels go from the audit to the embedding without a second decoding. In: picture files. Out: squares, embeddings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.examples import PictureFile
from tellapart.data.inspection import inspect_all
from tellapart.features.cache import Cache
from tellapart.features.extract import Features, extract
from tellapart.features.squares import Squares
from tellapart.preprocessing import Fit, Preprocessing, fitted, load

PHOTOGRAPH = Path(sklearn.datasets.__file__).parent / "images" / "china.jpg"
USUAL = Preprocessing(size=224)


class MeanEngine:
    """A network whose embedding is the mean colour."""

    name, batch, workers = "mean", 2, 2

    def embed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return images.mean(axis=(1, 2)).astype(np.float32)


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Pictures that are stored in ways that matter: a large JPEG, one that lies on its side, transparency, a palette."""
    photograph = Image.open(PHOTOGRAPH)
    sideways = Image.Exif()
    sideways[0x0112] = 6
    photograph.resize((1400, 930)).save(tmp_path / "large.jpg")
    photograph.save(tmp_path / "sideways.jpg", exif=sideways)
    see_through = photograph.convert("RGBA")
    see_through.putalpha(Image.linear_gradient("L").resize(photograph.size))
    see_through.save(tmp_path / "see-through.png")
    photograph.convert("P").save(tmp_path / "palette.png")
    return sorted(tmp_path.glob("*.*g"))


def audited(paths: list[Path], squares: Squares) -> list[PictureFile]:
    """The pictures as an audit leaves them."""
    found = inspect_all(paths, workers=2, shown=squares.keep)
    return [
        PictureFile(path=path, file_hash=one.file_hash, content_hash=one.content_hash)
        for path, one in zip(paths, found, strict=True)
    ]


@pytest.mark.parametrize("fit", ["crop", "pad", "squash"])
def test_what_is_kept_is_what_the_network_would_see(pictures: list[Path], fit: Fit) -> None:
    preprocessing = fitted(USUAL, fit, None)
    squares = Squares(lambda: preprocessing)
    files = audited(pictures, squares)
    assert len(files) == 4
    for file in files:
        square = squares.take(file.content_hash, preprocessing)
        assert square is not None
        np.testing.assert_array_equal(square, load(file.read(), preprocessing))


def test_it_is_given_once_and_only_for_the_same_preprocessing(pictures: list[Path]) -> None:
    squares = Squares(lambda: USUAL)
    (file, *_) = audited(pictures, squares)
    assert squares.take(file.content_hash, replace(USUAL, interpolation="bilinear")) is None
    assert squares.take(file.content_hash, fitted(USUAL, "squash", None)) is None
    assert squares.take("another content", USUAL) is None
    # A range of values is of deeper pictures, none of which is kept.
    assert squares.take(file.content_hash, replace(USUAL, value_range=(0.0, 4095.0))) is not None
    assert squares.take(file.content_hash, USUAL) is None


@pytest.mark.parametrize("other", [Preprocessing(size=225), Preprocessing(size=224, colour="stored"), None])
def test_nothing_is_kept_where_the_network_sees_other_pixels_or_is_not_known(
    pictures: list[Path], other: Preprocessing | None
) -> None:
    squares = Squares(lambda: other)
    for file in audited(pictures, squares):
        assert squares.take(file.content_hash, other or USUAL) is None


def test_neither_deep_pictures_nor_small_ones_are_kept(tmp_path: Path) -> None:
    deep = np.linspace(0, 4095, 300 * 300).reshape(300, 300).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    Image.new("RGB", (223, 224)).save(tmp_path / "small.png")
    squares = Squares(lambda: USUAL)
    for file in audited([tmp_path / "deep.png", tmp_path / "small.png"], squares):
        assert squares.take(file.content_hash, USUAL) is None


def test_memory_is_bounded_and_what_is_taken_makes_room(pictures: list[Path]) -> None:
    squares = Squares(lambda: USUAL, most_bytes=2 * 3 * 224**2)
    files = audited(pictures, squares)
    audited(pictures, squares)  # the same contents take no more room
    for _ in range(2):
        assert sum(squares.take(file.content_hash, USUAL) is not None for file in files) == 2
        audited(pictures, squares)
    squares.clear()
    assert all(squares.take(file.content_hash, USUAL) is None for file in files)
    audited(pictures, squares)
    assert sum(squares.take(file.content_hash, USUAL) is not None for file in files) == 2


def embedded(files: list[PictureFile], cache: Cache | None, squares: Squares | None) -> Features:
    return extract(
        files, engine=MeanEngine(), preprocessing=USUAL, embedding=3, fingerprint="w", cache=cache, squares=squares
    )


def test_embeddings_are_the_same_and_need_no_file_any_more(pictures: list[Path], tmp_path: Path) -> None:
    squares = Squares(lambda: USUAL)
    files = audited(pictures, squares)
    expected = embedded(files, None, None).vectors
    for path in pictures[:3]:
        path.unlink()
    with Cache(tmp_path / "cache", limit_bytes=10**9) as cache:
        found = embedded(files, cache, squares)
        np.testing.assert_array_equal(found.vectors, expected)
        assert found.computed == 4
        again = embedded(files, cache, squares)
    np.testing.assert_array_equal(again.vectors, expected)
    assert sorted(embedded(files, None, squares).problems) == [0, 1, 2]  # taken once: of these nothing is left
