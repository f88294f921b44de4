"""The kinds of error, one at a time and by hand."""

from __future__ import annotations

import math

import pytest

from tellapart.tasks.detection.average_precision import average_precision, ranked
from tellapart.tasks.detection.error_kinds import KINDS, error_kinds
from tellapart.tasks.detection.matching import TrueBoxes, match
from tests.tasks.detection.made_boxes import Answer, answered, made, true

A, B, FAR = (0, 0, 10, 10), (100, 0, 110, 10), (300, 0, 310, 10)
SHIFTED = (5, 0, 15, 10)  # a third of it is A


def kinds(answers: list[Answer], truths: list[TrueBoxes], classes: int = 2) -> dict[str, tuple[int, float]]:
    found = error_kinds(answers, truths, match(answers, truths, classes))
    assert tuple(found) == KINDS
    return {kind: (int(one["number"]), one["lost"]) for kind, one in found.items() if one["number"] or one["lost"]}


def test_nothing_is_wrong() -> None:
    assert kinds([answered((*A, 0.9, 0))], [true((*A, 0))]) == {}


def test_off_its_place() -> None:
    assert kinds([answered((*SHIFTED, 0.9, 0))], [true((*A, 0))]) == {"place": (1, 1.0)}


def test_another_class() -> None:
    # Class 0 gains all; class 1, whose box is found, loses by the wrong answer before it: 1/2 becomes 1.
    found = kinds([answered((*A, 0.9, 1), (*B, 0.8, 1))], [true((*A, 0), (*B, 1))])
    assert found == {"class": (1, pytest.approx((1 + 0.5) / 2))}


def test_a_copy() -> None:
    said = answered((*A, 0.9, 0), (*A, 0.8, 0), (*B, 0.7, 0))
    found = kinds([said], [true((*A, 0), (*B, 0))])
    # Precision 1, 1/2, 2/3 by recall 1/2, 1/2, 1: 51 recalls at 1 and 50 at 2/3.
    assert found == {"copy": (1, pytest.approx(1 - (51 + 50 * 2 / 3) / 101))}


def test_background_and_missed() -> None:
    found = kinds([answered((*FAR, 0.9, 0), (*A, 0.8, 0))], [true((*A, 0), (*B, 0))])
    assert found == {
        "background": (1, pytest.approx((51 - 51 / 2) / 101)),
        "missed": (1, pytest.approx(0.5 - 51 / 2 / 101)),
    }


def test_off_its_place_and_another_class() -> None:
    assert kinds([answered((*SHIFTED, 0.9, 1))], [true((*A, 0))])["both"] == (1, 0.0)
    assert kinds([answered((*SHIFTED, 0.9, 1))], [true((*A, 0))])["missed"] == (1, 1.0)


def test_of_several_for_one_box_the_surest_is_put_right() -> None:
    said = answered((*SHIFTED, 0.9, 0), (4, 0, 14, 10, 0.8, 0))
    assert kinds([said], [true((*A, 0))]) == {"place": (2, 1.0)}


def test_an_error_beside_a_box_that_is_found_is_only_taken_away() -> None:
    said = answered((*SHIFTED, 0.9, 0), (*A, 0.8, 0))
    assert kinds([said], [true((*A, 0))]) == {"place": (1, 0.5)}
    # It does not stand for the second box, which stays missed: half of the recalls are reached, and no more.
    assert kinds([said], [true((*A, 0), (*B, 0))]) == {
        "place": (1, pytest.approx((51 - 51 / 2) / 101)),
        "missed": (1, pytest.approx(0.5 - 51 / 2 / 101)),
    }


def test_difficult_boxes_are_neither_missed_nor_confused() -> None:
    truth = true((*A, 0), (*B, 0), difficult=[0])
    assert kinds([answered((*B, 0.9, 0), (*A, 0.95, 0))], [truth]) == {}
    assert kinds([answered((*B, 0.9, 0), (*SHIFTED, 0.1, 0))], [truth]) == {"background": (1, 0.0)}


