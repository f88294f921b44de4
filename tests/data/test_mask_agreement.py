"""Copies whose masks differ. In: one picture under two names. Out: a conflict, or none."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.data.audit import build_audit, findings
from tests.data.mask_data import halves, settled, write_mask, write_picture


def conflicts(root: Path, first: object, second: object, *, smaller: bool = False) -> list[tuple[list[str], bool]]:
    write_picture(root / "images" / "a.png", 64, 64)
    if smaller:
        Image.open(root / "images" / "a.png").resize((32, 32), Image.Resampling.BOX).save(root / "images" / "b.png")
    else:
        shutil.copy(root / "images" / "a.png", root / "images" / "b.png")
    write_picture(root / "images" / "c.png", 64, 64, seed=1)
    write_mask(root / "masks" / "a.png", first)  # type: ignore[arg-type]
    write_mask(root / "masks" / "b.png", second)  # type: ignore[arg-type]
    write_mask(root / "masks" / "c.png", halves(0, 1, 64, 64))
    listing, inspections = settled(root)
    audit = build_audit(listing, inspections)
    if audit.two_labels:
        assert any(one.message.startswith("TWO MASKS: exactly the same picture") for one in findings(audit))
    return [([path.name for path in one.paths], one.exact) for one in audit.two_labels]


def test_the_other_way_round_cannot_both_be_right(tmp_path: Path) -> None:
    assert conflicts(tmp_path, halves(0, 1, 64, 64), halves(1, 0, 64, 64)) == [(["a.png", "b.png"], True)]


def test_another_edge_is_the_same_mask(tmp_path: Path) -> None:
    other = halves(0, 1, 64, 64)
    other[:, 30:34] = 0
    assert conflicts(tmp_path, halves(0, 1, 64, 64), other) == []


@pytest.mark.parametrize("pixels", [2, 20])
def test_a_thing_that_is_missing_in_one(tmp_path: Path, pixels: int) -> None:
    other = halves(0, 1, 64, 64)
    other[:pixels, :pixels] = 2
    found = conflicts(tmp_path, halves(0, 1, 64, 64), other)
    assert found == ([] if pixels == 2 else [(["a.png", "b.png"], True)])


def test_what_counts_nowhere_contradicts_nothing(tmp_path: Path) -> None:
    other = np.full((64, 64), 255, dtype=np.uint8)
    other[0, 0] = 0
    assert conflicts(tmp_path, halves(0, 1, 64, 64), other) == []
