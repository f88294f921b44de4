"""The classifier on frozen features, against scikit-learn's on the same function. In: made vectors. Out: verdicts."""

from __future__ import annotations

import os

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from tellapart.errors import DataError
from tellapart.training.probe import fit_probe
from tellapart.training.strengths import DEFAULT_STRENGTH, STRENGTHS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def blobs(count: int, features: int, classes: int, *, seed: int, spread: float = 1.0) -> tuple[Floats, Integers]:
    """Overlapping classes whose features differ in mean and in scale, as a network's do."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    centres = generator.normal(size=(classes, features)) * 2 / np.sqrt(features)
    vectors = centres[labels] + spread * generator.normal(size=(count, features))
    vectors = vectors * np.geomspace(0.5, 4, features) + np.linspace(0, 3, features)
    return vectors.astype(np.float32).astype(np.float64), labels


def standardise(vectors: Floats) -> tuple[Floats, Floats]:
    deviation = vectors.std(axis=0)
    return vectors.mean(axis=0), np.maximum(deviation, np.median(deviation))


def reference(vectors: Floats, labels: Integers, strength: float, *, balanced: bool = False) -> tuple[Floats, Floats]:
    """scikit-learn's weights [K, D] and biases [K] on raw vectors, or one row of two classes."""
    mean, deviation = standardise(vectors)
    two = len(np.unique(labels)) == 2
    model = LogisticRegression(
        C=(2 if two else 1) / (len(labels) * strength),
        tol=1e-8,
        max_iter=10_000,
        class_weight="balanced" if balanced else None,
    ).fit((vectors - mean) / deviation, labels)
    weight = model.coef_ / deviation
    return weight, model.intercept_ - weight @ mean


def softmax(logits: Floats) -> Floats:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


@pytest.mark.parametrize(
    ("count", "features", "classes"),
    [(300, 12, 3), (60, 80, 3), (300, 12, 2), (60, 80, 2), (2500, 20, 5)],
    ids=["three classes", "fewer pictures than features", "two classes", "two, few pictures", "several strips"],
)
@pytest.mark.parametrize("balanced", [False, True], ids=["plain", "balanced"])
def test_the_minimum_is_the_one_that_scikit_learn_finds(
    count: int, features: int, classes: int, balanced: bool
) -> None:
    vectors, labels = blobs(count, features, classes, seed=1)
    keep = (labels != 0) | (np.arange(count) % 4 == 0)  # class 0 is rare, so that balancing matters
    vectors, labels = vectors[keep], labels[keep]
    probe = fit_probe(
        vectors.astype(np.float32),
        labels,
        groups=np.arange(len(labels)),
        class_count=classes,
        class_weights="balanced" if balanced else "none",
        strengths=(0.02,),
        seed=0,
    )
    assert probe.converged
    assert (probe.strength, probe.trials, probe.folds) == (0.02, {}, 0)
    assert probe.weight.shape == (classes, features)
    assert probe.weight.dtype == probe.bias.dtype == np.float32

    weight, bias = reference(vectors, labels, 0.02, balanced=balanced)
    logits = vectors @ weight.T + bias
    if classes == 2:
        logits = np.hstack([-logits / 2, logits / 2])
        np.testing.assert_allclose(probe.weight[0], -probe.weight[1], atol=1e-5)
    expected = softmax(logits)
    found = softmax(vectors @ probe.weight.T.astype(np.float64) + probe.bias)
    np.testing.assert_allclose(found, expected, atol=4e-3)
    assert log_loss(labels, found) == pytest.approx(log_loss(labels, expected), abs=5e-4)


