"""features/partial.py: what each part shows, and that it shows nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.features.partial import (
    border_alone,
    centre_masked,
    colours,
    edge_cells,
    marks,
    partial_engines,
    thumbnails,
)


def _images(side: int = 32) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, size=(3, side, side, 3), dtype=np.uint8)


def test_the_border_is_an_eighth_at_each_side() -> None:
    images = _images()
    shown = border_alone(images)
    assert (shown[:, 4:28, 4:28] == 128).all()
    for part in (np.s_[:, :4], np.s_[:, 28:], np.s_[:, :, :4], np.s_[:, :, 28:]):
        np.testing.assert_array_equal(shown[part], images[part])


def test_half_the_side_is_hidden() -> None:
    images = _images()
    shown = centre_masked(images)
    assert (shown[:, 8:24, 8:24] == 128).all()
    assert (shown != images).any(axis=(1, 2, 3)).all()
    np.testing.assert_array_equal(shown[:, :8], images[:, :8])


@pytest.mark.parametrize("side", [32, 8, 30])
def test_thumbnails_are_means(side: int) -> None:
    images = _images(side)
    places = [place * side // 8 for place in range(9)]
    expected = [
        images[1, places[row] : places[row + 1], places[column] : places[column + 1]].reshape(-1, 3).mean(axis=0) / 255
        for row in range(8)
        for column in range(8)
    ]
    np.testing.assert_allclose(thumbnails(images)[1], np.concatenate(expected), atol=1e-6)


def test_marks_are_of_cells_at_the_edge() -> None:
    images = _images()
    changed = images.copy()
    changed[:, 4:28, 4:28] = 0
    np.testing.assert_array_equal(marks(images), marks(changed))
    changed[:, 0:2, 30:32] = 255  # top right
    moved = np.unique(np.flatnonzero((marks(images) != marks(changed)).any(axis=0)) // 4)
    assert [edge_cells()[cell] for cell in moved] == [(0, 7)]
    cell = images[0, :4, :4].mean(axis=2)
    np.testing.assert_allclose(marks(images)[0, :4], [cell.mean(), cell.min(), cell.max(), cell.std()], rtol=1e-4)


def test_colours_are_shares_whatever_is_where() -> None:
    images = _images()
    found = colours(images)
    assert found.shape == (3, 112)
    np.testing.assert_allclose((found**2).reshape(3, -1)[:, :16].sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose((found**2)[:, 48:].sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(found, colours(images[:, ::-1, ::-1]))
    red = np.zeros((1, 8, 8, 3), dtype=np.uint8)
    red[..., 0] = 255
    assert np.flatnonzero(colours(red)[0]).tolist() == [15, 16, 32, 48 + 48]


class _Sums:
    """A network that adds up what it sees."""

    name, batch, workers = "sums", 4, 1

    def embed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return images.reshape(len(images), -1).sum(axis=1, keepdims=True).astype(np.float32)


def test_engines_see_their_part_and_have_names_of_their_own() -> None:
    images = _images()
    engines = partial_engines(_Sums())
    np.testing.assert_array_equal(engines["border"].embed(images), _Sums().embed(border_alone(images)))
    np.testing.assert_array_equal(engines["masked"].embed(images), _Sums().embed(centre_masked(images)))
    names = [engine.name for engine in engines.values()]
    assert len(set(names)) == len(names) == 5
    assert "sums" not in names
    for part in ("marks", "thumbnail", "colour"):
        engine = engines[part]  # type: ignore[index]
        assert engine.embed(images).shape == (3, engine.length)  # type: ignore[union-attr]
