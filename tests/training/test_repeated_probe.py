"""The probe over and over gives what it gives once. In: made features. Out: scikit-learn's weights, whatever was asked before."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from tellapart.errors import DataError
from tellapart.training.repeated_probe import RepeatedProbe

N, D, K = 240, 12, 3


@pytest.fixture(scope="module")
def made() -> tuple[Any, Any]:
    chance = np.random.default_rng(0)
    labels = np.arange(N) % K
    vectors = chance.normal(size=(N, D)).astype(np.float32) * chance.uniform(0.5, 2, size=D).astype(np.float32)
    vectors[np.arange(N), labels] += 1.0
    return vectors, labels


def probabilities(vectors: Any, weight: Any, bias: Any) -> Any:
    logits = vectors.astype(np.float64) @ weight.T.astype(np.float64) + bias
    found = np.exp(logits - logits.max(axis=1, keepdims=True))
    return found / found.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("strength", [1.0, 0.03, 1e-3])
@pytest.mark.parametrize("class_weights", ["none", "balanced"])
def test_it_minimises_what_scikit_learn_does(strength: float, class_weights: Any, made: tuple[Any, Any]) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    vectors, labels = made
    vectors, labels = vectors[: N - 50], labels[: N - 50]
    labels = np.where((labels == 2) & (np.arange(len(labels)) % 2 == 0), 0, labels)  # unevenly many
    weight, bias = RepeatedProbe(vectors, labels, class_count=K).fit(strength=strength, class_weights=class_weights)

    scaler = StandardScaler()
    standard = scaler.fit_transform(vectors.astype(np.float64))
    # A deviation below the median one counts as the median one.
    scale = np.maximum(scaler.scale_, np.median(scaler.scale_))
    standard = standard * scaler.scale_ / scale
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        oracle = LogisticRegression(
            C=1 / (len(labels) * strength),
            class_weight="balanced" if class_weights == "balanced" else None,
            tol=1e-9,
            max_iter=5000,
        ).fit(standard, labels)
    np.testing.assert_allclose(probabilities(vectors, weight, bias), oracle.predict_proba(standard), atol=0.01)


def test_what_it_gives_does_not_depend_on_what_was_asked_before(made: tuple[Any, Any]) -> None:
    vectors, labels = made
    stages = (4,)
    busy = RepeatedProbe(vectors, labels, class_count=K, stages=stages)
    for strength in (0.5, 2e-3, 0.02):
        busy.fit(strength=strength, weighing="alike")
        busy.fit(strength=strength, weighing="last", class_weights="balanced")
    fresh = RepeatedProbe(vectors, labels, class_count=K, stages=stages)
    for one, other in zip(
        busy.fit(strength=7e-3, weighing="alike"), fresh.fit(strength=7e-3, weighing="alike"), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_without_the_stages_their_numbers_count_for_nothing(made: tuple[Any, Any]) -> None:
    vectors, labels = made
    probe = RepeatedProbe(vectors, labels, class_count=K, stages=(4,))
    last, _ = probe.fit(strength=0.01, weighing="last")
    alike, _ = probe.fit(strength=0.01, weighing="alike")
    assert (last[:, :4] == 0).all()
    assert (alike[:, :4] != 0).any()
    alone, _ = RepeatedProbe(vectors[:, 4:], labels, class_count=K).fit(strength=0.01)
    np.testing.assert_allclose(last[:, 4:], alone, atol=1e-6)


def test_features_that_are_not_finite_are_refused(made: tuple[Any, Any]) -> None:
    vectors, labels = made
    broken = vectors.copy()
    broken[3, 2] = np.nan
    with pytest.raises(DataError, match="the features of picture 3"):
        RepeatedProbe(broken, labels, class_count=K)
