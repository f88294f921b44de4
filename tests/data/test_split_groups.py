"""Which pictures go where, to the picture: ranks worked by hand, groups of several classes. In: made pictures. Out: splits."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence

import pytest

from tellapart.data.examples import SPLITS, Split
from tellapart.data.grouping import check_train
from tellapart.data.split import assign_splits
from tellapart.data.targets import ClassName
from tellapart.errors import DataError

Group = tuple[str, dict[str, int]]  # its name, and how many pictures of each class


def split(
    groups: Sequence[Group],
    *,
    seed: int = 0,
    fractions: tuple[float, float, float] = (0.7, 0.1, 0.2),
    tested: Sequence[str] = (),
) -> dict[str, Split]:
    """The split of each group. One more picture of each group in `tested` was given as test, and of a group of its own."""
    rows = [(name, label) for name, members in groups for label, count in members.items() for _ in range(count)]
    given: list[Split | None] = [None] * len(rows)
    rows += [(name, next(iter(dict(groups)[name]))) for name in tested]
    given += ["test"] * len(tested)
    hashes = [hashlib.sha256(f"{name}/{label}/{at}".encode()).hexdigest() for at, (name, label) in enumerate(rows)]
    found = assign_splits(
        targets=[ClassName(label) for _, label in rows],
        content_hashes=hashes,
        groups=[name for name, _ in rows],
        given=given,
        seed=seed,
        fractions=fractions,
    )
    own = list(zip(rows, found, given, strict=True))
    splits = {(name, one) for (name, _), one, from_user in own if from_user is None}
    assert len(splits) == len(groups), "a group was torn apart"
    assert all(one == from_user for _, one, from_user in own if from_user is not None)
    return dict(splits)


def named(classes: str) -> list[ClassName]:
    return [ClassName(name) for name in classes]


def alone(label: str, count: int, size: int = 1) -> list[Group]:
    return [(f"{label} {number}", {label: size}) for number in range(count)]


@pytest.mark.parametrize("seed", [0, 7])
def test_the_front_is_tested_and_the_end_validates(seed: int) -> None:
    """The rank is SHA-256 of "seed:content hash"; of each class the first fifth is for test, the last tenth for validation."""
    labels = ["cat", "dog"] * 20
    hashes = [hashlib.md5(str(number).encode()).hexdigest() for number in range(40)]
    found = assign_splits(
        targets=[ClassName(label) for label in labels],
        content_hashes=hashes,
        groups=hashes,
        given=[None] * 40,
        seed=seed,
    )
    for label in ("cat", "dog"):
        own = [number for number in range(40) if labels[number] == label]
        own.sort(key=lambda number: hashlib.sha256(f"{seed}:{hashes[number]}".encode()).hexdigest())
        assert [found[number] for number in own] == ["test"] * 4 + ["train"] * 14 + ["validation"] * 2


def test_the_smallest_hash_of_a_group_ranks_it() -> None:
    hashes = [hashlib.md5(str(number).encode()).hexdigest() for number in range(30)]
    groups = [str(number // 3) for number in range(30)]
    found = assign_splits(
        targets=[ClassName("cat")] * 30, content_hashes=hashes, groups=groups, given=[None] * 30, seed=1
    )
    ranks = {
        group: hashlib.sha256(f"1:{min(hashes[3 * int(group) : 3 * int(group) + 3])}".encode()).hexdigest()
        for group in set(groups)
    }
    order = sorted(ranks, key=lambda group: ranks[group])
    assert [found[3 * int(group)] for group in order] == ["test"] * 2 + ["train"] * 7 + ["validation"]


@pytest.mark.parametrize("seed", range(8))
def test_a_group_counts_for_the_rarest_of_its_classes(seed: int) -> None:
    """Ten groups of both, ninety of the common one alone: the rare one is shared out as if it stood alone."""
    both: list[Group] = [(f"both {number}", {"a common one": 1, "z": 1}) for number in range(10)]
    found = split([*both, *alone("a common one", 90)], seed=seed)
    assert sorted(found[name] for name, _ in both) == ["test"] * 2 + ["train"] * 7 + ["validation"]


def test_every_split_still_to_come_and_train_keep_a_group() -> None:
    for fractions, expected in (((0.1, 0.1, 0.8), (1, 1, 2)), ((0.1, 0.8, 0.1), (1, 2, 1))):
        found = list(split(alone("cat", 4), fractions=fractions).values())
        assert tuple(found.count(one) for one in SPLITS) == expected


@pytest.mark.parametrize("seed", range(6))
def test_a_group_that_comes_no_nearer_is_left_out(seed: int) -> None:
    """A fifth of five pictures is one: a group of two is as far from it as none."""
    found = split([("two", {"cat": 2}), *alone("cat", 3)], seed=seed)
    assert sorted(found.values()) == ["test", "train", "train", "validation"]
    assert found["two"] == "train"


def test_where_a_given_test_keeps_a_group_in_train_all_others_may_go() -> None:
    """Two free groups, and one that also has a picture in the given test: the two are two thirds of three."""
    found = split([*alone("cat", 3)], fractions=(0.2, 0.4, 0.4), tested=["cat 1"])
    assert found == {"cat 0": "validation", "cat 1": "train", "cat 2": "validation"}


def test_fractions_are_added_up_with_some_tolerance() -> None:
    assert len(split(alone("cat", 5), fractions=(0.7, 0.1, 0.2000005))) == 5
    with pytest.raises(ValueError, match="longer"):
        split(alone("cat", 5), fractions=(0.25, 0.25, 0.25, 0.25))


# --- a class that only groups of several classes hold -----------------------------------------------------------------


def shared(**beside: tuple[int, int]) -> list[Group]:
    """Class c is only in groups with one other class each: (its pictures there, the other's small groups beside it)."""
    mixed: list[Group] = [(f"c {other}", {other: 1, "c": size}) for other, (size, _) in beside.items()]
    return mixed + [group for other, (_, count) in beside.items() for group in alone(other, count)]


def test_a_class_that_reached_no_split_is_given_its_smallest_groups() -> None:
    """All three are too large to be carved; the smallest goes to test, the next to validation, and the largest trains."""
    found = split(shared(x=(14, 10), y=(10, 10), z=(12, 10)))
    assert (found["c y"], found["c z"], found["c x"]) == ("test", "validation", "train")


def test_a_group_that_another_class_trains_on_is_not_taken() -> None:
    """Both small groups of y are in test and in validation, so the one with c must train. Of z one more trains, which will do."""
    found = split(shared(x=(14, 10), y=(10, 2), z=(12, 7), w=(16, 10)))
    assert [found[f"z {number}"] for number in range(7)].count("train") == 1
    assert (found["c y"], found["c z"], found["c x"], found["c w"]) == ("train", "test", "validation", "train")
    for label in "xyzw":
        assert {found[name] for name in found if name.startswith(label) or name == f"c {label}"} == set(SPLITS)


def test_where_none_can_be_spared_the_class_is_named() -> None:
    with pytest.raises(DataError) as caught:
        split(shared(x=(14, 2), y=(10, 2), z=(12, 2)))
    assert str(caught.value) == (
        "class 'c' cannot be in test and in train at once, since pictures of one group stay together and its groups are needed "
        "elsewhere. Add pictures of other groups, or remove the class."
    )


def test_a_group_with_a_picture_in_the_given_test_is_not_taken_either() -> None:
    found = split(shared(x=(14, 10), y=(10, 10), z=(12, 10)), tested=["c y"])
    assert (found["c y"], found["c z"], found["c x"]) == ("train", "validation", "train")


@pytest.mark.parametrize("seed", range(40))
def test_every_class_is_everywhere_whatever_the_groups_hold(seed: int) -> None:
    """Made-up patients with one to three of five classes each; the rare ones hardly ever alone."""
    draw = random.Random(seed)
    groups: list[Group] = []
    for number in range(40):
        labels = draw.sample("abcde", draw.choice([1, 1, 2, 3]))
        groups.append((f"{number}", {label: draw.choice([1, 1, 2, 5]) * (1 + 3 * (label < "c")) for label in labels}))
    found = split(groups, seed=seed)
    for label in {label for _, members in groups for label in members}:
        assert {found[name] for name, members in groups if label in members} == set(SPLITS)


def test_a_class_without_a_picture_in_train_is_named_and_the_lists_are_of_one_length() -> None:
    check_train(named("ab"), ["train", "train"])
    with pytest.raises(DataError) as caught:
        check_train(named("baac"), ["train", "test", None, "validation"])
    assert str(caught.value) == (
        "class 'a' has no picture in train, only in validation or test; a class cannot be learnt without. Add pictures of it to "
        "train, or remove the class."
    )
    with pytest.raises(ValueError, match="shorter"):
        check_train(named("ab"), ["train"])


@pytest.mark.parametrize("held", ["validation", "test"])
@pytest.mark.parametrize("first", [True, False])
def test_what_was_added_joins_the_test_of_a_group_that_is_torn_already(held: Split, first: bool) -> None:
    """The user's own splits put a group into train and into another: a picture that is added must not be trained on."""
    own: list[Split | None] = [held, "train"] if first else ["train", held]
    given = [*own, "train", "train", "validation", "test", None]
    found = assign_splits(
        targets=[ClassName("cat")] * 7,
        content_hashes=[f"{number:032}" for number in range(7)],
        groups=["torn", "torn", *"abcd", "torn"],
        given=given,
        seed=0,
        added=[False] * 6 + [True],
    )
    assert found == [*given[:6], held]
