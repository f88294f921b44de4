"""A mask as everybody else sees it. In: files of every kind. Out: the number of a class a pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tellapart.data.mask_targets import IGNORED, MaskFile
from tellapart.data.masks import read_mask
from tellapart.data.targets import class_shares
from tellapart.errors import DataError
from tests.data.mask_data import halves, settled, write_mask, write_set


def test_black_and_white_is_background_and_foreground(tmp_path: Path) -> None:
    write_set(tmp_path, {"a": halves(0, 255), "b": halves(255, 255), "c": halves(255, 0)})
    listing, _ = settled(tmp_path)
    assert listing.classes == ("background", "foreground")
    targets = [entry.target for entry in listing.entries]
    assert [target.classes for target in targets] == [
        ("background", "foreground"),
        ("foreground",),
        ("background", "foreground"),
    ]
    assert isinstance(targets[0], MaskFile)
    np.testing.assert_array_equal(read_mask(targets[0], listing.classes), halves(0, 1))
    np.testing.assert_array_equal(read_mask(targets[0], listing.classes[::-1]), halves(1, 0))
    np.testing.assert_allclose(class_shares(targets, listing.classes), [[0.5, 0.5], [0, 1], [0.5, 0.5]])


def test_255_counts_nowhere_beside_other_values(tmp_path: Path) -> None:
    mask = halves(0, 2)
    mask[0] = 255
    write_set(tmp_path, {"a": mask, "b": halves(1, 2)})
    listing, _ = settled(tmp_path)
    assert listing.classes == ("background", "1", "2")
    first = listing.entries[0].target
    assert isinstance(first, MaskFile)
    assert first.areas == {"2": 42, "background": 42}
    found = read_mask(first, listing.classes)
    assert found.dtype == np.uint8
    assert (found[0] == IGNORED).all()
    np.testing.assert_array_equal(found[1:], halves(0, 2)[1:])
    np.testing.assert_allclose(class_shares([first], listing.classes), [[0.5, 0, 0.5]])


def test_a_target_reads_its_mask_again_from_its_text(tmp_path: Path) -> None:
    write_set(tmp_path, {"a": halves(3, 9), "b": halves(9, 9)})
    listing, _ = settled(tmp_path, classes="ground=3,crack=9")
    assert listing.classes == ("ground", "crack")
    target = listing.entries[0].target
    again = MaskFile.read(target.text)
    assert again == target
    np.testing.assert_array_equal(read_mask(again, listing.classes), halves(0, 1))
    assert target.said == "crack 50 %, ground 50 %"


def test_a_mask_that_changed_or_is_gone_is_told(tmp_path: Path) -> None:
    write_set(tmp_path, {"a": halves(0, 1), "b": halves(1, 0)})
    listing, _ = settled(tmp_path)
    first, second = (entry.target for entry in listing.entries)
    assert isinstance(first, MaskFile)
    assert isinstance(second, MaskFile)
    write_mask(first.path, halves(1, 1))
    with pytest.raises(DataError, match=r"a\.png has changed since it was looked at\. Put the mask back"):
        read_mask(first, listing.classes)
    second.path.unlink()
    with pytest.raises(DataError, match=r"b\.png cannot be read: there is no such file\. Put the mask back"):
        read_mask(second, listing.classes)
    with pytest.raises(DataError, match="has pixels of '1', which is none of the classes background"):
        read_mask(first, ("background",))


def test_a_mask_that_nobody_settled_holds_the_numbers_of_the_classes(tmp_path: Path) -> None:
    write_mask(tmp_path / "a.png", halves(1, 255))
    np.testing.assert_array_equal(read_mask(MaskFile(tmp_path / "a.png"), ("x", "y")), halves(1, 255))
    with pytest.raises(DataError, match=r"has the value 1, and there are 1 classes"):
        read_mask(MaskFile(tmp_path / "a.png"), ("x",))
