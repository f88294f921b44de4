"""The probe for sets of labels, against scikit-learn a class at a time. In: made vectors. Out: verdicts."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from tellapart.errors import DataError
from tellapart.training.multilabel_probe import MultilabelProbe, choose_rows, fit_multilabel_probe
from tellapart.training.strengths import DEFAULT_STRENGTH
from tellapart.training.weighing import Weighing

Floats = NDArray[np.float64]


def made(count: int, features: int, classes: int, *, seed: int, noise: float = 1.0) -> tuple[Floats, Floats]:
    """Vectors in which each class that is there adds its own direction."""
    generator = np.random.default_rng(seed)
    targets = (generator.random((count, classes)) < 0.3).astype(np.float64)
    targets[:2], targets[2:4] = 1, 0
    vectors = targets @ generator.normal(size=(classes, features)) + noise * generator.normal(size=(count, features))
    return vectors.astype(np.float32).astype(np.float64), targets


def names(count: int) -> list[str]:
    return [f"class {number}" for number in range(count)]


def fit(vectors: Floats, targets: Floats, groups: object = None, **options: object) -> MultilabelProbe:
    found = [""] * len(vectors) if groups is None else groups
    return fit_multilabel_probe(vectors.astype(np.float32), targets, found, classes=names(targets.shape[1]), **options)


def standardised(vectors: Floats) -> Floats:
    deviation = vectors.std(axis=0)
    return np.asarray((vectors - vectors.mean(axis=0)) / np.maximum(deviation, np.median(deviation)))


def sigmoid(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-logits)))


@pytest.mark.parametrize("weights", [None, np.array([1.0, 4.0, 0.5])], ids=["plain", "weighted"])
def test_each_class_is_the_regression_that_scikit_learn_fits(weights: Floats | None) -> None:
    vectors, targets = made(300, 10, 3, seed=1)
    targets[np.random.default_rng(2).random(targets.shape) < 0.2] = np.nan
    probe = fit(vectors, targets, strengths=(0.03,), positive_weights=weights)
    assert (probe.strength, probe.trials, probe.folds, probe.converged) == (0.03, {}, 0, True)
    assert probe.weight.dtype == probe.bias.dtype == np.float32
    inputs = standardised(vectors)
    for number in range(3):
        rows = ~np.isnan(targets[:, number])
        times = 1.0 if weights is None else float(weights[number])
        total = np.where(targets[rows, number] == 1, times, 1.0).sum()
        model = LogisticRegression(C=1 / (total * 0.03), class_weight={1: times}, solver="newton-cg", tol=1e-12)
        model.fit(inputs[rows], targets[rows, number])
        found = sigmoid(vectors @ probe.weight[number].astype(np.float64) + probe.bias[number])
        np.testing.assert_allclose(found, model.predict_proba(inputs)[:, 1], atol=1e-6, rtol=0)


@pytest.mark.parametrize(("weighing", "power"), [("alike", 0), ("fourth_root", 1 / 4), ("square_root", 1 / 2)])
def test_with_stages_it_is_the_regression_on_weighed_layers(weighing: Weighing, power: float) -> None:
    """Each layer on a scale of its own, divided by a power of its size, what is multiplied having a mean square of 1."""
    vectors, targets = made(300, 30, 2, seed=4)
    vectors[:, 5:] *= 3
    probe = fit(vectors, targets, strengths=(0.03,), stages=(5,), weighings=(weighing,))
    factors = np.repeat([5.0**-power, 25.0**-power], [5, 25])
    inputs = np.hstack([standardised(vectors[:, :5]), standardised(vectors[:, 5:])])
    inputs *= factors / np.sqrt(np.square(factors).mean())
    for number in range(2):
        model = LogisticRegression(C=1 / (300 * 0.03), solver="newton-cg", tol=1e-12).fit(inputs, targets[:, number])
        found = sigmoid(vectors @ probe.weight[number].astype(np.float64) + probe.bias[number])
        np.testing.assert_allclose(found, model.predict_proba(inputs)[:, 1], atol=1e-6, rtol=0)


@pytest.mark.parametrize("where", ["a stage", "the last layer"])
def test_stages_count_where_they_know_more(where: str) -> None:
    generator = np.random.default_rng(2)
    targets = (generator.random((200, 2)) < 0.4).astype(np.float64)
    vectors = generator.normal(size=(200, 60))
    told = slice(0, 8) if where == "a stage" else slice(8, 60)
    vectors[:, told] += (targets * 2.0 - 1.0) @ generator.choice([-0.6, 0.6], (2, told.stop - told.start))
    probe = fit(vectors, targets, stages=(8,))
    assert probe.weight.shape == (2, 60)
    assert (probe.weighed.weighing == "last") == (where == "the last layer")
    assert bool(probe.weight[:, :8].any()) == (where == "a stage")
    assert set(probe.weighed.trials) == {"last", "alike", "fourth_root", "square_root"}


def test_the_trials_are_what_fitting_and_scoring_each_fold_by_hand_gives() -> None:
    vectors, targets = made(240, 10, 3, seed=3)
    targets[:50, 1] = np.nan
    groups = np.where(np.arange(240) < 100, "day 1", "day 2")  # two groups leave one way only to make folds
    probe = fit(vectors, targets, groups.tolist())
    assert probe.folds == 2
    inputs = standardised(vectors)
    for strength in (1.0, 0.1):
        losses = []
        for name in ("day 1", "day 2"):
            for number in range(3):
                known = ~np.isnan(targets[:, number])
                rows, scored = known & (groups != name), known & (groups == name)
                model = LogisticRegression(C=1 / (rows.sum() * strength), solver="newton-cg", tol=1e-10)
                chances = model.fit(inputs[rows], targets[rows, number]).predict_proba(inputs[scored])
                losses.extend(-np.log(chances[np.arange(scored.sum()), targets[scored, number].astype(int)]))
        assert probe.trials[strength] == pytest.approx(np.mean(losses), rel=2e-3)
    assert probe.strength == min(probe.trials, key=probe.trials.__getitem__)
    assert probe.held_out is not None
    known = ~np.isnan(targets)
    margins = (2 * targets[known] - 1) * probe.held_out[known]
    assert np.logaddexp(0, -margins).mean() == pytest.approx(probe.trials[probe.strength], rel=1e-5)
    assert np.isfinite(probe.held_out).all()


def test_a_class_that_a_fold_cannot_teach_is_not_scored_there() -> None:
    vectors, targets = made(120, 6, 2, seed=4)
    groups = np.where(np.arange(120) < 60, "day 1", "day 2")
    targets[:, 1] = 0
    targets[5:25, 1] = 1  # all on day 1: what was learnt on day 2 says nothing of it
    probe = fit(vectors, targets, groups.tolist())
    alone = fit(vectors, targets[:, :1], groups.tolist())
    inputs = standardised(vectors)
    rows, scored = groups == "day 1", groups == "day 2"
    model = LogisticRegression(C=1 / 60, solver="newton-cg", tol=1e-10).fit(inputs[rows], targets[rows, 1])
    own = -np.log(model.predict_proba(inputs[scored])[:, 0])
    expected = (alone.trials[1.0] * 120 + own.sum()) / 180
    assert probe.trials[1.0] == pytest.approx(expected, rel=2e-3)
    assert probe.held_out is not None
    np.testing.assert_array_equal(np.isnan(probe.held_out[:, 1]), groups == "day 1")
    assert np.isfinite(probe.held_out[:, 0]).all()


def test_a_group_is_never_trained_on_and_held_out_at_once() -> None:
    generator = np.random.default_rng(5)
    scenes = generator.normal(size=(40, 30))
    of_scene = np.repeat(np.arange(40), 5)
    targets = (generator.random((40, 2)) < 0.5)[of_scene].astype(float)  # nothing but the scene tells the labels
    vectors = scenes[of_scene] + 0.01 * generator.normal(size=(200, 30))
    grouped = fit(vectors, targets, [f"scene {number}" for number in of_scene])
    alone = fit(vectors, targets)
    assert min(grouped.trials.values()) > 0.6  # log 2 is 0.69
    assert min(alone.trials.values()) < 0.2


def test_without_anything_to_hold_out_the_default_strength_is_taken() -> None:
    vectors, targets = made(20, 4, 2, seed=6)
    probe = fit(vectors, targets, ["one"] * 20)
    assert (probe.strength, probe.trials, probe.folds, probe.held_out) == (DEFAULT_STRENGTH, {}, 0, None)


def test_the_pictures_that_choose_the_strength_hold_what_is_rare() -> None:
    targets = np.zeros((40_000, 3))
    targets[::2, 0] = 1
    targets[5:40_000:1000, 1] = 1  # 40 pictures have it, of which a quarter would be 10
    targets[:, 2] = 1
    targets[[3, 39_999], 2] = 0
    rows = choose_rows(targets, np.random.default_rng(0))
    assert (np.diff(rows) > 0).all()
    assert 10_000 <= len(rows) <= 10_025
    assert targets[rows, 1].sum() >= 20
    assert (targets[rows, 2] == 0).sum() == 2
    assert targets[rows, 0].mean() == pytest.approx(0.5, abs=0.02)
    assert choose_rows(targets[:10_000], np.random.default_rng(0)).tolist() == list(range(10_000))


def test_of_many_classes_fewer_pictures_choose_the_strength() -> None:
    targets = (np.random.default_rng(0).random((12_000, 80)) < 0.5).astype(float)
    assert 5_000 <= len(choose_rows(targets, np.random.default_rng(0))) <= 5_050
    assert 2_000 <= len(choose_rows(np.tile(targets[:, :75], 10), np.random.default_rng(0))) <= 2_100


def test_of_many_pictures_some_choose_the_strength_and_all_are_fitted() -> None:
    vectors, targets = made(21_000, 4, 2, seed=7, noise=3.0)
    seen: list[int] = []
    probe = fit(vectors, targets, np.arange(21_000), advance=seen.append)
    best = min(probe.trials, key=probe.trials.__getitem__)
    assert probe.folds == 3
    assert probe.strength == pytest.approx(best * (10_000 / 21_000) ** 0.75, rel=0.01)
    assert seen == [1] * (len(probe.trials) + 1)
    assert probe.held_out is not None
    judged = np.isfinite(probe.held_out).all(axis=1)
    assert 10_000 <= judged.sum() <= 10_100
    margins = (2 * targets[judged] - 1) * probe.held_out[judged]
    assert np.logaddexp(0, -margins).mean() == pytest.approx(probe.trials[best], rel=1e-4)
    assert probe.converged
    inputs = standardised(vectors)
    model = LogisticRegression(C=1 / (21_000 * probe.strength), solver="newton-cg", tol=1e-10).fit(
        inputs, targets[:, 0]
    )
    found = sigmoid(vectors @ probe.weight[0].astype(np.float64) + probe.bias[0])
    np.testing.assert_allclose(found, model.predict_proba(inputs)[:, 1], atol=1e-6, rtol=0)


def test_the_same_input_gives_the_same_probe() -> None:
    vectors, targets = made(200, 10, 3, seed=8)
    first, again = fit(vectors, targets, seed=3), fit(vectors, targets, seed=3)
    assert (first.weight == again.weight).all()
    assert first.trials == again.trials


def test_classes_with_one_value_only_are_refused_by_name() -> None:
    vectors, targets = made(20, 4, 3, seed=9)
    targets[:, 1] = np.where(targets[:, 1] == 1, 0, np.nan)
    with pytest.raises(
        DataError,
        match=r"1 of 3 classes has no picture with it to train on: 'class 1'\. .* Add pictures with it or remove",
    ):
        fit(vectors, targets)
    targets[:, 1:] = 1
    with pytest.raises(
        DataError, match=r"2 of 3 classes have no picture without it to train on: 'class 1', 'class 2'\."
    ):
        fit(vectors, targets)


def test_features_that_are_not_finite_are_refused() -> None:
    vectors, targets = made(20, 4, 2, seed=10)
    vectors[7, 2] = np.nan
    with pytest.raises(DataError, match=r"the features of picture 7 .* not finite"):
        fit(vectors, targets)
