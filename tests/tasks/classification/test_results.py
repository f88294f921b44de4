"""What a report says of a test split. In: twelve answers worked by hand. Out: counts, rates, pairs, advice."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tellapart.bundle import Score
from tellapart.reporting.facts import ClassRow, Shown
from tellapart.reporting.phrases import Phrases
from tellapart.tasks.classification.facts import AbstentionPart, ResultsPart, VerdictPart
from tellapart.tasks.classification.results import (
    abstention_part,
    class_rows,
    figure,
    results_part,
    verdict,
    worst_rows,
)

from .made_run import ANSWERS, CAT, MATRIX, MadeRun, example, many, run_of

ENGLISH = Phrases("en")


def show(asked: Sequence[tuple[Path, str, str, float | None]]) -> list[Shown]:
    """What an Album shows, without pictures."""
    return [
        Shown(name=path.name, picture=None, label=label, predicted=predicted, probability=chance)
        for path, label, predicted, chance in asked
    ]


def results(run: MadeRun) -> ResultsPart:
    return results_part(run, class_rows(run), show, ENGLISH)


@pytest.fixture(scope="module")
def part() -> ResultsPart:
    """The results of the run by hand."""
    return results(run_of())


def row(name: str, recall: float | None, *, test: int = 9) -> ClassRow:
    found = None if recall is None else Score(value=recall, low=None, high=None)
    return ClassRow(name=name, train=1, validation=1, test=test, recall=found, precision=None, f1=None)


def test_a_figure_has_its_interval_or_none() -> None:
    assert figure({"value": 0.9, "low": 0.8, "high": 0.95, "method": "wilson"}) == Score(value=0.9, low=0.8, high=0.95)
    assert figure({"value": 0.9}) == Score(value=0.9, low=None, high=None)


def test_classes_are_counted_by_split_and_stand_in_the_model_s_order() -> None:
    splits = {
        ("ant", "train"): 7,
        ("ant", "validation"): 2,
        ("bee", "train"): 4,
        ("bee", "validation"): 3,
        ("cat", "test"): 9,
    }
    examples = [
        example(f"{label}{split}{number}", label, split)
        for (label, split), count in splits.items()
        for number in range(count)
    ]
    spoilt = [example("broken", "ant", problem="cut short"), example("stray", "dog", "train")]  # no class of the model
    rows = class_rows(run_of(examples=[*spoilt, *examples]))
    assert [(row.name, row.train, row.validation, row.test) for row in rows] == [
        ("ant", 7, 2, 5),
        ("bee", 4, 3, 4),
        ("cat", 0, 0, 3),  # as many as were tested, which metrics.json says
    ]


def test_each_class_has_its_own_figures() -> None:
    ant, bee, cat = class_rows(run_of())
    # By hand: 2 of 5 ants, 3 of 4 bees, 1 of 3 cats; 2 of 3 answers "ant", 3 of 7 "bee", 1 of 2 "cat".
    assert [row.recall and row.recall.value for row in (ant, bee, cat)] == pytest.approx([0.4, 0.75, 1 / 3])
    assert [row.precision for row in (ant, bee, cat)] == pytest.approx([2 / 3, 3 / 7, 1 / 2])
    assert [row.f1 for row in (ant, bee, cat)] == pytest.approx([4 / 8, 6 / 11, 2 / 5])
    assert ant.recall is not None
    assert (ant.recall.low, ant.recall.high) == pytest.approx((0.3, 0.45))


def test_a_class_without_test_pictures_has_no_recall() -> None:
    _, _, cat = class_rows(run_of(answers=ANSWERS[:9]))
    assert (cat.test, cat.recall, cat.f1) == (0, None, None)
    run = run_of()
    del run.metrics["test"]["per_class"]["cat"]["recall_interval"]
    assert class_rows(run)[2].recall == Score(value=1 / 3, low=None, high=None)


def test_scores_stand_in_order_and_those_that_are_not_defined_are_left_out(part: ResultsPart) -> None:
    assert part.scores == [
        ("accuracy", Score(value=0.51, low=0.41, high=0.61)),
        ("balanced_accuracy", Score(value=0.52, low=0.42, high=0.62)),
        ("macro_f1", Score(value=0.53, low=None, high=None)),
        ("auroc", Score(value=0.76, low=0.66, high=0.86)),
        ("log_loss", Score(value=0.94, low=0.84, high=1.04)),
        ("brier", Score(value=0.65, low=0.55, high=0.75)),
    ]
    top = {"value": 0.87, "low": 0.77, "high": 0.97}
    scores = results(run_of(test={"auroc": None, "top_5": top})).scores
    assert [name for name, _ in scores] == ["accuracy", "balanced_accuracy", "top_5", "macro_f1", "log_loss", "brier"]
    assert scores[2] == ("top_5", Score(value=0.87, low=0.77, high=0.97))


def test_the_rates_of_the_confusion_are_shares_of_what_the_pictures_are(part: ResultsPart) -> None:
    confusion = part.confusion
    assert confusion.classes == ["ant", "bee", "cat"]
    assert confusion.counts == MATRIX
    # Five ants, four bees, three cats. Of the answers, 3, 7 and 2, other shares would come.
    expected = [[2 / 5, 2 / 5, 1 / 5], [1 / 4, 3 / 4, 0], [0, 2 / 3, 1 / 3]]
    np.testing.assert_allclose(confusion.rates, expected)
    assert confusion.image is None


def test_a_class_that_was_not_tested_has_rates_of_nought() -> None:
    confusion = results(run_of(answers=ANSWERS[:9])).confusion
    assert (confusion.counts[CAT], confusion.rates[CAT]) == ([0, 0, 0], [0.0, 0.0, 0.0])


def test_from_31_classes_on_the_confusion_is_a_picture() -> None:
    assert results(many(30)).confusion.image is None
    # Three of four pictures of class 2 are right, the fourth is taken for class 5; 1 of 3 and 2 of 3 of class 7.
    found = results(many(31, [(2, 2, 0.8), (2, 2, 0.8), (2, 5, 0.8), (7, 9, 0.8), (7, 9, 0.8)])).confusion
    assert found.counts[2][5] == 1
    assert found.rates[2][5] == 0.25
    assert found.image is not None
    with Image.open(io.BytesIO(base64.b64decode(found.image.partition("base64,")[2]))) as image:
        pixels = np.asarray(image)
    assert pixels.shape == (31, 31, 4)
    right, wrong, blank = (11, 98, 168), (194, 65, 12), 0
    assert pixels[2, 2].tolist() == [*right, 204]  # 50 + 205 x 3/4, rounded
    assert pixels[2, 5].tolist() == [*wrong, 101]  # a single mistake is seen: 50 + 205 x 1/4
    assert pixels[7, 7].tolist() == [*right, 118]
    assert pixels[7, 9].tolist() == [*wrong, 187]
    assert pixels[0, 0].tolist() == [*right, 255]
    assert pixels[5, 2, 3] == pixels[30, 29, 3] == blank  # rows are what a picture is
    assert (pixels[..., 3] > 0).sum() == 31 + 2


def test_a_run_of_so_many_classes_that_it_has_no_square_shows_pairs_alone() -> None:
    run = many(31, [(2, 5, 0.8), (7, 9, 0.8), (7, 9, 0.8)])
    run.metrics["test"]["confusion_matrix"] = None
    found = results(run)
    assert found.confusion is None
    assert [(pair.label, pair.predicted, pair.count) for pair in found.pairs] == [
        ("class 07", "class 09", 2),
        ("class 02", "class 05", 1),
    ]
    assert found.mistakes == 3


def test_pairs_are_the_most_often_confused_first_and_their_surest_pictures_first(part: ResultsPart) -> None:
    pairs = part.pairs
    found = [(pair.label, pair.predicted, pair.count) for pair in pairs]
    assert found == [("ant", "bee", 2), ("cat", "bee", 2), ("ant", "cat", 1), ("bee", "ant", 1)]
    pictures = [[(one.name, one.label, one.predicted, one.probability) for one in pair.pictures] for pair in pairs]
    assert pictures == [
        [("3.png", "ant", "bee", 0.75), ("2.png", "ant", "bee", 0.625)],
        [("11.png", "cat", "bee", 0.8125), ("10.png", "cat", "bee", 0.75)],
        [("4.png", "ant", "cat", 0.5)],
        [("7.png", "bee", "ant", 0.5)],
    ]


def test_six_pairs_and_four_pictures_of_each_are_shown() -> None:
    # Class 0 is taken for 1 once, for 2 twice ... for 7 seven times, each time less surely.
    wrong = [(0, answer, 0.9 - 0.05 * time) for answer in range(1, 8) for time in range(answer)]
    part = results(many(8, wrong))
    assert [(pair.predicted, pair.count) for pair in part.pairs] == [(f"class 0{n}", n) for n in (7, 6, 5, 4, 3, 2)]
    assert [len(pair.pictures) for pair in part.pairs] == [4, 4, 4, 4, 3, 2]
    assert [one.probability for one in part.pairs[0].pictures] == pytest.approx([0.9, 0.85, 0.8, 0.75])
    assert part.mistakes == 28


def test_mistakes_are_the_pictures_off_the_diagonal(part: ResultsPart) -> None:
    assert part.mistakes == 6
    right = [answer for number, answer in enumerate(ANSWERS) if number in (0, 1, 5, 6, 8, 9)]
    perfect = results(run_of(answers=right))
    assert (perfect.mistakes, perfect.pairs) == (0, [])


def test_the_table_shows_sixty_classes_and_of_more_the_worst() -> None:
    classes = [f"class {number:02}" for number in range(61)]
    answers = [(number, tuple(np.eye(61)[number])) for number in range(61)]
    run = run_of(classes[:60], [(number, chances[:60]) for number, chances in answers[:60]])
    rows = [row(name, 0.5 if name == "class 07" else 0.9) for name in classes]
    assert results_part(run, rows[:60], show, ENGLISH).classes == rows[:60]
    shown = results_part(run_of(classes, answers), rows, show, ENGLISH).classes
    assert [one.name for one in shown] == ["class 07", *(name for name in classes[:60] if name != "class 07")]


def test_worst_rows_are_those_least_recognised_then_by_name() -> None:
    rows = [row("fox", 0.9), row("emu", None), row("dog", 0.2), row("bee", 0.9), row("ant", 1.0), row("cow", 0.95)]
    assert [one.name for one in worst_rows(rows, 6)] == ["dog", "bee", "fox", "cow", "ant", "emu"]
    assert [one.name for one in worst_rows(rows, 2)] == ["dog", "bee"]


RECORDS = [
    {"strategy": "finetune", "log_loss": 0.31, "accuracy": 0.92, "temperature": 1.5},
    {"strategy": "probe", "log_loss": 0.42, "accuracy": 0.91, "temperature": 2.5},
]
EPOCHS = [
    {"number": number, "train_accuracy": train, "validation_accuracy": validation}
    for number, train, validation in ((1, 0.7, 0.69), (2, 0.99, 0.8), (3, 0.995, 0.79))
]


def judged(run: MadeRun, part: ResultsPart, *, wrong: int = 0, examined: int = 100) -> VerdictPart:
    return verdict(run, class_rows(run), part, by_files=None, wrong_labels=wrong, examined=examined)


def test_the_verdict_has_the_figures_of_the_test(part: ResultsPart) -> None:
    found = judged(run_of(metrics={"validation": RECORDS}), part)
    assert (found.accuracy, found.n_test) == (Score(value=0.51, low=0.41, high=0.61), 12)
    assert (found.baseline, found.baseline_label) == (5 / 12, "ant")  # five of twelve, the most
    assert found.too_small is True
    assert (found.leaked, found.clean, found.n_clean) == (0, None, 0)
    assert found.compared == [("finetune", 0.31, 0.92), ("probe", 0.42, 0.91)]


def test_the_most_common_class_is_that_of_the_test(part: ResultsPart) -> None:
    found = judged(run_of(answers=ANSWERS[3:], test={"too_small_to_tell": False}), part)
    assert (found.baseline_label, found.too_small) == ("bee", False)


def test_what_leaked_is_told_with_the_accuracy_on_the_rest(part: ResultsPart) -> None:
    clean = {"n": 9, "accuracy": {"value": 0.45, "low": 0.2, "high": 0.7, "method": "wilson"}}
    found = judged(run_of(metrics={"leaked": 3, "test_without_leaked": clean}), part)
    assert (found.leaked, found.clean, found.n_clean) == (3, Score(value=0.45, low=0.2, high=0.7), 9)


def test_advice_comes_of_all_that_was_found(part: ResultsPart) -> None:
    accuracy = {"value": 0.8, "low": 0.78, "high": 0.82}
    cluster = {"paths": ["a", "b"]}
    audit = {"leaks": [cluster] * 2, "two_labels": [cluster], "unreadable": [{"path": "c", "reason": "cut"}] * 4}
    run = run_of(test={"accuracy": accuracy}, audit=audit)
    few = {"names": ["ant", "bee", "cat"]}
    pair = {"label": "ant", "predicted": "bee", "n": 2, "mistakes": 6}
    assert judged(run, part, wrong=3, examined=20).advice == [
        ("next_leaks", {"n": 2}),
        ("next_two_labels", {"n": 1}),
        ("next_labels", {"n": 3}),
        ("next_few", few),
        ("next_pair", pair),
        ("next_unreadable", {"n": 4}),
    ]
    # Of 19 pictures three are too many to be wrong.
    assert "next_labels" not in dict(judged(run, part, wrong=3, examined=19).advice)
    # Twelve pictures with an interval of 20 points: 3 x 12 more.
    wide = judged(run_of(test={"accuracy": {"value": 0.8, "low": 0.7, "high": 0.9}}), part)
    assert wide.advice == [("next_test", {"n": 36}), ("next_few", few), ("next_pair", pair)]


def test_overfitting_is_judged_by_the_best_epoch(part: ResultsPart) -> None:
    training = {"probe": {}, "finetune": {"history": EPOCHS, "best_epoch": 2}}
    run = run_of(strategy="finetune", metrics={"training": training})
    assert dict(judged(run, part).advice)["next_overfit"] == {"train": 0.99, "validation": 0.8}
    training["finetune"]["best_epoch"] = 1
    assert "next_overfit" not in dict(judged(run, part).advice)


@pytest.mark.parametrize("training", [{}, {"probe": None}, {"probe": {}}, {"probe": {"history": None}}])
def test_what_was_not_trained_by_epochs_is_not_overfitted(training: dict[str, Any], part: ResultsPart) -> None:
    assert "next_overfit" not in dict(judged(run_of(metrics={"training": training}), part).advice)


ABSTENTION: dict[str, Any] = {
    "wanted": 0.9,
    "coverage": {"value": 0.97, "low": 0.91, "high": 0.99, "method": "wilson"},
    "mean_set_size": 1.25,
    "known": {"value": 0.96, "low": 0.9, "high": 1.0, "method": "wilson"},
    "calibrated_on": 40,
}


def test_what_is_unknown_is_the_rest_of_what_is_known() -> None:
    measured = Score(value=0.97, low=0.91, high=0.99)
    found = abstention_part(run_of(metrics={"abstention": ABSTENTION}))
    assert found == AbstentionPart(
        wanted=0.9, measured=measured, useful=2.0, size=1.25, unknown=pytest.approx(0.04), calibrated_on=40
    )
    found = abstention_part(run_of(metrics={"abstention": ABSTENTION | {"known": None}}))
    assert found == AbstentionPart(wanted=0.9, measured=measured, useful=2.0, size=1.25, unknown=None, calibrated_on=40)
    assert abstention_part(run_of()) is None
    run = run_of()
    del run.metrics["abstention"]  # a run of before there was any
    assert abstention_part(run) is None


def test_where_only_the_most_probable_classes_were_kept_all_else_is_the_same() -> None:
    wrong = [(0, answer, 0.9 - 0.05 * time) for answer in range(1, 8) for time in range(answer)]
    whole, part = many(30, wrong), many(30, wrong)
    order = np.argsort(-part.predictions.probabilities, axis=1, kind="stable")[:, :10]
    kept = np.take_along_axis(part.predictions.probabilities, order, axis=1)
    part.predictions = replace(part.predictions, probabilities=kept, ranked=order)
    one, other = results(whole), results(part)
    assert (other.mistakes, other.pairs, other.classes) == (one.mistakes, one.pairs, one.classes)
    charts = {chart.title: chart for chart in one.charts}
    assert [chart.title for chart in other.charts] == ["reliability", "confidences", "coverage_accuracy"]
    for chart in other.charts[1:]:
        assert chart.lead == charts[chart.title].lead
        assert re.sub(r'(id="|#)[^"]+', "", chart.svg) == re.sub(r'(id="|#)[^"]+', "", charts[chart.title].svg)
    assert ENGLISH("before") not in [name for name, _, _ in other.charts[0].legend]
