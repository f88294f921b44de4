"""Pictures with masks, split by what they show. In: areas. Out: splits with the shares of each class, and each class in all."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from tellapart.data.audit import build_audit
from tellapart.data.dataset import gather
from tellapart.data.examples import Split
from tellapart.data.examples_csv import read_examples, write_examples
from tellapart.data.mask_targets import MaskFile, Painting, painted
from tellapart.data.stratify_masks import assign_masks
from tellapart.data.survey import Examined
from tellapart.data.targets import class_shares
from tellapart.errors import DataError
from tests.data.mask_data import halves, settled, write_set

WANTED = {"train": 70, "validation": 10, "test": 20}


def mask(**areas: int) -> MaskFile:
    return painted(Path("m.png"), Painting(values=tuple(areas), pixels=tuple(areas.values())))


def split(targets: list[MaskFile], groups: list[str] | None = None, seed: int = 0) -> list[str]:
    names = [f"{number:032x}" for number in range(len(targets))]
    return list(
        assign_masks(
            targets=targets, content_hashes=names, groups=groups or names, given=[None] * len(targets), seed=seed
        )
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_area_of_each_class_is_shared_out(seed: int) -> None:
    draw = np.random.default_rng(seed)
    targets = []
    for number in range(100):
        areas = {"ground": int(draw.integers(1, 5000)), "road": int(draw.integers(1, 5000))}
        if number % 12 == 0:
            areas["sign"] = int(draw.integers(50, 3000))
        targets.append(mask(**areas))
    found = split(targets, seed=seed)
    assert all(abs(found.count(part) - wanted) <= 2 for part, wanted in WANTED.items())
    area: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for target, part in zip(targets, found, strict=True):
        for name, pixels in target.areas.items():
            area[name][part] += round(1000 * pixels / sum(target.areas.values()))
    for shares in area.values():
        assert all(abs(shares[part] / sum(shares.values()) - wanted / 100) < 0.05 for part, wanted in WANTED.items())


def test_groups_stay_together_and_every_class_reaches_every_split() -> None:
    targets = [mask(ground=90, crack=10) if number < 6 else mask(ground=100) for number in range(40)]
    groups = [f"{number // 2:032x}" for number in range(40)]
    found = split(targets, groups)
    assert all(found[number] == found[number + 1] for number in range(0, 40, 2))
    assert {part for target, part in zip(targets, found, strict=True) if "crack" in target.classes} == {
        "train",
        "validation",
        "test",
    }


def test_given_splits_are_kept_and_train_gives_up_what_is_missing() -> None:
    targets = [mask(ground=90 - number, crack=10 + number) for number in range(30)]
    names = [f"{number:032x}" for number in range(30)]
    given: list[Split | None] = ["test"] * 6 + ["train"] * 24
    found = assign_masks(targets=targets, content_hashes=names, groups=names, given=given, seed=0)
    assert found[:6] == ["test"] * 6
    assert Counter(found[6:]) == Counter(train=21, validation=3)
    # An odd name or another order changes nothing.
    turned = assign_masks(
        targets=targets[::-1], content_hashes=names[::-1], groups=names[::-1], given=given[::-1], seed=0
    )
    assert turned[::-1] == found


def test_a_class_in_too_few_pictures_stops_it() -> None:
    with pytest.raises(DataError, match="'crack'"):
        split([mask(ground=90, crack=10), *[mask(ground=100)] * 20])


def test_a_data_set_of_masks_is_gathered_with_the_shares_of_its_classes(tmp_path: Path) -> None:
    write_set(tmp_path, {f"{number:02}": halves(0, 255) for number in range(10)})
    listing, inspections = settled(tmp_path)
    examined = Examined(listing=listing, inspections=inspections, audit=build_audit(listing, inspections))
    dataset = gather(examined, seed=0, split=assign_masks, encode=class_shares)
    assert dataset.classes == ("background", "foreground")
    np.testing.assert_allclose(dataset.targets, np.full((10, 2), 0.5))
    assert {split: len(rows) for split, rows in dataset.rows.items()} == {"train": 7, "validation": 1, "test": 2}
    path = tmp_path / "examples.csv"
    write_examples(path, dataset.examples)
    assert read_examples(path, MaskFile) == dataset.examples
