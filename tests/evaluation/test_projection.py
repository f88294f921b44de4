"""Embeddings on a plane. In: clusters. Out: points that keep them together."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from sklearn.neighbors import KNeighborsClassifier

from tellapart.evaluation.projection import principal_components, project


def test_clusters_stay_together_and_the_same_seed_gives_the_same_map() -> None:
    draw = np.random.default_rng(0)
    centres = draw.normal(size=(3, 64)) * 4
    labels = np.repeat(np.arange(3), 25)
    vectors = centres[labels] + draw.normal(size=(75, 64))
    points = project(vectors, seed=3)
    assert points.shape == (75, 2)
    assert (points.min(axis=0) == 0).all()
    assert points.max(axis=0) == pytest.approx([1, 1])
    found = KNeighborsClassifier(4).fit(points, labels).score(points, labels)
    assert found > 0.95
    assert (project(vectors, seed=3) == points).all()


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_few_pictures_are_shown_too(count: int) -> None:
    points = project(np.random.default_rng(count).normal(size=(count, 8)), seed=0)
    assert points.shape == (count, 2)
    assert np.isfinite(points).all()
    assert len(np.unique(points, axis=0)) == count


def test_equal_embeddings_do_no_harm() -> None:
    points = project(np.ones((12, 16)), seed=0)
    assert np.isfinite(points).all()
    assert ((points >= 0) & (points <= 1)).all()


@pytest.mark.parametrize(("count", "length", "kept"), [(5, 3, 3), (60, 55, 50), (300, 270, 50)])
def test_the_components_are_those_of_scikit_learn(count: int, length: int, kept: int) -> None:
    draw = np.random.default_rng(0)
    values = draw.normal(size=(count, length)) * np.geomspace(1, 1e-3, length)
    values = (values - values.mean(axis=0)).astype(np.float32)
    expected = PCA(kept, svd_solver="full").fit_transform(values.astype(np.float64))
    expected *= np.sign(expected[np.abs(expected).argmax(axis=0), np.arange(kept)])
    found = principal_components(values, kept, np.random.default_rng(1))
    assert found.shape == (count, kept)
    # The last of those that are worked out in rounds are the least exact; the map begins with the first two.
    np.testing.assert_allclose(found[:, :10], expected[:, :10], atol=2e-4 * np.abs(expected).max())
    np.testing.assert_allclose(found.std(axis=0), expected.std(axis=0), rtol=0.02)


def test_neighbours_stay_neighbours_as_well_as_in_scikit_learn_s_map() -> None:
    digits, _ = load_digits(return_X_y=True)
    vectors = digits[:600] + 1
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    theirs = TSNE(perplexity=30, init="pca", max_iter=500, random_state=0).fit_transform(unit)
    ours = project(7 * vectors, seed=0)
    assert trustworthiness(unit, ours, n_neighbors=10) > trustworthiness(unit, theirs, n_neighbors=10) - 0.005


def test_the_map_of_up_to_three_pictures_is_a_line() -> None:
    vectors = np.eye(3)
    assert project(vectors[:1], seed=0).tolist() == [[0.5, 0.5]]
    assert project(vectors[:2], seed=0).tolist() == [[0.2, 0.5], [0.8, 0.5]]
    np.testing.assert_allclose(project(vectors, seed=0), [[0.2, 0.5], [0.5, 0.5], [0.8, 0.5]])
    assert project(vectors[:0], seed=0).shape == (0, 2)


def test_embeddings_of_one_number_and_pictures_that_are_all_alike() -> None:
    """One number has a sign and no more; zeros have no direction."""
    points = project(np.array([[2.0], [3.0], [-1.0], [-4.0], [5.0]]), seed=0)
    assert points.shape == (5, 2)
    assert np.isfinite(points).all()
    for alike in (np.ones((6, 4)), np.ones((6, 4)) * np.arange(1, 7)[:, None], np.zeros((6, 4))):
        assert (project(alike, seed=0) == 0.5).all()
