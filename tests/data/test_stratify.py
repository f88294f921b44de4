"""Splits of pictures with sets of classes. In: made-up sets. Out: splits, by hand, by the paper and by their properties."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from tellapart.data.examples import SPLITS, Split
from tellapart.data.stratify import assign_label_sets
from tellapart.data.targets import ClassNames
from tellapart.errors import DataError, SettingsError

FRACTIONS = (0.7, 0.1, 0.2)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass
class Pictures:
    """Made-up pictures, each with its own content, in a group of its own unless told otherwise."""

    sets: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    given: list[Split | None] = field(default_factory=list)
    added: list[bool] = field(default_factory=list)

    def add(
        self, text: str, number: int = 1, *, group: str = "", given: Split | None = None, added: bool = False
    ) -> Pictures:
        for _ in range(number):
            self.groups.append(group or digest(f"group {len(self.sets)}"))
            self.sets.append(text)
            self.given.append(given)
            self.added.append(added)
        return self

    def split(
        self, *, seed: int = 0, fractions: tuple[float, float, float] = FRACTIONS, order: Sequence[int] = ()
    ) -> list[Split]:
        chosen = list(order or range(len(self.sets)))
        found = assign_label_sets(
            targets=[ClassNames.read(self.sets[index]) for index in chosen],
            content_hashes=[digest(str(index)) for index in chosen],
            groups=[self.groups[index] for index in chosen],
            given=[self.given[index] for index in chosen],
            added=[self.added[index] for index in chosen],
            seed=seed,
            fractions=fractions,
        )
        return [split for _, split in sorted(zip(chosen, found, strict=True))]

    def counts(self, splits: Sequence[Split], name: str | None = None) -> tuple[int, int, int]:
        """Pictures in train, validation and test, in all or of a class."""
        own = [split for split, text in zip(splits, self.sets, strict=True) if name is None or name in text.split("|")]
        found = Counter(own)
        return found["train"], found["validation"], found["test"]


def drawn(seed: int, number: int = 1000, classes: int = 12, *, rarest: float = 0.02) -> Pictures:
    """Sets of classes from rare (2 %) to common (50 %), two of them often together, and some empty sets."""
    generator = np.random.default_rng(seed)
    chances = np.geomspace(rarest, 0.5, classes)
    shown = generator.random((number, classes)) < chances
    shown[:, 1] |= shown[:, 0] & (generator.random(number) < 0.7)
    pictures = Pictures()
    for row in shown:
        pictures.add("|".join(f"c{index}" for index in np.flatnonzero(row)))
    return pictures


def distance(pictures: Pictures, splits: Sequence[Split]) -> float:
    """The paper's label distribution measure: how far the classes' odds in each split are from those of the whole."""
    sets = np.array([[f"c{index}" in text.split("|") for index in range(12)] for text in pictures.sets])
    whole = sets.sum(axis=0) / (~sets).sum(axis=0)
    parts = [sets[np.array(splits) == split] for split in SPLITS]
    return float(np.mean([np.abs(part.sum(axis=0) / (~part).sum(axis=0) - whole).mean() for part in parts]))


# --- By hand ----------------------------------------------------------------------------------------------------------


def test_the_algorithm_by_hand() -> None:
    """Twelve pictures into a half and two quarters; a in the first four, b in the first eight.

    Wanted of a: 2, 1, 1; of b: 4, 2, 2; in all: 6, 3, 3.
    a is the rarest: two of its pictures go to train, one to validation, one to test, and with each goes a b.
    Then b wants 2, 1, 1 for its four other pictures; then the four empty sets go where 2, 1, 1 are still wanted.
    """
    pictures = Pictures().add("a|b", 4).add("b", 4).add("", 4)
    for seed in range(5):
        splits = pictures.split(seed=seed, fractions=(0.5, 0.25, 0.25))
        for part in (splits[:4], splits[4:8], splits[8:]):
            assert Counter(part) == {"train": 2, "validation": 1, "test": 1}


def test_the_rarest_class_is_shared_out_first() -> None:
    """Into train and test alone, 5/9 and 4/9, as validation is given: b in 4 of them, a in 6, of which 2 show b too.

    b is first and wants 2.22 and 1.78: train, test (1.78 > 1.22), train, test. Each that shows a too is counted for a, which wants
    3.33 and 2.67, so that the other four even it out whichever way those went: two for train leave 1.33 and 2.67, so test, test,
    train, test; two for test leave 3.33 and 0.67, so train, train, train, test; one each leave 2.33 and 1.67, so train, test
    (1.67 > 1.33), train, test. In each case 3 and 3.
    """
    pictures = Pictures().add("a|b", 2).add("b", 2).add("a", 4).add("", 4).add("a|b", 1, given="validation")
    for seed in range(20):
        splits = pictures.split(seed=seed, fractions=(0.5, 0.1, 0.4))
        assert pictures.counts(splits, "b") == (2, 1, 2)
        assert pictures.counts(splits, "a") == (3, 1, 3)


def by_the_paper(
    sets: Sequence[frozenset[str]], shares: dict[Split, float], pick: Callable[[int, Sequence[Split]], Split]
) -> list[Split]:
    """Algorithm 1 of the paper as it stands there, one example at a time; `pick` makes its random choice of a subset."""
    wanted = {split: len(sets) * share for split, share in shares.items()}
    names = sorted(set().union(*sets))
    wanted_of = {
        name: {split: sum(name in one for one in sets) * share for split, share in shares.items()} for name in names
    }
    left, result = set(range(len(sets))), dict[int, Split]()
    while any(sets[index] for index in left):
        rarest = min(
            (name for name in names if any(name in sets[index] for index in left)),
            key=lambda name: sum(name in sets[index] for index in left),
        )
        for index in [index for index in sorted(left) if rarest in sets[index]]:
            best = max(round(value, 9) for value in wanted_of[rarest].values())
            first = [split for split in shares if round(wanted_of[rarest][split], 9) == best]
            most = max(round(wanted[split], 9) for split in first)
            second = [split for split in first if round(wanted[split], 9) == most]
            split = second[0] if len(second) == 1 else pick(index, second)
            result[index] = split
            left.discard(index)
            wanted[split] -= 1
            for name in sets[index]:
                wanted_of[name][split] -= 1
    for index in sorted(left):
        most = max(round(value, 9) for value in wanted.values())
        split = pick(index, [split for split in shares if round(wanted[split], 9) == most])
        result[index] = split
        wanted[split] -= 1
    return [result[index] for index in range(len(sets))]


@pytest.mark.parametrize("seed", range(5))
def test_single_pictures_are_split_as_by_the_paper(seed: int) -> None:
    """The same as the paper's algorithm when it takes examples in our order and lets the same hash decide."""
    pictures = drawn(seed, 300, rarest=0.08)  # a class of few is moved to where it is missing
    rank = [hashlib.sha256(f"{seed}:{digest(str(index))}".encode()).hexdigest() for index in range(300)]
    order = sorted(range(300), key=lambda index: rank[index])

    def pick(index: int, splits: Sequence[Split]) -> Split:
        return max(splits, key=lambda split: hashlib.sha256(f"{rank[order[index]]}:{split}".encode()).hexdigest())

    sets = [frozenset(pictures.sets[index].split("|")) - {""} for index in order]
    expected = by_the_paper(sets, dict(zip(SPLITS, FRACTIONS, strict=True)), pick)
    found = pictures.split(seed=seed)
    assert [found[index] for index in order] == expected


