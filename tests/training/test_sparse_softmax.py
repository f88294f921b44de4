"""Softmax regression on sparse rows. In: made texts. Out: what scikit-learn finds, and what dense features on scales give."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from tellapart.training.sparse_softmax import SparseSoftmax

N, D, K = 120, 30, 3


def made(seed: int = 0) -> tuple[sparse.csr_matrix, np.ndarray]:
    chance = np.random.default_rng(seed)
    matrix = sparse.random(N, D, density=0.2, random_state=seed, format="csr", dtype=np.float32)
    labels = (matrix @ chance.normal(size=(D, K)) + chance.normal(size=(N, K)) * 0.3).argmax(axis=1)
    return matrix, labels.astype(np.int64)


@pytest.mark.parametrize("balanced", [False, True])
def test_it_ends_where_scikit_learn_does(balanced: bool) -> None:
    matrix, labels = made()
    weights = np.ones(N, dtype=np.float32)
    if balanced:
        weights = (N / (K * np.bincount(labels)))[labels].astype(np.float32)
    strength = 0.02
    found = SparseSoftmax(matrix, labels, weights, None, classes=K).minimise(strength, tolerance=1e-7)
    other = LogisticRegression(C=1 / (N * strength), tol=1e-10, max_iter=5000)
    other.fit(matrix.toarray().astype(np.float64), labels, sample_weight=weights)
    ours = found.logits(matrix)
    theirs = matrix @ other.coef_.T + other.intercept_
    np.testing.assert_allclose(ours - ours.mean(1, keepdims=True), theirs - theirs.mean(1, keepdims=True), atol=2e-3)
    again = SparseSoftmax(matrix, labels, weights, None, classes=K).minimise(strength, tolerance=1e-7, most_steps=1)
    assert again.steps == 1


def test_scales_are_as_if_each_class_had_its_own_features() -> None:
    matrix, labels = made(1)
    labels = labels % 2
    scales = np.random.default_rng(2).uniform(0.2, 3, D).astype(np.float32)
    weights = np.ones(N, dtype=np.float32)
    both = np.stack([scales, scales])
    found = SparseSoftmax(matrix, labels, weights, both, classes=2).minimise(0.02, tolerance=1e-7)
    scaled = (matrix @ sparse.diags(scales)).tocsr().astype(np.float32)
    plain = SparseSoftmax(scaled, labels, weights, None, classes=2).minimise(0.02, tolerance=1e-7)
    np.testing.assert_allclose(found.logits(matrix), plain.logits(scaled), atol=2e-3)


def test_what_is_kept_once_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    from tellapart.training import sparse_softmax

    matrix, labels = made()
    weights = np.ones(N, dtype=np.float32)
    usual = SparseSoftmax(matrix, labels, weights, None, classes=K).minimise(0.01, tolerance=1e-7)
    monkeypatch.setattr(sparse_softmax, "_MOST_TWICE", 0)
    monkeypatch.setattr(sparse_softmax, "_MANY", 0)
    found = SparseSoftmax(matrix, labels, weights, None, classes=K).minimise(0.01, tolerance=1e-7)
    np.testing.assert_allclose(found.weight, usual.weight, atol=1e-3)
