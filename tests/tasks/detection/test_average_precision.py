"""COCO's figures against pycocotools, and resamples against pictures that are there several times."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.tasks.detection.average_precision import (
    area_under_curve,
    average_precision,
    class_precisions,
    coco_figures,
    precision_at_recalls,
    ranked,
)
from tellapart.tasks.detection.matching import match
from tests.tasks.detection.made_boxes import answered, by_pycocotools, made, true


@pytest.mark.parametrize(
    ("seed", "crowds", "decimals"), [(0, 0.0, 6), (1, 0.1, 2), (2, 0.3, 1), (3, 0.1, 0), (4, 0.5, 2)]
)
def test_all_twelve_figures_are_pycocotools(seed: int, crowds: float, decimals: int) -> None:
    answers, truths = made(seed, crowds=crowds, decimals=decimals)
    figures = coco_figures(match(answers, truths, 3))
    wanted = by_pycocotools(answers, truths, 3).stats
    assert list(figures) == [
        *("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large"),
        *("ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large"),
    ]
    np.testing.assert_allclose(list(figures.values()), wanted, atol=1e-6)


@pytest.mark.parametrize("seed", [5, 6])
def test_every_class_at_every_overlap_is_pycocotools(seed: int) -> None:
    answers, truths = made(seed)
    found = np.stack([class_precisions(one)[:, 0] for one in match(answers, truths, 3)], axis=1)
    wanted = by_pycocotools(answers, truths, 3).eval["precision"][:, :, :, 0, 2].mean(axis=1)  # [T, K]
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_more_answers_than_are_looked_at() -> None:
    _, truths = made(7, pictures=3, classes=1)
    many = [answered(*((*box, score, 0) for box in one.boxes for score in np.linspace(0.1, 0.9, 60))) for one in truths]
    figures = coco_figures(match(many, truths, 1))
    wanted = by_pycocotools(many, truths, 1).stats
    np.testing.assert_allclose(list(figures.values()), np.where(wanted < 0, np.nan, wanted), atol=1e-6)


def test_a_class_without_a_true_box_is_in_no_mean() -> None:
    answers, truths = [answered((0, 0, 50, 50, 0.9, 0), (60, 60, 90, 90, 0.8, 1))], [true((0, 0, 50, 50, 0))]
    figures = coco_figures(match(answers, truths, 2))
    assert figures["ap"] == 1.0
    assert np.isnan(figures["ap_large"])
    assert np.isnan(average_precision(ranked(match(answers, truths, 2)[1]))[0])


def test_nothing_answered_and_nothing_there() -> None:
    assert coco_figures(match([answered()], [true((0, 0, 9, 9, 0))], 1))["ap50"] == 0.0
    assert all(np.isnan(value) for value in coco_figures(match([answered()], [true()], 1)).values())


def test_resamples_are_pictures_that_are_there_several_times() -> None:
    answers, truths = made(8, pictures=12, decimals=9)
    times = np.random.default_rng(0).integers(0, 4, (20, 12))
    times[0] = 0
    found = [class_precisions(one, times) for one in match(answers, truths, 3)]
    assert [one.shape for one in found] == [(10, 20)] * 3
    for resample, row in enumerate(times):
        places = np.repeat(np.arange(12), row)
        again = (
            match([answers[place] for place in places], [truths[place] for place in places], 3) if len(places) else None
        )
        for number, precisions in enumerate(found):
            wanted = np.full(10, np.nan) if again is None else class_precisions(again[number])[:, 0]
            np.testing.assert_allclose(precisions[:, resample], wanted, atol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 7, 50, 99, 100, 101, 300])
def test_a_recall_is_reached_where_the_share_found_is_at_least_that(count: int) -> None:
    """As pycocotools compares, share with share: 7 of 100 reach a recall of 0.07, though 0.07 x 100 is a bit more than 7.

    A box a picture, found by one answer, and another answer that is wrong: every other one of all is right, so that the precision
    falls with each, k of 2 k - 1. Pictures that are there several times change nothing.
    """
    box, beside = (0, 0, 10, 10), (50, 0, 60, 10)
    answers = [
        answered((*box, 1 - place / count, 0), (*beside, 1 - (place + 0.5) / count, 0)) for place in range(count)
    ]
    one = ranked(match(answers, [true((*box, 0))] * count, 1)[0])
    right = np.arange(1, count + 1)
    expected = (right / (2 * right - 1))[np.searchsorted(right / count, np.linspace(0, 1, 101))]
    times = np.array([1, 2, 1, 5, 3])[:, None].repeat(count, axis=1)
    np.testing.assert_allclose(precision_at_recalls(one, times), np.tile(expected, (5, 1)), atol=1e-12)


def test_the_first_overlap_is_one_half_and_all_pictures_count_once() -> None:
    [found] = match([answered((0, 0, 50, 26, 0.9, 0))], [true((0, 0, 50, 50, 0))], 1)
    assert ranked(found).right.tolist() == [True]
    assert ranked(found, overlap=1).right.tolist() == [False]
    assert average_precision(ranked(found)).tolist() == [1.0]


def test_the_area_under_the_curve_by_hand() -> None:
    # Right, wrong, right of three: precision 1, 1/2, 2/3; made falling 1, 2/3, 2/3; recall rises by 1/3 twice.
    answers = [answered((0, 0, 9, 9, 0.9, 0), (50, 50, 59, 59, 0.8, 0), (20, 20, 29, 29, 0.7, 0))]
    truths = [true((0, 0, 9, 9, 0), (20, 20, 29, 29, 0), (70, 70, 79, 79, 0))]
    assert area_under_curve(ranked(match(answers, truths, 1)[0])) == pytest.approx((1 + 2 / 3) / 3)
    assert np.isnan(area_under_curve(ranked(match(answers, [true()], 1)[0])))
    # Right, right, wrong, right of four: 1, 1, 2/3, 3/4; made falling 1, 1, 3/4, 3/4.
    places = [(20.0 * place, 0.0, 20.0 * place + 9, 9.0) for place in range(5)]
    said = answered(*((*place, 0.9 - 0.1 * number, 0) for number, place in enumerate(places[:4])))
    truth = true(*((*places[number], 0) for number in (0, 1, 3, 4)))
    assert area_under_curve(ranked(match([said], [truth], 1)[0])) == pytest.approx((1 + 1 + 3 / 4) / 4)