# --- Shares -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_shares_are_kept_in_all_and_in_each_class(seed: int) -> None:
    pictures = drawn(seed)
    splits = pictures.split(seed=seed)
    for name in (None, *(f"c{index}" for index in range(12))):
        counts = pictures.counts(splits, name)
        for count, fraction in zip(counts, FRACTIONS, strict=True):
            # A random draw of as many pictures strays by this much in two thirds of all cases.
            spread = (sum(counts) * fraction * (1 - fraction)) ** 0.5
            assert abs(count - fraction * sum(counts)) <= max(1.5, 0.5 * spread), name


def test_it_is_better_than_a_random_split() -> None:
    pictures = drawn(0)
    own = distance(pictures, pictures.split())
    sizes = pictures.counts(pictures.split())
    deck = [split for split, size in zip(SPLITS, sizes, strict=True) for _ in range(size)]
    shuffled = [distance(pictures, random.Random(seed).sample(deck, len(deck))) for seed in range(50)]
    assert own < 0.5 * min(shuffled)


def test_other_fractions_can_be_asked_for_and_wrong_ones_are_refused() -> None:
    pictures = Pictures().add("a|b", 40).add("b", 40).add("", 20)
    assert pictures.counts(pictures.split(fractions=(0.5, 0.25, 0.25))) == (50, 25, 25)
    with pytest.raises(SettingsError, match="the split fractions"):
        pictures.split(fractions=(0.5, 0.5, 0.5))


