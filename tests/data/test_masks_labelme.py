"""Masks out of LabelMe's JSON. In: shapes. Out: classes a pixel."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tellapart.data.examples import ReadOptions
from tellapart.data.listing import read_listing
from tellapart.data.mask_targets import MaskFile
from tellapart.data.masks import read_mask
from tellapart.data.other_tasks import OtherTask
from tellapart.errors import DataError
from tests.data.mask_data import halves, settled, write_picture


def write_shapes(path: Path, *shapes: object, seed: int = 0, **more: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"imagePath": path.with_suffix(".jpg").name, "imageWidth": 12, "imageHeight": 8, "shapes": shapes, **more}
    path.write_text(json.dumps(content))
    write_picture(path.with_suffix(".jpg"), seed=seed)


def shape(label: str, *points: tuple[float, float], kind: str | None = None, **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, **({"shape_type": kind} if kind else {}), **more}


def test_every_kind_of_area_in_the_order_in_which_it_was_drawn(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(halves(0, 1, 2, 2)).save(buffer, "PNG")
    pasted = base64.b64encode(buffer.getvalue()).decode()
    write_shapes(
        tmp_path / "a.json",
        shape("floor", (0, 4), (12, 4), (12, 8), (0, 8)),
        shape("door", (2, 6), (4, 2), kind="rectangle"),
        shape("lamp", (8, 2), (8, 3.2), kind="circle"),
        shape("spot", (10, 0), (11, 1), kind="mask", mask=pasted),
        shape("__ignore__", (0, 0), (1, 1), kind="rectangle"),
    )
    listing, _ = settled(tmp_path)
    assert listing.classes == ("background", "door", "floor", "lamp", "spot")
    target = listing.entries[0].target
    assert isinstance(target, MaskFile)
    assert MaskFile.read(target.text) == target
    wanted = np.zeros((8, 12), dtype=int)
    wanted[4:] = 2
    wanted[2:6, 2:4] = 1
    wanted[1:3, 7:9] = 3
    wanted[0:2, 11] = 4
    wanted[0, 0] = 255
    np.testing.assert_array_equal(read_mask(target, listing.classes), wanted)


def test_lines_and_nameless_shapes_are_told(tmp_path: Path) -> None:
    write_shapes(
        tmp_path / "a.json",
        shape("x", (0, 0), (6, 0), (6, 8), (0, 8)),
        shape("x", (0, 0), (6, 0), kind="line"),
        shape("", (0, 0), (6, 0), (6, 8)),
    )
    write_shapes(tmp_path / "b.json", shape("x", (1, 1), kind="point"), seed=1)
    write_shapes(tmp_path / "c.json", seed=2)
    write_picture(tmp_path / "d.jpg", seed=3)
    listing, _ = settled(tmp_path)
    found = {kind: [(Path(one.path).name, one.times) for one in faults] for kind, faults in listing.faults.items()}
    assert found == {
        "not annotated": [("b.jpg", 1), ("d.jpg", 1)],
        "none left": [("b.jpg", 1)],
        "shape without class": [("a.json", 1)],
        "no shape": [("a.json", 1), ("b.json", 1)],
    }
    assert [entry.path.name for entry in listing.entries] == ["a.jpg", "c.jpg"]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (shape("x", (0, 0), (6, 0), (float("nan"), 8)), "points that are no numbers"),
        ({"label": "x", "points": [[1], [2]]}, "points are no pairs of numbers"),
        (shape("x", (0, 0), (6, 0), (1, 1), kind="circle"), "a circle that is not its middle and a point on it"),
        (shape("x", (0, 0), (6, 0), kind="mask", mask="%%%"), "no PNG in base64 with two corners"),
    ],
)
def test_bad_shapes_leave_the_picture_out(tmp_path: Path, wrong: object, reason: str) -> None:
    write_shapes(tmp_path / "a.json", wrong)
    with pytest.raises(DataError, match=reason):
        settled(tmp_path)


def test_a_json_of_another_size_is_scaled(tmp_path: Path) -> None:
    write_shapes(tmp_path / "a.json", shape("x", (0, 0), (12, 0), (12, 16), (0, 16)), imageWidth=24, imageHeight=16)
    listing, _ = settled(tmp_path)
    target = listing.entries[0].target
    assert isinstance(target, MaskFile)
    assert read_mask(target, listing.classes).tolist() == halves(1, 0).tolist()
    assert list(listing.faults) == ["mask scaled"]


def test_shapes_alone_are_asked_about(tmp_path: Path) -> None:
    write_shapes(tmp_path / "a.json", shape("x", (0, 0), (6, 0), (6, 8)))
    with pytest.raises(OtherTask, match="around its shapes, --task segmentation the shapes as masks"):
        read_listing(tmp_path)
    assert read_listing(tmp_path, ReadOptions(task="segmentation")).task == "segmentation"
