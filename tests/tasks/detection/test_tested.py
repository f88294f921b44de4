"""A run's test split, matched again. In: a run made by hand. Out: what was told, found, missed."""

from __future__ import annotations

import pytest

from tellapart.data.targets import Box
from tellapart.tasks.detection.tested import MissedBox, match_test

from .made_run import HEIGHT, PAGES, WIDTH, A, B, C, run_of


def test_what_is_told_is_at_its_class_s_threshold_or_above() -> None:
    tested = match_test(run_of())
    # The bird's 0.25 is under 0.5, the bee's 0.375 above 0.25.
    assert tested.told(0).tolist() == [True, True, True, False]
    assert tested.found(0).tolist() == [True, True, False]
    assert tested.told(2).tolist() == [False]
    assert tested.found(2).tolist() == []
    assert match_test(run_of([((Box("ant", *A),), (("ant", 0.5, *A),))])).told(0).tolist() == [True]


def test_false_boxes_come_with_their_kind_the_surest_first() -> None:
    false = match_test(run_of()).false()
    assert [(one.picture, one.kind, one.box, one.score) for one in false] == [
        (1, "class", 0, 0.875),
        (1, "background", -1, 0.75),
        (1, "place", 1, 0.5),
        (0, "copy", -1, 0.375),
    ]
    assert [one.overlap for one in false] == pytest.approx([1.0, 0.0, 40 * 80 / (80 * 120), 0.0])


def test_missed_boxes_come_with_what_was_nearly_told_the_largest_first() -> None:
    missed = match_test(run_of()).missed()
    area = WIDTH * HEIGHT
    assert missed == [
        MissedBox(picture=3, box=0, share=188 * 148 / area, best=None),
        MissedBox(picture=1, box=1, share=80 * 120 / area, best=None),  # what was told of it is too far off
        MissedBox(picture=1, box=0, share=40 * 50 / area, best=None),  # what was told of it is of another class
        MissedBox(picture=0, box=2, share=30 * 30 / area, best=0.25),
    ]


def test_what_counts_neither_way_is_neither_false_nor_missed() -> None:
    difficult = (Box("ant", *A, difficult=True), Box("bee", *B, crowd=True))
    assert match_test(run_of([(difficult, ()), PAGES[5]])).missed() == []
    inside = (("ant", 0.9, *A), ("bee", 0.8, 100, 20, 140, 60), ("bee", 0.7, 140, 60, 180, 140))
    assert match_test(run_of([(difficult, inside), PAGES[5]])).false() == []


def test_a_missed_box_is_not_told_by_an_answer_of_another_class() -> None:
    (one,) = match_test(run_of([((Box("鸟", *C),), (("ant", 0.4, *C),))])).missed()
    assert one.best is None
