"""Embeddings on a plane. In: clusters. Out: points that keep them together."""

from __future__ import annotations

import numpy as np
import pytest
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
