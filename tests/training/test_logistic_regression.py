"""The solver against scikit-learn's, a class at a time. In: made vectors. Out: verdicts."""

from __future__ import annotations

import os

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from tellapart.training.logistic_regression import LogisticRegressions, find_basis, sum_of_losses
from tellapart.training.strips import worker_threads

Doubles = NDArray[np.float64]


def made(count: int, features: int, classes: int, *, seed: int) -> tuple[NDArray[np.float32], Doubles]:
    """Features of different sizes that hang together, and classes of which some are rare."""
    generator = np.random.default_rng(seed)
    vectors = generator.normal(size=(count, features)) @ generator.normal(size=(features, features)) / 3
    vectors = vectors * np.geomspace(0.5, 4, features) + np.linspace(0, 3, features)
    scores = vectors @ generator.normal(size=(features, classes)) + generator.normal(size=(count, classes)) * 5
    shares = np.linspace(0.1, 0.6, classes)
    return vectors.astype(np.float32), (scores > np.quantile(scores, 1 - shares, axis=0).diagonal()).astype(float)


def standardised(vectors: NDArray[np.float32]) -> Doubles:
    exact = vectors.astype(np.float64)
    deviation = exact.std(axis=0)
    return np.asarray((exact - exact.mean(axis=0)) / np.maximum(deviation, np.median(deviation)))


def sigmoid(logits: Doubles) -> Doubles:
    return np.asarray(1 / (1 + np.exp(-logits)))


def solved(
    vectors: NDArray[np.float32], signed: NDArray[np.floating], strengths: Doubles, tolerance: float = 1e-15
) -> tuple[Doubles, Doubles, NDArray[np.bool_]]:
    with worker_threads() as threads:
        basis = find_basis(vectors, threads)
        regressions = LogisticRegressions(basis.coordinates(vectors, threads), signed.astype(np.float32), threads)
        solution = regressions.minimise(strengths, tolerance=tolerance)
    return *basis.raw(solution.parameters), solution.converged


# So close to the minimum the oracle's last step gains nothing that its arithmetic could show, on some processors.
@pytest.mark.parametrize(
    ("count", "features"),
    [(300, 12), (60, 80), (80, 80), (2500, 20)],
    ids=["more pictures", "fewer pictures than features", "as many", "several strips"],
)
@pytest.mark.parametrize("strength", [1.0, 0.01, 0.0001])
@pytest.mark.filterwarnings("ignore:The line search algorithm did not converge", "ignore:Line Search failed")
def test_the_minimum_is_the_one_that_scikit_learn_finds(count: int, features: int, strength: float) -> None:
    vectors, targets = made(count, features, 3, seed=1)
    weights, biases, converged = solved(vectors, 2 * targets.T - 1, np.full(3, strength))
    assert converged.all()
    inputs = standardised(vectors)
    for number in range(3):
        model = LogisticRegression(C=1 / (count * strength), solver="newton-cg", tol=1e-12, max_iter=10_000)
        expected = model.fit(inputs, targets[:, number]).predict_proba(inputs)[:, 1]
        found = sigmoid(vectors.astype(np.float64) @ weights[number] + biases[number])
        np.testing.assert_allclose(found, expected, atol=1e-6, rtol=0)


@pytest.mark.filterwarnings("ignore:The line search algorithm did not converge", "ignore:Line Search failed")
def test_what_is_not_known_counts_neither_way_and_weights_count_as_told() -> None:
    vectors, targets = made(300, 12, 2, seed=2)
    generator = np.random.default_rng(3)
    known = generator.random((300, 2)) < 0.6
    times = np.where(targets == 1, 2.5, 1.0)
    weights, biases, _ = solved(vectors, ((2 * targets - 1) * times * known).T, np.array([0.02, 0.3]))
    inputs = standardised(vectors)  # of all pictures, though not all are known of each class
    for number, strength in enumerate((0.02, 0.3)):
        rows = known[:, number]
        total = times[rows, number].sum()
        model = LogisticRegression(C=1 / (total * strength), solver="newton-cg", tol=1e-12, class_weight={1: 2.5})
        model.fit(inputs[rows], targets[rows, number])
        found = sigmoid(vectors.astype(np.float64) @ weights[number] + biases[number])
        np.testing.assert_allclose(found, model.predict_proba(inputs)[:, 1], atol=1e-6, rtol=0)


