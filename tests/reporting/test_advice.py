"""What to do next. In: figures of a run. Out: advice that fits them."""

from __future__ import annotations

from typing import Any

import pytest

from tellapart.bundle import Score
from tellapart.reporting.advice import MANY_WRONG, advise
from tellapart.reporting.facts import ClassRow, Pair


def row(name: str, recall: float | None, *, test: int = 50, train: int = 300) -> ClassRow:
    figure = None if recall is None else Score(value=recall, low=None, high=None)
    return ClassRow(name=name, train=train, validation=40, test=test, recall=figure, precision=0.9, f1=0.9)


FINE: dict[str, Any] = {
    "accuracy": Score(value=0.95, low=0.93, high=0.97),
    "n_test": 400,
    "n_pictures": 2000,
    "classes": [row("cat", 0.95), row("dog", 0.95)],
    "pairs": [],
    "mistakes": 20,
    "wrong_labels": 0,
    "leaks": 0,
    "two_labels": 0,
    "unreadable": 0,
    "by_files": None,
    "fitted": None,
}


def test_where_nothing_stands_out_there_is_no_advice() -> None:
    assert advise(**FINE) == []


def test_a_wide_interval_asks_for_more_test_pictures() -> None:
    # 14 points wide on 100 pictures: (1.4^2 - 1) x 100 = 96 more make it 10.
    found = advise(**FINE | {"accuracy": Score(value=0.9, low=0.82, high=0.96), "n_test": 100})
    assert found == [("next_test", {"n": 96})]


def test_a_class_that_is_recognised_less_is_named_with_its_figures() -> None:
    classes = [row("cat", 0.97), row("dog", 0.7, train=120), row("fox", None, test=0)]
    found = dict(advise(**FINE | {"classes": classes}))
    assert found["next_class"] == {"label": "dog", "recall": 0.7, "n": 120}
    assert found["next_few"] == {"names": ["fox"]}


def test_a_class_of_few_test_pictures_is_not_called_the_worst() -> None:
    found = dict(advise(**FINE | {"classes": [row("cat", 0.97), row("dog", 0.0, test=2)]}))
    assert list(found) == ["next_few"]


def test_many_small_classes_are_not_all_named() -> None:
    classes = [row(str(number), 0.95, test=3) for number in range(30)]
    assert dict(advise(**FINE | {"classes": classes}))["next_few"] == {"names": ["0", "1", "2", "3", "…"]}


def test_a_pair_that_makes_most_mistakes_is_named_where_there_are_others() -> None:
    pair = Pair(label="cat", predicted="dog", count=9, pictures=[])
    three = [row(name, 0.95) for name in ("cat", "dog", "fox")]
    found = advise(**FINE | {"classes": three, "pairs": [pair]})
    assert found == [("next_pair", {"label": "cat", "predicted": "dog", "n": 9, "mistakes": 20})]
    assert advise(**FINE | {"pairs": [pair]}) == []  # of two classes there is no other pair
    assert advise(**FINE | {"classes": three, "pairs": [pair], "mistakes": 100}) == []


def test_faults_of_the_data_come_first_and_six_are_enough() -> None:
    found = advise(
        accuracy=Score(value=0.8, low=0.7, high=0.9),
        n_test=60,
        n_pictures=900,
        classes=[row("a", 0.9), row("b", 0.5), row("c", 1.0, test=3)],
        pairs=[Pair(label="b", predicted="a", count=9, pictures=[])],
        mistakes=12,
        wrong_labels=4,
        leaks=2,
        two_labels=1,
        unreadable=3,
        by_files=None,
        fitted=(0.99, 0.8),
    )
    assert [key for key, _ in found] == [
        "next_leaks",
        "next_two_labels",
        "next_labels",
        "next_test",
        "next_few",
        "next_class",
    ]


def test_a_network_that_knows_its_training_pictures_better_is_told() -> None:
    assert advise(**FINE | {"fitted": (0.99, 0.9)}) == [("next_overfit", {"train": 0.99, "validation": 0.9})]
    assert advise(**FINE | {"fitted": (0.95, 0.9)}) == []


def test_a_classifier_that_hardly_beats_guessing_is_no_judge_of_labels() -> None:
    weak = {"accuracy": Score(value=0.4, low=0.36, high=0.44), "wrong_labels": 20}
    assert next(key for key, _ in advise(**FINE | weak)) == "next_weak"
    assert "next_labels" not in dict(advise(**FINE | weak))
    assert "next_labels" in dict(advise(**FINE | {"wrong_labels": 20}))
    assert "next_labels" not in dict(advise(**FINE | {"wrong_labels": 400}))  # one in five: rather a weak classifier


def test_an_interval_of_ten_points_is_narrow_enough() -> None:
    # 0 to 10 %: the low end is there, and it is nought.
    exactly = {"accuracy": Score(value=0.05, low=0.0, high=0.1), "n_test": 100}
    assert "next_test" not in dict(advise(**FINE | exactly))
    # 20 points wide: four times as many pictures, which is three times as many more, make it 10.
    assert ("next_test", {"n": 300}) in advise(
        **FINE | {"accuracy": Score(value=0.05, low=0.0, high=0.2), "n_test": 100}
    )
    # From 40 to 100 %, 60 points wide: 35 times as many more.
    assert ("next_test", {"n": 70}) in advise(**FINE | {"accuracy": Score(value=0.9, low=0.4, high=1.0), "n_test": 2})


