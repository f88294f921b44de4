"""What is learned from. In: what was examined. Out: rows, targets and splits of one class or of sets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tellapart.data.augmented import Scenes
from tellapart.data.dataset import Dataset, gather
from tellapart.data.examples import Entry, Inspection, Listing, Split
from tellapart.data.stratify import assign_label_sets
from tellapart.data.survey import Examined, build_audit
from tellapart.data.targets import ClassName, ClassNames, Target, class_sets
from tellapart.errors import DataError


def examined(
    targets: list[Target],
    problems: dict[int, str] | None = None,
    *,
    scenes: Scenes | None = None,
    given: Split | None = None,
) -> Examined:
    """Pictures with contents of their own, in the order of their numbers backwards."""
    sets = isinstance(targets[0], ClassNames)
    entries = tuple(Entry(path=Path(f"{row}.png"), target=target, split=given) for row, target in enumerate(targets))
    inspections = []
    for row in range(len(targets)):
        problem = (problems or {}).get(row, "")
        content = "" if problem else f"{1000 - row:032}"
        inspections.append(Inspection(file_hash=str(row), content_hash=content, problem=problem, width=8, height=8))
    classes = tuple(sorted({name for target in targets for name in target.classes}))
    listing = Listing(
        source=Path("data"), entries=entries, classes=classes, task="multilabel" if sets else "classification"
    )
    return Examined(listing=listing, inspections=inspections, audit=build_audit(listing, inspections, scenes))


def test_one_class_a_picture() -> None:
    found = gather(examined([ClassName("ba"[row % 2]) for row in range(20)], {3: "empty file"}), seed=0)
    assert found.indices.tolist() == [row for row in range(20) if row != 3]
    assert found.targets.dtype == np.int64
    assert found.targets.tolist() == [1 - row % 2 for row in range(20) if row != 3]
    assert sorted(set(found.splits)) == ["test", "train", "validation"]
    assert [example.problem for example in found.examples if example.problem] == ["empty file"]
    assert found.pictures[0].path == Path("0.png")


def sets() -> Dataset:
    targets: list[Target] = [ClassNames.read(["a|b", "b", "", "a|?b", "c"][row % 5]) for row in range(50)]
    return gather(examined(targets), seed=0, split=assign_label_sets, encode=class_sets)


def test_sets_of_classes() -> None:
    found = sets()
    assert (found.targets.dtype, found.targets.shape) == (np.float32, (50, 3))
    np.testing.assert_array_equal(found.targets[:5], [[1, 1, 0], [0, 1, 0], [0, 0, 0], [1, np.nan, 0], [0, 0, 1]])
    for split in ("train", "validation", "test"):
        assert (np.nansum(found.targets[found.splits == split], axis=0) > 0).all()


def test_rows_are_in_the_order_of_their_contents() -> None:
    found = sets()
    rows = found.rows["train"]
    assert rows.tolist() == sorted(np.flatnonzero(found.splits == "train").tolist(), reverse=True)


def test_what_turns_out_to_be_unreadable_is_set_aside() -> None:
    found = sets()
    (first, *_) = found.rows["train"]
    left = found.without({int(first): "gone"})
    assert (len(left.targets), len(left.splits), len(left.groups)) == (49, 49, 49)
    assert first not in left.indices
    assert (left.examples[first].problem, left.examples[first].split) == ("gone", None)
    with pytest.raises(DataError, match="no picture of the test split is left"):
        found.without(dict.fromkeys(found.rows["test"].tolist(), "gone"))


def in_fours() -> Scenes:
    """Of every four pictures the first is the original of the others."""
    names = [f"{1000 - row:032}" for row in range(80)]
    return Scenes(pairs=tuple((names[row - row % 4], names[row]) for row in range(80) if row % 4))


@pytest.mark.parametrize("given", [None, "train"])
def test_of_augmented_copies_only_the_original_is_tested_on(given: Split | None) -> None:
    targets: list[Target] = [ClassName("ab"[row // 4 % 2]) for row in range(80)]
    found = gather(examined(targets, scenes=in_fours(), given=given), seed=0)
    split_of = {int(index): str(split) for index, split in zip(found.indices, found.splits, strict=True)}
    aside = {row for row, example in enumerate(found.examples) if example.problem}
    assert {found.examples[row].problem for row in aside} == {"augmented copy of a picture of test"}
    tested = [row for row, split in split_of.items() if split == "test"]
    assert len(tested) == 4  # a fifth of the 20 originals
    assert all(row % 4 == 0 for row in tested)
    assert aside == {row + more for row in tested for more in (1, 2, 3)}
    for row in range(0, 80, 4):  # and no family is torn apart
        assert len({split_of[one] for one in range(row, row + 4) if one in split_of}) == 1


def test_a_test_that_was_given_stays_whole() -> None:
    targets: list[Target] = [ClassName("ab"[row // 4 % 2]) for row in range(80)]
    seen = examined(targets, scenes=in_fours())
    entries = tuple(
        replace(entry, split="test" if row >= 72 else "train") for row, entry in enumerate(seen.listing.entries)
    )
    listing = replace(seen.listing, entries=entries)
    seen = replace(seen, listing=listing, audit=build_audit(listing, seen.inspections, in_fours()))
    found = gather(seen, seed=0)
    assert not any(example.problem for example in found.examples)
    assert len(found.rows["test"]) == 8
