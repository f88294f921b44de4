"""The label doctor for sets, on cases worked by hand. In: probabilities, sets. Out: which cells it names, and in what order."""

from __future__ import annotations

import numpy as np
import pytest
from cleanlab.multilabel_classification.filter import find_multilabel_issues_per_class

from tellapart.evaluation.multilabel_labels import DoubtfulCell, examine_sets, suggest


def scattered(count: int, *, seed: int = 0) -> np.ndarray:
    """Embeddings none of which stands out."""
    return np.random.default_rng(seed).normal(size=(count, 40)).astype(np.float32)


def made(count: int, *, seed: int, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, sets as given, and which cells of them were turned over, [count, 3] each."""
    generator = np.random.default_rng(seed)
    truth = generator.random((count, 3)) < 0.4
    turned = generator.random((count, 3)) < 0.05
    chances = 1 / (1 + np.exp(-((2 * truth - 1) * 3 + noise * generator.normal(size=(count, 3)))))
    return chances, (truth ^ turned).astype(float), turned


def test_the_confident_joint_of_a_class_decides_by_hand() -> None:
    # Thresholds are the mean probability of "there" over those that are said to be, (0.9 + 0.8 + 0.7 + 0.2) / 4 = 0.65, and
    # of "not there" over the others, 0.7. Row 3 is said to be there, and is not with 0.8 >= 0.7; row 7 is not, with 0.6 < 0.65.
    chances = np.array([0.9, 0.8, 0.7, 0.2, 0.1, 0.1, 0.4, 0.6])[:, None]
    report = examine_sets(chances, np.array([1, 1, 1, 1, 0, 0, 0, 0])[:, None], scattered(8))
    (cell,) = report.extra
    assert (cell.row, cell.label, cell.kind) == (3, 0, "extra")
    assert (cell.probability, cell.score) == (pytest.approx(0.2), pytest.approx(0.8))
    assert report.missing == ()
    assert (report.judged, report.agreeing) == (8, 6)
    # The other way round, a class is missing.
    report = examine_sets(1 - chances, np.array([0, 0, 0, 0, 1, 1, 1, 1])[:, None], scattered(8))
    (cell,) = report.missing
    assert (cell.row, cell.kind) == (3, "missing")
    assert (cell.probability, cell.score) == (pytest.approx(0.8), pytest.approx(0.8))


def test_all_cells_known_it_is_what_cleanlab_names() -> None:
    chances, given, turned = made(400, seed=1, noise=2.0)
    report = examine_sets(chances, given, scattered(400))
    sets = [np.flatnonzero(row).tolist() for row in given]
    expected = np.array(find_multilabel_issues_per_class(sets, chances, filter_by="confident_learning", n_jobs=1))
    named = np.zeros(given.shape, dtype=bool)
    for cell in report.cells:
        named[cell.row, cell.label] = True
    assert (named == expected.reshape(named.shape)).all()
    pruned = np.array(find_multilabel_issues_per_class(sets, chances, filter_by="prune_by_noise_rate", n_jobs=1))
    assert (named != pruned.reshape(named.shape)).any()
    assert turned[named].mean() > 0.5
    assert named[turned].mean() > 0.5
    assert {cell.kind for cell in report.cells} == {"missing", "extra"}
    assert all(given[cell.row, cell.label] == (cell.kind == "extra") for cell in report.cells)


def test_the_most_suspicious_come_first() -> None:
    report = examine_sets(*made(400, seed=2)[:2], scattered(400))
    for cells in (report.missing, report.extra, report.cells):
        scores = [cell.score for cell in cells]
        assert len(scores) > 1
        assert scores == sorted(scores, reverse=True)


def test_equally_suspicious_ones_stand_as_in_the_table() -> None:
    """Forty cells of each kind, every other as suspicious: by picture, then by class."""
    given = np.zeros((120, 2))
    given[40:80] = 1
    chances = np.where(given == 1, 0.875, 0.125)
    chances[:20], chances[40:60] = [0.875, 0.9375], [0.125, 0.0625]
    report = examine_sets(chances, given, scattered(120))
    for first, cells in ((0, report.missing), (40, report.extra)):
        rows = range(first, first + 20)
        assert [(cell.row, cell.label) for cell in cells] == [(row, label) for label in (1, 0) for row in rows]
        assert [cell.score for cell in cells] == [0.9375] * 20 + [0.875] * 20


def test_a_probability_of_one_half_says_that_the_class_is_not_there() -> None:
    report = examine_sets(np.full((4, 1), 0.5), np.array([[0.0], [0.0], [0.0], [1.0]]), scattered(4))
    assert (report.judged, report.agreeing) == (4, 3)


def test_the_arrays_type_does_not_change_the_answer() -> None:
    chances, given, _ = made(200, seed=5)
    narrow = chances.astype(np.float32)
    report = examine_sets(narrow, given.astype(np.float32), scattered(200))
    assert report == examine_sets(narrow.astype(np.float64), given, scattered(200).astype(np.float64))
    assert len(report.cells) > 1


def test_what_is_not_known_or_not_judged_is_neither_named_nor_counted() -> None:
    chances, given, _ = made(300, seed=3)
    named = examine_sets(chances, given, scattered(300)).cells
    unknown, unjudged = named[0], named[1]
    given[unknown.row, unknown.label] = np.nan
    chances[unjudged.row, unjudged.label] = np.nan
    report = examine_sets(chances, given, scattered(300))
    left = {(cell.row, cell.label) for cell in report.cells}
    assert not left & {(unknown.row, unknown.label), (unjudged.row, unjudged.label)}
    assert len(left) >= len(named) - 4
    assert report.judged == 898
    known = np.isfinite(chances) & np.isfinite(given)
    assert report.agreeing == ((chances > 0.5) == (given == 1))[known].sum()


def test_a_class_is_judged_on_the_pictures_of_which_it_is_known() -> None:
    chances, given, _ = made(300, seed=4)
    given[100:, 1] = np.nan
    apart = examine_sets(chances[:100, 1:2], given[:100, 1:2], scattered(100)).cells
    together = [cell for cell in examine_sets(chances, given, scattered(300)).cells if cell.label == 1]
    assert [cell.row for cell in apart] == [cell.row for cell in together]
    assert len(apart) > 0


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
def test_a_class_that_all_have_or_none_cannot_be_doubted(value: float) -> None:
    report = examine_sets(np.full((12, 1), 0.9), np.full((12, 1), value), scattered(12))
    assert report.cells == ()


def test_pictures_unlike_the_others_are_named_even_where_copies_of_them_vouch() -> None:
    generator = np.random.default_rng(1)
    vectors = generator.normal(size=(200, 40)) * 0.3 + np.ones(40)
    vectors[10:30] = -np.ones(40)
    vectors[5] = generator.normal(size=40)
    groups = ["" if not 10 <= number < 30 else "copies" for number in range(200)]
    given = (np.arange(200) % 2)[:, None].astype(float)
    report = examine_sets(np.abs(given - 0.05), given, vectors, groups=groups)
    rows = [outlier.row for outlier in report.outliers]
    assert sorted(rows[:-1]) == list(range(10, 30))  # equals, but for the rounding of a processor's products
    assert rows[-1] == 5
    assert report.outliers[0].score == 1.0  # a cosine distance of 2 is not more than certain
    assert 0.5 < report.outliers[-1].score < 1.0
    assert report.cells == ()


def test_the_suggestion_turns_the_named_cells_over_and_leaves_the_rest() -> None:
    given = np.array([[1.0, 0.0, np.nan], [0.0, 1.0, 0.0]])
    cells = [
        DoubtfulCell(row=0, label=1, kind="missing", probability=0.9, score=0.9),
        DoubtfulCell(row=1, label=1, kind="extra", probability=0.1, score=0.9),
    ]
    np.testing.assert_array_equal(suggest(given, cells), [[1, 1, np.nan], [0, 0, 0]])
    assert given[0, 1] == 0
    assert suggest(np.zeros((1, 2), dtype=np.int8), cells[:1]).dtype == np.float64
