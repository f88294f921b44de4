"""The charts of a report. In: answers worked by hand, scikit-learn's curves. Out: the same points, words and colours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, roc_curve

from tellapart.reporting.facts import Chart
from tellapart.reporting.figures import Line, draw_confidences, draw_lines, draw_reliability
from tellapart.reporting.phrases import Phrases
from tellapart.runs.parts import learning_part
from tellapart.tasks.classification.results import class_rows, results_part, true_labels

from .made_run import ANSWERS, ANT, BEE, CAT, MadeRun, many, run_of

ENGLISH = Phrases("en")


def charts(run: MadeRun, phrases: Phrases = ENGLISH) -> dict[str, Chart]:
    part = results_part(run, class_rows(run), lambda asked: [], phrases)
    return {chart.title: chart for chart in part.charts}


@pytest.fixture(scope="module")
def found() -> dict[str, Chart]:
    """The charts of the run by hand."""
    return charts(run_of())


def assert_same_chart(svg: str, expected: str) -> None:
    """The same words, styles and order, and every place within a twentieth of a pixel."""
    plain = [re.sub(r"[mp][0-9a-f]{10}", "", text) for text in (svg, expected)]
    shapes = [re.sub(r"-?\d+(?:\.\d+)?", "0", text) for text in plain]
    assert shapes[0] == shapes[1]
    numbers = [[float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)] for text in plain]
    assert numbers[0] == pytest.approx(numbers[1], abs=0.05)


def test_charts_stand_in_order(found: dict[str, Chart]) -> None:
    assert list(found) == ["reliability", "confidences", "coverage_accuracy", "precision_recall", "receiver"]


def test_reliability_before_calibration_is_without_the_temperature() -> None:
    # Temperature 2: what the model was as sure of as p / q before is now sqrt(p / q). So 15/16 was 225/226, 7/8 was
    # 49/50, 5/8 was 25/34 and 9/16 was 81/130.
    answers = [(0, (0.9375, 0.0625)), (1, (0.875, 0.125)), (1, (0.375, 0.625)), (1, (0.5625, 0.4375))]
    chart = charts(run_of(("ant", "bee"), answers, temperature=2.0))["reliability"]
    before = [(81 / 130, 0.0), (25 / 34, 1.0), ((225 / 226 + 49 / 50) / 2, 0.5)]
    # Wilson's intervals of 0 in 1 and of 1 in 1.
    none, one = (0.0, 0.79345), (0.20655, 1.0)
    after = [(0.5625, 0.0, *none), (0.625, 1.0, *one), (0.875, 0.0, *none), (0.9375, 1.0, *one)]
    assert_same_chart(chart.svg, draw_reliability(before, after, x="confidence", y="accuracy"))
    assert chart.legend == [("after calibration", 1, False), ("before calibration", 2, True)]
    assert chart.lead == ("reliability_lead", {"before": "0.123", "after": "0.057"})


def test_of_a_temperature_of_one_nothing_is_undone() -> None:
    answers = [(0, (1.0, 0.0)), (1, (0.25, 0.75))]
    chart = charts(run_of(("ant", "bee"), answers, temperature=1.0))["reliability"]
    one = (0.20655, 1.0)
    after = [(0.75, 1.0, *one), (1.0, 1.0, *one)]
    before = [point[:2] for point in after]
    assert_same_chart(chart.svg, draw_reliability(before, after, x="confidence", y="accuracy"))


def test_what_biases_did_is_undone_too() -> None:
    """Logits 0 and 0 before; a bias of log 9 for the first class and a temperature of 2 made 3 to 1 of them."""
    calibration = {"method": "temperature and biases", "biases": [np.log(9), 0.0]}
    run = run_of(("ant", "bee"), [(0, (0.75, 0.25))], temperature=2.0, metrics={"calibration": calibration})
    chart = charts(run)["reliability"]
    expected = draw_reliability([(0.5, 1.0)], [(0.75, 1.0, 0.20655, 1.0)], x="confidence", y="accuracy")
    assert_same_chart(chart.svg, expected)


def test_probabilities_that_were_left_alone_have_one_line_and_no_legend() -> None:
    error = {"before": 0.25, "after": 0.25, "by_chance": {"mean": 0.2, "high": 0.4}}
    run = run_of(
        ("ant", "bee"),
        [(0, (0.75, 0.25))],
        temperature=1.0,
        metrics={"calibration": {"method": "none", "biases": None}},
        test={"calibration_error": error},
    )
    chart = charts(run)["reliability"]
    expected = draw_reliability([], [(0.75, 1.0, 0.20655, 1.0)], x="confidence", y="accuracy")
    assert_same_chart(chart.svg, expected)
    assert not chart.legend
    values = {"before": "0.250", "after": "0.250", "mean": "0.200", "high": "0.400"}
    assert chart.lead == ("reliability_kept", values)


def test_confidences_are_counted_in_twenty_ranges(found: dict[str, Chart]) -> None:
    chart = found["confidences"]
    right, wrong = [0] * 20, [0] * 20
    # Right: 0.5, two of 0.625, 0.75, 0.875 and 0.9375; wrong: two of 0.5, 0.625, two of 0.75 and 0.8125.
    right[10], right[12], right[15], right[17], right[18] = 1, 2, 1, 1, 1
    wrong[10], wrong[12], wrong[15], wrong[16] = 2, 1, 2, 1
    assert_same_chart(chart.svg, draw_confidences(right, wrong, x="confidence", y="pictures"))
    assert chart.legend == [("right", 1, False), ("wrong", 4, False)]
    assert chart.lead is None


def test_coverage_is_drawn_over_what_is_answered(found: dict[str, Chart]) -> None:
    chart = found["coverage_accuracy"]
    line = Line(x=np.array([1, 2, 3, 6, 9, 12]) / 12, y=[1, 1, 2 / 3, 1 / 2, 5 / 9, 1 / 2], colour=1)
    expected = draw_lines([line], x="coverage", y="accuracy", x_range=(0, 1), y_range=(0.47, 1.005), shares="xy")
    assert_same_chart(chart.svg, expected)
    assert chart.lead == ("coverage_lead", {"share": 1.0, "accuracy": 0.5})
    assert chart.legend == ()


@pytest.mark.parametrize(
    ("count", "share", "accuracy"),
    # The surest is right, the second wrong, all others right. Of five, four are just 80 %; of six, five are more.
    [(5, 4 / 5, 3 / 4), (6, 5 / 6, 4 / 5)],
)
def test_the_sentence_tells_of_eighty_per_cent_or_a_little_more(count: int, share: float, accuracy: float) -> None:
    sure = [1 - number / 16 for number in range(count)]
    answers = [(1 if number == 1 else 0, (chance, 1 - chance)) for number, chance in enumerate(sure)]
    chart = charts(run_of(("ant", "bee"), answers))["coverage_accuracy"]
    assert chart.lead == ("coverage_lead", {"share": pytest.approx(share), "accuracy": pytest.approx(accuracy)})


def test_where_nothing_is_right_the_axis_begins_at_nought() -> None:
    chart = charts(run_of(("ant", "bee"), [(1, (0.75, 0.25)), (0, (0.25, 0.75))]))["coverage_accuracy"]
    expected = draw_lines(
        [Line(x=[1.0], y=[0.0], colour=1)], x="coverage", y="accuracy", x_range=(0, 1), y_range=(0, 1.005), shares="xy"
    )
    assert_same_chart(chart.svg, expected)


def curves_of(run: MadeRun, numbers: Sequence[int]) -> dict[str, str]:
    """The two charts of curves as scikit-learn has their points, a colour for each of the classes `numbers`."""
    lines: dict[str, list[Line]] = {"precision_recall": [], "receiver": []}
    for colour, number in enumerate(numbers, start=1):
        scores, positive = run.predictions.probabilities[:, number], true_labels(run) == number
        precision, recall, _ = precision_recall_curve(positive, scores)
        lines["precision_recall"].append(Line(x=recall[::-1], y=precision[::-1], colour=colour, stepped=True))
        false, true, _ = roc_curve(positive, scores)
        lines["receiver"].append(Line(x=false, y=true, colour=colour, stepped=True))
    options: dict[str, Any] = {"x_range": (0, 1), "y_range": (0, 1.02), "shares": "xy"}
    rates = {"x": "false positive rate", "y": "true positive rate"}
    return {
        "precision_recall": draw_lines(lines["precision_recall"], x="recall", y="precision", **options),
        "receiver": draw_lines(lines["receiver"], **rates, **options, diagonal=True),
    }


def test_each_of_a_few_classes_has_its_curves(found: dict[str, Chart]) -> None:
    for title, expected in curves_of(run_of(), [ANT, BEE, CAT]).items():
        assert_same_chart(found[title].svg, expected)
        assert found[title].legend == [("ant", 1, False), ("bee", 2, False), ("cat", 3, False)]
        assert found[title].lead is None


def test_of_two_classes_the_first_s_curves_tell_all() -> None:
    answers = [(0, (0.75, 0.25)), (1, (0.5625, 0.4375)), (1, (0.25, 0.75)), (0, (0.375, 0.625))]
    run = run_of(("ant", "bee"), answers)
    found = charts(run)
    for title, expected in curves_of(run, [0]).items():
        assert_same_chart(found[title].svg, expected)
        assert found[title].legend == [("ant", 1, False)]
        assert found[title].lead is None


def test_a_class_without_test_pictures_has_no_curve() -> None:
    run = run_of(answers=ANSWERS[:9])
    found = charts(run)
    for title, expected in curves_of(run, [ANT, BEE]).items():
        assert_same_chart(found[title].svg, expected)
        assert found[title].legend == [("ant", 1, False), ("bee", 2, False)]
        assert found[title].lead == ("curves_some", {"n": 2, "classes": 3})
    # One that all pictures are of has none either.
    assert list(charts(run_of(answers=ANSWERS[:5]))) == ["reliability", "confidences", "coverage_accuracy"]


def test_of_nine_classes_the_eight_worst_have_curves() -> None:
    # Of classes 3 and 6 one of two pictures is recognised, and class 6 and 1 are taken for others, too.
    run = many(9, [(3, 4, 0.5), (6, 1, 0.6), (6, 1, 0.4), (1, 1, 0.3)])
    eight = [6, 3, 0, 1, 2, 4, 5, 7]
    found = charts(run)
    for title, expected in curves_of(run, eight).items():
        assert_same_chart(found[title].svg, expected)
        assert found[title].legend == [
            (f"class 0{number}", place, False) for place, number in enumerate(eight, start=1)
        ]
        assert found[title].lead == ("curves_some", {"n": 8, "classes": 9})
    found = charts(many(8))
    assert found["receiver"].legend == [(f"class 0{number}", number + 1, False) for number in range(8)]
    assert found["receiver"].lead is None


def test_a_page_in_another_language_names_its_axes_in_it() -> None:
    found = charts(run_of(("ant", "bee"), [(0, (0.75, 0.25)), (1, (0.5625, 0.4375))]), Phrases("zh"))
    texts = {title: set(re.findall(r">([^<>\n]+)</text>", chart.svg)) for title, chart in found.items()}
    assert {"置信度", "准确率"} <= texts["reliability"]
    assert {"置信度", "图片数"} <= texts["confidences"]
    assert {"假阳性率", "真阳性率"} <= texts["receiver"]
    assert found["reliability"].legend == [("校准后", 1, False), ("校准前", 2, True)]
    assert found["confidences"].legend == [("正确", 1, False), ("错误", 4, False)]


def history(count: int) -> list[dict[str, Any]]:
    """What a loop wrote of each epoch; all its figures are different."""
    return [
        {
            "number": epoch,
            "train_loss": 1 / epoch,
            "validation_loss": 1.1 / epoch,
            "train_accuracy": 1 - 0.5 / epoch,
            "validation_accuracy": 1 - 0.6 / epoch,
            "learning_rate": 0.01 / epoch,
        }
        for epoch in range(1, count + 1)
    ]


@pytest.mark.parametrize(("epochs", "best", "dotted"), [(3, 2, True), (39, 30, True), (40, 7, False)])
def test_epochs_are_drawn_with_the_best_one_marked(epochs: int, best: int, dotted: bool) -> None:
    details = {"history": history(epochs), "best_epoch": best}
    training = {"finetune": details, "probe": {"trials": [{"strength": 1.0, "log_loss": 0.5}]}}
    part = learning_part(run_of(strategy="finetune", metrics={"training": training}), ENGLISH)
    assert (part.epochs, part.best_epoch) == (epochs, best)
    numbers = list(range(1, epochs + 1))
    options: dict[str, Any] = {"x": "epoch", "mark": (best, "best epoch"), "whole": True}

    def line(key: str, colour: int, *, dashed: bool = False) -> Line:
        heights = [epoch[key] for epoch in details["history"]]
        return Line(x=numbers, y=heights, colour=colour, dashed=dashed, dotted=dotted)

    losses = [line("train_loss", 2, dashed=True), line("validation_loss", 1)]
    accuracies = [line("train_accuracy", 2, dashed=True), line("validation_accuracy", 1)]
    expected = [
        ("loss", draw_lines(losses, y="loss", **options)),
        ("accuracy", draw_lines(accuracies, y="accuracy", shares="y", **options)),
        ("learning_rate", draw_lines([line("learning_rate", 3)], y="learning rate", **options)),
    ]
    legend = [("validation", 1, False), ("train", 2, True)]
    assert [chart.title for chart in part.charts] == [title for title, _ in expected]
    for chart, (_, drawn) in zip(part.charts, expected, strict=True):
        assert_same_chart(chart.svg, drawn)
    assert [list(chart.legend) for chart in part.charts] == [legend, legend, []]


def test_the_cross_validation_of_a_probe_is_drawn_from_weak_to_strong() -> None:
    trials = [{"strength": strength, "log_loss": loss} for strength, loss in ((1.0, 0.3), (0.01, 0.5), (100.0, 0.4))]
    part = learning_part(run_of(metrics={"training": {"probe": {"trials": trials}}}), ENGLISH)
    assert (part.epochs, part.best_epoch) == (0, 0)
    (chart,) = part.charts
    assert (chart.title, chart.legend) == ("cross_validation", ())
    line = Line(x=[0.01, 1.0, 100.0], y=[0.5, 0.3, 0.4], colour=1, dotted=True)
    assert_same_chart(chart.svg, draw_lines([line], x="strength of the penalty", y="log loss", logarithmic=True))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_one_trial_is_no_curve(count: int) -> None:
    trials = [{"strength": 10.0**power, "log_loss": 0.4} for power in range(count)]
    details = {"trials": trials} if count else {}
    part = learning_part(run_of(metrics={"training": {"probe": details}}), ENGLISH)
    assert len(part.charts) == (1 if count == 2 else 0)
