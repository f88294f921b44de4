"""Views of a picture and the way back. Reference: numpy's own turns and flips."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.errors import ModelFileError
from tellapart.models.symmetry import VIEWS, mean_of_views


@pytest.mark.parametrize("views", list(VIEWS))
def test_maps_of_all_views_are_turned_back(views: str) -> None:
    maps = np.random.default_rng(0).normal(size=(3, 2, 5, 5)).astype(np.float32)
    seen = []
    for turns, mirrored in VIEWS[views]:
        turned = np.rot90(maps, turns, axes=(2, 3))
        seen.append(np.flip(turned, 3) if mirrored else turned)
    np.testing.assert_allclose(mean_of_views(np.concatenate(seen), 3), maps, atol=1e-6)
    assert np.array_equal(seen[0], maps)


def test_the_eight_views_are_all_different() -> None:
    square = np.arange(9).reshape(3, 3)
    seen = {
        np.fliplr(np.rot90(square, turns)).tobytes() if mirrored else np.rot90(square, turns).tobytes()
        for turns, mirrored in VIEWS["dihedral"]
    }
    assert len(seen) == 8


@pytest.mark.parametrize(("maps", "count"), [(3, 1), (7, 3), (0, 0)])
def test_a_number_of_maps_that_no_table_has(maps: int, count: int) -> None:
    with pytest.raises(ModelFileError, match=f"gives {maps} maps for {count} pictures. Explain it by occlusion."):
        mean_of_views(np.zeros((maps, 1, 2, 2), dtype=np.float32), count)
