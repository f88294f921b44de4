"""What the report of boxes says of the test split. In: a run made by hand. Out: rows, figures, advice, curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart.data.targets import Box
from tellapart.reporting.phrases import Phrases
from tellapart.tasks.detection.charts import counts_chart, curves, reliability_chart, sizes_chart
from tellapart.tasks.detection.facts import BoxesVerdictPart
from tellapart.tasks.detection.results import box_rows, error_rows, results_part, verdict, worst_rows
from tellapart.tasks.detection.tested import match_test
from tests.reporting.drawn import Drawn

from .made_run import CLASSES, PAGES, A, B, C, MadeRun, example, manifest, run_of

ENGLISH = Phrases("en")


def told(run: MadeRun, **more: Any) -> BoxesVerdictPart:
    return verdict(run, box_rows(run), **{"wrong_boxes": 0, "judged": 100, **more})


def test_a_class_has_its_boxes_by_split_and_its_figures() -> None:
    examples = [
        example(Path("a.png"), [Box("ant", *A), Box("ant", *C)], "train"),
        example(Path("b.png"), [Box("bee", *B)], "validation"),
        example(Path("c.png"), [Box("ant", *A)], None),
    ]
    ant, bee, bird = box_rows(run_of(examples=examples))
    assert (ant.train, ant.validation, ant.test, ant.pictures) == (2, 0, 4, 3)
    assert (bee.train, bee.validation, bee.test, bee.pictures) == (0, 1, 4, 4)
    assert (bird.test, bird.threshold, bird.precision, bird.recall, bird.f1) == (1, 0.5, 0.0, 0.0, 0.0)
    assert (ant.precision, ant.recall) == (1.0, 0.75)
    assert bee.precision == pytest.approx(2 / 5)
    assert ant.ap50 is not None
    assert ant.ap50.low is not None
    # Off by one ant in picture 1; by one bee in pictures 0 and 3, and none in picture 1 whose two were wrong but many enough.
    assert ant.count_miss == pytest.approx(1 / 6)
    assert bee.count_miss == pytest.approx(3 / 6)


def test_a_class_without_a_box_in_the_test_comes_last() -> None:
    rows = box_rows(run_of([PAGES[5], PAGES[4]]))
    assert rows[2].ap50 is None
    assert [row.name for row in worst_rows(rows, 3)] == ["ant", "bee", "鸟"]
    assert [row.name for row in worst_rows(box_rows(run_of()), 2)] == ["bee", "鸟"]


def test_errors_come_by_what_they_cost_and_those_that_there_are_not_are_left_out() -> None:
    assert [(row.kind, row.number) for row in error_rows(run_of())] == [
        ("background", 2),
        ("class", 1),
        ("place", 1),
        ("missed", 1),
        ("copy", 1),
    ]
    assert error_rows(run_of([PAGES[5]])) == []


def test_scores_have_intervals_and_confusions_a_background() -> None:
    run = run_of()
    part = results_part(run, box_rows(run), match_test(run), ENGLISH)
    names = [name for name, _ in part.scores]
    assert names[:4] == ["ap50", "ap75", "ap", "precision"]
    assert part.scores[0][1].low is not None
    assert dict(part.scores)["ap_large"].low is None
    assert list(part.confusion.classes) == [*CLASSES, "nothing"]
    assert part.confusion.counts == [[3, 1, 0, 0], [0, 2, 0, 2], [0, 0, 0, 1], [0, 2, 1, 0]]
    assert [chart.title for chart in part.charts] == [
        "precision_recall",
        "boxes_f1_threshold",
        "reliability",
        "boxes_sizes",
        "boxes_counts",
    ]


def test_of_many_classes_the_worst_are_drawn() -> None:
    names = tuple(f"c{number:02}" for number in range(70))
    many = manifest().model_copy(update={"classes": names})
    record = many.record.model_copy(
        update={key: (value,) * 70 for key, value in (("scales", 1.0), ("offsets", 0.0), ("thresholds", 0.5))}
    )
    pages = [
        (tuple(Box(name, *A) for name in names), tuple((name, 0.9, *A) for name in names if name not in ("c07", "c33")))
    ]
    rows = {
        name: {"boxes": 1, "pictures": 1, "threshold": 0.5, "ap50": 0.0 if name in ("c07", "c33") else 1.0}
        | dict.fromkeys(("precision", "recall", "f1", "ap", "count_miss"), None)
        for name in names
    }
    scored = {"per_class": rows, "error_kinds": run_of().metrics["test"]["error_kinds"]}
    scored["confusion"] = np.eye(71, dtype=int).tolist()
    run = run_of(pages, told=many.model_copy(update={"record": record}), test=scored, whole=True)
    part = results_part(run, box_rows(run), match_test(run), ENGLISH)
    assert len(part.classes) == 60
    assert [row.name for row in part.classes[:3]] == ["c07", "c33", "c00"]
    assert part.charts[0].lead == ("boxes_curves_some", {"n": 8, "classes": 70})
    assert {name for name, _, _ in part.charts[0].legend} >= {"c07", "c33"}
    assert part.confusion.image is not None


def test_the_answer_in_figures() -> None:
    part = told(run_of())
    assert (part.n_test, part.boxes, part.leaked, part.clean) == (6, 9, 0, None)
    assert part.precision == pytest.approx(5 / 9)
    assert part.compared == [("finetune", 0.5, 0.75), ("probe", 0.25, 0.625)]
    assert part.too_small is True
    sure = {"value": 0.9, "low": 0.86, "high": 0.94}
    assert told(run_of(test={"ap50": sure})).too_small is False
    clean = run_of().metrics["test"] | {"ap50": sure, "n": 4}
    leaked = told(run_of(metrics={"leaked": 2, "test_without_leaked": clean}))
    assert (leaked.leaked, leaked.n_clean) == (2, 4)
    assert leaked.clean is not None
    assert leaked.clean.value == 0.9


def keys(run: MadeRun, **more: Any) -> list[str]:
    return [key for key, _ in told(run, **more).advice]


SURE = {"value": 0.9, "low": 0.86, "high": 0.94}


def test_advice_comes_from_what_was_found() -> None:
    assert keys(run_of())[0] == "boxes_next_weak"
    good = run_of(test={"ap50": SURE})
    assert "boxes_next_weak" not in keys(good)
    assert keys(good, wrong_boxes=3)[0] == "boxes_next_doubts"
    assert "boxes_next_doubts" not in keys(good, wrong_boxes=30)  # so many are rather a weak model
    assert "boxes_next_doubts" not in keys(run_of(), wrong_boxes=3)
    audit = {"leaks": [{"paths": []}], "two_labels": [{"paths": []}], "unreadable": [{"path": "x", "reason": "y"}]}
    found = keys(run_of(test={"ap50": SURE}, audit=audit))
    assert found[:2] == ["next_leaks", "boxes_next_differ"]
    assert found[-1] == "next_unreadable"
    assert "next_few" in found


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("class", "boxes_next_confused"),
        ("place", "boxes_next_place"),
        ("both", "boxes_next_place"),
        ("copy", "boxes_next_copy"),
        ("background", "boxes_next_background"),
        ("missed", "boxes_next_missed"),
    ],
)
def test_the_costliest_kind_of_error_has_advice_of_its_own(kind: str, key: str) -> None:
    errors: dict[str, Any] = {
        name: {"number": 1, "lost": 0.01} for name in ("class", "place", "both", "copy", "background", "missed")
    }
    assert all(not one.startswith("boxes_next") for one in keys(run_of(test={"ap50": SURE, "error_kinds": errors})))
    errors[kind] = {"number": 2, "lost": 0.25}
    (said,) = [one for one in told(run_of(test={"ap50": SURE, "error_kinds": errors})).advice if one[0] == key]
    assert said[1] == {"share": 0.25}
    assert "25.0" in ENGLISH(key, **said[1])


def test_a_class_that_is_found_worse_than_the_others_has_advice() -> None:
    run = run_of(test={"ap50": SURE})
    run.metrics["test"]["per_class"]["bee"] |= {"boxes": 10, "ap50": {"value": 0.5, "low": 0.4, "high": 0.6}}
    found = dict(told(run).advice)
    assert found["boxes_next_class"] == {"label": "bee", "share": 0.5, "n": 0}
    run.metrics["test"]["per_class"]["bee"]["ap50"]["value"] = 0.85
    assert "boxes_next_class" not in keys(run)


def test_precision_is_drawn_over_recall_at_two_overlaps_in_the_colour_of_the_class() -> None:
    chart = curves(match_test(run_of()), [(1, "bee")], ENGLISH, some=None)[0]
    drawn = Drawn(chart.svg, y_range=(0, 1.02))
    assert drawn.dashes("series-2") == [False, True]
    # Of bees the surest answer is right, then one wrong, then one right: two of four are found.
    steps = drawn.lines("series-2")[0]
    assert steps[0] == pytest.approx((0, 1), abs=2e-3)
    assert [y for x, y in steps if 0.27 < x < 0.5] == pytest.approx(
        [2 / 3] * sum(0.27 < x < 0.5 for x, _ in steps), abs=2e-3
    )
    assert max(y for x, y in steps if x > 0.52) == pytest.approx(0, abs=2e-3)
    assert chart.legend == [("bee", 2, False)]


def test_the_chosen_threshold_is_a_dot_on_the_curve_of_f1() -> None:
    tested = match_test(run_of())
    chart = curves(tested, [(0, "ant")], ENGLISH, some=None)[1]
    drawn = Drawn(chart.svg, y_range=(0, 1.02))
    f1 = 2 * 3 / (3 + 4)  # three of four found, nothing wrong; what found the difficult one counts neither way
    (mark,) = drawn.marks("paper")  # its edge
    assert mark == pytest.approx((0.5, f1), abs=2e-3)
    curve = {round(x, 3): y for x, y in drawn.lines("series-1")[0]}
    assert curve[0.0] == pytest.approx(2 * 3 / (4 + 4), abs=2e-3)
    assert curve[1.0] == pytest.approx(0, abs=2e-3)


def test_no_class_has_no_curve() -> None:
    assert curves(match_test(run_of()), [], ENGLISH, some=None) == []


def test_boxes_are_counted_by_size() -> None:
    # Two of 30 pixels, three of 45 (less the difficult one), three of 98 and one of 167.
    drawn = Drawn(sizes_chart(match_test(run_of()), ENGLISH).svg)
    assert drawn.ticks("x") == ["16–32", "32–64", "64–128", "128–256"]
    one = drawn.bars("series-1")[0][3]  # the height of a bar of one box
    assert [round(top / one) for _, _, _, top in drawn.bars("series-1")] == [1, 2, 2, 0]
    assert [(round(bottom / one), round(top / one)) for _, _, bottom, top in drawn.bars("series-4")] == [
        (1, 2),
        (2, 3),
        (2, 3),
        (0, 1),
    ]


def test_counts_are_drawn_on_the_diagonal_where_they_are_right() -> None:
    chart = counts_chart(match_test(run_of()), ENGLISH)
    assert chart.lead == ("boxes_counts_lead", {"share": pytest.approx(4 / 6), "n": 9, "boxes": 9})


def test_scores_are_compared_with_how_often_they_are_right_before_and_after() -> None:
    run = run_of()
    chart = reliability_chart(match_test(run), run.manifest.record, ENGLISH)  # type: ignore[arg-type]
    drawn = Drawn(chart.svg, y_range=(0, 1.02))
    after, before = drawn.marks("series-1"), drawn.marks("series-2")
    assert after[0] == pytest.approx((0.125, 0.0), abs=5e-3)
    assert after[-1] == pytest.approx((0.9375, 1.0), abs=5e-3)
    # Ants' scores are as they were; the bee's of 0.9375 was sigmoid((2.708 - 1) / 2) = 0.7014, and right, as was another.
    assert before[0] == pytest.approx((0.125, 0.0), abs=5e-3)
    assert any(point == pytest.approx((0.7014, 1.0), abs=5e-3) for point in before)
