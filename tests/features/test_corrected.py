"""Errors that the embedding tells. In: vectors rounded in a known way. Out: vectors nearer to the exact ones."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import Ridge

from tellapart.features.corrected import correct


def made(count: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Exact vectors, and the same with an error that is linear in them."""
    generator = np.random.default_rng(0)
    exact = generator.normal(3, 2, (count, width))
    wrong = exact + exact @ generator.normal(0, 0.02, (width, width)) + 0.1
    return exact.astype(np.float32), wrong.astype(np.float32)


def test_it_is_ridge_regression_of_the_error() -> None:
    exact, wrong = made(6000, 12)  # more rows than are mapped at once
    known = np.arange(5, 95)
    own = wrong[known].astype(float)
    mean, scale = own.mean(axis=0), own.std(axis=0) + 1e-6
    oracle = Ridge(alpha=12.0).fit((own - mean) / scale, exact[known] - own)
    expected = wrong + oracle.predict((wrong - mean) / scale)
    expected[known] = exact[known]
    np.testing.assert_allclose(correct(wrong, known, exact[known]), expected, atol=1e-5)


def test_what_is_known_is_exact_and_the_rest_is_nearer() -> None:
    exact, wrong = made(400, 12)
    known = np.arange(300)
    found = correct(wrong, known, exact[known])
    np.testing.assert_array_equal(found[known], exact[known])
    before, after = (np.abs(one[300:] - exact[300:]).mean() for one in (wrong, found))
    assert after < before / 10


def test_numbers_that_never_vary_and_rows_that_are_missing_stay() -> None:
    exact, wrong = made(50, 4)
    exact[:, 2] = wrong[:, 2] = 7.0
    wrong[49] = np.nan
    found = correct(wrong, np.arange(30), exact[:30])
    np.testing.assert_allclose(found[:49, 2], 7.0)
    assert np.isnan(found[49]).all()
    assert np.isfinite(found[:49]).all()