def test_the_trials_are_what_fitting_and_scoring_each_fold_by_hand_gives() -> None:
    vectors, labels = blobs(240, 10, 3, seed=2)
    groups = np.where(np.arange(240) < 100, "day 1", "day 2")  # two groups leave one way only to make folds
    probe = fit_probe(vectors.astype(np.float32), labels, groups=groups.tolist(), class_count=3, seed=0)
    assert probe.folds == 2
    assert set(STRENGTHS[:3]) <= set(probe.trials)
    for strength in STRENGTHS[:3]:
        losses = np.zeros(240)
        for name in ("day 1", "day 2"):
            held_out = groups == name
            weight, bias = reference(vectors[~held_out], labels[~held_out], strength)
            expected = softmax(vectors[held_out] @ weight.T + bias)
            losses[held_out] = -np.log(expected[np.arange(held_out.sum()), labels[held_out]])
        assert probe.trials[strength] == pytest.approx(losses.mean(), rel=0.01)
    assert probe.strength == min(probe.trials, key=probe.trials.__getitem__)
    assert probe.held_out is not None
    for name in ("day 1", "day 2"):
        held_out = groups == name
        weight, bias = reference(vectors[~held_out], labels[~held_out], probe.strength)
        expected = softmax(vectors[held_out] @ weight.T + bias)
        np.testing.assert_allclose(softmax(probe.held_out[held_out]), expected, atol=0.05)  # the search ends early


def test_the_logits_held_out_have_the_loss_of_the_best_trial() -> None:
    vectors, labels = blobs(300, 10, 3, seed=12)
    probe = fit_probe(vectors.astype(np.float32), labels, groups=np.arange(300), class_count=3, seed=0)
    assert probe.held_out is not None
    loss = log_loss(labels, softmax(probe.held_out.astype(np.float64)))
    assert loss == pytest.approx(probe.trials[probe.strength], rel=1e-5)
    untried = fit_probe(
        vectors.astype(np.float32), labels, groups=np.arange(300), class_count=3, strengths=(0.1,), seed=0
    )
    assert untried.held_out is None


def test_a_best_strength_beyond_either_end_is_found() -> None:
    clear, labels = blobs(200, 6, 2, seed=3, spread=0.2)
    weak = fit_probe(clear.astype(np.float32), labels, groups=np.arange(200), class_count=2, strengths=(1, 0.1), seed=0)
    assert weak.strength < 0.05
    noise = np.random.default_rng(0).normal(size=(200, 40)).astype(np.float32)
    strong = fit_probe(noise, labels, groups=np.arange(200), class_count=2, strengths=(0.01, 0.001), seed=0)
    assert strong.strength > 0.05
    assert strong.trials[strong.strength] == min(strong.trials.values())


def test_a_group_is_never_trained_on_and_held_out_at_once() -> None:
    generator = np.random.default_rng(4)
    scenes = generator.normal(size=(40, 30))
    of_scene = np.repeat(np.arange(40), 5)
    labels = generator.integers(0, 2, 40)[of_scene]  # nothing but the scene itself tells the label
    vectors = (scenes[of_scene] + 0.01 * generator.normal(size=(200, 30))).astype(np.float32)
    grouped = fit_probe(vectors, labels, groups=[f"scene {number}" for number in of_scene], class_count=2, seed=0)
    alone = fit_probe(vectors, labels, groups=[""] * 200, class_count=2, seed=0)
    assert min(grouped.trials.values()) > 0.6  # log 2 is 0.69
    assert min(alone.trials.values()) < 0.2


def test_without_anything_to_hold_out_the_default_strength_is_taken() -> None:
    vectors, labels = blobs(20, 4, 2, seed=6)
    probe = fit_probe(vectors.astype(np.float32), labels, groups=["one"] * 20, class_count=2, seed=0)
    assert (probe.strength, probe.trials, probe.folds, probe.held_out) == (DEFAULT_STRENGTH, {}, 0, None)
    assert probe.converged


def test_features_that_never_vary_or_hardly_fire_do_no_harm() -> None:
    vectors, labels = blobs(200, 8, 2, seed=7)
    dead = np.full((200, 2), [0.0, 1234.5])
    rare = np.zeros((200, 1))
    rare[3] = 1e-4  # stretched to one deviation it would be 14 here, and a million in the picture below
    both = np.hstack([vectors, dead, rare]).astype(np.float32)
    probe = fit_probe(both, labels, groups=np.arange(200), class_count=2, seed=0)
    assert (probe.weight[:, 8:10] == 0).all()
    unusual = both[:1].copy()
    unusual[0, 10] = 1.0
    shift = (unusual - both[:1]) @ probe.weight.T
    assert np.abs(shift).max() < 1.0
    plain = fit_probe(vectors.astype(np.float32), labels, groups=np.arange(200), class_count=2, seed=0)
    assert min(probe.trials.values()) == pytest.approx(min(plain.trials.values()), abs=0.01)