@pytest.mark.parametrize("seed", range(5))
def test_large_groups_without_a_class_are_shared_out_before_the_small_ones(seed: int) -> None:
    """Seven of ten pictures stay together and are for train; the three others even it out."""
    pictures = Pictures().add("", 3).add("", 7, group="patient")
    assert pictures.counts(pictures.split(seed=seed)) == (7, 1, 2)


@pytest.mark.parametrize("number", range(3, 30))
def test_every_class_is_in_every_split(number: int) -> None:
    pictures = Pictures().add("a", number).add("a|b", 3).add("b|c", 3).add("", 30)
    splits = pictures.split(seed=number)
    for name in "abc":
        assert min(pictures.counts(splits, name)) >= 1, name


@pytest.mark.parametrize("seed", range(10))
def test_every_split_has_a_picture_without_a_class_where_that_can_be(seed: int) -> None:
    """All but three pictures show a: one of the three goes to each split, though a split of 25 wants others as much."""
    pictures = Pictures().add("a|b", 12).add("a", 10).add("b", 1).add("", 2)
    splits = pictures.split(seed=seed)
    assert sorted(splits[-3:]) == sorted(SPLITS)
    for name in "ab":
        assert min(pictures.counts(splits, name)) >= 1


@pytest.mark.parametrize("seed", range(10))
def test_one_picture_of_a_group_without_a_class_is_enough(seed: int) -> None:
    """Three groups hold one, and then one that shows a; all others show a alone."""
    pictures = Pictures().add("a|b", 24)
    for name in ("one", "two", "three"):
        pictures.add("b", group=name).add("a|b", group=name)
    assert sorted(pictures.split(seed=seed)[-6::2]) == sorted(SPLITS)


def test_in_the_smallest_tables_every_class_is_in_every_split_or_it_is_said() -> None:
    """What is moved to one split for a class must not leave another without it."""
    outcomes: Counter[str] = Counter()
    for seed in range(300):
        generator = random.Random(seed)
        pictures = Pictures()
        for _ in range(generator.randint(4, 9)):
            pictures.add("|".join(name for name in "abc" if generator.random() < 0.6))
        try:
            splits = pictures.split(seed=seed)
        except DataError as fault:
            told = {"few": "different picture", "tangled": "cannot be in", "other": ""}
            outcomes[next(kind for kind, words in told.items() if words in str(fault))] += 1
            continue
        outcomes["split"] += 1
        shown = {name for text in pictures.sets for name in text.split("|") if name}
        assert all(min(pictures.counts(splits, name)) >= 1 for name in shown), (seed, splits)
    assert outcomes.keys() == {"few", "tangled", "split"}


def test_what_is_not_known_counts_neither_way() -> None:
    known = Pictures().add("a", 20).add("b", 20)
    vague = Pictures().add("a|?b", 20).add("b|?a", 20)
    assert known.split() == vague.split()
    # Of three pictures alone is it known that they do not show a: one goes to each split.
    pictures = Pictures().add("a|b", 20).add("b|?a", 20).add("b", 3)
    for seed in range(5):
        assert sorted(pictures.split(seed=seed)[-3:]) == sorted(SPLITS)
    # And where there is but one, that is no reason to fail.
    Pictures().add("a|b", 20).add("b|?a", 20).add("b").split()


# --- Content decides --------------------------------------------------------------------------------------------------


def test_order_and_names_of_groups_do_not_matter() -> None:
    pictures = drawn(1, 400)
    splits = pictures.split(seed=5)
    order = list(range(400))
    random.Random(0).shuffle(order)
    assert pictures.split(seed=5, order=order) == splits
    renamed = Pictures(pictures.sets, [f"g{group}" for group in pictures.groups], pictures.given, pictures.added)
    assert renamed.split(seed=5) == splits
    assert pictures.split(seed=6) != splits


def test_pictures_of_one_group_stay_together() -> None:
    generator = np.random.default_rng(0)
    single = drawn(2, 600)
    pictures = Pictures()
    for text in single.sets:
        pictures.add(text, group=f"patient {generator.integers(150)}")
    splits = pictures.split()
    parts: dict[str, set[Split]] = {}
    for group, split in zip(pictures.groups, splits, strict=True):
        parts.setdefault(group, set()).add(split)
    assert {len(found) for found in parts.values()} == {1}
    train, validation, test = pictures.counts(splits)
    assert abs(train - 420) <= 6
    assert abs(validation - 60) <= 6
    assert abs(test - 120) <= 6
    for index in range(12):
        counts = pictures.counts(splits, f"c{index}")
        assert min(counts) >= 1
        assert abs(counts[2] / sum(counts) - 0.2) < 0.12


