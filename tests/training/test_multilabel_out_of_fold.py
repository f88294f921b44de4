"""Probabilities from classifiers that did not see the picture. In: made vectors. Out: verdicts."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tellapart.errors import DataError
from tellapart.training.multilabel_out_of_fold import multilabel_out_of_fold

NAMES = ["a", "b"]


def made(count: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    targets = (generator.random((count, 2)) < 0.4).astype(np.float64)
    vectors = targets @ generator.normal(size=(2, 8)) + generator.normal(size=(count, 8))
    return vectors.astype(np.float32), targets


def test_each_fold_is_judged_by_what_the_others_teach() -> None:
    vectors, targets = made(160, seed=0)
    targets[:30, 1] = np.nan
    groups = np.where(np.arange(160) < 70, "day 1", "day 2")  # so that the folds are known
    seen: list[int] = []
    found = multilabel_out_of_fold(
        vectors, targets, groups.tolist(), classes=NAMES, strength=0.05, seed=0, advance=seen.append
    )
    assert seen == [1, 1]
    assert found.dtype == np.float32
    exact = vectors.astype(np.float64)
    deviation = exact.std(axis=0)
    inputs = (exact - exact.mean(axis=0)) / np.maximum(deviation, np.median(deviation))
    for name in ("day 1", "day 2"):
        for number in range(2):
            rows = (groups != name) & ~np.isnan(targets[:, number])
            model = LogisticRegression(C=1 / (rows.sum() * 0.05), solver="newton-cg", tol=1e-10)
            model.fit(inputs[rows], targets[rows, number])
            expected = model.predict_proba(inputs[groups == name])[:, 1]  # of cells that are not known, too
            np.testing.assert_allclose(found[groups == name, number], expected, atol=2e-3)


def test_a_picture_does_not_vouch_for_its_own_label() -> None:
    generator = np.random.default_rng(1)
    vectors = generator.normal(size=(100, 60)).astype(np.float32)  # enough features to learn anything by heart
    targets = (generator.random((100, 2)) < 0.5).astype(float)
    found = multilabel_out_of_fold(vectors, targets, [""] * 100, classes=NAMES, strength=1e-4, seed=0)
    assert ((found > 0.5) == targets).mean() < 0.65


def test_cells_that_nothing_can_teach_are_nan() -> None:
    vectors, targets = made(80, seed=2)
    targets[:, 1] = 0
    targets[10:20, 1] = 1
    groups = np.array([f"alone {row}" for row in range(80)])
    groups[10:20] = "one day"
    found = multilabel_out_of_fold(vectors, targets, groups.tolist(), classes=NAMES, strength=0.1, seed=0)
    assert np.isnan(found[10:20, 1]).all()
    assert np.isfinite(found[:, 0]).all()
    assert np.isfinite(found[:, 1]).sum() >= 40


def test_one_group_alone_cannot_be_judged() -> None:
    vectors, targets = made(20, seed=3)
    assert np.isnan(multilabel_out_of_fold(vectors, targets, ["one"] * 20, classes=NAMES, seed=0)).all()


def test_the_strength_is_found_where_none_is_given() -> None:
    vectors, targets = made(120, seed=4)
    found = multilabel_out_of_fold(vectors, targets, [""] * 120, classes=NAMES, seed=0)
    given = [
        multilabel_out_of_fold(vectors, targets, [""] * 120, classes=NAMES, strength=strength, seed=0)
        for strength in (1.0, 0.0003)
    ]
    known = [-np.log(np.where(targets == 1, one, 1 - one)).mean() for one in (found, *given)]
    assert known[0] < min(known[1:])


def test_classes_with_one_value_only_are_refused() -> None:
    vectors, targets = made(20, seed=5)
    targets[:, 0] = 1
    with pytest.raises(DataError, match="no picture without it to train on: 'a'"):
        multilabel_out_of_fold(vectors, targets, [""] * 20, classes=NAMES, seed=0)
