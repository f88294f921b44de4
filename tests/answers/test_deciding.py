"""What an answer says. In: probabilities and novelties by hand. Out: sets, chosen classes, unknown or no idea."""

from __future__ import annotations

import numpy as np

from tellapart.answers.deciding import chosen_classes, prediction_sets, unknown_pictures


def test_a_set_holds_all_that_reach_the_threshold_and_always_the_most_probable() -> None:
    probabilities = np.array([[0.5, 0.3, 0.2], [0.25, 0.25, 0.5], [0.4, 0.4, 0.2]], dtype=np.float32)
    assert prediction_sets(probabilities, 0.25).tolist() == [
        [True, True, False],
        [True, True, True],
        [True, True, False],
    ]
    assert prediction_sets(probabilities, 0.9).tolist() == [
        [True, False, False],
        [False, False, True],
        [True, False, False],
    ]
    assert prediction_sets(np.zeros((0, 3), dtype=np.float32), 0.5).shape == (0, 3)


def test_each_class_has_a_threshold_of_its_own_and_none_may_reach_it() -> None:
    probabilities = np.array([[0.5, 0.3, 0.7], [0.4, 0.2, 0.6], [0.6, 0.9, 0.8]], dtype=np.float32)
    chosen = chosen_classes(probabilities, (0.5, 0.3, 0.8))
    assert chosen.tolist() == [[True, True, False], [False, False, False], [True, True, True]]


def test_a_probability_that_is_the_threshold_reaches_it_after_a_way_through_json() -> None:
    probabilities = np.array([[0.1, 0.7]], dtype=np.float32)  # neither is a number of float64
    assert chosen_classes(probabilities, [float(f"{one:.9g}") for one in probabilities[0]]).all()


def test_unknown_is_what_is_above_the_threshold_and_none_where_it_cannot_be_told() -> None:
    novelty = np.array([0.5, 1.5, 1.500001], dtype=np.float32)
    found = unknown_pictures(novelty, 1.5)
    assert found is not None
    assert found.tolist() == [False, False, True]
    assert unknown_pictures(novelty, None) is None
    assert unknown_pictures(None, 1.5) is None
