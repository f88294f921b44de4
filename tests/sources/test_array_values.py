"""Which values of arrays are black and white. In: arrays. Out: pixels, a sentence, or why not."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.errors import DataError
from tellapart.sources.array_values import as_pixels, find_scale


def scaled(values: list[float], dtype: type = float, *, colour: bool = False) -> tuple[list[int], str]:
    array = np.array(values, dtype=dtype).reshape(1, 1, -1)
    if colour:
        array = np.repeat(array[..., None], 3, axis=3)
    scale = find_scale([array], "a.npz")
    found = as_pixels(array[0], scale)
    return (found[..., 0] if colour else found).ravel().tolist(), scale.note


@pytest.mark.parametrize(
    ("values", "dtype", "pixels", "note"),
    [
        ([0, 7, 255], np.uint8, [0, 7, 255], ""),
        ([0, 7, 16], np.uint8, [0, 7, 16], ""),  # bytes are pixels, however dark
        ([0, 7, 255], np.int64, [0, 7, 255], ""),
        ([0.0, 7.0, 200.0], float, [0, 7, 200], ""),
        ([0, 8, 16], float, [0, 128, 255], "whole numbers from 0 to 16"),
        ([0.0, 0.5, 1.0], float, [0, 128, 255], "between 0 and 1"),
        ([0, 1, 1], np.int64, [0, 255, 255], "between 0 and 1"),
        ([0, 1, 1], np.bool_, [0, 255, 255], "true and false"),
        ([-1.0, 0.0, 1.0], float, [0, 128, 255], "between -1 and 1"),
        ([0.25, 199.5, 255.0], float, [0, 200, 255], "fractions between 0 and 255"),
        ([0, 256, 65535], np.uint16, [0, 256, 65535], "up to 16 bits"),
    ],
)
def test_pixels(values: list[float], dtype: type, pixels: list[int], note: str) -> None:
    found, said = scaled(values, dtype)
    assert found == pixels
    assert note in said
    assert bool(note) == bool(said)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([0.0, float("nan")], "not finite numbers"),
        ([0.0, float("inf")], "not finite numbers"),
        ([-5.0, 200.0], "values from -5 to 200"),
        ([0.5, 90.5], "values from 0.5 to 90.5"),
        ([0.0, 70000.0], "whole numbers up to 70000, where 65535"),
    ],
)
def test_what_may_mean_anything_is_refused(values: list[float], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        scaled(values)


def test_deep_colours_are_refused() -> None:
    with pytest.raises(DataError, match="where 255, for colours, is the most"):
        scaled([0, 4000], np.uint16, colour=True)


def test_one_scale_for_all_arrays_of_a_file() -> None:
    dark, bright = np.full((1, 2, 2), 3.0), np.full((1, 2, 2), 16.0)
    scale = find_scale([dark, bright], "a.npz")
    assert as_pixels(dark[0], scale).max() == 48