def test_problems_do_not_touch_each_other() -> None:
    vectors, targets = made(200, 8, 4, seed=4)
    together = solved(vectors, 2 * targets.T - 1, np.full(4, 0.01))
    alone = solved(vectors, 2 * targets.T[2:3] - 1, np.full(1, 0.01))
    np.testing.assert_allclose(together[0][2], alone[0][0], atol=1e-8)
    np.testing.assert_allclose(together[1][2], alone[1][0], atol=1e-8)


def test_features_that_never_vary_get_no_weight_and_hardly_firing_ones_are_not_stretched() -> None:
    vectors, targets = made(200, 8, 1, seed=5)
    rare = np.zeros((200, 1), dtype=np.float32)
    rare[3] = 1e-4
    both = np.hstack([vectors, np.full((200, 1), 1234.5, dtype=np.float32), rare])
    weights, _, _ = solved(both, 2 * targets.T - 1, np.full(1, 0.01))
    assert weights[0, 8] == 0
    assert abs(weights[0, 9]) < 1.0


def test_classes_that_are_told_apart_for_sure_still_converge() -> None:
    vectors, _ = made(200, 8, 1, seed=6)
    targets = (vectors[:, :1] > np.median(vectors[:, 0])).astype(float)
    weights, biases, converged = solved(vectors, 2 * targets.T - 1, np.full(1, 1e-6), tolerance=1e-10)
    assert converged.all()
    assert ((vectors @ weights[0] + biases[0] > 0) == targets[:, 0]).all()


def test_a_start_near_the_minimum_ends_at_the_same_place() -> None:
    vectors, targets = made(400, 6, 3, seed=7)
    with worker_threads() as threads:
        coordinates = find_basis(vectors, threads).coordinates(vectors, threads)
        signed = (2 * targets.T - 1).astype(np.float32)
        regressions = LogisticRegressions(coordinates, signed, threads)
        first = regressions.minimise(np.full(3, 0.05), tolerance=1e-14)
        again = regressions.minimise(np.full(3, 0.05), tolerance=1e-13, start=first.parameters)
        losses = sum_of_losses(coordinates, 2 * signed, first.parameters, threads)
    assert again.rounds == 0 < first.rounds
    assert (again.parameters == first.parameters).all()
    margins = (2 * targets - 1) * (coordinates.astype(np.float64) @ first.parameters.T)
    np.testing.assert_allclose(losses, 2 * np.log1p(np.exp(-margins)).sum(axis=0), rtol=1e-9)


def test_a_tolerance_below_rounding_is_not_met_and_says_so() -> None:
    vectors, targets = made(400, 6, 1, seed=8)
    _, _, converged = solved(vectors, 2 * targets.T - 1, np.full(1, 0.05), tolerance=1e-60)
    assert not converged.any()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system cannot restrict a process to one core")
def test_the_number_of_threads_changes_no_digit() -> None:
    vectors, targets = made(3000, 30, 4, seed=0)
    cores = os.sched_getaffinity(0)
    on_all = solved(vectors, 2 * targets.T - 1, np.full(4, 0.003))
    try:
        os.sched_setaffinity(0, {min(cores)})
        on_one = solved(vectors, 2 * targets.T - 1, np.full(4, 0.003))
    finally:
        os.sched_setaffinity(0, cores)
    assert (on_one[0] == on_all[0]).all()
    assert (on_one[1] == on_all[1]).all()
