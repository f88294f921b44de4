"""Confident learning. In: labels and probabilities. Out: the rows that cleanlab names, too."""

from __future__ import annotations

import numpy as np
import pytest
from cleanlab.count import num_label_issues
from cleanlab.filter import find_label_issues
from cleanlab.multilabel_classification.filter import find_multilabel_issues_per_class

from tellapart.evaluation.confident import off_the_diagonal


def made(seed: int, count: int, classes: int, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels, a sixth of them wrong, and probabilities that follow what is right."""
    draw = np.random.default_rng(seed)
    right = draw.integers(0, classes, count)
    logits = draw.normal(size=(count, classes)) + sharpness * np.eye(classes)[right]
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.where(draw.random(count) < 1 / 6, draw.integers(0, classes, count), right)
    labels[:classes] = np.arange(classes)
    return labels, chances


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("sharpness", [0.0, 1.0, 4.0])
def test_it_names_the_rows_that_cleanlab_names(classes: int, sharpness: float) -> None:
    named = 0
    for seed in range(5):
        labels, chances = made(seed, 200, classes, sharpness)
        found = off_the_diagonal(labels, chances)
        expected = find_label_issues(labels, chances, filter_by="confident_learning", n_jobs=1)
        assert found.tolist() == expected.tolist()
        assert int(found.sum()) == num_label_issues(labels, chances)
        named += int(found.sum())
    assert named > 0


def test_a_class_that_no_row_has_is_nobody_s_class() -> None:
    labels, chances = made(1, 60, 4, 1.0)
    labels = np.where(labels == 3, 0, labels)
    found = off_the_diagonal(labels, chances)
    assert found.tolist() == find_label_issues(labels, chances, filter_by="confident_learning", n_jobs=1).tolist()


def test_a_class_of_one_row_has_that_row_s_probability_as_its_threshold() -> None:
    labels = np.array([0, 0, 0, 0, 1])
    chances = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.3, 0.7], [0.35, 0.65]])
    # 0.65 for the last one alone: row 3 reaches it, row 2 does not.
    found = off_the_diagonal(labels, chances)
    assert found.tolist() == [False, False, False, True, False]
    assert found.tolist() == find_label_issues(labels, chances, filter_by="confident_learning", n_jobs=1).tolist()


def test_a_label_as_good_as_the_most_probable_class_is_no_mistake() -> None:
    """Rows 1 and 2 reach the threshold of class 1, 0.475; but their label is as probable, but for the rounding."""
    labels = np.array([0, 0, 0, 0, 1, 1])
    chances = np.array([[0.9, 0.1], [0.5, 0.5], [0.5 - 4e-7, 0.5 + 4e-7], [0.4, 0.6], [0.55, 0.45], [0.5, 0.5]])
    found = off_the_diagonal(labels, chances)
    assert found.tolist() == [False, False, False, True, False, False]
    assert found.tolist() == find_label_issues(labels, chances, filter_by="confident_learning", n_jobs=1).tolist()


def test_classes_of_which_nearly_nothing_is_sure() -> None:
    """Probabilities at and below the rounding: no threshold may be so low that everything reaches it."""
    labels = np.array([0, 0, 1, 1])
    chances = np.array([[0.0, 1.0], [1e-7, 1 - 1e-7], [0.0, 1.0], [5e-7, 1 - 5e-7]])
    found = off_the_diagonal(labels, chances)
    assert found.tolist() == find_label_issues(labels, chances, filter_by="confident_learning", n_jobs=1).tolist()


def test_two_classes_that_are_equally_probable_are_no_mistake() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1])
    chances = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8], [0.1, 0.9], [0.5, 0.5], [0.7, 0.3]])
    # By hand: the thresholds are 0.5333 and 0.5667; rows 2 and 5 reach that of the other class alone.
    assert off_the_diagonal(labels, chances).tolist() == [False, False, True, False, False, True]


@pytest.mark.parametrize("seed", range(5))
def test_a_class_of_a_set_is_a_question_of_yes_or_no(seed: int) -> None:
    labels, chances = made(seed, 150, 2, 1.5)
    expected = find_multilabel_issues_per_class(
        labels=[[0] if one else [] for one in labels.tolist()],
        pred_probs=chances[:, 1:],
        filter_by="confident_learning",
        n_jobs=1,
    )
    assert off_the_diagonal(labels, chances).tolist() == np.asarray(expected).reshape(-1).tolist()
