"""Splits that were given, and what became of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.data.carved import tell_carved
from tellapart.data.examples import Entry, Example, Listing, Split
from tellapart.data.targets import ClassName


@pytest.mark.parametrize(
    ("given", "got", "said"),
    [
        (
            ["train"] * 4,
            ["train", "test", "validation", "test"],
            "1 became the validation split and 2 became the test split",
        ),
        (
            ["train", "train", "validation"],
            ["train", "test", "validation"],
            "Of the 2 pictures given as train, 1 became the test",
        ),
        (["train", "test", "validation"], ["train", "test", "validation"], ""),
        (["train", "train"], ["train", None], ""),
        ([None, None], ["train", "test"], ""),
    ],
)
def test_pictures_that_went_elsewhere_are_counted(
    given: list[Split | None], got: list[Split | None], said: str
) -> None:
    cat = ClassName("cat")
    entries = tuple(Entry(path=Path(str(place)), target=cat, split=split) for place, split in enumerate(given))
    examples = [
        Example(path=entry.path, target=cat, split=split, group="", content_hash="", width=1, height=1)
        for entry, split in zip(entries, got, strict=True)
    ]
    told = tell_carved(Listing(source=Path("x"), entries=entries, classes=("cat",)), examples)
    assert said in told
    assert bool(said) == bool(told)
