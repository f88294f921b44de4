"""What is unlike the training pictures, when a picture has a set of classes. In: a made data set. Out: verdicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tellapart.evaluation.novelty import fit_novelty
from tellapart.evaluation.unlike import measure_known
from tellapart.tasks.multilabel.abstaining import cluster, learn_to_abstain
from tellapart.tasks.multilabel.candidates import validate


def test_the_threshold_is_the_quantile_of_the_validation_pictures(make: Callable[..., Any]) -> None:
    made = make()
    found = learn_to_abstain(validate(made.candidate, made.dataset), made.dataset, coverage=0.9, seed=0)
    rows = made.dataset.splits == "validation"
    novelty = np.sort(found.novelty.score(made.embeddings[rows]))
    assert found.threshold == pytest.approx(novelty[36], rel=1e-5)  # 40 pictures at 90 %: the ceil(41 x 0.9) = 37th
    assert (found.calibrated_on, found.warning) == (40, "")


def test_what_is_measured_is_the_test_split_less_what_leaked(make: Callable[..., Any]) -> None:
    for leaked, count in (((), 80), ((3, 4, 8), 77), (tuple(range(200)), 80)):
        made = make(leaked=leaked)
        found = learn_to_abstain(validate(made.candidate, made.dataset), made.dataset, coverage=0.9, seed=0)
        assert found.measured["n"] == count
    rows = made.dataset.splits == "test"
    share = (found.novelty.score(made.embeddings[rows]) <= found.threshold).mean()
    assert found.measured["known"]["value"] == share
    assert found.known is not None
    assert found.known.value == share
    assert found.measured["known"]["method"] == "wilson"
    assert found.measured["novelty_threshold"] == found.threshold
    assert found.measured["wanted"] == 0.9


def test_the_score_is_fitted_on_training_pictures_with_a_mean_a_combination(make: Callable[..., Any]) -> None:
    made = make()
    found = learn_to_abstain(validate(made.candidate, made.dataset), made.dataset, coverage=0.9, seed=0)
    rows = made.dataset.rows["train"]
    expected = fit_novelty(made.embeddings[rows], cluster(made.dataset.targets[rows]))
    np.testing.assert_allclose(found.novelty.means, expected.means, rtol=1e-5)
    np.testing.assert_allclose(found.novelty.centre, expected.centre, rtol=1e-5, atol=1e-7)
    assert len(found.novelty.means) > 2
    assert set(found.novelty.arrays()) == {"least_length", "centre", "directions", "scales", "means", "residual_scale"}


def test_too_few_validation_pictures_give_a_warning(make: Callable[..., Any]) -> None:
    made = make(90)
    found = learn_to_abstain(validate(made.candidate, made.dataset), made.dataset, coverage=0.95, seed=0)
    assert (found.threshold, found.known, found.measured["known"]) == (None, None, None)
    assert found.warning == (
        "The validation split has 18 pictures; it takes 19 to tell which are unlike them, so that 95 % of the others are "
        "kept. Until then no picture is called unknown. Add pictures, or give a lower --coverage."
    )


def test_groups_make_the_interval_no_narrower() -> None:
    novelty = np.repeat(np.arange(20.0), 5)
    facts = {"coverage": 0.9, "calibrated_on": 50, "seed": 0}
    alone = measure_known(novelty, 14.5, groups=None, **facts)["known"]
    together = measure_known(novelty, 14.5, groups=np.repeat(np.arange(20), 5), **facts)["known"]
    assert alone["value"] == together["value"] == 0.75
    assert together["high"] - together["low"] > 1.5 * (alone["high"] - alone["low"])


def test_frequent_combinations_are_clusters_and_rare_ones_join_the_most_alike() -> None:
    sets = [[0, 0, 0]] * 12 + [[1, 1, 0]] * 15 + [[0, 0, 1]] * 10 + [[1, 0, 0]] * 3 + [[1, 1, 1]] * 9
    found = cluster(np.array(sets, dtype=float))
    # The most frequent first. {0} shares half of {0, 1}; {0, 1, 2} two thirds of it, and a third of {2}.
    assert found.tolist() == [1] * 12 + [0] * 15 + [2] * 10 + [0] * 3 + [0] * 9


def test_what_is_not_known_counts_as_not_there() -> None:
    sets = np.array([[1.0, np.nan]] * 10 + [[0.0, 1.0]] * 11)
    assert cluster(sets).tolist() == [1] * 10 + [0] * 11


def test_a_set_like_none_joins_the_most_frequent() -> None:
    sets = np.array([[1.0, 0, 0]] * 10 + [[0, 1.0, 0]] * 11 + [[0, 0, 1.0]])
    assert cluster(sets)[-1] == 0
    assert cluster(sets)[0] == 1


def test_where_no_combination_is_frequent_all_are_one_cluster() -> None:
    assert cluster(np.eye(9)).tolist() == [0] * 9
