"""What is learned from. In: what was examined. Out: rows, targets and splits of one class or of sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tellapart.data.dataset import Dataset, gather
from tellapart.data.examples import Entry, Inspection, Listing
from tellapart.data.stratify import assign_label_sets
from tellapart.data.survey import Examined, build_audit
from tellapart.data.targets import ClassName, ClassNames, Target, class_sets
from tellapart.errors import DataError


def examined(targets: list[Target], problems: dict[int, str] | None = None) -> Examined:
    """Pictures with contents of their own, in the order of their numbers backwards."""
    sets = isinstance(targets[0], ClassNames)
    entries = tuple(Entry(path=Path(f"{row}.png"), target=target, split=None) for row, target in enumerate(targets))
    inspections = []
    for row in range(len(targets)):
        problem = (problems or {}).get(row, "")
        content = "" if problem else f"{1000 - row:032}"
        inspections.append(Inspection(file_hash=str(row), content_hash=content, problem=problem, width=8, height=8))
    classes = tuple(sorted({name for target in targets for name in target.classes}))
    listing = Listing(
        source=Path("data"), entries=entries, classes=classes, task="multilabel" if sets else "classification"
    )
    return Examined(listing=listing, inspections=inspections, audit=build_audit(listing, inspections))


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
