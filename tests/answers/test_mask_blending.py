"""Tiles blended into one mask. In: made probabilities. Out: the whole, band by band, as by hand at once."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.answers import mask_blending
from tellapart.answers.answering import Placement
from tellapart.answers.mask_blending import MaskMerging, as_bytes, most_probable

SIDE, OVERLAP = 8, 4


def whole(width: int, height: int) -> Placement:
    return Placement(width=width, height=height, left=0, top=0, right=width, bottom=height)


def tiles(width: int, height: int, step: int = SIDE - OVERLAP) -> list[Placement]:
    """Row by row; the last ones reach beyond the picture."""
    return [
        Placement(width=width, height=height, left=left, top=top, right=left + SIDE, bottom=top + SIDE)
        for top in range(0, max(1, height - OVERLAP), step)
        for left in range(0, max(1, width - OVERLAP), step)
    ]


def probabilities(count: int, classes: int, seed: int = 0) -> NDArray[np.float32]:
    found = np.random.default_rng(seed).random((count, classes, SIDE, SIDE), dtype=np.float32)
    return found / found.sum(1, keepdims=True)


def merged(
    width: int, height: int, arrays: dict[str, NDArray[np.float32]], batch: int = 3
) -> dict[str, NDArray[np.generic]]:
    places = tiles(width, height)
    merging = MaskMerging(whole(width, height), classes=arrays["probabilities"].shape[1], overlap=OVERLAP)
    for start in range(0, len(places), batch):
        part = slice(start, start + batch)
        merging.add({name: values[part] for name, values in arrays.items()}, places[part])
    return merging.finish()


@pytest.mark.parametrize(("width", "height"), [(8, 8), (5, 3), (19, 14), (31, 9), (12, 40)])
def test_the_whole_is_the_mean_of_tiles_with_weights_that_fall_to_their_edges(width: int, height: int) -> None:
    places = tiles(width, height)
    given = probabilities(len(places), 3)
    sums, weights = np.zeros((3, height, width)), np.zeros((height, width))
    for place, tile in zip(places, given, strict=True):
        for y in range(SIDE):
            for x in range(SIDE):
                row, column = int(place.top) + y, int(place.left) + x
                if row < height and column < width:
                    weight = min(1, min(y + 0.5, SIDE - y - 0.5) / OVERLAP) * min(
                        1, min(x + 0.5, SIDE - x - 0.5) / OVERLAP
                    )
                    sums[:, row, column] += weight * tile[:, y, x]
                    weights[row, column] += weight
    expected = sums / weights
    found = merged(width, height, {"probabilities": given})
    assert found["mask"].shape == found["certainty"].shape == (1, height, width)
    np.testing.assert_array_equal(found["mask"][0], expected.argmax(0))
    np.testing.assert_allclose(found["certainty"][0], 255 * expected.max(0), atol=0.51)
    np.testing.assert_allclose(found["probabilities"][0], 255 * expected, atol=0.51)


def test_where_tiles_agree_there_is_no_seam() -> None:
    places = tiles(30, 21)
    given = np.tile(np.array([0.1, 0.72, 0.18], dtype=np.float32)[None, :, None, None], (len(places), 1, SIDE, SIDE))
    found = merged(30, 21, {"probabilities": given})
    assert set(found["mask"].reshape(-1).tolist()) == {1}
    assert set(found["certainty"].reshape(-1).tolist()) == {round(0.72 * 255)}


def test_a_band_is_all_that_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mask_blending, "KEPT_BYTES", 10)
    merging = MaskMerging(whole(16, 400), classes=2, overlap=OVERLAP)
    places = tiles(16, 400)
    given = probabilities(len(places), 2)
    largest = 0
    for place, tile in zip(places, given, strict=True):
        merging.add({"probabilities": tile[None]}, [place])
        largest = max(largest, merging._sums.nbytes)
    assert largest <= 2 * (2 * SIDE) * 16 * 4
    assert set(merging.finish()) == {"mask", "certainty"}


def test_novelty_is_that_of_the_tiles_by_their_share_of_the_picture() -> None:
    places = tiles(12, 8)
    assert len(places) == 2
    found = merged(12, 8, {"probabilities": probabilities(2, 2), "novelty": np.array([1.0, 3.0], dtype=np.float32)})
    assert found["novelty"].tolist() == [2.0]


def test_tiles_out_of_order_are_refused() -> None:
    merging = MaskMerging(whole(8, 40), classes=2, overlap=OVERLAP)
    first, *_, last = tiles(8, 40)
    one = probabilities(1, 2)
    merging.add({"probabilities": one}, [last])
    with pytest.raises(ValueError, match="a tile begins at row 0, and rows above 32 are decided"):
        merging.add({"probabilities": one}, [first])


def test_of_equal_classes_the_first_is_told_and_bytes_stay_in_their_range() -> None:
    equal = np.array([[[0.25]], [[0.375]], [[0.375]]], dtype=np.float32)
    mask, certainty = most_probable(equal)
    assert (mask.item(), certainty.item()) == (1, 96)
    assert as_bytes(np.array([-1e-6, 0.0, 0.5, 1.0, 1.0 + 1e-6], dtype=np.float32)).tolist() == [0, 0, 128, 255, 255]
