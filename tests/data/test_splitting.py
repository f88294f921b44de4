"""Splits as they were told. In: made-up pictures. Out: shares, a test out of validation, parts of a data set, sentences."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tellapart.data.dataset import gather
from tellapart.data.examples import Entry, Listing, Split
from tellapart.data.split import assign_splits
from tellapart.data.splitting import SplitTerms, limited, told_split, told_test
from tellapart.data.stratify import assign_label_sets
from tellapart.data.stratify_masks import assign_masks
from tellapart.data.targets import ClassName
from tellapart.errors import DataError
from tests.data.test_dataset import examined


def split(given: list[Split | None], terms: SplitTerms, seed: int = 0) -> list[Split]:
    count = len(given)
    return told_split(assign_splits, terms)(
        targets=[ClassName("ab"[row % 2]) for row in range(count)],
        content_hashes=[f"{row:032}" for row in range(count)],
        groups=[str(row) for row in range(count)],
        given=given,
        seed=seed,
        added=(),
    )


def test_shares_are_those_that_were_told() -> None:
    found = Counter(split([None] * 200, SplitTerms(shares=(0.8, 0.1, 0.1))))
    assert found == {"train": 160, "validation": 20, "test": 20}


def test_a_share_of_validation_is_of_what_is_train() -> None:
    assert Counter(split([None] * 200, SplitTerms(validation=0.05))) == {"train": 152, "validation": 8, "test": 40}
    given: list[Split | None] = ["train"] * 200 + ["test"] * 20
    assert Counter(split(given, SplitTerms(validation=0.05))) == {"train": 190, "validation": 10, "test": 20}


def test_a_fifth_of_the_validation_split_becomes_the_test() -> None:
    given: list[Split | None] = ["train"] * 100 + ["validation"] * 50
    found = split(given, SplitTerms(test_from="validation"))
    assert found[:100] == ["train"] * 100
    assert Counter(found[100:]) == {"validation": 40, "test": 10}
    assert Counter(row % 2 for row in range(150) if found[row] == "test") == {0: 5, 1: 5}  # class by class


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["train"] * 20, "and no picture was given as validation. Leave it out"),
        (["train"] * 20 + ["validation"] * 4 + ["test"] * 4, "and there is a test split already. Leave it out"),
    ],
)
def test_without_such_a_split_it_is_refused(given: list[Split | None], words: str) -> None:
    with pytest.raises(DataError, match=words):
        split(given, SplitTerms(test_from="validation"))


def test_a_seed_of_its_own_moves_the_split_alone() -> None:
    one, other = (split([None] * 100, SplitTerms(seed=seed), seed=0) for seed in (0, 1))
    assert one == split([None] * 100, SplitTerms()) != other
    assert split([None] * 100, SplitTerms(seed=1), seed=7) == other


def test_nothing_told_is_the_split_itself() -> None:
    for assign in (assign_splits, assign_label_sets, assign_masks):
        assert told_split(assign, SplitTerms()) is assign


def listing(count: int) -> Listing:
    entries = tuple(
        Entry(path=Path(f"data/{row}.png"), target=ClassName("a" if row % 10 else "rare"), split=None)
        for row in range(count)
    )
    return Listing(source=Path("data"), entries=entries, classes=("a", "rare"))


def test_a_part_has_every_class_by_its_share_and_is_told() -> None:
    part = limited(listing(100), 20, seed=0)
    assert Counter(entry.target.text for entry in part.entries) == {"a": 18, "rare": 3}  # three at least
    assert part.notes == ("Of 100 pictures 21 are looked at, drawn at random (seed 0).",)
    assert list(part.entries) == [entry for entry in listing(100).entries if entry in part.entries]
    assert limited(listing(100), 20, seed=0) == part
    assert limited(listing(100), 20, seed=1).entries != part.entries
    assert limited(listing(100), 100, seed=0) == listing(100)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "Test: 20 of 100 pictures, drawn with seed 3, copies kept together."),
        ("train", ""),
    ],
)
def test_where_the_test_came_from_is_told(given: Split | None, words: str) -> None:
    found = examined([ClassName("ab"[row % 2]) for row in range(100)], given=given)
    dataset = gather(found, seed=3)
    assert told_test(found.listing, dataset.examples, SplitTerms(), 3) == words


def test_a_test_that_was_given_or_taken_from_validation_is_told_too() -> None:
    for parts, terms, words in (
        ({"validation": 20, "test": 10}, SplitTerms(), "Test: your own test split, 10 pictures."),
        (
            {"validation": 30},
            SplitTerms(test_from="validation"),
            "Test: 6 of the 30 pictures given as validation, drawn with seed 0.",
        ),
    ):
        found = examined([ClassName("ab"[row % 2]) for row in range(100)], given="train")
        entries, first = list(found.listing.entries), 0
        for name, count in parts.items():
            for row in range(first, first + count):
                entries[row] = Entry(path=entries[row].path, target=entries[row].target, split=name)  # type: ignore[arg-type]
            first += count
        object.__setattr__(found.listing, "entries", tuple(entries))
        dataset = gather(found, seed=0, split=told_split(assign_splits, terms))
        assert told_test(found.listing, dataset.examples, terms, 0) == words
