"""What to do next. In: figures of a run. Out: advice that fits them."""

from __future__ import annotations

from typing import Any

from tellapart.bundle import Score
from tellapart.reporting.advice import advise
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