@pytest.mark.parametrize(
    ("n_test", "more"),
    # 14 points wide: 0.96 of the test pictures more, of which people read two digits: 49.92, 99.84, 191.04, 1190.4, 12000.
    [(52, 50), (104, 100), (199, 200), (1240, 1200), (12500, 12000), (12501, 13000)],
)
def test_how_many_more_is_rounded_up_to_two_digits(n_test: int, more: int) -> None:
    wide = {"accuracy": Score(value=0.9, low=0.82, high=0.96), "n_test": n_test}
    assert advise(**FINE | wide) == [("next_test", {"n": more})]


def test_without_an_interval_nothing_is_said_of_its_width() -> None:
    for low, high in ((None, None), (0.94, None), (None, 0.96)):
        assert advise(**FINE | {"accuracy": Score(value=0.95, low=low, high=high)}) == []


def test_from_ten_test_pictures_on_a_class_is_judged() -> None:
    found = advise(**FINE | {"classes": [row("cat", 0.97), row("dog", 0.7, test=10, train=120)]})
    assert found == [("next_class", {"label": "dog", "recall": 0.7, "n": 120})]
    found = advise(**FINE | {"classes": [row("cat", 0.97), row("dog", 0.7, test=9, train=120)]})
    assert found == [("next_few", {"names": ["dog"]})]


def test_four_small_classes_are_all_named() -> None:
    classes = [row(str(number), 0.95, test=3) for number in range(4)]
    assert advise(**FINE | {"classes": classes}) == [("next_few", {"names": ["0", "1", "2", "3"]})]


def test_a_class_is_named_when_it_is_more_than_five_points_below_the_accuracy() -> None:
    perfect = {"accuracy": Score(value=1.0, low=0.99, high=1.0)}
    assert advise(**FINE | perfect | {"classes": [row("cat", 1.0), row("dog", 0.95)]}) == []
    found = advise(**FINE | perfect | {"classes": [row("cat", 1.0), row("dog", 0.949)]})
    assert [key for key, _ in found] == ["next_class"]


def test_of_equally_bad_classes_the_first_by_name_is_named() -> None:
    classes = [row("fox", 0.7), row("emu", 0.8), row("dog", 0.7), row("cat", 0.97)]
    assert dict(advise(**FINE | {"classes": classes}))["next_class"]["label"] == "dog"


def test_a_class_without_a_recall_is_not_the_worst() -> None:
    classes = [row("cat", None, test=50), row("dog", 0.7, train=120)]
    assert advise(**FINE | {"classes": classes}) == [("next_class", {"label": "dog", "recall": 0.7, "n": 120})]
    assert advise(**FINE | {"classes": classes[:1]}) == []


@pytest.mark.parametrize(
    ("count", "mistakes", "named"), [(4, 20, True), (3, 20, False), (2, 10, True), (2, 11, False), (1, 1, False)]
)
def test_a_pair_is_named_from_two_mistakes_and_a_fifth_of_all_on(count: int, mistakes: int, named: bool) -> None:
    pairs = [Pair(label="cat", predicted="dog", count=number, pictures=[]) for number in (count, 1)]
    three = [row(name, 0.95) for name in ("cat", "dog", "fox")]
    found = advise(**FINE | {"classes": three, "pairs": pairs, "mistakes": mistakes})
    assert dict(found).get("next_pair", {}).get("n") == (count if named else None)


def test_what_is_said_last_is_said_with_its_figures() -> None:
    found = advise(**FINE | {"fitted": (0.99, 0.9), "unreadable": 3, "leaks": 2, "two_labels": 1, "wrong_labels": 5})
    assert found == [
        ("next_leaks", {"n": 2}),
        ("next_two_labels", {"n": 1}),
        ("next_labels", {"n": 5}),
        ("next_overfit", {"train": 0.99, "validation": 0.9}),
        ("next_unreadable", {"n": 3}),
    ]


def test_eight_points_between_training_and_validation_are_no_overfitting() -> None:
    assert advise(**FINE | {"fitted": (0.08, 0.0)}) == []
    assert [key for key, _ in advise(**FINE | {"fitted": (0.081, 0.0)})] == ["next_overfit"]


def test_from_sixty_per_cent_on_a_classifier_may_judge_labels() -> None:
    doubted = {"wrong_labels": 20, "leaks": 1, "classes": [row("cat", 0.6), row("dog", 0.6)]}
    found = advise(**FINE | doubted | {"accuracy": Score(value=0.6, low=0.56, high=0.64)})
    assert [key for key, _ in found] == ["next_leaks", "next_labels"]
    found = advise(**FINE | doubted | {"accuracy": Score(value=0.599, low=0.56, high=0.64)})
    assert found == [("next_weak", {"accuracy": 0.599}), ("next_leaks", {"n": 1})]


def test_fifteen_in_a_hundred_labels_may_be_wrong() -> None:
    assert advise(**FINE | {"wrong_labels": 3, "n_pictures": 20}) == [("next_labels", {"n": 3})]
    assert advise(**FINE | {"wrong_labels": 3, "n_pictures": 19}) == []
    assert MANY_WRONG == 0.15


def test_a_shortcut_of_the_files_comes_before_labels() -> None:
    found = advise(**FINE | {"by_files": 0.81, "wrong_labels": 3})
    assert [key for key, _ in found] == ["next_shortcut", "next_labels"]
    assert found[0][1] == {"share": 0.81}
