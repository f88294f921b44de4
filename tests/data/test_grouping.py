"""Groups of pictures for a split, by hand. In: targets, hashes, groups, given splits. Out: groups, shares, or a sentence."""

from __future__ import annotations

import hashlib

import pytest

from tellapart.data.examples import Split
from tellapart.data.grouping import groups_to_split, let_join, shares_to_carve
from tellapart.data.targets import ClassNames
from tellapart.errors import DataError

FRACTIONS: dict[Split, float] = {"train": 0.7, "validation": 0.1, "test": 0.2}


def test_groups_are_ranked_by_their_smallest_content() -> None:
    targets = [ClassNames.read(text) for text in ("a|b", "c", "a", "b", "")]
    given: list[Split | None] = [None, "train", None, "test", None]
    found = groups_to_split(range(4), targets, ["5", "2", "9", "1", "0"], ["g", "h", "g", "h", "h"], given, 7)
    ranks = {content: hashlib.sha256(f"7:{content}".encode()).hexdigest() for content in "52"}
    expected = sorted(
        [(ranks["5"], (0, 2), frozenset("ab"), False), (ranks["2"], (1,), frozenset("c"), True)]  # h is tested on, too
    )
    assert [(group.rank, group.indices, group.labels, group.pinned) for group in found] == expected


@pytest.mark.parametrize(
    ("given", "shares"),
    [
        ([None, None], {"test": 0.2, "validation": 0.1}),
        (["train", None, "test"], {"validation": 0.125}),
        (["train", "validation"], {"test": 2 / 9}),
        (["train", "validation", "test"], {}),
    ],
)
def test_what_was_given_to_nobody_is_carved(given: list[Split | None], shares: dict[Split, float]) -> None:
    assert shares_to_carve(given, FRACTIONS) == pytest.approx(shares)


def test_without_train_there_is_nothing_to_carve_from() -> None:
    with pytest.raises(
        DataError, match="what was given is only for 'validation', none of it for 'train'; training needs some"
    ):
        shares_to_carve(["validation"], FRACTIONS)


def test_what_was_added_joins_its_group() -> None:
    splits: list[Split] = ["test", "train", "train", "train", "train"]
    let_join(splits, [0, 1], ["g", "h", "g", "h", "new"])
    assert splits == ["test", "train", "test", "train", "train"]
