"""evaluation/shortcuts.py, with scikit-learn as the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from tellapart.evaluation.shortcuts import BalancedAccuracy, balanced, strongest


def test_the_figure_is_scikit_learns() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(3, size=200)
    guesses = np.where(random.random(200) < 0.6, labels, random.integers(3, size=200))
    told = balanced(guesses, labels, [""] * 200, class_count=3, seed=0)
    assert told.value == pytest.approx(balanced_accuracy_score(labels, guesses), abs=1e-6)
    assert told.low < told.value < told.high
    assert told.chance == pytest.approx(1 / 3)
    assert told.tells


def test_chance_is_no_news() -> None:
    labels = np.arange(100) % 2
    assert not balanced(np.zeros(100, dtype=np.int64), labels, [""] * 100, class_count=2, seed=0).tells


def test_copies_widen_the_interval() -> None:
    random = np.random.default_rng(1)
    labels = np.repeat(random.integers(2, size=40), 10)
    guesses = np.where(np.repeat(random.random(40) < 0.7, 10), labels, 1 - labels)
    alone = balanced(guesses, labels, [""] * 400, class_count=2, seed=0)
    joined = balanced(guesses, labels, [f"g{row // 10}" for row in range(400)], class_count=2, seed=0)
    assert joined.high - joined.low > 2 * (alone.high - alone.low)


def test_what_was_not_guessed_counts_neither_way() -> None:
    labels = np.array([0, 0, 1, 1, 1])
    told = balanced(np.array([0, -1, 1, 1, -1]), labels, [""] * 5, class_count=2, seed=0)
    assert told.value == 1.0
    with pytest.raises(ValueError, match="nothing was guessed"):
        balanced(np.full(5, -1), labels, [""] * 5, class_count=2, seed=0)


def test_json_is_rounded() -> None:
    told = BalancedAccuracy(value=0.912345, low=0.9, high=0.95, chance=0.5)
    assert told.as_json() == {"value": 0.9123, "low": 0.9, "high": 0.95, "chance": 0.5}


def test_the_strongest_come_first_and_weak_ones_not_at_all() -> None:
    assert strongest({"size": 0.1, "mode": 0.4, "date": 0.03, "format": -0.1}) == ["mode", "size"]
    assert strongest({"size": 0.0}) == []
    assert strongest({}) == []


def test_guesses_by_chance_seldom_seem_to_tell() -> None:
    """A linear classifier of noise, cross-validated: with the plain interval it is about one in nine."""
    from tellapart.training.out_of_fold import out_of_fold

    random = np.random.default_rng(0)
    vectors = random.normal(size=(120, 60)).astype(np.float32)
    alarms = 0
    for seed in range(60):
        labels = np.random.default_rng(seed).permutation(np.arange(120) % 2)
        chances = out_of_fold(vectors, labels, [""] * 120, class_count=2, strength=1e-2, seed=seed)
        alarms += balanced(chances.argmax(axis=1), labels, [""] * 120, class_count=2, seed=seed).tells
    assert alarms <= 4
