"""Seven digits of many numbers at once. In: numbers of every size. Out: what Python's own formatting says of each."""

from __future__ import annotations

import numpy as np

from tellapart.serving.figures import figure, figures


def test_many_are_rounded_as_each_alone() -> None:
    draw = np.random.default_rng(0)
    sizes = np.concatenate([10 ** draw.uniform(-20, 9, 3000), draw.random(3000), draw.integers(0, 50, 50) / 64])
    odd = [0, 1, 0.99999999, 0.1, 1e-16, 1e-6, 1e7, 9999999.5, 1234567.5, 0.12345675, -3.25, 1e30, np.inf]
    values = np.concatenate([sizes, odd]).astype(np.float32)
    np.testing.assert_array_equal(figures(values), [float(f"{value:.7g}") for value in values.tolist()])
    few = np.concatenate([values[:6], values[-6:]]).reshape(4, 3)  # these go another way
    np.testing.assert_array_equal(
        figures(few), np.concatenate([figures(values)[:6], figures(values)[-6:]]).reshape(4, 3)
    )
    assert np.isnan(figures(np.array([np.nan, 1])))[0]
    assert figure(0.123456789) == 0.1234568
    assert figures(np.zeros((0, 2), dtype=np.float32)).shape == (0, 2)
