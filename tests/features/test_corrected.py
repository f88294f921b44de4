"""Errors that are the same in every picture. In: vectors that are off in a known way. Out: vectors nearer to the exact ones."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LinearRegression

from tellapart.features.corrected import correct


def made(count: int, width: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Exact vectors, and the same with a slope and an offset for each number, and noise."""
    generator = np.random.default_rng(0)
    exact = generator.normal(3, 2, (count, width))
    wrong = exact * generator.normal(1, 0.02, width) + generator.normal(0, 0.1, width)
    return exact.astype(np.float32), (wrong + generator.normal(0, noise, wrong.shape)).astype(np.float32)


def test_each_number_is_on_its_line_of_least_squares() -> None:
    exact, wrong = made(200, 12, noise=0.3)
    known = np.arange(5, 95)
    expected = wrong.copy()
    for number in range(12):
        oracle = LinearRegression().fit(wrong[known, number : number + 1], exact[known, number])
        expected[:, number] = oracle.predict(wrong[:, number : number + 1])
    expected[known] = exact[known]
    np.testing.assert_allclose(correct(wrong, known, exact[known]), expected, atol=1e-5)


def test_what_is_known_is_exact_and_the_rest_is_nearer() -> None:
    exact, wrong = made(400, 12, noise=0.0)
    known = np.arange(300)
    found = correct(wrong, known, exact[known])
    np.testing.assert_array_equal(found[known], exact[known])
    np.testing.assert_allclose(found, exact, atol=1e-5)


def test_numbers_that_never_vary_get_an_offset_and_missing_rows_stay_missing() -> None:
    exact, wrong = made(50, 4, noise=0.0)
    exact[:, 2], wrong[:, 2] = 7.0, 7.5
    wrong[49] = np.nan
    found = correct(wrong, np.arange(30), exact[:30])
    np.testing.assert_allclose(found[:49], exact[:49], atol=1e-5)
    assert np.isnan(found[49]).all()
