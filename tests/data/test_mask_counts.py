"""What masks add to the audit. In: a small data set. Out: pixels and pictures a class, in words and JSON."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tellapart.data.audit import audit_json, build_audit
from tests.data.mask_data import halves, settled, write_set


def test_pixels_and_pictures_of_each_class(tmp_path: Path) -> None:
    ring = halves(0, 1)
    ring[0] = 255
    rare = np.zeros((100, 100), dtype=np.uint8)
    rare[0, 0] = 2
    write_set(tmp_path, {"a": ring, "b": halves(0, 0), "c": halves(1, 1)}, "train/images", "train/masks")
    write_set(tmp_path, {"d": rare}, "test/images", "test/masks")
    listing, inspections = settled(tmp_path, classes="ground,cell,dust,nothing")
    audit = build_audit(listing, inspections)
    record = audit_json(audit)
    assert record["classes"] == ["ground", "cell", "dust"]
    assert record["counts"] == {
        "train": {"ground": 2, "cell": 2, "dust": 0},
        "test": {"ground": 1, "cell": 0, "dust": 1},
    }
    masks = record["masks"]
    assert masks["pictures"] == {"train": 3, "test": 1}
    assert masks["pixels"] == {
        "train": {"ground": 42 + 96, "cell": 42 + 96, "dust": 0},
        "test": {"ground": 9999, "cell": 0, "dust": 1},
    }
    assert masks["ignored_pixels"] == 12
    assert masks["of_one_class"] == {"ground": 1, "cell": 1}
    assert masks["absent"] == ["nothing"]
    assert masks["shares"]["dust"] == round(1 / 10276, 6)
    own = audit.own
    assert own is not None
    assert own.target_warnings == (
        "never there: 'nothing', which is named and no class, since no mask shows it.",
        "rare: 'dust' has 0.0097 % of the pixels, and is easily overlooked. Add pictures that show it, or train on crops that do.",
    )
    assert own.notes == (
        "masks of 'ground' alone: 1 of 4 pictures; they stay.",
        "masks of 'cell' alone: 1 of 4 pictures; they stay.",
        "pixels that count nowhere: 0.117 %.",
    )
    assert own.lines[0].split() == ["pixels", "train", "test", "share"]
    assert own.lines[1].split() == ["ground", "138", "9,999", "98.65", "%"]
