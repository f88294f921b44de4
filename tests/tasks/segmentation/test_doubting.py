"""The label doctor for masks. In: made pictures with planted faults. Out: these, and hardly another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tellapart
from tests.tasks.segmentation.made_pictures import made_folder
from tests.tasks.segmentation.quick import probe_quickly

pytestmark = pytest.mark.slow


def plant(path: Path, old: int, new: int) -> None:
    with Image.open(path) as image:
        mask = np.array(image)
    assert (mask == old).any()
    mask[mask == old] = new
    Image.fromarray(mask).save(path)


def test_planted_faults_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    probe_quickly(monkeypatch, 150)
    folder = made_folder(tmp_path / "data", count=24)
    plant(folder / "masks" / "3.png", 1, 0)  # a disc that is not labelled
    plant(folder / "masks" / "7.png", 2, 1)  # a square that is called a disc
    told = tellapart.check(folder, labels=True)["labels"]
    found = {Path(row["path"]).name: row for row in told["wrong"]}
    assert {"3.png", "7.png"} <= set(found)
    assert len(found) <= 4
    assert (found["3.png"]["kind"], found["3.png"]["label"], found["3.png"]["suggested"]) == (
        "missing",
        "background",
        "disc",
    )
    assert (found["7.png"]["kind"], found["7.png"]["label"], found["7.png"]["suggested"]) == (
        "swapped",
        "disc",
        "square",
    )
    assert found["3.png"]["told"].startswith("disc missing (")
    assert "square" in found["7.png"]["told"]
    assert told["told"].startswith("Masks of 24 pictures judged by pixel probes")
