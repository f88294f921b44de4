"""The best of many flatters itself, and it is told. In: figures. Out: sentences."""

from __future__ import annotations

from tellapart.bundle import Score
from tellapart.evaluation.optimism import Optimism


def of(validation: float) -> Optimism:
    test = Score(value=0.90, low=0.86, high=0.93)
    return Optimism(validation=validation, test=test, tries=100, n_validation=208)


def test_more_than_chance() -> None:
    found = of(0.955)
    assert found.as_json() == {"value": 0.055, "beyond_chance": True}
    assert found.sentence() == (
        "The best of 100 settings is 5.5 points worse on the test split than on validation, more than chance would make it: it was "
        "chosen by its luck with 208 pictures, too. What to expect is the test's figure."
    )


def test_what_may_be_chance() -> None:
    assert not of(0.92).beyond_chance
    assert of(0.92).sentence() == (
        "The best of 100 settings is 2.0 points worse on the test split than on validation, where it was chosen by its luck, too; "
        "so much may be chance. What to expect is the test's figure."
    )


def test_no_worse() -> None:
    assert of(0.90).sentence() == (
        "The best of 100 settings is no worse on the test split than on validation: choosing it there has not flattered it."
    )
