"""How unlike the training pictures. In: made embeddings, digits. Out: scores, beside scikit-learn's and SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import empirical_covariance
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from tellapart.evaluation.novelty import choose_pictures, fit_novelty


def blobs(
    count: int, length: int, classes: int, seed: int, *, most: float = 0.6, least: float = 0.1
) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of `classes` classes that spread further along some directions, `most`, than along others."""
    generator = np.random.default_rng(seed)
    means = np.random.default_rng(99).normal(size=(classes, length)) * 0.3 + 1
    labels = np.arange(count) % classes
    spread = np.geomspace(most, least, length)
    return (means[labels] + generator.normal(size=(count, length)) * spread).astype(np.float32), labels


def unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float64)


@pytest.mark.parametrize(
    ("count", "length", "wanted", "least"), [(1000, 128, 64, 0.1), (150, 400, 50, 0.1), (300, 12, 11, 0.5)]
)
def test_the_score_is_the_mahalanobis_distance_to_the_nearest_class(
    count: int, length: int, wanted: int, least: float
) -> None:
    classes = 3
    train, labels = blobs(count, length, classes, seed=0, least=least)
    new = np.concatenate([blobs(6, length, classes, seed=1)[0], np.random.default_rng(2).normal(size=(6, length))])
    # scikit-learn's noise variance is the mean over the ranks that 150 pictures have, not over all directions.
    components = PCA(n_components=wanted, svd_solver="full").fit(unit(train))
    left = np.var(unit(train), axis=0, ddof=1).sum() - components.explained_variance_.sum()
    noise_variance = left / (length - wanted)
    along = components.transform(unit(train))
    within = along - np.stack([along[labels == number].mean(axis=0) for number in range(classes)])[labels]
    pooled = empirical_covariance(within, assume_centered=True) * count / (count - classes)
    basis = components.components_
    covariance = basis.T @ pooled @ basis + noise_variance * (np.eye(length) - basis.T @ basis)
    inverse = np.linalg.inv(covariance)
    means = [components.mean_ + along[labels == number].mean(axis=0) @ basis for number in range(classes)]
    expected = [min(mahalanobis(row, mean, inverse) for mean in means) ** 2 / length for row in unit(new)]
    np.testing.assert_allclose(fit_novelty(train, labels).score(new), expected, rtol=1e-3)


def test_typical_pictures_score_about_one_and_others_more() -> None:
    train, labels = blobs(600, 128, 4, seed=0)
    novelty = fit_novelty(train, labels)
    own, foreign = (
        novelty.score(blobs(200, 128, 4, seed=1)[0]),
        novelty.score(1 + np.random.default_rng(3).normal(size=(200, 128))),
    )
    assert 0.7 < np.median(own) < 1.5
    assert roc_auc_score(np.repeat([0, 1], 200), np.concatenate([own, foreign])) > 0.999


def test_digits_that_were_not_trained_on_are_stranger() -> None:
    digits = load_digits()
    known = digits.target < 5
    train, test = known.copy(), known.copy()
    train[1::2], test[::2] = False, False
    novelty = fit_novelty(digits.data[train], digits.target[train])
    own, foreign = novelty.score(digits.data[test]), novelty.score(digits.data[~known])
    area = roc_auc_score(np.repeat([0, 1], [len(own), len(foreign)]), np.concatenate([own, foreign]))
    assert area > 0.93


def test_the_length_of_an_embedding_does_not_count() -> None:
    train, labels = blobs(100, 16, 2, seed=0)
    novelty = fit_novelty(train, labels)
    np.testing.assert_allclose(novelty.score(train * 7), novelty.score(train), rtol=1e-3, atol=1e-5)


def test_fitting_twice_gives_the_same() -> None:
    train, labels = blobs(300, 64, 3, seed=0)
    first, second = fit_novelty(train, labels), fit_novelty(train, labels)
    for name, value in first.arrays().items():
        np.testing.assert_array_equal(value, second.arrays()[name])
        assert value.dtype == np.float32


def test_it_is_fitted_in_double_precision_whatever_comes() -> None:
    train, labels = blobs(300, 64, 3, seed=0)
    narrow, wide = fit_novelty(train, labels), fit_novelty(train.astype(np.float64), labels)
    for name, value in narrow.arrays().items():
        np.testing.assert_array_equal(value, wide.arrays()[name])


def test_it_is_small_whatever_the_number_of_classes() -> None:
    train, labels = blobs(1200, 1280, 300, seed=0)
    assert sum(value.nbytes for value in fit_novelty(train, labels).arrays().values()) < 500_000


@pytest.mark.parametrize(
    ("train", "labels"),
    [
        (np.ones((1, 8)), [0]),
        (np.ones((2, 1)), [0, 1]),
        (np.eye(4), [0, 1, 2, 3]),
        (np.zeros((30, 16)), [0, 1] * 15),
        (np.repeat(np.eye(2, 16), 15, axis=0), [0] * 15 + [1] * 15),  # every class in one point
        (np.random.default_rng(0).normal(size=(12, 512)), [0, 7] * 6),  # a class without pictures, few pictures
    ],
)
def test_odd_embeddings_give_finite_scores(train: np.ndarray, labels: list[int]) -> None:
    novelty = fit_novelty(train.astype(np.float32), np.array(labels))
    strange = np.random.default_rng(1).normal(size=(5, train.shape[1])).astype(np.float32)
    for embeddings in (train, strange, np.zeros_like(strange), strange * 1e6):
        scores = novelty.score(embeddings.astype(np.float32))
        assert np.isfinite(scores).all()
        assert (scores >= 0).all()


