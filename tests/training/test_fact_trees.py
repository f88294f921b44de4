"""training/fact_trees.py: planted facts are found, under their kind."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.training.fact_trees import guess_classes

_N = 120


def _labels() -> np.ndarray:
    return np.arange(_N) % 2


def _noise(seed: int) -> list[float]:
    return np.random.default_rng(seed).random(_N).tolist()


@pytest.mark.parametrize(
    "told",
    [
        [1.0 if label else 2.0 for label in _labels()],
        ["a" if label else "b" for label in _labels()],
        [None if label else 5.0 for label in _labels()],  # that a file is silent tells, too
        [None if label else "a" for label in _labels()],
    ],
)
def test_a_fact_that_tells_the_class_is_found_and_named(told: list[object]) -> None:
    kinds = {"size": [_noise(0), _noise(1)], "mode": [told, _noise(2)]}
    guessed = guess_classes(kinds, _labels(), [""] * _N, seed=0)  # type: ignore[arg-type]
    assert (guessed.guesses == _labels()).mean() > 0.97
    assert guessed.drops["mode"] > 0.3
    assert abs(guessed.drops["size"]) < 0.05


def test_no_fact_is_worth_more_than_chance() -> None:
    guessed = guess_classes({"size": [_noise(0)]}, _labels(), [""] * _N, seed=0)
    assert 0.3 < (guessed.guesses == _labels()).mean() < 0.65


def test_a_group_is_not_told_by_its_copies() -> None:
    """A number that only tells the group tells nothing of another group's class."""
    groups = [f"g{row // 4}" for row in range(_N)]
    labels = np.random.default_rng(3).integers(2, size=_N // 4).repeat(4)
    guessed = guess_classes(
        {"date": [[float(hash_) for hash_ in np.arange(_N) // 4 * 37 % 101]]}, labels, groups, seed=0
    )
    assert (guessed.guesses == labels).mean() < 0.75


def test_files_that_are_all_alike_tell_nothing() -> None:
    guessed = guess_classes({"size": [[3.0] * _N], "mode": [["RGB"] * _N]}, _labels(), [""] * _N, seed=0)
    assert guessed.guesses.tolist() == [0] * _N
    assert guessed.drops == {"size": 0.0, "mode": 0.0}


def test_without_shuffles_nothing_is_said_of_kinds() -> None:
    steps: list[int] = []
    told = [float(label) for label in _labels()]
    guessed = guess_classes({"size": [told]}, _labels(), [""] * _N, seed=0, shuffles=0, advance=steps.append)
    assert guessed.drops == {"size": 0.0}
    assert steps == [1] * 5


def test_the_same_seed_gives_the_same() -> None:
    kinds = {"size": [_noise(5)]}
    first, second = (guess_classes(kinds, _labels(), [""] * _N, seed=4) for _ in range(2))
    assert first.guesses.tolist() == second.guesses.tolist()
    assert first.drops == second.drops
