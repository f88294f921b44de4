"""What the report of sets says of a test split. In: eight answers worked by hand. Out: counts, shares, advice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tellapart.bundle import Score
from tellapart.errors import DataError
from tellapart.evaluation.curves import binned
from tellapart.reporting.figures import draw_reliability
from tellapart.reporting.phrases import Phrases
from tellapart.tasks.multilabel.facts import DecisionPart, LabelRow
from tellapart.tasks.multilabel.results import (
    decision_part,
    label_rows,
    results_part,
    truths,
    verdict,
    worst_rows,
)

from .made_run import ANSWERS, MadeRun, example, manifest, run_of

ENGLISH = Phrases("en")


def row(name: str, precision: float | None, *, test: int = 12) -> LabelRow:
    return LabelRow(
        name=name,
        train=1,
        validation=1,
        test=test,
        threshold=0.5,
        precision=None,
        recall=None,
        f1=None,
        average_precision=precision,
        auroc=None,
    )


def test_what_is_not_known_is_neither_there_nor_not() -> None:
    found = truths(run_of())
    expected = [[1, 0, 0], [1, 1, 0], [1, 0, 1], [0, 1, 0], [0, 1, 1], [0, 0, 0], [np.nan, 0, 1], [0, 0, 0]]
    np.testing.assert_array_equal(found, np.array(expected, dtype=np.float32))


@pytest.mark.parametrize("text", ["ant|dog", "ant||bee", "ant|?ant"])
def test_what_is_no_set_of_the_classes_is_told_with_its_line(text: str) -> None:
    run = run_of()
    run.predictions.targets[2] = text
    with pytest.raises(DataError, match=r"predictions\.csv, line 4: not a prediction as `tellapart train` writes it"):
        truths(run)


def test_each_class_is_counted_by_split_with_its_own_figures() -> None:
    examples = [example(str(number), "ant|bee") for number in range(3)]
    examples += [example("x", "bee", "validation"), example("y", "ant", problem="cut"), example("z", "", "test")]
    ant, bee, cat = label_rows(run_of(examples=examples))
    assert [(one.train, one.validation, one.test) for one in (ant, bee, cat)] == [(3, 0, 3), (3, 1, 3), (0, 0, 3)]
    assert [one.threshold for one in (ant, bee, cat)] == [0.5, 0.25, 0.75]
    # By hand: 2 of 3 ants are named, beside 1 that is none; 2 of 3 bees beside 1; 2 of 3 cats.
    assert [one.recall and one.recall.value for one in (ant, bee, cat)] == pytest.approx([2 / 3, 2 / 3, 2 / 3])
    assert [one.precision for one in (ant, bee, cat)] == pytest.approx([2 / 3, 2 / 3, 1.0])
    # Wilson's interval of 2 in 3.
    assert ant.recall is not None
    assert (ant.recall.low, ant.recall.high) == pytest.approx((0.2077, 0.9385), abs=1e-4)


def test_a_class_that_no_test_picture_shows_has_no_figures() -> None:
    *_, cat = label_rows(run_of([(text, chances) for text, chances in ANSWERS if "cat" not in text]))
    assert (cat.test, cat.recall, cat.f1, cat.average_precision, cat.auroc) == (0, None, None, None, None)


def test_scores_stand_in_order() -> None:
    run = run_of()
    part = results_part(run, label_rows(run), ENGLISH)
    assert [name for name, _ in part.scores] == [
        "mean_average_precision",
        "micro_f1",
        "macro_f1",
        "subset_accuracy",
        "hamming_loss",
        "label_ranking_average_precision",
        "log_loss",
    ]
    assert part.unknown_cells == 1
    assert dict(part.scores)["subset_accuracy"].value == pytest.approx(4 / 8)


def test_what_comes_together_is_a_share_of_the_row_s_class() -> None:
    run = run_of()
    part = results_part(run, label_rows(run), ENGLISH)
    assert part.together.counts == [[3, 1, 1], [1, 3, 1], [1, 1, 3]]
    np.testing.assert_allclose(part.together.rates, np.array(part.together.counts) / 3)
    # Named: ant of 0, 1, 3 and 6, bee of 1, 3 and 5, cat of 2 and 6.
    assert part.said_together.counts[1] == [2, 3, 0]
    np.testing.assert_allclose(part.said_together.rates[1], [2 / 3, 1, 0])


def test_charts_leave_out_what_is_not_known() -> None:
    run = run_of()
    reliability, curves, _ = results_part(run, label_rows(run), ENGLISH).charts
    assert reliability.title == "reliability"
    assert reliability.lead is not None
    assert reliability.lead[0] == "labels_reliability_chance"
    assert reliability.lead[1]["before"] == "–"  # nothing was said of before
    assert [name for name, _, _ in curves.legend] == ["ant", "bee", "cat"]
    assert curves.lead is None


def test_probabilities_that_were_left_alone_have_one_line_and_no_legend() -> None:
    run = run_of(metrics={"calibration": {"method": "none"}})
    reliability = results_part(run, label_rows(run), ENGLISH).charts[0]
    known = ~np.isnan(truths(run))
    points = binned(run.predictions.probabilities[known], truths(run)[known] == 1)
    after = [(one.confidence, one.accuracy, one.low, one.high) for one in points]
    assert reliability.svg == draw_reliability([], after, x="probability", y="share that is there")
    assert not reliability.legend
    assert reliability.lead is not None
    assert reliability.lead[0] == "labels_reliability_kept"


def test_what_scales_and_offsets_did_is_undone() -> None:
    run = run_of(told=manifest(scales=(1.0, 1.0, 1.0), offsets=(0.0, 0.0, 0.0)))
    (same, *_) = results_part(run, label_rows(run), ENGLISH).charts
    known = ~np.isnan(truths(run))
    said, there = run.predictions.probabilities[known], truths(run)[known] == 1
    points = binned(said, there)
    expected = draw_reliability(
        [(one.confidence, one.accuracy) for one in points],
        [(one.confidence, one.accuracy, one.low, one.high) for one in points],
        x="probability",
        y="share that is there",
    )
    assert same.svg == expected
    # A scale of 2 and an offset of 1 made 0.5 of a logit of -0.5: it was 1 / (1 + e^0.5) before.
    moved = run_of(
        [("ant", (0.5, 0.5, 0.5)), ("", (0.5, 0.5, 0.5))], told=manifest(scales=(2.0,) * 3, offsets=(1.0,) * 3)
    )
    before = 1 / (1 + np.exp(0.5))
    (chart, *_) = results_part(moved, label_rows(moved), ENGLISH).charts
    (bin_after,) = binned(np.full(6, 0.5), np.array([True, *[False] * 5]))
    expected = draw_reliability(
        [(before, 1 / 6)],
        [(0.5, 1 / 6, bin_after.low, bin_after.high)],
        x="probability",
        y="share that is there",
    )
    assert chart.svg == expected


def told(run: MadeRun, *, wrong: int = 0, judged: int = 100) -> Any:
    return verdict(run, label_rows(run), wrong_labels=wrong, judged=judged)


def test_the_verdict_has_the_headline_and_what_costs_nothing() -> None:
    found = told(run_of())
    # 3 ants of 7 that are known, 3 bees and 3 cats of 8.
    prevalence = (3 / 7 + 3 / 8 + 3 / 8) / 3
    assert found.none == (pytest.approx(prevalence), pytest.approx(2 / 8))
    assert found.common == (["ant", "bee"], pytest.approx(prevalence), pytest.approx(1 / 8))
    assert (found.n_test, found.leaked, found.clean) == (8, 0, None)
    assert found.compared == [("probe", 0.7, 0.8)]
    assert told(run_of(common=())).common is None  # it is the one without a class


def test_what_leaked_is_told_with_the_figure_on_the_rest() -> None:
    clean = {"n": 5, "mean_average_precision": {"value": 0.45, "low": 0.2, "high": 0.7, "method": "bootstrap"}}
    found = told(run_of(metrics={"leaked": 3, "test_without_leaked": clean}))
    assert (found.leaked, found.clean, found.n_clean) == (3, Score(value=0.45, low=0.2, high=0.7), 5)


def test_advice_comes_of_all_that_was_found() -> None:
    score = {"value": 0.8, "low": 0.78, "high": 0.82, "method": "bootstrap"}
    audit = {"leaks": [{}] * 2, "two_labels": [{}], "unreadable": [{}] * 4}
    run = run_of(test={"mean_average_precision": score}, audit=audit)
    assert told(run, wrong=3, judged=20).advice == [
        ("next_leaks", {"n": 2}),
        ("next_two_labels", {"n": 1}),
        ("next_labels", {"n": 3}),
        ("next_few", {"names": ["ant", "bee", "cat"]}),
        ("next_unreadable", {"n": 4}),
    ]
    weak = run_of(test={"mean_average_precision": {"value": 0.5, "low": 0.48, "high": 0.52}})
    assert told(weak, wrong=3).advice[0] == ("labels_next_weak", {"share": 0.5})
    assert "next_labels" not in dict(told(weak, wrong=3).advice)


def test_a_class_that_is_found_less_is_named() -> None:
    run = run_of(test={"mean_average_precision": {"value": 0.9, "low": 0.88, "high": 0.92}})
    rows = [row("ant", 0.95), row("bee", 0.79), row("cat", 0.1, test=9)]  # of nine pictures little can be said
    advice = dict(verdict(run, rows, wrong_labels=0, judged=0).advice)
    assert advice["labels_next_class"] == {"label": "bee", "share": 0.79, "n": 1}
    rows[1] = row("bee", 0.81)
    assert "labels_next_class" not in dict(verdict(run, rows, wrong_labels=0, judged=0).advice)


def test_worst_rows_are_those_least_found_then_by_name() -> None:
    rows = [row("fox", 0.9), row("emu", None), row("dog", 0.2), row("bee", 0.9), row("ant", 1.0)]
    assert [one.name for one in worst_rows(rows, 5)] == ["dog", "bee", "fox", "ant", "emu"]
    assert [one.name for one in worst_rows(rows, 2)] == ["dog", "bee"]


def test_how_thresholds_were_chosen_and_what_is_unknown() -> None:
    assert decision_part(run_of()) == DecisionPart(precision=None, unknown=pytest.approx(0.04), calibrated_on=40)
    told = manifest(threshold_rule="precision 0.9", known=None)
    assert decision_part(run_of(told=told)) == DecisionPart(precision=0.9, unknown=None, calibrated_on=40)
