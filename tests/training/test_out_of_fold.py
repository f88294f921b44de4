"""Probabilities of pictures that the classifier has not seen. In: made vectors. Out: the same as fold by fold by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tellapart.errors import DataError
from tellapart.training.folds import deal
from tellapart.training.out_of_fold import out_of_fold


def blobs(count: int, features: int, classes: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    centres = generator.normal(size=(classes, features))
    return (centres[labels] + generator.normal(size=(count, features))).astype(np.float32), labels


def test_each_fold_is_judged_as_a_fit_by_hand_on_the_others_judges_it() -> None:
    vectors, labels = blobs(240, 6, 3, seed=1)
    found = out_of_fold(vectors, labels, np.arange(240), class_count=3, strength=0.02, folds=4, seed=7)
    assert found.dtype == np.float32
    folds = deal(labels, np.arange(240), 3, 4, np.random.default_rng(7))
    assert set(folds) == {0, 1, 2, 3}
    for fold in range(4):
        rest, held_out = vectors[folds != fold].astype(np.float64), vectors[folds == fold].astype(np.float64)
        mean, deviation = rest.mean(axis=0), np.maximum(rest.std(axis=0), np.median(rest.std(axis=0)))
        model = LogisticRegression(C=1 / (len(rest) * 0.02), tol=1e-8, max_iter=10_000)
        model.fit((rest - mean) / deviation, labels[folds != fold])
        expected = model.predict_proba((held_out - mean) / deviation)
        np.testing.assert_allclose(found[folds == fold], expected, atol=0.015)


def test_rare_classes_count_more_when_balanced() -> None:
    vectors, labels = blobs(200, 4, 2, seed=2)
    keep = (labels == 0) | (np.arange(200) % 10 == 1)
    plain, balanced = (
        out_of_fold(
            vectors[keep],
            labels[keep],
            np.arange(keep.sum()),
            class_count=2,
            strength=0.1,
            seed=0,
            class_weights=weights,
        )
        for weights in ("none", "balanced")
    )
    assert plain[:, 1].mean() == pytest.approx(20 / 120, abs=0.02)
    assert balanced[:, 1].mean() > 1.4 * plain[:, 1].mean()


def test_a_group_never_vouches_for_itself() -> None:
    generator = np.random.default_rng(4)
    of_scene = np.repeat(np.arange(40), 5)
    labels = generator.integers(0, 2, 40)[of_scene]  # nothing but the scene itself tells the label
    vectors = (generator.normal(size=(40, 30))[of_scene] + 0.01 * generator.normal(size=(200, 30))).astype(np.float32)
    scenes = [f"scene {number}" for number in of_scene]
    grouped = out_of_fold(vectors, labels, scenes, class_count=2, strength=0.01, seed=0)
    alone = out_of_fold(vectors, labels, [""] * 200, class_count=2, strength=0.01, seed=0)
    assert (grouped.argmax(axis=1) == labels).mean() < 0.7
    assert (alone.argmax(axis=1) == labels).mean() > 0.95


def test_only_the_class_that_is_one_group_cannot_be_judged() -> None:
    vectors, labels = blobs(90, 5, 3, seed=3)
    groups = np.where(labels == 2, 1000, np.arange(90))
    groups[0] = 1000  # a picture of another class that belongs to the same group stays with it
    found = out_of_fold(vectors, labels, groups, class_count=3, strength=0.1, seed=0)
    unjudged = (labels == 2) | (np.arange(90) == 0)
    assert np.isnan(found[unjudged]).all()
    np.testing.assert_allclose(found[~unjudged].sum(axis=1), 1, atol=1e-5)


def test_a_class_of_two_pictures_is_judged_and_so_is_everything_with_it() -> None:
    vectors, labels = blobs(60, 5, 2, seed=5)
    labels = np.where(np.isin(np.arange(60), (10, 33)), 2, labels)
    found = out_of_fold(vectors, labels, [""] * 60, class_count=3, strength=0.1, seed=0)
    assert np.isfinite(found).all()


def test_many_classes_are_fitted_a_few_folds_at_a_time() -> None:
    generator = np.random.default_rng(6)
    labels = np.repeat(np.arange(260), 3)  # 260 classes: one fold at a time
    vectors = (np.eye(260)[labels] + 0.01 * generator.normal(size=(780, 260))).astype(np.float32)
    steps: list[int] = []
    found = out_of_fold(
        vectors, labels, np.arange(780), class_count=260, strength=0.001, folds=3, seed=0, advance=steps.append
    )
    assert steps == [1, 1, 1]
    assert (found.argmax(axis=1) == labels).mean() > 0.95


def test_the_strength_is_found_where_none_is_given_and_a_seed_repeats_everything() -> None:
    vectors, labels = blobs(150, 6, 2, seed=8)
    first, again = (out_of_fold(vectors, labels, [""] * 150, class_count=2, seed=3) for _ in range(2))
    assert np.array_equal(first, again)
    other = out_of_fold(vectors, labels, [""] * 150, class_count=2, seed=4)
    assert not np.array_equal(first, other)
    assert (first.argmax(axis=1) == labels).mean() > 0.8


def test_one_class_or_an_empty_one_is_refused() -> None:
    vectors, labels = blobs(20, 3, 2, seed=9)
    with pytest.raises(DataError, match=r"class 2 of 3 .* has 0 pictures"):
        out_of_fold(vectors, labels, [""] * 20, class_count=3, seed=0)
    with pytest.raises(DataError, match="1 class to train on; telling apart needs 2"):
        out_of_fold(vectors, np.zeros(20, dtype=int), [""] * 20, class_count=1, seed=0)


def test_a_weak_penalty_is_fitted_to_its_end_too() -> None:
    """Stopped at 1e-4 nats, as the search's fits are, it would be three times as far off: those begin near by, these do not."""
    vectors, labels = blobs(400, 60, 4, seed=5)
    found = out_of_fold(vectors, labels, np.arange(400), class_count=4, strength=1e-4, folds=4, seed=7)
    folds = deal(labels, np.arange(400), 4, 4, np.random.default_rng(7))
    rest, held_out = vectors[folds != 0].astype(np.float64), vectors[folds == 0].astype(np.float64)
    mean, deviation = rest.mean(axis=0), np.maximum(rest.std(axis=0), np.median(rest.std(axis=0)))
    model = LogisticRegression(C=1 / (len(rest) * 1e-4), tol=1e-8, max_iter=10_000)
    model.fit((rest - mean) / deviation, labels[folds != 0])
    off = np.abs(found[folds == 0] - model.predict_proba((held_out - mean) / deviation))
    assert off.mean() < 0.003
