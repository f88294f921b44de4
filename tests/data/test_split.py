"""Splits: stratified, in whole groups, stable, decided by content alone."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from tellapart.data.examples import SPLITS, Split
from tellapart.data.split import assign_splits
from tellapart.data.targets import ClassName
from tellapart.errors import DataError, SettingsError


@dataclass
class Pictures:
    """Made-up pictures, each with its own content, in a group of its own unless told otherwise."""

    labels: list[str] = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    given: list[Split | None] = field(default_factory=list)

    def add(
        self, label: str, number: int, *, given: Split | None = None, group: str | None = None, name: str = ""
    ) -> Pictures:
        for index in range(number):
            digest = hashlib.sha256(f"{label}/{name}/{given}/{group}/{index}".encode()).hexdigest()[:32]
            self.labels.append(label)
            self.hashes.append(digest)
            self.groups.append(digest if group is None else group)
            self.given.append(given)
        return self

    def split(
        self, *, seed: int = 0, fractions: tuple[float, float, float] = (0.7, 0.1, 0.2), order: Sequence[int] = ()
    ) -> list[Split]:
        chosen = order or range(len(self.labels))
        return assign_splits(
            targets=[ClassName(self.labels[index]) for index in chosen],
            content_hashes=[self.hashes[index] for index in chosen],
            groups=[self.groups[index] for index in chosen],
            given=[self.given[index] for index in chosen],
            seed=seed,
            fractions=fractions,
        )

    def counts(self, splits: Sequence[Split], label: str | None = None) -> tuple[int, int, int]:
        found = Counter(split for split, own in zip(splits, self.labels, strict=True) if label in (None, own))
        return found["train"], found["validation"], found["test"]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_seventy_ten_twenty_in_every_class(seed: int) -> None:
    pictures = Pictures().add("cat", 1000).add("dog", 500).add("哺乳 动物", 100)
    splits = pictures.split(seed=seed)
    assert pictures.counts(splits, "cat") == (700, 100, 200)
    assert pictures.counts(splits, "dog") == (350, 50, 100)
    assert pictures.counts(splits, "哺乳 动物") == (70, 10, 20)


@pytest.mark.parametrize("number", list(range(3, 60)))
def test_fractions_are_reached_within_one_picture(number: int) -> None:
    pictures = Pictures().add("cat", number).add("dog", 10)
    train, validation, test = pictures.counts(pictures.split(), "cat")
    assert train + validation + test == number
    assert abs(train - 0.7 * number) <= 1.2
    assert abs(validation - 0.1 * number) <= 1
    assert abs(test - 0.2 * number) <= 1
    assert min(train, validation, test) >= 1


def test_other_fractions_can_be_asked_for() -> None:
    pictures = Pictures().add("cat", 100).add("dog", 200)
    assert pictures.counts(pictures.split(fractions=(0.5, 0.25, 0.25))) == (150, 75, 75)


@pytest.mark.parametrize("fractions", [(0.7, 0.1, 0.3), (0.8, 0.0, 0.2), (1.2, -0.1, -0.1), (70, 10, 20)])
def test_fractions_that_make_no_sense_are_refused(fractions: tuple[float, float, float]) -> None:
    with pytest.raises(SettingsError, match=r"three numbers above 0 that add up to 1\. The usual ones are \(0\.7"):
        Pictures().add("cat", 10).split(fractions=fractions)


def test_no_pictures_give_no_splits() -> None:
    assert Pictures().split() == []


def test_the_seed_decides_and_names_and_order_do_not() -> None:
    pictures = Pictures().add("cat", 200).add("dog", 100)
    splits = pictures.split(seed=3)
    assert splits != pictures.split(seed=4)
    order = list(range(300))
    random.Random(0).shuffle(order)
    assert pictures.split(seed=3, order=order) == [splits[index] for index in order]
    renamed = Pictures(pictures.labels, pictures.hashes, [f"group {g}" for g in pictures.groups], pictures.given)
    assert renamed.split(seed=3) == splits


def test_the_smallest_hash_of_a_group_decides_not_its_first_picture() -> None:
    pictures = Pictures().add("cat", 60)
    groups = [f"{index // 2}" for index in range(60)]
    forward = Pictures(pictures.labels, pictures.hashes, groups, pictures.given)
    order = [index ^ 1 for index in range(60)]  # the two pictures of each group change places
    assert forward.split(order=order) == [forward.split()[index] for index in order]


@pytest.mark.parametrize("size", [200, 500, 1000, 5000])
@pytest.mark.parametrize("seed", range(5))
def test_adding_one_percent_moves_under_two_percent(size: int, seed: int) -> None:
    pictures = Pictures().add("cat", size // 2).add("dog", size // 4).add("fox", size - size // 2 - size // 4)
    before = pictures.split(seed=seed)
    for number in range(size // 100):
        pictures.add(("cat", "dog", "fox")[(number + seed) % 3], 1, name=f"new {number} {seed}")
    after = pictures.split(seed=seed)
    moved = sum(old != new for old, new in zip(before, after[:size], strict=True))
    assert moved < 0.02 * size


@pytest.mark.parametrize("seed", range(10))
def test_one_picture_more_moves_two_at_most(seed: int) -> None:
    pictures = Pictures().add("cat", 100).add("dog", 100)
    before = pictures.split(seed=seed)
    after = pictures.add("cat", 1, name=f"new {seed}").split(seed=seed)
    assert sum(old != new for old, new in zip(before, after[:200], strict=True)) <= 2
    assert after[100:200] == before[100:200]  # nothing in the other class


def test_groups_stay_together() -> None:
    pictures = Pictures()
    for number in range(100):
        pictures.add("cat", 1 + number % 5, group=f"cat {number}")
        pictures.add("dog", 1 + number % 3, group=f"dog {number}")
    splits = pictures.split()
    assert len(set(zip(pictures.groups, splits, strict=True))) == 200
    for label in ("cat", "dog"):
        train, validation, test = pictures.counts(splits, label)
        total = train + validation + test
        assert abs(test - 0.2 * total) <= 2.5
        assert abs(validation - 0.1 * total) <= 2.5


def test_a_group_of_two_labels_counts_under_its_most_common_one() -> None:
    pictures = Pictures()
    for number in range(20):
        pictures.add("cat", 2, group=f"{number}").add("dog", 1, group=f"{number}")
    pictures.add("dog", 10)
    splits = pictures.split()
    assert len(set(zip(pictures.groups, splits, strict=True))) == 30
    # 20 mixed groups of 3 are split as cats, 10 single dogs as dogs
    alone = Counter(split for split, group in zip(splits, pictures.groups, strict=True) if len(group) == 32)
    assert alone == {"train": 7, "validation": 1, "test": 2}
    mixed = Counter(split for split, group in zip(splits, pictures.groups, strict=True) if len(group) != 32)
    assert mixed == {"train": 42, "validation": 6, "test": 12}


@pytest.mark.parametrize("seed", range(10))
def test_groups_that_each_hold_every_class_are_split_whole(seed: int) -> None:
    pictures = Pictures()
    for number in range(10):  # ten modules of solar cells, each with sound and defective ones
        pictures.add("sound", 8, group=f"module {number}").add("defective", 2, group=f"module {number}")
    splits = pictures.split(seed=seed)
    assert len(set(zip(pictures.groups, splits, strict=True))) == 10
    assert pictures.counts(splits, "defective") == (14, 2, 4)
    assert pictures.counts(splits, "sound") == (56, 8, 16)


@pytest.mark.parametrize("seed", range(10))
def test_groups_of_as_many_of_two_classes_are_split(seed: int) -> None:
    pictures = Pictures()
    for number in range(8):
        pictures.add("a", 3, group=f"{number}").add("b", 3, group=f"{number}")
    for label in "ab":
        assert min(pictures.counts(pictures.split(seed=seed), label)) >= 3


def test_a_class_that_only_mixed_groups_hold_reaches_every_split() -> None:
    pictures = Pictures().add("common", 60).add("rare", 5)
    for number in range(4):  # the stratum "rarest" has four groups; "rare" counts for itself
        pictures.add("rarest", 1, group=f"g{number}").add("rare", 1, group=f"g{number}")
    splits = pictures.split()
    for label in ("common", "rare", "rarest"):
        assert min(pictures.counts(splits, label)) >= 1


def test_groups_that_cannot_reach_every_split_are_refused_in_words_about_groups() -> None:
    pictures = Pictures().add("c", 20)
    for number in range(2):
        pictures.add("a", 5, group=f"{number}").add("b", 5, group=f"{number}")
    with pytest.raises(
        DataError, match="class 'a' has 2 different pictures to split .*pictures of 1 or more other groups"
    ):
        pictures.split()


@pytest.mark.parametrize("seed", range(20))
def test_a_huge_group_is_not_in_test(seed: int) -> None:
    pictures = Pictures().add("cat", 60, group="huge").add("cat", 40).add("dog", 10)
    splits = pictures.split(seed=seed)
    assert splits[0] == "train"
    assert pictures.counts(splits, "cat") == (70, 10, 20)


@pytest.mark.parametrize("seed", range(20))
def test_with_three_groups_the_largest_trains(seed: int) -> None:
    pictures = Pictures().add("cat", 60, group="a").add("cat", 20, group="b").add("cat", 19, group="c")
    splits = pictures.split(seed=seed)
    assert splits[0] == "train"
    assert sorted(set(splits)) == ["test", "train", "validation"]
    equal = Pictures().add("cat", 5, group="a").add("cat", 5, group="b").add("cat", 5, group="c")
    assert equal.counts(equal.split(seed=seed)) == (5, 5, 5)


@pytest.mark.parametrize("seed", range(20))
def test_one_group_is_kept_for_train_however_small_the_others_are(seed: int) -> None:
    pictures = Pictures().add("cat", 60, group="a").add("cat", 1).add("cat", 1, group="c")
    assert sorted(pictures.counts(pictures.split(seed=seed))) == [1, 1, 60]
    assert pictures.split(seed=seed)[0] == "train"


def test_three_pictures_of_a_class_are_one_in_each_split() -> None:
    pictures = Pictures().add("cat", 3).add("dog", 4)
    splits = pictures.split()
    assert pictures.counts(splits, "cat") == (1, 1, 1)
    assert pictures.counts(splits, "dog") == (2, 1, 1)


def test_a_class_with_two_pictures_is_refused() -> None:
    pictures = Pictures().add("cat", 10).add("ox", 2)
    with pytest.raises(DataError) as caught:
        pictures.split()
    assert str(caught.value) == (
        "class 'ox' has 2 different pictures to split (2 in all; copies, and pictures of one group, count once), but train, "
        "validation, test need 3. Add pictures of 1 or more other groups, or remove the class."
    )


def test_copies_count_once() -> None:
    pictures = Pictures().add("cat", 10).add("ox", 9, group="one ox")
    with pytest.raises(
        DataError, match=r"class 'ox' has 1 different picture to split \(9 in all.*Add pictures of 2 or more"
    ):
        pictures.split()


# --- given splits -----------------------------------------------------------------------------------------------------


def test_three_given_splits_are_kept() -> None:
    pictures = Pictures()
    for split in SPLITS:
        pictures.add("cat", 5, given=split).add("dog", 2, given=split)
    assert pictures.split() == pictures.given


def test_validation_is_carved_from_train_where_test_was_given() -> None:
    pictures = Pictures().add("cat", 80, given="train").add("dog", 160, given="train").add("cat", 40, given="test")
    splits = pictures.split()
    assert splits[240:] == ["test"] * 40
    assert pictures.counts(splits, "dog") == (140, 20, 0)  # 0.1 / (0.7 + 0.1) = 1 / 8
    assert pictures.counts(splits, "cat") == (70, 10, 40)


def test_test_is_carved_from_train_where_validation_was_given() -> None:
    pictures = Pictures().add("cat", 90, given="train").add("dog", 45, given="train").add("cat", 30, given="validation")
    splits = pictures.split()
    assert splits[135:] == ["validation"] * 30
    assert pictures.counts(splits, "cat") == (70, 30, 20)  # 0.2 / (0.7 + 0.2) = 2 / 9
    assert pictures.counts(splits, "dog") == (35, 0, 10)


def test_both_are_carved_from_train_where_only_train_was_given() -> None:
    pictures = Pictures().add("cat", 100, given="train").add("dog", 10, given="train")
    assert pictures.counts(pictures.split()) == (77, 11, 22)


def test_pictures_without_a_split_train_beside_given_ones() -> None:
    pictures = (
        Pictures().add("cat", 8, given=None).add("cat", 5, given="test").add("dog", 8).add("dog", 5, given="test")
    )
    splits = pictures.split()
    assert pictures.counts(splits) == (14, 2, 10)


@pytest.mark.parametrize(
    ("given", "named"),
    [(("test",), "'test'"), (("validation", "test"), "'validation' and 'test'"), (("validation",), "'validation'")],
)
def test_nothing_to_train_on_is_refused(given: tuple[Split, ...], named: str) -> None:
    pictures = Pictures()
    for split in given:
        pictures.add("cat", 5, given=split).add("dog", 5, given=split)
    with pytest.raises(DataError) as caught:
        pictures.split()
    assert str(caught.value) == (
        f"what was given is only for {named}, none of it for 'train'; training needs some. "
        f"{'Say --train-split validation to learn from that, add' if 'validation' in given else 'Add'} a 'train' folder (or "
        "'train' rows), or give no splits at all."
    )


def test_a_class_that_nobody_trains_is_refused() -> None:
    pictures = Pictures()
    for split in SPLITS:
        pictures.add("cat", 5, given=split)
    pictures.add("dog", 5, given="test")
    with pytest.raises(DataError, match="class 'dog' has no picture in train, only in validation or test") as caught:
        pictures.split()
    assert "Add pictures of it to train, or remove the class." in str(caught.value)


def test_a_class_that_is_missing_from_a_given_test_is_none_of_our_business() -> None:
    pictures = Pictures().add("cat", 8, given="train").add("dog", 8, given="train").add("cat", 5, given="test")
    assert pictures.counts(pictures.split(), "dog") == (7, 1, 0)


@pytest.mark.parametrize("seed", range(10))
def test_copies_of_given_test_pictures_are_never_carved_out(seed: int) -> None:
    """They leak already; in validation they would leak into what is tuned as well."""
    pictures = Pictures()
    for number in range(30):
        pictures.add("cat", 1, given="train", group=f"{number}").add("cat", 1, given="test", group=f"{number}")
    pictures.add("cat", 10, given="train").add("dog", 8, given="train")
    splits = pictures.split(seed=seed)
    assert all(split in ("train", "test") for split in splits[:60])
    assert pictures.counts(splits, "cat") == (35, 5, 30)


def test_a_class_that_is_all_leaked_cannot_be_carved() -> None:
    pictures = Pictures().add("dog", 8, given="train").add("cat", 1, given="train", group="same")
    pictures.add("cat", 1, given="test", group="same").add("dog", 1, given="test")
    with pytest.raises(
        DataError, match=r"class 'cat' has 0 different pictures to split .* train, validation need 1\."
    ) as told:
        pictures.split()
    assert "count once; 1 more must stay in train, with copies or of one group with what you gave as test" in str(
        told.value
    )
    assert "move each such group into one of your splits" in str(told.value)


def test_no_carving_asks_for_no_more_than_a_train_picture() -> None:
    """A class may consist of copies of another class's pictures, when nothing has to be carved."""
    pictures = Pictures()
    for split in SPLITS:
        pictures.add("cat", 3, given=split, group="mixed").add("dog", 1, given=split, group="mixed")
    assert pictures.split() == pictures.given
