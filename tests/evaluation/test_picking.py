"""Which network is worth its cost. In: scores picture by picture. Out: the cheapest within one standard error of the best."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.evaluation.picking import PickedNetwork, clustered_error, pick_network

COSTS = {"small": 5.0, "middle": 10.0, "large": 20.0}


def picked(right: dict[str, int], *, n: int = 100, apart: bool = False) -> PickedNetwork:
    """Networks that get so many of n pictures; the right ones of one are among those of a better one, or `apart` from them."""
    scores = {}
    for name, count in right.items():
        scores[name] = (np.arange(n) < count).astype(float)
        if apart and name == "small":
            scores[name] = scores[name][::-1].copy()
    costs = {name: COSTS[name] for name in right}
    return pick_network(scores, costs, costs, groups=np.arange(n), figure="accuracy", skipped={"far": "no hub"})


def test_the_standard_error_of_the_difference_is_worked_by_hand() -> None:
    # 4 of 100 pictures differ: mean 0.04, sum of squares 4 x 0.96^2 + 96 x 0.04^2 = 3.84, x 100 / 99, root, / 100.
    found = picked({"small": 90, "large": 94})
    small = found.networks[0]
    assert small.behind == pytest.approx(0.04)
    assert small.error == pytest.approx(np.sqrt(3.84 * 100 / 99) / 100)
    assert (found.picked, found.best) == ("large", "large")  # 0.04 is more than 0.0197


def test_the_cheapest_within_one_standard_error_is_taken() -> None:
    assert picked({"small": 90, "middle": 91, "large": 91}).picked == "small"  # 0.01 behind, error 0.01
    found = picked({"small": 88, "middle": 93, "large": 94})
    assert (found.picked, found.best) == ("middle", "large")
    assert [one.name for one in found.networks] == ["small", "middle", "large"]
    # As far behind, but right about other pictures: chance makes more of that.
    assert picked({"small": 86, "large": 89}).picked == "large"
    assert picked({"small": 86, "large": 89}, apart=True).picked == "small"


def test_copies_count_together() -> None:
    values = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    alone = clustered_error(values, np.arange(8))
    assert alone == pytest.approx(values.std(ddof=1) / np.sqrt(8))
    # Pairs of copies: four pictures.
    assert clustered_error(values, np.arange(8) // 2) == pytest.approx(np.std([1, 1, 0, 0], ddof=1) / 2)
    assert clustered_error(values, np.zeros(8, dtype=int)) == 0.0


def test_intervals_are_wilsons() -> None:
    from tellapart.evaluation.intervals import wilson

    whole = picked({"small": 100}).networks[0]
    assert (whole.low, whole.high) == wilson(100, 100)
    part = picked({"small": 90}).networks[0]
    assert (part.low, part.high) == pytest.approx(wilson(90, 100), abs=2e-3)


def test_why_is_said() -> None:
    assert picked({"small": 90, "large": 94}).reason == (
        "Took large: none has a higher accuracy, 94.0 % by cross-validation over 100 training pictures, and no cheaper network "
        "comes within one standard error of it (20.0 ms a picture)."
    )
    assert picked({"small": 90, "large": 91}).reason == (
        "Took small: 5.0 ms a picture instead of the 20.0 of large, and within one standard error of it (accuracy 90.0 % against "
        "91.0 % by cross-validation over 100 training pictures; the difference is 1.0 ± 1.0 points)."
    )
    assert picked({"small": 90, "large": 91}).as_json()["skipped"] == {"far": "no hub"}
