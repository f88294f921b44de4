"""Embeddings on a plane. In: clusters. Out: points that keep them together."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.neighbors import KNeighborsClassifier

from tellapart.evaluation.projection import project


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


@pytest.mark.parametrize(("count", "length", "solver"), [(5, 3, "full"), (60, 55, "full"), (102, 104, "randomized")])
def test_the_map_is_that_of_the_methods_it_names(
    count: int, length: int, solver: Literal["full", "randomized"]
) -> None:
    """Unit vectors around their mean, fifty principal components, t-SNE of perplexity 30 at most, stretched to 0 and 1."""
    vectors = np.random.default_rng(0).normal(size=(count, length)) + 0.5
    values = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    values -= values.mean(axis=0)
    kept = min(50, count - 1, length)
    values = PCA(kept, svd_solver=solver, random_state=1).fit_transform(values)
    tsne = TSNE(perplexity=min(30, (count - 1) / 3), init="pca", max_iter=500, random_state=1)
    points = tsne.fit_transform(values)
    points = (points - points.min(axis=0)) / (points.max(axis=0) - points.min(axis=0))
    np.testing.assert_allclose(project(7 * vectors.astype(np.float64), seed=1), points, atol=1e-4)


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