def test_of_many_pictures_some_choose_the_strength_and_all_are_fitted() -> None:
    vectors, labels = blobs(20_000, 6, 2, seed=8)
    labels = np.where(np.arange(20_000) % 1000 == 0, 2, labels)  # 20 pictures; half of the rest would be 10
    seen: list[int] = []
    probe = fit_probe(
        vectors.astype(np.float32), labels, groups=np.arange(20_000), class_count=3, seed=0, advance=seen.append
    )
    best = min(probe.trials, key=probe.trials.__getitem__)
    assert probe.folds == 3
    assert probe.strength == pytest.approx(best * 0.5**0.75, rel=0.01)
    assert probe.held_out is not None
    judged = ~np.isnan(probe.held_out).any(axis=1)
    assert 10_000 <= judged.sum() <= 10_020
    assert log_loss(labels[judged], softmax(probe.held_out[judged].astype(np.float64))) == pytest.approx(
        probe.trials[best], rel=1e-4
    )
    assert probe.converged
    assert seen == [1] * (len(probe.trials) + 1)
    weight, bias = reference(vectors, labels, probe.strength)
    expected = softmax(vectors @ weight.T + bias)
    found = softmax(vectors @ probe.weight.T.astype(np.float64) + probe.bias)
    np.testing.assert_allclose(found, expected, atol=5e-3)  # a millionth of a nat from the minimum


def test_a_rare_class_is_not_lost_among_the_pictures_that_choose_the_strength() -> None:
    vectors, labels = blobs(20_000, 4, 2, seed=11)
    labels = np.where(np.arange(20_000) < 2, 2, labels)  # half of two would leave one, and a fold without any
    probe = fit_probe(vectors.astype(np.float32), labels, groups=np.arange(20_000), class_count=3, seed=0)
    assert probe.folds == 3


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system cannot restrict a process to one core")
def test_the_result_is_the_same_on_one_core_and_on_all() -> None:
    vectors, labels = blobs(3000, 30, 4, seed=9)
    cores = os.sched_getaffinity(0)

    def fit() -> bytes:
        probe = fit_probe(vectors.astype(np.float32), labels, groups=np.arange(3000), class_count=4, seed=3)
        return probe.weight.tobytes() + probe.bias.tobytes()

    on_all = fit()
    try:
        os.sched_setaffinity(0, {min(cores)})
        on_one = fit()
    finally:
        os.sched_setaffinity(0, cores)
    assert on_one == on_all


def test_the_callers_vectors_are_left_as_they_are_and_may_be_strided() -> None:
    vectors, labels = blobs(100, 6, 2, seed=10)
    wide = np.zeros((100, 12), dtype=np.float32)
    wide[:, ::2] = vectors
    before = wide.copy()
    strided = fit_probe(wide[:, ::2], labels.astype(np.int32), groups=np.arange(100), class_count=2, seed=0)
    packed = fit_probe(vectors.astype(np.float32), labels, groups=np.arange(100), class_count=2, seed=0)
    np.testing.assert_array_equal(wide, before)
    np.testing.assert_array_equal(strided.weight, packed.weight)


def test_a_class_without_pictures_is_refused() -> None:
    vectors = np.zeros((4, 3), dtype=np.float32)
    with pytest.raises(
        DataError,
        match=r"class 1 of 3 \(counted from 0\) has 0 pictures to train on; every class needs at least 1\. "
        "Add pictures to it or remove the class",
    ):
        fit_probe(vectors, np.array([0, 2, 0, 2]), groups=[""] * 4, class_count=3, seed=0)


def test_one_class_alone_is_refused() -> None:
    with pytest.raises(DataError, match="1 class to train on; telling apart needs 2. Add a folder of another class"):
        fit_probe(np.zeros((2, 3), dtype=np.float32), np.array([0, 0]), groups=[""] * 2, class_count=1, seed=0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_are_refused(value: float) -> None:
    vectors = np.zeros((4, 3), dtype=np.float32)
    vectors[2, 1] = value
    with pytest.raises(DataError, match=r"the features of picture 2 .* not finite; .* `tellapart cache clear`"):
        fit_probe(vectors, np.array([0, 1, 0, 1]), groups=[""] * 4, class_count=2, seed=0)
