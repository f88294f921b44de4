"""The label doctor on cases worked by hand. In: probabilities, embeddings. Out: which pictures it names, and in what order."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tellapart.evaluation.labels import examine_labels, neighbour_distance


def scattered(count: int, *, seed: int = 0) -> np.ndarray:
    """Embeddings none of which stands out."""
    return np.random.default_rng(seed).normal(size=(count, 40)).astype(np.float32)


def two_classes(first: list[float]) -> np.ndarray:
    return np.array([[chance, 1 - chance] for chance in first])


def test_the_confident_joint_decides_by_hand() -> None:
    # Thresholds are the mean probability of a class over those labelled so: (0.9 + 0.8 + 0.7 + 0.2) / 4 = 0.65 and
    # (0.9 + 0.9 + 0.6 + 0.4) / 4 = 0.7. Row 3 is class 1 with 0.8 >= 0.7; row 7 is class 0 with only 0.6 < 0.65.
    probabilities = two_classes([0.9, 0.8, 0.7, 0.2, 0.1, 0.1, 0.4, 0.6])
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    report = examine_labels(probabilities, labels, scattered(8))
    assert [(doubt.row, doubt.label, doubt.suggested) for doubt in report.wrong] == [(3, 0, 1)]
    assert report.wrong[0].probability_of_label == pytest.approx(0.2)
    assert report.wrong[0].probability_of_suggested == pytest.approx(0.8)
    assert report.wrong[0].score == pytest.approx(0.8)
    assert report.wrong[0].kind == "label"
    assert report.judged == 8


def test_a_label_that_is_the_most_probable_one_is_never_wrong() -> None:
    # Row 1 has the least probable label, but nothing is more probable; the confident joint counts row 0, as 0.64 >= 0.6.
    unsure = [[0.36, 0.64, 0.0], [0.35, 0.33, 0.32]]
    probabilities = np.array([*unsure, *[[0.9, 0.1, 0.0]] * 4, *[[0.4, 0.6, 0.0]] * 4, *[[0.0, 0.1, 0.9]] * 4])
    labels = np.array([0, 0, *[0] * 4, *[1] * 4, *[2] * 4])
    assert [doubt.row for doubt in examine_labels(probabilities, labels, scattered(14)).wrong] == [0]


def test_the_least_probable_labels_come_first() -> None:
    chances = [0.9] * 20 + [0.1, 0.02, 0.05] + [0.1] * 20
    labels = np.array([0] * 23 + [1] * 20)
    report = examine_labels(two_classes(chances), labels, scattered(43))
    assert [doubt.row for doubt in report.wrong] == [21, 22, 20]
    assert [round(doubt.score, 2) for doubt in report.wrong] == [0.98, 0.95, 0.9]


def test_neighbour_distances_by_hand() -> None:
    angles = np.radians([0, 60, 90])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1) * [[1.0], [5.0], [0.1]]  # lengths do not matter
    third = 1 - math.cos(math.radians(30))
    found = neighbour_distance(vectors)
    np.testing.assert_allclose(found, [(0.5 + 1) / 2, (0.5 + third) / 2, (1 + third) / 2], rtol=1e-5)
    # Copies in one group do not vouch for each other; "" is no group.
    np.testing.assert_allclose(neighbour_distance(vectors, ["a", "a", ""]), [1, third, (1 + third) / 2], rtol=1e-5)
    np.testing.assert_allclose(neighbour_distance(vectors, ["", "", "a"]), found, rtol=1e-5)
    assert np.isnan(neighbour_distance(vectors, ["a", "a", "a"])).all()
    assert np.isnan(neighbour_distance(vectors[:1])).all()


def test_the_arrays_type_does_not_change_the_answer() -> None:
    generator = np.random.default_rng(4)
    vectors = generator.normal(size=(30, 5))
    narrow = vectors.astype(np.float32)
    np.testing.assert_array_equal(neighbour_distance(vectors), neighbour_distance(narrow))
    chances = generator.dirichlet([1.0, 1.0], size=30).astype(np.float32)
    labels = np.arange(30) % 2
    report = examine_labels(chances, labels, narrow)
    assert report == examine_labels(chances.astype(np.float64), labels.astype(np.uint8), vectors)
    assert len(report.wrong) > 1


def test_of_equally_probable_labels_the_first_are_named() -> None:
    # Two of three reach class 1's threshold, 0.8: sixty are named, the thirty least probable ones, and the first with 0.2.
    sure = [[0.9, 0.05, 0.05]] * 90 + [[0.1, 0.8, 0.1]] * 30 + [[0.05, 0.05, 0.9]] * 30
    doubtful = [[0.2, 0.8, 0.0], [0.2, 0.45, 0.35], [0.1, 0.9, 0.0]] * 30
    labels = np.array([0] * 90 + [1] * 30 + [2] * 30 + [0] * 90)
    report = examine_labels(np.array(sure + doubtful), labels, scattered(240))
    least = list(range(152, 240, 3))
    assert [doubt.row for doubt in report.wrong] == least + [row for row in range(150, 195) if row not in least]


def test_only_the_ten_nearest_count() -> None:
    near, far = np.repeat([[1.0, 0.0]], 11, axis=0), np.repeat([[0.0, 1.0]], 30, axis=0)
    found = neighbour_distance(np.concatenate([near, far]))
    assert found.max() < 1e-5


def test_neighbours_among_a_sample_are_as_far() -> None:
    generator = np.random.default_rng(0)
    vectors = generator.normal(loc=[5.0, 0.0, 0.0], size=(6001, 3))
    vectors[6000] = [-5.0, 0.0, 0.0]
    found = neighbour_distance(vectors)
    assert np.isfinite(found).all()
    assert found.argmax() == 6000
    assert np.median(found) < 1e-3


def test_a_foreign_picture_is_an_outlier_even_where_it_lies_there_twice() -> None:
    generator = np.random.default_rng(1)
    vectors = generator.normal(size=(200, 40)) * 0.3 + np.ones(40)
    vectors[17] = vectors[18] = -np.ones(40)
    groups = [f"copy {number}" for number in range(200)]
    groups[18] = groups[17]
    labels = np.arange(200) % 2
    certain = two_classes([0.95 if label == 0 else 0.05 for label in labels])
    report = examine_labels(certain, labels, vectors, groups=groups)
    assert {doubt.row for doubt in report.outliers} == {17, 18}
    assert report.outliers[0].kind == "outlier"


def test_a_dozen_copies_of_a_foreign_picture_are_outliers_and_a_dozen_of_its_kind_are_not() -> None:
    vectors = np.random.default_rng(1).normal(size=(200, 40)) * 0.3 + np.ones(40)
    vectors[17:29] = -np.ones(40)
    labels = np.arange(200) % 2
    certain = two_classes([0.95 if label == 0 else 0.05 for label in labels])
    groups = ["copies" if 17 <= number < 29 else "" for number in range(200)]
    report = examine_labels(certain, labels, vectors, groups=groups)
    assert {doubt.row for doubt in report.outliers} == set(range(17, 29))
    assert not {doubt.row for doubt in examine_labels(certain, labels, vectors).outliers} & set(range(17, 29))
    assert report.outliers[0].score == 1.0  # a cosine distance of 2 is not more than certain
    assert report.outliers[0].suggested == report.outliers[0].label
    assert report.wrong == report.ambiguous == ()


def test_two_classes_that_are_nearly_equal_are_ambiguous_and_the_rival_is_suggested() -> None:
    probabilities = np.array([[0.9, 0.05, 0.05], [0.46, 0.44, 0.1], [0.1, 0.41, 0.49], [0.3, 0.1, 0.6]] * 5)
    labels = np.array([0, 0, 1, 2] * 5)
    report = examine_labels(probabilities, labels, scattered(20))
    assert [doubt.row for doubt in report.ambiguous] == [1, 5, 9, 13, 17, 2, 6, 10, 14, 18]
    assert {(doubt.label, doubt.suggested, round(doubt.score, 2)) for doubt in report.ambiguous} == {
        (0, 1, 0.98),
        (1, 2, 0.92),
    }
    assert report.ambiguous[0].probability_of_suggested == pytest.approx(0.44)


def test_many_classes_that_are_all_a_little_probable_are_not_ambiguous() -> None:
    flat = np.full((30, 20), 0.04)
    flat[np.arange(30), np.arange(30) % 20] = 0.24
    assert examine_labels(flat, np.arange(30) % 20, scattered(30)).ambiguous == ()
    flat[:, :2] = [0.28, 0.24]
    flat[:, 2:] = 0.48 / 18
    assert len(examine_labels(flat, np.zeros(30, dtype=int), scattered(30)).ambiguous) == 30


def test_a_picture_is_named_once_and_wrong_labels_come_first() -> None:
    generator = np.random.default_rng(2)
    vectors = generator.normal(size=(60, 20)) * 0.2 + np.ones(20)
    vectors[[5, 6]] = [[-1.0], [-3.0]] * np.ones(20)  # 5 is both foreign and wrongly labelled
    chances = np.where(np.arange(60) < 30, 0.9, 0.1)
    chances[5], chances[6], chances[40] = 0.02, 0.52, 0.49
    report = examine_labels(two_classes(chances.tolist()), np.arange(60) // 30, vectors)
    assert [(doubt.kind, doubt.row) for doubt in report.doubts] == [("label", 5), ("outlier", 6), ("ambiguous", 40)]


def test_what_could_not_be_judged_is_neither_wrong_nor_ambiguous() -> None:
    chances = two_classes([0.9] * 10 + [0.05] * 10)
    chances = np.column_stack([chances, np.zeros(20)])
    chances[[3, 19]] = np.nan
    labels = np.array([0] * 10 + [1] * 9 + [2])
    report = examine_labels(chances, labels, scattered(20))
    assert report.doubts == ()
    assert report.judged == 18


def test_an_outlier_that_could_not_be_judged_has_no_probabilities() -> None:
    vectors = np.random.default_rng(3).normal(size=(40, 20)) * 0.2 + np.ones(20)
    vectors[0] *= -1
    chances = two_classes([np.nan] + [0.9] * 19 + [0.1] * 20)
    (outlier,) = examine_labels(chances, np.arange(40) // 20, vectors).outliers
    assert (outlier.row, outlier.label, outlier.suggested) == (0, 0, 0)
    assert math.isnan(outlier.probability_of_label)
    assert math.isnan(outlier.probability_of_suggested)


@pytest.mark.parametrize("count", [1, 2, 12])
def test_pictures_that_are_all_alike_are_no_outliers(count: int) -> None:
    report = examine_labels(two_classes([0.9] * count), np.zeros(count, dtype=int), np.ones((count, 5)))
    assert report.doubts == ()
    assert report.judged == count


def test_nothing_judged_at_all() -> None:
    report = examine_labels(np.full((4, 2), np.nan), np.array([0, 0, 1, 1]), scattered(4))
    assert (report.doubts, report.judged) == ((), 0)
