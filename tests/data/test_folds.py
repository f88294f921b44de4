"""The fold of every picture. In: made-up pictures. Out: folds by their properties, and what is refused."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tellapart.data.examples import Entry
from tellapart.data.folds import NEVER, assign_folds, given_folds, straddling
from tellapart.data.mask_targets import Painting, painted
from tellapart.data.stratify_boxes import fold_boxes
from tellapart.data.stratify_masks import fold_masks
from tellapart.data.targets import Box, Boxes, ClassName, ClassNames, Target
from tellapart.errors import DataError


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def dealt(
    targets: Sequence[Target],
    *,
    groups: Sequence[str] = (),
    count: int = 5,
    seed: int = 0,
    order: Sequence[int] = (),
    added: Sequence[bool] = (),
) -> list[int]:
    """The fold of each, whatever order they were given in."""
    chosen = list(order or range(len(targets)))
    names = list(groups) or [digest(f"group {index}") for index in range(len(targets))]
    found = assign_folds(
        targets=[targets[index] for index in chosen],
        content_hashes=[digest(str(index)) for index in chosen],
        groups=[names[index] for index in chosen],
        added=[bool(added and added[index]) for index in chosen],
        seed=seed,
        count=count,
    )
    return [fold for _, fold in sorted(zip(chosen, found, strict=True))]


CATS_AND_DOGS = [ClassName("cat")] * 40 + [ClassName("dog")] * 23


def test_each_picture_is_in_one_fold_and_each_class_in_all() -> None:
    folds = dealt(CATS_AND_DOGS)
    assert Counter(folds[:40]) == dict.fromkeys(range(5), 8)
    assert sorted(Counter(folds[40:]).values()) == [4, 4, 5, 5, 5]


def test_contents_and_the_seed_decide_and_no_order() -> None:
    order = random.Random(1).sample(range(63), 63)
    assert dealt(CATS_AND_DOGS, order=order) == dealt(CATS_AND_DOGS)
    assert dealt(CATS_AND_DOGS, seed=1) != dealt(CATS_AND_DOGS)


def test_a_group_is_in_one_fold() -> None:
    groups = [digest(f"patient {index // 4}") for index in range(63)]
    folds = dealt(CATS_AND_DOGS, groups=groups, count=3)
    assert len({(fold, group) for fold, group in zip(folds, groups, strict=True)}) == len(set(groups))
    assert max(Counter(folds).values()) - min(Counter(folds).values()) <= 4


def test_sets_are_spread_by_each_class() -> None:
    chance = random.Random(0)
    targets = [
        ClassNames(tuple(name for name, often in (("sun", 0.5), ("sea", 0.3), ("dog", 0.1)) if chance.random() < often))
        for _ in range(200)
    ]
    folds = dealt(targets, count=4)
    for name in ("sun", "sea", "dog"):
        held = Counter(fold for fold, target in zip(folds, targets, strict=True) if name in target.classes)
        assert max(held.values()) - min(held.values()) <= 2


def test_what_was_added_to_train_is_never_tested() -> None:
    folds = dealt(CATS_AND_DOGS, added=[index < 3 for index in range(63)])
    assert folds[:3] == [NEVER] * 3
    assert NEVER not in folds[3:]


def test_boxes_are_spread_and_so_are_pictures_without() -> None:
    targets = [Boxes(tuple(Box("cell", 0, 0, 5, 5) for _ in range(index % 4))) for index in range(80)]
    folds = fold_boxes(
        targets=targets,
        content_hashes=[digest(str(index)) for index in range(80)],
        groups=[digest(str(index)) for index in range(80)],
        added=(),
        seed=0,
        count=4,
    )
    cells = [
        sum(len(target.boxes) for fold, target in zip(folds, targets, strict=True) if fold == one) for one in range(4)
    ]
    empty = [
        sum(not target.boxes for fold, target in zip(folds, targets, strict=True) if fold == one) for one in range(4)
    ]
    assert max(cells) - min(cells) <= 3
    assert empty == [5, 5, 5, 5]


def test_masks_are_spread_by_their_areas() -> None:
    targets = [
        painted(Path("m.png"), Painting(values=("sky", "tree"), pixels=(1000 - 25 * number, 25 * number + 1)))
        for number in range(36)
    ]
    given = {
        "targets": targets,
        "content_hashes": [digest(str(index)) for index in range(36)],
        "groups": [digest(str(index)) for index in range(36)],
        "added": (),
        "seed": 0,
        "count": 3,
    }
    folds, plain = fold_masks(**given), assign_folds(**given)

    def apart(found: Sequence[int]) -> float:
        areas = [
            sum(target.areas["tree"] for fold, target in zip(found, targets, strict=True) if fold == one)
            for one in range(3)
        ]
        return max(areas) / min(areas)

    assert Counter(folds) == dict.fromkeys(range(3), 12)
    assert apart(folds) < 1.05 < apart(plain)


COPIES = "(copies, and pictures of one group, count once)"


@pytest.mark.parametrize(
    ("targets", "count", "said"),
    [
        (
            [ClassName("cat")] * 3,
            5,
            f"there are 3 different pictures {COPIES}, too few for 5 folds. Give --kfold 3, or add pictures.",
        ),
        (
            [*[ClassName("cat")] * 4, *[ClassName("owl")] * 2],
            9,
            f"there are 6 different pictures {COPIES}, too few for 9 folds. Give --kfold 2, or add pictures.",
        ),
        ([ClassName("cat")], 2, f"there is 1 different picture {COPIES}, too few for 2 folds. Add pictures."),
    ],
)
def test_too_few_pictures_are_refused(targets: list[Target], count: int, said: str) -> None:
    with pytest.raises(DataError) as refused:
        dealt(targets, count=count)
    assert str(refused.value) == said


def test_a_class_in_fewer_groups_than_folds_is_refused() -> None:
    with pytest.raises(DataError) as refused:
        dealt([*[ClassName("cat")] * 9, *[ClassName("owl")] * 3])
    assert str(refused.value) == (
        "class 'owl' has 3 different pictures (3 in all; copies, and pictures of one group, count once), and each of 5 folds "
        "needs one. Give --kfold 3, or add pictures of 2 or more other groups, or remove the class."
    )
    with pytest.raises(DataError, match=r"class 'owl' has 1 different picture .* Add pictures of 4 or more"):
        dealt([*[ClassNames(())] * 9, ClassNames(("owl",))])


def test_a_class_of_many_copies_is_too_small() -> None:
    groups = [*map(str, range(40)), *["one"] * 23]
    with pytest.raises(DataError, match=r"class 'dog' has 1 different picture \(23 in all"):
        dealt(CATS_AND_DOGS, groups=groups)


def entries(*folds: str, added: int = 0) -> list[Entry]:
    return [
        Entry(path=Path(f"{index}.png"), target=ClassName("cat"), split=None, fold=fold, added=index < added)
        for index, fold in enumerate(folds)
    ]


def test_a_column_gives_the_folds_in_the_order_of_numbers_and_words() -> None:
    assert given_folds(entries("10", "2", "b", "2", "a"), "fold", None) == ([1, 0, 3, 0, 2], ["2", "10", "a", "b"])
    assert given_folds(entries("", "1", "2", added=1), "fold", 2) == ([NEVER, 0, 1], ["1", "2"])


@pytest.mark.parametrize(
    ("found", "count", "said"),
    [
        (
            ("1", "", "2"),
            None,
            "1 picture has no fold in the column 'part', such as 1.png. Fill it in for every picture, or leave --fold-column out.",
        ),
        (
            ("1", "1"),
            None,
            (
                "the column 'part' puts every picture into the fold '1'; there must be 2 or more. Name another column, or leave "
                "--fold-column out and give --kfold 5."
            ),
        ),
        (
            ("1", "2", "3"),
            5,
            "--kfold is 5, and the column 'part' has 3 folds: '1', '2', '3'. Leave --kfold out, or name another column.",
        ),
    ],
)
def test_a_column_that_is_no_folds_is_refused(found: tuple[str, ...], count: int | None, said: str) -> None:
    with pytest.raises(DataError) as refused:
        given_folds(entries(*found), "part", count)
    assert str(refused.value) == said


def test_groups_that_given_folds_part_are_found() -> None:
    assert straddling([0, 1, 1, NEVER], ["a", "a", "b", "b"]) == {"a"}
