"""Average precision and AUROC of resamples, against scikit-learn on the pictures drawn. In: made cells. Out: verdicts."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from tellapart.tasks.multilabel.averaging import ScoredCells, contributions, quotients, statistics
from tellapart.tasks.multilabel.ranking import (
    auroc,
    average_precision,
    mean_average_precision,
    mean_of_present,
    rankings_of_resamples,
)


def made(count: int, groups: np.ndarray, *, ties: bool, holes: bool) -> tuple[ScoredCells, np.ndarray, np.ndarray]:
    """Cells of three classes, the last one rare, with their targets and scores."""
    chance = np.random.default_rng(0)
    targets = (chance.random((count, 3)) < [0.5, 0.3, 0.08]).astype(float)
    scores = 1 / (1 + np.exp(-(2 * targets - 1 + chance.normal(size=targets.shape))))
    scores = np.round(scores, 1) if ties else scores
    if holes:
        targets[chance.random(targets.shape) < 0.3] = np.nan
    cells = ScoredCells(
        probabilities=scores,
        positive=targets == 1,
        known=~np.isnan(targets),
        predicted=scores >= 0.5,
        groups=groups,
        group_count=int(groups.max()) + 1,
    )
    return cells, targets, scores


def draw(cells: ScoredCells, resamples: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Counts [b, G], and the pictures of each resample."""
    drawn = np.random.default_rng(3).integers(cells.group_count, size=(resamples, cells.group_count))
    counts = np.stack([np.bincount(row, minlength=cells.group_count) for row in drawn]).astype(np.float32)
    return counts, [np.concatenate([np.flatnonzero(cells.groups == group) for group in row]) for row in drawn]


@pytest.mark.parametrize("ties", [False, True], ids=["no ties", "ties"])
@pytest.mark.parametrize("holes", [False, True], ids=["all known", "some known"])
@pytest.mark.parametrize("size", [1, 3], ids=["alone", "groups"])
def test_a_resample_is_scored_as_if_its_pictures_were_the_test(ties: bool, holes: bool, size: int) -> None:
    cells, targets, scores = made(60, np.arange(60) // size, ties=ties, holes=holes)
    counts, resamples = draw(cells, 8)
    precisions, areas = rankings_of_resamples(cells)(counts)
    assert precisions.shape == areas.shape == (3, 8)
    for column, rows in enumerate(resamples):
        for number in range(3):
            own = rows[~np.isnan(targets[rows, number])]
            truth, said = targets[own, number], scores[own, number]
            if not truth.any():
                assert np.isnan(precisions[number, column])
                assert np.isnan(areas[number, column])
                continue
            assert precisions[number, column] == pytest.approx(metrics.average_precision_score(truth, said), abs=1e-6)
            assert areas[number, column] == pytest.approx(metrics.roc_auc_score(truth, said), abs=1e-6)


def test_the_other_figures_of_a_resample_are_those_of_its_pictures() -> None:
    cells, targets, scores = made(60, np.arange(60) // 3, ties=False, holes=False)
    counts, resamples = draw(cells, 5)
    found = statistics(cells, contributions(cells))(counts)
    for column, rows in enumerate(resamples):
        truth, said = targets[rows].astype(int), (scores[rows] >= 0.5).astype(int)
        expected = {
            "micro_f1": metrics.f1_score(truth, said, average="micro"),
            "hamming_loss": metrics.hamming_loss(truth, said),
            "subset_accuracy": metrics.accuracy_score(truth, said),
            "label_ranking_average_precision": metrics.label_ranking_average_precision_score(truth, scores[rows]),
            "recall 0": metrics.recall_score(truth[:, 0], said[:, 0]),
            "precision 1": metrics.precision_score(truth[:, 1], said[:, 1]),
            "f1 1": metrics.f1_score(truth[:, 1], said[:, 1]),
        }
        for name, value in expected.items():
            assert found[name][column] == pytest.approx(value, abs=1e-6), name
        present = truth.any(axis=0)
        by_class = metrics.f1_score(truth, said, average=None, zero_division=0)
        assert found["macro_f1"][column] == pytest.approx(by_class[present].mean(), abs=1e-6)


def test_the_figures_of_the_pictures_themselves_are_exact() -> None:
    cells, targets, scores = made(300, np.arange(300), ties=False, holes=False)
    found = quotients(cells, contributions(cells))
    expected = metrics.label_ranking_average_precision_score(targets.astype(int), scores)
    assert found["label_ranking_average_precision"] == pytest.approx(expected, abs=1e-12)


def test_means_leave_out_what_is_missing() -> None:
    values = np.array([[0.5, np.nan, np.nan], [1.0, 0.25, np.nan]])
    assert mean_of_present(values)[:2].tolist() == [0.75, 0.25]
    assert np.isnan(mean_of_present(values)[2])


def test_classes_that_cannot_be_ranked_have_no_figure() -> None:
    scores, nothing = np.array([0.1, 0.9]), np.zeros(2, dtype=bool)
    assert np.isnan(average_precision(scores, nothing))
    assert np.isnan(auroc(scores, nothing))
    assert np.isnan(auroc(scores, ~nothing))
    assert mean_average_precision(np.zeros((2, 1)), scores[:, None]) is None
    assert mean_average_precision(np.array([[1.0, 0.0], [0.0, np.nan]]), np.array([[0.9, 0.1], [0.1, 0.9]])) == 1.0
