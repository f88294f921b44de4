"""Folds. In: labels and groups made here. Out: shares of each class, whole groups."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.training.folds import deal_folds


def test_folds_are_stratified_and_keep_groups_whole() -> None:
    generator = np.random.default_rng(5)
    labels = generator.choice(3, size=600, p=[0.7, 0.2, 0.1])
    groups = np.where(np.arange(600) < 300, np.arange(600) // 4, np.arange(600))
    held_out = deal_folds(labels, groups, 3, 5, generator)
    assert held_out.shape == (5, 600)
    assert (held_out.sum(axis=0) == 1).all()
    for group in np.unique(groups):
        assert len(np.unique(held_out[:, groups == group], axis=1).T) == 1
    for number in range(3):
        share = held_out[:, labels == number].sum(axis=1) / (labels == number).sum()
        assert share == pytest.approx(0.2, abs=0.03)


def test_a_fold_that_would_lose_a_class_is_not_held_out() -> None:
    labels = np.array([0] * 20 + [1] * 20 + [2] * 6)
    groups = np.array([*range(40), *[40] * 6])  # class 2 is one group
    held_out = deal_folds(labels, groups, 3, 4, np.random.default_rng(0))
    assert held_out.shape == (3, 46)
    assert not held_out[:, 40:].any()