# --- Given splits and corrections -------------------------------------------------------------------------------------


def test_given_splits_are_kept_and_the_others_carved() -> None:
    pictures = (
        Pictures().add("a|b", 40, given="train").add("b", 40).add("a", 20, given="test").add("b", 20, given="test")
    )
    splits = pictures.split()
    assert splits[80:] == ["test"] * 40
    assert Counter(splits[:80]) == {"train": 70, "validation": 10}
    whole = (
        Pictures().add("a", 5, given="train").add("b", 5, given="validation").add("b", 4).add("a|b", 3, given="test")
    )
    assert whole.split() == ["train"] * 5 + ["validation"] * 5 + ["train"] * 4 + ["test"] * 3


def test_a_group_with_pictures_in_a_given_test_split_stays_in_train() -> None:
    pictures = (
        Pictures().add("a|b", 3, group="patient", given="test").add("b", 10, group="patient").add("a", 10).add("b", 10)
    )
    for seed in range(5):
        splits = pictures.split(seed=seed)
        assert splits[3:13] == ["train"] * 10
        assert Counter(splits[13:])["validation"] == 4  # an eighth of the 30 that were not given
    # Validation wants 2 of 16, train the rest: all three groups of five go to train, and one has to leave it again.
    pictures = Pictures().add("a|b", group="patient", given="test").add("a|b", group="patient")
    pictures.add("a|b", 5, group="one").add("a|b", 5, group="two").add("a|b", 5, group="three")
    splits = pictures.split()
    assert splits[:2] == ["test", "train"]
    assert Counter(splits[2:]) == {"train": 10, "validation": 5}


@pytest.mark.parametrize("added", [1, 30])
def test_added_pictures_are_for_train_or_join_their_group(added: int) -> None:
    pictures = drawn(3, 200)
    without = pictures.split()
    tested = without.index("test")
    pictures.add("c1|c2", added, added=True).add("c3", group=pictures.groups[tested], added=True)
    splits = pictures.split()
    assert splits[:200] == without
    assert splits[200:] == ["train"] * added + ["test"]


# --- Too few ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pictures", "words"),
    [
        (
            Pictures().add("a|b", 2).add("a", 20),
            (
                "class 'b' has 2 different pictures to split (2 in all; copies, and pictures of one group, count once), but train, "
                "validation, test need 3. Add pictures of 1 or more other groups, or remove the class."
            ),
        ),
        (
            Pictures().add("b", 5, group="one").add("a", 20),
            (
                "class 'b' has 1 different picture to split (5 in all; copies, and pictures of one group, count once), but train, "
                "validation, test need 3. Add pictures of 2 or more other groups, or remove the class."
            ),
        ),
        (
            Pictures().add("a", 5, given="train").add("a|b", 5, given="validation").add("a", 5, given="test"),
            (
                "class 'b' has no picture in train, only in validation or test; a class cannot be learnt without. "
                "Add pictures of it to train, or remove the class."
            ),
        ),
        (
            Pictures().add("a", 5, given="test").add("b", 5, given="validation"),
            (
                "what was given is only for 'validation' and 'test', none of it for 'train'; training needs some. "
                "Say --train-split validation to learn from that, add a 'train' folder (or 'train' rows), or give no splits at all."
            ),
        ),
    ],
)
def test_too_few_pictures_are_refused(pictures: Pictures, words: str) -> None:
    with pytest.raises(DataError) as caught:
        pictures.split()
    assert str(caught.value) == words


def test_classes_that_share_their_groups_may_leave_no_way() -> None:
    """Four groups, three of each class: a is in 1 2 3, b in 1 2 4, c in 1 3 4. No way to give each split all three."""
    pictures = Pictures().add("a|b|c").add("a|b").add("a|c").add("b|c")
    with pytest.raises(DataError, match=r"class '.' cannot be in \w+ and in the other splits at once") as fault:
        pictures.split()
    assert str(fault.value).endswith(
        " and in the other splits at once, since pictures of one group stay together and its groups are needed elsewhere. "
        "Add pictures of other groups, or remove the class."
    )