def test_an_error_stands_for_a_box_of_its_own_picture() -> None:
    """For the second box of the second picture; a copy stands for none, and not for the one beside it or the one before."""
    truths = [true((*A, 0), (*FAR, 0)), true((*A, 0), (*B, 0))]
    off = answered((105, 0, 115, 10, 0.9, 0), (*A, 0.8, 0))
    found = kinds([answered((*A, 0.7, 0)), off], truths)
    assert (found["place"][0], found["missed"][0]) == (1, 1)
    # Put right it is the surest of three that are right, of four boxes; before, the two below it are of precision 1/2 and 2/3.
    assert found["place"][1] == pytest.approx((76 - 51 * 2 / 3) / 101)
    copies = answered((*A, 0.9, 0), (*A, 0.8, 0))
    assert kinds([answered((*A, 0.7, 0)), copies], truths)["missed"][0] == 2


def test_two_errors_for_one_box_find_it_once() -> None:
    said = answered((*SHIFTED, 0.9, 0), (4, 0, 14, 10, 0.8, 0))
    found = kinds([said], [true((*A, 0), (*B, 0))])
    assert found["place"] == (2, pytest.approx(51 / 101))


def test_a_class_of_which_all_is_missed_and_nothing_answered_gains_all() -> None:
    assert kinds([answered((*A, 0.9, 0))], [true((*A, 0), (*B, 1))]) == {"missed": (1, 0.5)}


def test_without_a_true_box_nothing_is_lost() -> None:
    found = error_kinds([answered((*A, 0.9, 0))], [true()], match([answered((*A, 0.9, 0))], [true()], 1))
    assert {kind: one["number"] for kind, one in found.items() if one["number"]} == {"background": 1}
    assert all(math.isnan(one["lost"]) for one in found.values())


@pytest.mark.parametrize(
    ("box", "label", "kind"),
    [
        ((0, 0, 10, 5), 1, "class"),  # half of A
        ((0, 0, 10, 4.99), 1, "both"),
        ((0, 0, 10, 1), 0, "place"),  # a tenth of A
        ((0, 0, 10, 0.99), 0, "background"),
        ((0, 0, 10, 1), 1, "background"),
        ((0, 0, 10, 1.01), 1, "both"),
    ],
)
def test_from_which_overlap_on_an_error_is_of_a_kind(
    box: tuple[float, float, float, float], label: int, kind: str
) -> None:
    found = kinds([answered((*box, 0.9, label))], [true((*A, 0))])
    assert {name for name, (number, _) in found.items() if number} - {"missed"} == {kind}
    # Half of a box that is found is a copy.
    assert kinds([answered((*A, 0.9, 0), (0, 0, 10, 5, 0.8, 0))], [true((*A, 0))])["copy"][0] == 1


def test_what_finds_a_difficult_box_by_half_is_no_error() -> None:
    said = answered((0, 0, 50, 26, 0.9, 0), (100, 0, 110, 10, 0.8, 0))
    assert kinds([said], [true((0, 0, 50, 50, 0), (*B, 0), difficult=[0])]) == {}


@pytest.mark.parametrize("seed", range(4))
def test_every_error_has_one_kind(seed: int) -> None:
    answers, truths = made(seed, crowds=0.0)
    matches = match(answers, truths, 3)
    found = error_kinds(answers, truths, matches)
    wrong = sum(int((~one.right).sum()) for one in map(ranked, matches))
    assert sum(int(found[kind]["number"]) for kind in KINDS if kind != "missed") == wrong
    assert all(found[kind]["lost"] >= 0 for kind in KINDS)
    before = sum(float(average_precision(ranked(one))[0]) for one in matches) / 3
    assert all(before + found[kind]["lost"] <= 1 for kind in KINDS)
