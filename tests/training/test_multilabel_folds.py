"""Folds for sets of labels: whole groups, every class in every fold. In: made targets. Out: verdicts."""

from __future__ import annotations

import numpy as np

from tellapart.training.multilabel_folds import deal_label_sets, sides


def test_rare_classes_and_combinations_are_spread_evenly() -> None:
    generator = np.random.default_rng(0)
    targets = (generator.random((1000, 6)) < np.array([0.01, 0.03, 0.1, 0.3, 0.5, 0.9])).astype(float)
    fold_of = deal_label_sets(targets, np.arange(1000), 5, np.random.default_rng(1))
    assert np.bincount(fold_of).tolist() == [200] * 5
    for number in range(6):
        found = np.bincount(fold_of[targets[:, number] == 1], minlength=5)
        assert np.ptp(found) <= (1 if number < 3 else 6), number


def test_groups_stay_whole() -> None:
    generator = np.random.default_rng(2)
    groups = generator.integers(0, 60, 400)
    targets = (generator.random((400, 3)) < 0.3).astype(float)
    fold_of = deal_label_sets(targets, groups, 4, np.random.default_rng(0))
    assert all(len(set(fold_of[groups == group].tolist())) == 1 for group in np.unique(groups))
    assert np.bincount(fold_of).min() > 70


def test_a_class_of_two_pictures_is_in_two_folds_and_unknown_ones_do_not_count() -> None:
    targets = np.zeros((40, 2))
    targets[[3, 17], 0] = 1
    targets[20:, 0] = np.nan
    fold_of = deal_label_sets(targets, np.arange(40), 2, np.random.default_rng(0))
    assert fold_of[3] != fold_of[17]
    assert np.bincount(fold_of).tolist() == [20, 20]


def test_there_are_never_more_folds_than_groups() -> None:
    fold_of = deal_label_sets(np.ones((6, 1)), np.array([4, 4, 4, 7, 7, 7]), 5, np.random.default_rng(0))
    assert sorted(set(fold_of.tolist())) == [0, 1]


def test_the_same_generator_gives_the_same_folds() -> None:
    targets = (np.random.default_rng(3).random((50, 3)) < 0.4).astype(float)
    first, again, other = (
        deal_label_sets(targets, np.arange(50), 3, np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_both_sides_must_be_known() -> None:
    targets = np.array([[1, 0, np.nan], [0, 0, 1], [1, 1, 0], [1, 0, np.nan]])
    counted = np.array([[True, True, False, False], [False, False, True, True], [True, True, True, True]])
    expected = [[True, False, False], [False, True, False], [True, True, True]]
    assert sides(targets, counted).tolist() == expected


def test_large_groups_are_dealt_before_small_ones_can_fill_the_folds() -> None:
    groups = np.array([0] * 5 + [1, 2, 3, 4, 5])
    for seed in range(5):
        for targets in (np.ones((10, 1)), np.zeros((10, 1))):
            fold_of = deal_label_sets(targets, groups, 2, np.random.default_rng(seed))
            assert np.bincount(fold_of).tolist() == [5, 5]
