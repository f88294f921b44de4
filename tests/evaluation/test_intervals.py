"""Wilson's interval and the bootstrap, against published and exact numbers. In: made data. Out: verdicts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.evaluation.intervals import (
    Counts,
    bootstrap,
    group_numbers,
    mean_of_proportions,
    wilson,
)
from tellapart.evaluation.totals import sum_by_group


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17:857-872, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson(successes, trials) == pytest.approx((low, high), abs=5e-5)


def test_wilson_at_the_ends_by_hand() -> None:
    # Of n successes in n trials the low end is n / (n + z^2).
    squared = 1.959963984540054**2
    assert wilson(10, 10) == (pytest.approx(10 / (10 + squared), abs=1e-12), 1.0)
    assert wilson(0, 10) == (0.0, pytest.approx(squared / (10 + squared), abs=1e-12))
    assert wilson(0, 0) == (0.0, 1.0)


def test_a_higher_confidence_is_wider() -> None:
    low, high = wilson(50, 100, confidence=0.99)
    assert low < wilson(50, 100)[0]
    assert high > wilson(50, 100)[1]


def test_groups_are_numbered_and_nameless_ones_stand_alone() -> None:
    assert group_numbers(None, 3).tolist() == [0, 1, 2]
    numbers = group_numbers(["b", "", "a", "b", ""], 5)
    assert numbers[0] == numbers[3]
    assert len(set(numbers.tolist())) == 4
    assert sorted(set(numbers.tolist())) == [0, 1, 2, 3]
    assert group_numbers(np.array([7, 7, -1]), 3).tolist() == [1, 1, 0]
    assert group_numbers(["1", "", "0"], 3).tolist().count(0) == 1


def mean_of(values: NDArray[np.float64], groups: NDArray[np.int64]) -> Callable[[Counts], Mapping[str, NDArray]]:
    rows = np.repeat([0, 1], len(values))
    both = np.concatenate([values, np.ones(len(values))])
    sums = sum_by_group(rows, both, np.concatenate([groups, groups]), (2, int(groups.max()) + 1))

    def statistics(counts: Counts) -> Mapping[str, NDArray]:
        total, count = sums.of(counts)
        return {"mean": total / count}

    return statistics


def test_the_bootstrap_of_a_mean_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(0).normal(size=2000)
    interval = bootstrap(mean_of(values, np.arange(2000)), group_count=2000, seed=1, resamples=4000)["mean"]
    assert interval is not None
    half = 1.96 * values.std() / np.sqrt(2000)
    assert interval == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)


def test_pictures_of_one_group_count_as_one() -> None:
    values = np.random.default_rng(0).normal(size=500)
    single = bootstrap(mean_of(values, np.arange(500)), group_count=500, seed=1)["mean"]
    # Four copies of each picture hold no more knowledge than one.
    copies = bootstrap(mean_of(np.repeat(values, 4), np.repeat(np.arange(500), 4)), group_count=500, seed=1)["mean"]
    ignored = bootstrap(mean_of(np.repeat(values, 4), np.arange(2000)), group_count=2000, seed=1)["mean"]
    assert single is not None
    assert ignored is not None
    assert copies == pytest.approx(single, abs=1e-6)
    assert (ignored[1] - ignored[0]) / (single[1] - single[0]) == pytest.approx(0.5, abs=0.05)


def test_groups_are_drawn_with_replacement_and_equal_chance() -> None:
    seen: list[Counts] = []

    def record(counts: Counts) -> Mapping[str, NDArray]:
        seen.append(counts)
        return {"none": np.full(len(counts), np.nan)}

    # Two groups: of each resample both draws are the first one, or one each, or both the second, by 1 : 2 : 1.
    assert bootstrap(record, group_count=2, seed=0, resamples=20_000) == {"none": None}
    counts = np.concatenate(seen)
    assert counts.shape == (20_000, 2)
    assert (counts.sum(axis=1) == 2).all()
    assert np.bincount(counts[:, 0].astype(int)) / 20_000 == pytest.approx([0.25, 0.5, 0.25], abs=0.015)


def test_blocks_cover_all_resamples_and_a_seed_repeats_them() -> None:
    values = np.random.default_rng(0).random(50_000)
    statistics = mean_of(values, np.arange(50_000))  # more groups than fit one block of 1,000 resamples
    sizes: list[int] = []

    def counted(counts: Counts) -> Mapping[str, NDArray]:
        sizes.append(len(counts))
        return statistics(counts)

    first = bootstrap(counted, group_count=50_000, seed=5, resamples=200)
    assert sum(sizes) == 200
    assert len(sizes) > 1
    assert bootstrap(statistics, group_count=50_000, seed=5, resamples=200) == first
    assert bootstrap(statistics, group_count=50_000, seed=6, resamples=200) != first


def test_resamples_where_a_figure_is_undefined_are_left_out() -> None:
    interval = bootstrap(
        lambda counts: {"share": np.where(counts[:, 0] > 0, counts[:, 1] * 0 + 0.5, np.nan)}, group_count=3, seed=0
    )
    assert interval == {"share": (0.5, 0.5)}


def test_wilson_of_few_trials_by_hand() -> None:
    """1 of 2 at 95 %: z^2 = 3.8415, the middle (0.5 + 0.9604) / 2.9207 = 0.5, half of it 1.96 / 2.9207 x sqrt(0.125 + 0.2401)."""
    assert wilson(1, 2) == pytest.approx((0.5 - 0.405469, 0.5 + 0.405469), abs=1e-5)
    assert wilson(0.5, 1) == pytest.approx((0.054621, 0.945379), abs=1e-5)  # between 0 and 1, as of a mean over groups
    assert wilson(0, 0.5)[1] == pytest.approx(3.841459 / (0.5 + 3.841459), abs=1e-6)
    assert wilson(3, -1) == (0.0, 1.0)
    assert wilson(50, 100, confidence=0.99) == pytest.approx((0.3752, 0.6248), abs=1e-4)


def test_the_mean_of_proportions_by_hand() -> None:
    assert mean_of_proportions([0.3], [20]) == pytest.approx(wilson(6, 20))
    # Of two alike, each end is nearer by the square root of two.
    low, high = wilson(6, 20)
    half = math.sqrt(2) / 2
    assert mean_of_proportions([0.3, 0.3], [20, 20]) == pytest.approx(
        (0.3 - (0.3 - low) * half, 0.3 + (high - 0.3) * half)
    )
    # 9 of 10 and 2 of 5: the limits' squared distances are added, and their root divided by two.
    first, second = wilson(9, 10), wilson(2, 5)
    below = math.hypot(0.9 - first[0], 0.4 - second[0]) / 2
    above = math.hypot(first[1] - 0.9, second[1] - 0.4) / 2
    assert mean_of_proportions([0.9, 0.4], [10, 5]) == pytest.approx((0.65 - below, 0.65 + above))


def test_the_mean_of_proportions_stays_within_its_bounds() -> None:
    assert mean_of_proportions([0.0, 0.0], [3, 3])[0] == 0.0
    assert mean_of_proportions([1.0, 1.0], [3, 3])[1] == 1.0
    low, high = mean_of_proportions([0.01, 0.01, 0.99], [1, 1, 1])
    assert 0 <= low < high <= 1
    assert mean_of_proportions([0.5], [0]) == (0.0, 1.0)
    with pytest.raises(ValueError, match="shorter"):
        mean_of_proportions([0.5, 0.5], [3])


def test_the_ends_are_the_percentiles_of_all_resamples_that_have_a_value() -> None:
    values = np.random.default_rng(3).normal(size=40)
    statistics = mean_of(values, np.arange(40))
    seen: list[NDArray] = []

    def some(counts: Counts) -> Mapping[str, NDArray]:
        found = np.where(counts[:, 0] > 0, statistics(counts)["mean"], np.nan)
        seen.append(found)
        return {"mean": found}

    interval = bootstrap(some, group_count=40, seed=2)["mean"]
    every = np.concatenate(seen)
    assert len(every) == 1000
    assert np.isnan(every).any()
    ordered = np.sort(every[~np.isnan(every)])
    place = 0.025 * (len(ordered) - 1)  # linear between the two nearest
    low = ordered[int(place)] + (place % 1) * (ordered[int(place) + 1] - ordered[int(place)])
    assert interval is not None
    assert interval[0] == pytest.approx(low, rel=1e-6)
    assert interval[1] == pytest.approx(np.nanpercentile(every, 97.5), rel=1e-6)
    assert all(type(end) is float for end in interval)


@pytest.mark.parametrize(
    ("groups", "resamples", "blocks"), [(40_000, 250, [100, 100, 50]), (5, 7, [7]), (9_000_000, 2, [1, 1])]
)
def test_no_block_holds_more_than_four_million_counts(groups: int, resamples: int, blocks: list[int]) -> None:
    sizes: list[tuple[int, ...]] = []

    def shapes(counts: Counts) -> Mapping[str, NDArray]:
        sizes.append(counts.shape)
        assert counts.dtype == np.float32
        return {"sum": counts.sum(axis=1)}

    found = bootstrap(shapes, group_count=groups, seed=0, resamples=resamples)
    assert sizes == [(size, groups) for size in blocks]
    assert found == {"sum": (groups, groups)}


def test_a_picture_without_a_group_is_like_no_other_whatever_the_names() -> None:
    assert len(set(group_numbers(["", "0", "1", ""], 4).tolist())) == 4
    assert group_numbers(np.array(["a", "b", "a"]), 3).tolist() == [0, 1, 0]
    assert group_numbers(["", ""], 2).dtype == group_numbers(None, 2).dtype == np.int64
    assert group_numbers([], 0).shape == (0,)
