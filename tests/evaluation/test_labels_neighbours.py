"""Neighbours and outliers beside scikit-learn's and SciPy's, and the limits of a doubt. In: embeddings. Out: the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import median_abs_deviation
from sklearn.metrics.pairwise import cosine_distances

from tellapart.evaluation.labels import KINDS, examine_labels, neighbour_distance


def cloud(count: int, *, seed: int, length: int = 6) -> NDArray[np.float32]:
    """Embeddings of very different lengths and neighbourhoods."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(5, length))
    near = centres[generator.integers(5, size=count)] + generator.standard_t(2, size=(count, length)) * 0.1
    return (near * generator.uniform(0.1, 10, size=(count, 1))).astype(np.float32)


def ten_nearest(
    vectors: NDArray[np.float32], groups: NDArray[np.int64], references: NDArray[np.int64]
) -> NDArray[np.float64]:
    distances = cosine_distances(vectors.astype(np.float64), vectors[references].astype(np.float64))
    distances[groups[:, None] == groups[None, references]] = np.nan
    nearest = np.maximum(np.sort(distances, axis=1)[:, :10], 1e-6)
    return np.asarray(np.nanmean(nearest, axis=1))


@pytest.mark.parametrize("count", [4, 11, 12, 1_024, 1_025, 2_100])
def test_the_mean_of_the_ten_nearest_of_other_groups(count: int) -> None:
    vectors, groups = cloud(count, seed=count), np.arange(count) // 3
    expected = ten_nearest(vectors, groups, np.arange(count))
    np.testing.assert_allclose(neighbour_distance(vectors, groups), expected, atol=1e-6)
    named = [f"g{group}" for group in groups]
    np.testing.assert_array_equal(neighbour_distance(vectors, named), neighbour_distance(vectors, groups))


@pytest.mark.parametrize("count", [5_000, 6_000])
def test_beyond_five_thousand_pictures_a_sample_is_looked_among(count: int) -> None:
    vectors = cloud(count, seed=1)
    references = np.arange(count)
    if count > 5_000:
        references = np.sort(np.random.default_rng(0).choice(count, 5_000, replace=False))
    rows = np.r_[:40, count - 40 : count]
    groups = np.arange(count)
    distances = cosine_distances(vectors[rows].astype(np.float64), vectors[references].astype(np.float64))
    distances[groups[rows, None] == references[None]] = np.inf
    expected = np.maximum(np.sort(distances, axis=1)[:, :10], 1e-6).mean(axis=1)
    np.testing.assert_allclose(neighbour_distance(vectors)[rows], expected, atol=1e-6)


def test_copies_are_a_millionth_apart_and_zeros_have_no_direction() -> None:
    alike = np.tile(np.array([[1.0, 2.0, 2.0]], dtype=np.float32), (20, 1))
    np.testing.assert_allclose(neighbour_distance(alike), 1e-6)
    np.testing.assert_allclose(neighbour_distance(np.zeros((3, 4))), 1.0)
    assert neighbour_distance(alike).dtype == np.float64


@pytest.mark.parametrize("seed", range(4))
def test_outliers_are_three_robust_deviations_of_the_logarithm_away(seed: int) -> None:
    generator = np.random.default_rng(seed)
    spread = np.where(generator.random(400) < 0.9, 0.1, generator.uniform(0.1, 1.5, size=400))
    vectors = np.eye(4, 6)[generator.integers(4, size=400)] + spread[:, None] * generator.normal(size=(400, 6))
    distance = neighbour_distance(vectors)
    logarithm = np.log(distance)
    limit = np.median(logarithm) + 3 * median_abs_deviation(logarithm, scale="normal")
    expected = np.flatnonzero(logarithm > limit)
    assert 3 < len(expected) < 80
    certain = np.tile([0.95, 0.05], (400, 1))
    report = examine_labels(certain, np.zeros(400, dtype=int), vectors)
    assert sorted(doubt.row for doubt in report.outliers) == expected.tolist()
    assert [doubt.score for doubt in report.outliers] == sorted(
        (min(distance[row], 1.0) for row in expected), reverse=True
    )


def test_where_all_are_equally_far_a_thousandth_is_far() -> None:
    """Twelve unit vectors at right angles, and a thirteenth that leans a little: its mean distance is less, never more."""
    report = examine_labels(np.tile([0.9, 0.1], (12, 1)), np.zeros(12, dtype=int), np.eye(12))
    assert report.outliers == ()
    vectors = np.concatenate([np.tile([[1.0, 0.0]], (30, 1)), [[np.cos(0.002), np.sin(0.002)]]])
    # 1 - cos(0.002) is 2e-6, twice what copies count: a logarithm of 0.69, far above 3 x 0.001.
    (outlier,) = examine_labels(
        np.tile([0.9, 0.1], (31, 1)), np.zeros(31, dtype=int), vectors.astype(np.float32)
    ).outliers
    assert outlier.row == 30


def one_picture(*chances: float) -> tuple[str, ...]:
    """What is doubted of a picture with these probabilities, its label the first class, among many that are sure."""
    classes = len(chances)
    sure = np.full((40, classes), 0.04 / (classes - 1))
    sure[np.arange(40), np.arange(40) % classes] = 0.96
    probabilities = np.concatenate([sure, [chances]])
    labels = np.append(np.arange(40) % classes, 0)
    vectors = np.random.default_rng(0).normal(size=(41, 30))
    report = examine_labels(probabilities, labels, vectors)
    return tuple(doubt.kind for doubt in report.doubts if doubt.row == 40)


def test_two_classes_must_be_close_and_outweigh_all_others() -> None:
    rest = [0.05] * 10
    assert one_picture(0.25, 0.25, *rest) == ()  # half, and no more
    assert one_picture(0.28, 0.24, *[0.048] * 10) == ("ambiguous",)
    assert one_picture(0.55, 0.45) == ()
    assert one_picture(0.5494, 0.4506) == ("ambiguous",)


def test_a_report_lists_wrong_labels_then_outliers_then_ambiguous_ones() -> None:
    assert KINDS == ("label", "outlier", "ambiguous")
    probabilities = np.array([[0.9, 0.1]] * 12 + [[0.1, 0.9]] * 12)
    probabilities[[2, 3]] = [[0.05, 0.95], [0.48, 0.52]]
    probabilities[20] = [0.47, 0.53]
    labels = np.repeat([0, 1], 12)
    report = examine_labels(probabilities, labels, np.random.default_rng(1).normal(size=(24, 30)))
    assert [(doubt.row, doubt.kind, doubt.label, doubt.suggested) for doubt in report.doubts] == [
        (2, "label", 0, 1),
        (3, "ambiguous", 0, 1),
        (20, "ambiguous", 1, 0),
    ]
    assert [doubt.score for doubt in report.doubts] == pytest.approx([0.95, 0.96, 0.94])
    assert [doubt.probability_of_label for doubt in report.doubts] == pytest.approx([0.05, 0.48, 0.53])
    assert [doubt.probability_of_suggested for doubt in report.doubts] == pytest.approx([0.95, 0.52, 0.47])
    assert all(type(doubt.row) is int and type(doubt.label) is int for doubt in report.doubts)
