"""The function that is minimised, and the coordinates that make it quick. In: made vectors. Out: verdicts."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.training.softmax_regression import SoftmaxRegression
from tellapart.training.strips import worker_threads


def data(count: int, features: int, *, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, count)
    vectors = generator.normal(size=(count, features)) + 0.5 * generator.normal(size=(3, features))[labels]
    return vectors.astype(np.float32), labels.astype(np.int64)


def objective(
    parameters: NDArray[np.float64],
    vectors: NDArray[np.float32],
    labels: NDArray[np.int64],
    weights: NDArray[np.float32],
    strength: float,
) -> float:
    """One problem's function, written as in a textbook, on features standardised by the pictures that count."""
    exact = vectors.astype(np.float64)
    counted = exact[weights > 0]
    deviation = counted.std(axis=0)
    standardised = (exact - counted.mean(axis=0)) / np.maximum(deviation, np.median(deviation))
    logits = standardised @ parameters[:, :-1].T + parameters[:, -1]
    losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(labels)), labels]
    return float(losses @ weights / weights.sum() + strength / 2 * np.square(parameters[:, :-1]).sum())


@pytest.mark.parametrize(("count", "features"), [(400, 6), (30, 40)], ids=["preconditioned", "plain"])
def test_no_step_from_the_minimum_of_each_problem_goes_down(count: int, features: int) -> None:
    vectors, labels = data(count, features, seed=0)
    generator = np.random.default_rng(1)
    weights = (generator.random((3, count)) * (generator.random((3, count)) < 0.7)).astype(np.float32)
    with worker_threads() as threads:
        regression = SoftmaxRegression(vectors, labels, weights, class_count=3, threads=threads)
        assert (regression.covariance is None) == (features > count)
        solution = regression.minimise(0.05, tolerance=1e-7)
        loss = regression.mean_loss(solution.parameters, weights)
    assert solution.converged
    penalties = 0.0
    for problem in range(3):
        own = solution.parameters[problem]
        least = objective(own, vectors, labels, weights[problem], 0.05)
        for _ in range(20):
            step = generator.normal(size=own.shape)
            step *= 0.03 / np.linalg.norm(step)
            assert objective(own + step, vectors, labels, weights[problem], 0.05) > least
        penalties += weights[problem].sum() * (least - 0.025 * np.square(own[:, :-1]).sum())
    assert loss == pytest.approx(penalties / weights.sum(), rel=1e-5)


def test_a_start_at_the_minimum_ends_there() -> None:
    vectors, labels = data(400, 6, seed=2)
    weights = np.ones((1, 400), dtype=np.float32)
    with worker_threads() as threads:
        regression = SoftmaxRegression(vectors, labels, weights, class_count=3, threads=threads)
        first = regression.minimise(0.05, tolerance=1e-6)
        again = regression.minimise(0.05, tolerance=1e-6, start=first.parameters)
    assert again.converged
    assert again.iterations <= 2 < first.iterations
    np.testing.assert_allclose(again.parameters, first.parameters, atol=2e-3)


def test_nearly_dependent_features_and_a_weak_penalty_still_converge() -> None:
    vectors, labels = data(500, 5, seed=3)
    generator = np.random.default_rng(4)
    dependent = np.hstack([vectors @ generator.normal(size=(5, 60)).astype(np.float32) for _ in range(4)])
    with worker_threads() as threads:
        regression = SoftmaxRegression(
            dependent, labels, np.ones((1, 500), dtype=np.float32), class_count=3, threads=threads
        )
        solution = regression.minimise(1e-6, tolerance=1e-4)
    assert solution.converged
    assert np.isfinite(solution.parameters).all()


def test_a_search_that_is_cut_short_says_so() -> None:
    vectors, labels = data(400, 6, seed=5)
    with worker_threads() as threads:
        regression = SoftmaxRegression(
            vectors, labels, np.ones((1, 400), dtype=np.float32), class_count=3, threads=threads
        )
        # No rounding error is as small as this, so that the line search gives up first.
        assert not regression.minimise(0.05, tolerance=1e-30).converged
