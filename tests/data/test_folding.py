"""A data set for every fold. In: what was examined. Out: who is tested, who is learned from, who stays out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tellapart.data.dataset import Dataset
from tellapart.data.examples import Entry, Inspection, Listing, Split
from tellapart.data.folding import KEPT_OUT, FoldPlan, plan_folds, validated_twice, without_those
from tellapart.data.folds import assign_folds
from tellapart.data.split import assign_splits
from tellapart.data.survey import Examined, build_audit
from tellapart.data.targets import ClassName, class_numbers
from tellapart.errors import DataError


def examined(
    count: int = 30,
    *,
    given: dict[int, Split] | None = None,
    folds: dict[int, str] | None = None,
    copies: dict[int, int] | None = None,
    added: tuple[int, ...] = (),
    alone: bool = False,
) -> Examined:
    """Pictures of two classes in turn; `copies` have the content of another. `alone`: the last one is of a third class."""
    names = ["ab"[row % 2] if not (alone and row == count - 1) else "c" for row in range(count)]
    entries = tuple(
        Entry(
            path=Path(f"{row}.png"),
            target=ClassName(names[row]),
            split=(given or {}).get(row),
            fold=(folds or {}).get(row, ""),
            added=row in added,
        )
        for row in range(count)
    )
    inspections = [
        Inspection(file_hash=str(row), content_hash=f"{(copies or {}).get(row, row):032}", width=8, height=8)
        for row in range(count)
    ]
    listing = Listing(source=Path("data"), entries=entries, classes=tuple(sorted(set(names))))
    return Examined(listing=listing, inspections=inspections, audit=build_audit(listing, inspections))


def planned(found: Examined, count: int | None = 3, *, repeats: int = 1, column: str | None = None) -> FoldPlan:
    return plan_folds(found, assign=assign_folds, count=count, repeats=repeats, column=column, seed=0)


def dataset(plan: FoldPlan, fold: int, repeat: int = 0) -> Dataset:
    return plan.dataset(repeat, fold, split=assign_splits, encode=class_numbers)


def rows(found: Dataset, split: Split) -> set[int]:
    return set(found.indices[found.rows[split]].tolist())


def test_each_fold_tests_its_own_pictures_and_learns_from_the_others() -> None:
    plan = planned(examined())
    parts = [dataset(plan, fold) for fold in range(3)]
    assert sorted(row for part in parts for row in rows(part, "test")) == list(range(30))
    for part in parts:
        assert len(rows(part, "test")) == 10
        assert rows(part, "train") | rows(part, "validation") == set(range(30)) - rows(part, "test")
        assert len(rows(part, "validation")) in (2, 3, 4)


def test_repeats_have_other_folds() -> None:
    plan = planned(examined(), repeats=2)
    assert rows(dataset(plan, 0), "test") != rows(dataset(plan, 0, 1), "test")
    assert sorted(row for fold in range(3) for row in rows(dataset(plan, fold, 1), "test")) == list(range(30))


def test_a_picture_and_its_copy_are_tested_together() -> None:
    plan = planned(examined(copies={4: 2, 6: 2}))
    for fold in range(3):
        assert len(rows(dataset(plan, fold), "test") & {2, 4, 6}) in (0, 3)


def test_what_is_given_as_test_stays_out_and_is_told() -> None:
    found = examined(
        given={0: "test", 1: "test", 2: "validation", 3: "validation", **dict.fromkeys(range(4, 30), "train")}
    )
    plan = planned(found)
    assert "2 pictures given as test are left out of the folds" in plan.notes[0]
    assert "each fold has a validation split of its own" in plan.notes[1]
    for part in [*(dataset(plan, fold) for fold in range(3)), plan.kept(split=assign_splits, encode=class_numbers)]:
        assert [part.examples[row].problem for row in (0, 1)] == [KEPT_OUT] * 2
        assert [part.examples[row].split for row in (0, 1)] == [None] * 2
        assert not part.leaked.any()
    assert sorted(row for fold in range(3) for row in rows(dataset(plan, fold), "test")) == list(range(2, 30))


def test_only_test_pictures_leave_nothing() -> None:
    with pytest.raises(DataError, match="every picture is given as test, and K folds leave those alone"):
        planned(examined(given=dict.fromkeys(range(30), "test")))


def test_folds_of_a_column_are_kept_and_no_copy_of_what_is_tested_is_learned_from() -> None:
    folds = {row: str(row % 3) for row in range(30)}
    plan = planned(examined(folds=folds, copies={4: 2}), None, column="fold")  # 2 is of fold 2, 4 of fold 1
    (note,) = plan.notes
    assert note == (
        "2 pictures have a copy or group mate in another fold of the column 'fold'. Where one of them is tested, the others "
        "are not learned from."
    )
    tested = [rows(dataset(plan, fold), "test") for fold in range(3)]
    assert tested == [set(range(fold, 30, 3)) for fold in range(3)]
    learned = [rows(dataset(plan, fold), "train") | rows(dataset(plan, fold), "validation") for fold in range(3)]
    assert [{2, 4} & part for part in learned] == [{2, 4}, set(), set()]
    assert "copy or group mate" in dataset(plan, 1).examples[2].problem


def test_a_class_that_one_fold_alone_has_cannot_be_learned() -> None:
    folds = {row: "x" if row == 29 else "yz"[row % 2] for row in range(30)}
    plan = planned(examined(folds=folds, alone=True), None, column="fold")
    with pytest.raises(
        DataError, match=r"What is left to train on beside the fold 'x' does not suffice: class 'c' has 0"
    ):
        dataset(plan, 0)


def test_pictures_that_were_added_are_never_tested() -> None:
    plan = planned(examined(added=(0, 1)))
    for fold in range(3):
        assert not rows(dataset(plan, fold), "test") & {0, 1}
        assert {0, 1} <= rows(dataset(plan, fold), "train")


def test_for_the_kept_network_nothing_is_tested() -> None:
    kept = planned(examined()).kept(split=assign_splits, encode=class_numbers)
    assert len(kept.rows["test"]) == 0
    assert len(kept.rows["validation"]) == 4
    doubled = validated_twice(kept)
    assert doubled.rows["validation"].tolist() == kept.rows["validation"].tolist()
    assert sorted(doubled.indices[doubled.rows["test"]]) == sorted(kept.indices[kept.rows["validation"]])
    again = without_those(doubled)
    assert again.pictures == kept.pictures
    for name in ("indices", "targets", "groups", "splits", "leaked"):
        np.testing.assert_array_equal(getattr(again, name), getattr(kept, name))


def test_other_names_and_another_order_give_the_same_folds() -> None:
    found = examined()
    order = [*range(7, 30), *range(7)]
    entries = tuple(replace(found.listing.entries[row], path=Path(f"{place}.jpg")) for place, row in enumerate(order))
    inspections = [found.inspections[row] for row in order]
    listing = replace(found.listing, entries=entries)
    other = Examined(listing=listing, inspections=inspections, audit=build_audit(listing, inspections))
    first, second = planned(found).folds[0], planned(other).folds[0]
    assert [second[order.index(row)] for row in range(30)] == list(first)
