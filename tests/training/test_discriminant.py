"""Very many classes in closed form. In: made vectors. Out: what scikit-learn's discriminant analysis says, and what is held out."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import log_loss

from tellapart.errors import DataError
from tellapart.training.analysis import Analysis
from tellapart.training.discriminant import (
    FEW_PICTURES,
    FEWEST_CLASSES,
    MOST_OUTPUTS,
    SHRINKAGES,
    Shrunk,
    fit_discriminant,
    hold_out,
    is_for,
    mean_loss,
)
from tellapart.training.standardising import standardisation
from tellapart.training.strips import worker_threads


def blobs(
    classes: int, each: int, features: int = 8, *, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Centres in a space whose directions vary unequally, and noise that varies otherwise."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    centres = generator.normal(size=(classes, features)) * np.linspace(3, 0.2, features)
    noise = generator.normal(size=(len(labels), features)) * np.linspace(0.3, 1, features)
    return (centres[labels] + noise).astype(np.float32), labels


def standardised(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    with worker_threads() as threads:
        mean, scale = standardisation(vectors, np.ones((1, len(vectors)), dtype=np.bool_), threads)
    return (vectors - mean[0]) * scale[0]


def test_it_is_scikit_learns_discriminant_analysis() -> None:
    """With next to no shrinkage; theirs divides by N, ours by the N - K degrees of freedom."""
    vectors, labels = blobs(12, 30)
    found = fit_discriminant(
        vectors, labels, groups=np.arange(360), class_count=12, seed=0, chosen=Shrunk("within", 1e-6, 1.0)
    )
    features = standardised(vectors)
    model = LinearDiscriminantAnalysis(solver="lsqr").fit(features, labels)
    covariance = model.covariance_ * 360 / (360 - 12)
    slopes = np.linalg.solve(covariance, model.means_.T).T
    expected = features @ slopes.T - 0.5 * (slopes * model.means_).sum(axis=1)
    logits = vectors @ found.weight.T + found.bias
    np.testing.assert_allclose(
        logits - logits.mean(axis=1, keepdims=True),
        expected - expected.mean(axis=1, keepdims=True),
        atol=2e-2,
        rtol=1e-3,
    )


def test_the_covariance_of_all_pictures_by_hand_with_frequencies_and_scale() -> None:
    vectors, labels = blobs(5, 20, 4)
    kept = (labels > 0) | (np.arange(100) % 2 == 0)
    vectors, labels = vectors[kept], labels[kept]
    found = fit_discriminant(
        vectors, labels, groups=np.arange(90), class_count=5, seed=0, chosen=Shrunk("total", 0.5, 0.25)
    )
    features = standardised(vectors)
    covariance = np.cov(features.T)
    covariance += 0.5 * np.diag(covariance).mean() * np.eye(4)
    means = np.stack([features[labels == number].mean(axis=0) for number in range(5)])
    slopes = np.linalg.solve(covariance, means.T).T
    expected = 0.25 * (features @ slopes.T - 0.5 * (slopes * means).sum(axis=1)) + np.log(
        np.array([10, 20, 20, 20, 20]) / 90
    )
    np.testing.assert_allclose(vectors @ found.weight.T + found.bias, expected, atol=1e-4)


def test_balanced_classes_are_taken_for_equally_frequent() -> None:
    vectors, labels = blobs(3, 40, 4)
    kept = (labels > 0) | (np.arange(120) < 8)
    plain, balanced = (
        fit_discriminant(
            vectors[kept],
            labels[kept],
            groups=np.arange(kept.sum()),
            class_count=3,
            class_weights=weights,
            seed=0,
            chosen=Shrunk("total", 0.1, 1.0),
        )
        for weights in ("none", "balanced")
    )
    np.testing.assert_allclose(balanced.weight, plain.weight, rtol=1e-6)
    difference = balanced.bias - plain.bias
    np.testing.assert_allclose(difference - difference[1], [np.log(40 / 8), 0, 0], atol=1e-5)


def test_what_is_held_out_chooses_and_its_loss_is_told() -> None:
    vectors, labels = blobs(100, 6)
    told: list[int] = []
    found = fit_discriminant(vectors, labels, groups=np.arange(600), class_count=100, seed=3, advance=told.append)
    assert len(found.trials) == 2 * len(SHRINKAGES)
    assert sum(told) == 2 * len(SHRINKAGES) + 1
    assert found.chosen == min(found.trials, key=found.trials.__getitem__)
    held_out = hold_out(labels, np.arange(600), 100, 5, 3, left=2)[0]
    half = fit_discriminant(
        vectors[~held_out],
        labels[~held_out],
        groups=np.arange((~held_out).sum()),
        class_count=100,
        seed=0,
        chosen=found.chosen,
    )
    logits = (vectors[held_out] @ half.weight.T + half.bias).astype(np.float64)
    chances = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = log_loss(labels[held_out], chances / chances.sum(axis=1, keepdims=True), labels=np.arange(100))
    assert found.trials[found.chosen] == pytest.approx(expected, rel=1e-3)
    assert expected < 0.9 * max(found.trials.values())


def test_the_same_on_any_number_of_threads_and_with_the_rows_in_another_copy() -> None:
    vectors, labels = blobs(100, 20, 24)
    first, second = (
        fit_discriminant(
            np.asfortranarray(vectors) if turn else vectors, labels, groups=np.arange(2000), class_count=100, seed=1
        )
        for turn in range(2)
    )
    np.testing.assert_array_equal(first.weight, second.weight)
    np.testing.assert_array_equal(first.bias, second.bias)


def test_pictures_that_cannot_spare_one_choose_nothing() -> None:
    vectors, labels = blobs(150, 2)
    found = fit_discriminant(vectors, labels, groups=np.arange(300), class_count=150, seed=0)
    assert (found.trials, found.chosen) == ({}, Shrunk("total", 0.1, 0.5))
    groups = np.where(labels < 149, labels, 200)  # each class is one group
    assert fit_discriminant(*blobs(150, 6), groups=np.repeat(groups, 3), class_count=150, seed=0).trials == {}


def test_of_each_class_enough_is_left() -> None:
    labels = np.repeat(np.arange(40), [1] * 10 + [2] * 10 + [3] * 10 + [9] * 10)
    for left in (1, 2):
        for rows in hold_out(labels, np.arange(len(labels)), 40, 5, 0, left=left):
            counts = np.bincount(labels[~rows], minlength=40)
            touched = np.unique(labels[rows])
            assert (counts[touched] >= left).all()
            assert (counts > 0).all()
    assert hold_out(labels, labels, 40, 5, 0).sum() == 0, "every class is one group"


def test_a_group_is_held_out_whole() -> None:
    labels, groups = np.repeat(np.arange(20), 12), np.arange(240) // 3
    for rows in hold_out(labels, groups, 20, 5, 1):
        assert set(groups[rows]).isdisjoint(groups[~rows])


def test_pictures_that_are_all_alike_are_no_end() -> None:
    vectors = np.ones((400, 6), dtype=np.float32)
    found = fit_discriminant(vectors, np.arange(400) % 100, groups=np.arange(400), class_count=100, seed=0)
    assert np.isfinite(found.weight).all()
    assert np.ptp(vectors[:1] @ found.weight.T + found.bias) == pytest.approx(0, abs=1e-4)


def test_one_picture_of_each_class_is_told_by_its_distance() -> None:
    vectors, _ = blobs(120, 1, 40)
    found = fit_discriminant(vectors, np.arange(120), groups=np.arange(120), class_count=120, seed=0)
    np.testing.assert_array_equal((vectors @ found.weight.T + found.bias).argmax(axis=1), np.arange(120))


def test_within_classes_needs_as_many_pictures_beside_the_means_as_classes() -> None:
    vectors, labels = blobs(30, 2)
    with worker_threads() as threads:
        kinds = [
            Analysis(vectors, labels, np.ones(60, dtype=np.float32), rows, 30, threads).covariances
            for rows in (np.arange(60), np.arange(1, 60))
        ]
    assert kinds == [("total", "within"), ("total",)]


def test_the_loss_is_scikit_learns() -> None:
    generator = np.random.default_rng(0)
    scores, labels = generator.normal(size=(50, 4)).astype(np.float32) * 30, np.arange(50) % 4
    logarithms = np.log(np.array([0.1, 0.2, 0.3, 0.4], dtype=np.float32))
    logits = scores.astype(np.float64) * 0.1 + logarithms
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert mean_loss(scores, labels, logarithms, 0.1) == pytest.approx(log_loss(labels, chances), rel=1e-5)


def test_numbers_alone_decide_when_it_is_taken() -> None:
    few = FEWEST_CLASSES
    assert is_for(FEW_PICTURES * few - 1, few)
    assert not is_for(FEW_PICTURES * few, few)
    assert not is_for(10, few - 1)
    assert not is_for(MOST_OUTPUTS // few, few)
    assert is_for(MOST_OUTPUTS // few + 1, few)
    assert not is_for(10**9, few - 1)


def test_a_class_without_a_picture_is_told() -> None:
    vectors, labels = blobs(3, 4)
    with pytest.raises(DataError, match="class 3 of 4"):
        fit_discriminant(vectors, labels, groups=np.arange(12), class_count=4, seed=0)