def test_the_pictures_to_fit_on_are_spread_over_the_classes() -> None:
    labels = np.array([0] * 500 + [1] * 20 + [3] * 5)
    chosen = choose_pictures(labels, most=45, seed=0)
    assert np.bincount(labels[chosen]).tolist() == [20, 20, 0, 5]
    assert (np.diff(chosen) > 0).all()
    np.testing.assert_array_equal(chosen, choose_pictures(labels, most=45, seed=0))
    assert set(chosen.tolist()) != set(choose_pictures(labels, most=45, seed=1).tolist())
    np.testing.assert_array_equal(choose_pictures(labels, most=525, seed=0), np.arange(525))


def test_among_equals_the_drawn_order_decides_then_the_class() -> None:
    labels = np.arange(900) % 3 + 2
    drawn = np.random.default_rng(4).permutation(900).tolist()
    turns = {place: drawn[:number] for number, place in enumerate(drawn)}
    turn = {place: sum(labels[other] == labels[place] for other in before) for place, before in turns.items()}
    expected = sorted(sorted(drawn, key=lambda place: (turn[place], labels[place]))[:400])
    assert choose_pictures(labels, most=400, seed=4).tolist() == expected


def test_two_pictures_by_hand() -> None:
    """At right angles, D = 16: both lie half a unit squared from the middle, on one line, with a variance of 1/2 + 1/2 over one
    degree of freedom. Nothing is left beside it, so a tenth of the mean variance counts there: 1/160."""
    axes = np.eye(16, dtype=np.float32)
    novelty = fit_novelty(axes[:2], np.zeros(2, dtype=int))
    np.testing.assert_allclose(novelty.score(axes[:3]), [0.5 / 16, 0.5 / 16, 1.5 * 160 / 16], rtol=1e-5)


def test_classes_that_are_single_points_are_measured_by_a_tenth_of_the_variance_between_them() -> None:
    """By hand: two classes at right angles, 15 pictures each, D = 16. Around the middle each lies at a squared distance of 1/2,
    so all directions together have 30 x 1/2 / 29; a tenth of that, and squared distances are divided by it."""
    novelty = fit_novelty(np.repeat(np.eye(2, 16), 15, axis=0).astype(np.float32), np.repeat([0, 1], 15))
    unit_squared = 0.1 * 15 / 29
    axes = np.eye(16, dtype=np.float32)
    np.testing.assert_allclose(novelty.score(axes[:3]), [0, 0, 2 / unit_squared], rtol=1e-3, atol=1e-3)
    between = (axes[0] + axes[1]) * 5  # at 45 degrees to both
    assert novelty.score(between[None])[0] == pytest.approx((2 - np.sqrt(2)) / unit_squared, rel=1e-3)
    np.testing.assert_allclose(novelty.centre, (axes[0] + axes[1]) / 2, atol=1e-7)
    assert novelty.residual_scale == pytest.approx(1 / unit_squared)


@pytest.mark.parametrize("count", [1, 2, 9])
def test_copies_of_one_picture_are_measured_by_the_least_variance(count: int) -> None:
    novelty = fit_novelty(np.eye(1, 16, dtype=np.float32).repeat(count, axis=0) * 3, np.zeros(count, dtype=int))
    axes = np.eye(16, dtype=np.float32)
    np.testing.assert_allclose(novelty.score(axes[:2]), [0, 2 / 1e-3], rtol=1e-3, atol=1e-3)


def test_no_more_directions_than_pictures_can_tell() -> None:
    """A third of the pictures, one less than the embedding is long, 64 at most, one at least."""
    for count, length, directions in (
        (9, 8, 3),
        (60, 8, 7),
        (400, 80, 64),
        (200, 80, 64),
        (189, 80, 63),
        (2, 5, 1),
        (3, 1, 1),
    ):
        train, labels = blobs(count, length, 2, seed=0)
        novelty = fit_novelty(train, labels)
        assert novelty.directions.shape == (length, directions)
        assert novelty.scales.shape == (directions,)
        assert novelty.means.shape == (min(2, count), directions)
        np.testing.assert_allclose(novelty.directions.T @ novelty.directions, np.eye(directions), atol=1e-4)


def test_the_arrays_of_the_graph_give_the_same_score() -> None:
    """As model.onnx computes it, from the arrays alone."""
    train, labels = blobs(120, 24, 3, seed=0)
    novelty = fit_novelty(train, labels)
    parts = novelty.arrays()
    assert list(parts) == ["least_length", "centre", "directions", "scales", "means", "residual_scale"]
    assert (parts["least_length"].tolist(), parts["residual_scale"].shape) == ([np.float32(1e-6)], (1,))
    new = np.concatenate([blobs(5, 24, 3, seed=1)[0], np.zeros((1, 24), dtype=np.float32)])
    centred = new / np.maximum(np.linalg.norm(new, axis=1, keepdims=True), parts["least_length"]) - parts["centre"]
    along = centred @ parts["directions"]
    beside = np.square(centred).sum(axis=1) - np.square(along).sum(axis=1)
    nearest = np.square(along[:, None] * parts["scales"] - parts["means"]).sum(axis=2).min(axis=1)
    np.testing.assert_allclose(novelty.score(new), nearest + parts["residual_scale"] * beside, rtol=1e-4)
    assert novelty.score(new.astype(np.float64)).dtype == np.float32


def test_as_many_of_each_class_as_there_are_and_the_default_is_two_thousand() -> None:
    labels = np.arange(2_001) % 3
    assert len(choose_pictures(labels, seed=0)) == 2_000
    np.testing.assert_array_equal(choose_pictures(labels[:2_000], seed=0), np.arange(2_000))
    chosen = choose_pictures(np.array([5, 5, 5, 2, 2, 9]), most=4, seed=1)
    assert sorted(np.array([5, 5, 5, 2, 2, 9])[chosen].tolist()) in ([2, 2, 5, 9], [2, 5, 5, 9])
