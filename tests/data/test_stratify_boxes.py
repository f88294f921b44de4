"""Splits of pictures with boxes: shares of the boxes of each class, copies together, given splits kept."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from tellapart.data.examples import SPLITS, Split
from tellapart.data.stratify_boxes import assign_boxes
from tellapart.data.targets import Box, Boxes
from tellapart.errors import DataError


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def shown(**numbers: int) -> Boxes:
    """So many boxes of each class."""
    return Boxes(tuple(Box(name, 0, 0, 1 + place, 1) for name, number in numbers.items() for place in range(number)))


def split(
    targets: Sequence[Boxes],
    *,
    groups: Sequence[str] = (),
    given: Sequence[Split | None] = (),
    fractions: tuple[float, float, float] = (0.7, 0.1, 0.2),
    seed: int = 0,
) -> list[Split]:
    hashes = [digest(str(index)) for index in range(len(targets))]
    return assign_boxes(
        targets=targets,
        content_hashes=hashes,
        groups=groups or hashes,
        given=given or [None] * len(targets),
        seed=seed,
        fractions=fractions,
    )


def test_added_pictures_join_their_group_or_are_trained_on() -> None:
    targets = [shown(cat=1 + index % 3) for index in range(40)]
    hashes = [digest(str(index)) for index in range(44)]
    own = split(targets)
    tested, validated = own.index("test"), own.index("validation")
    groups = [*hashes[:40], hashes[tested], hashes[validated], "new", "new"]
    found = assign_boxes(
        targets=[*targets, *[shown(cat=1)] * 4],
        content_hashes=hashes,
        groups=groups,
        given=[None] * 44,
        seed=0,
        added=[False] * 40 + [True] * 4,
    )
    assert found == [*own, "test", "validation", "train", "train"]


def boxes_of(targets: Sequence[Boxes], splits: Sequence[Split]) -> dict[str, list[float]]:
    """Class -> share of its boxes in train, validation and test; "" for the pictures without any."""
    found: Counter[tuple[str, Split]] = Counter()
    for target, one in zip(targets, splits, strict=True):
        found.update((box.label, one) for box in target.boxes)
        found["", one] += not target.boxes
    names = {name for (name, _), number in found.items() if number}
    return {name: [found[name, one] / sum(found[name, two] for two in SPLITS) for one in SPLITS] for name in names}


@pytest.mark.parametrize("seed", range(3))
def test_boxes_of_each_class_and_empty_pictures_keep_their_shares(seed: int) -> None:
    generator = np.random.default_rng(seed)
    targets = [
        shown(cat=int(generator.poisson(1)), dog=int(generator.poisson(0.3)), cell=int(generator.choice([0, 0, 0, 40])))
        for _ in range(400)
    ]
    for name, shares in boxes_of(targets, split(targets, seed=seed)).items():
        np.testing.assert_allclose(shares, (0.7, 0.1, 0.2), atol=0.08, err_msg=name)


def test_a_full_picture_counts_for_all_its_boxes() -> None:
    # One picture has as many cells as the fifty others together: counted by pictures it would weigh a fiftieth.
    targets = [shown(cell=50), *[shown(cell=1)] * 50]
    shares = boxes_of(targets, split(targets, fractions=(0.5, 0.2, 0.3)))["cell"]
    np.testing.assert_allclose(shares, (0.5, 0.2, 0.3), atol=0.02)


def test_copies_stay_together_and_given_splits_are_kept() -> None:
    targets = [shown(cat=1 + index % 3) for index in range(60)]
    groups = [digest(f"group {index // 3}") for index in range(60)]
    splits = split(targets, groups=groups)
    assert all(len({one for one, group in zip(splits, groups, strict=True) if group == own}) == 1 for own in groups)
    given: list[Split | None] = ["test"] * 10 + ["train"] * 50
    kept = split(targets, given=given)
    assert kept[:10] == ["test"] * 10
    assert set(kept[10:]) == {"train", "validation"}


def test_every_class_is_in_every_split_or_it_is_said() -> None:
    targets = [*[shown(cat=2)] * 40, *[shown(rare=1)] * 3]
    splits = split(targets)
    assert set(splits[40:]) == set(SPLITS)
    with pytest.raises(DataError, match="class 'rare' has 2 different pictures to split"):
        split(targets[:-1])


def test_the_order_of_the_pictures_changes_nothing() -> None:
    targets = [shown(cat=index % 4, dog=index % 3) for index in range(50)]
    assert split(targets) == split(targets)
    assert split(targets, seed=1) != split(targets)
