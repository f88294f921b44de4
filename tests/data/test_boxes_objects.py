"""Boxes in one cell a picture, as Hugging Face's data sets have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tellapart.data.examples import Listing, ReadOptions
from tellapart.data.listing import read_listing
from tellapart.data.targets import Box, Boxes
from tellapart.errors import DataError


def boxes_of(listing: Listing) -> dict[str, tuple[Box, ...]]:
    return {entry.path.name: entry.target.boxes for entry in listing.entries if isinstance(entry.target, Boxes)}


def write(folder: Path, *rows: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in "abc":
        (folder / f"{name}.png").touch()
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (folder / "metadata.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "objects",
    [
        {"bbox": [[1, 2, 30, 40], [5, 5, 1, 1.5]], "categories": ["狗", 7], "iscrowd": [0, 1]},
        {"bboxes": [[1, 2, 30, 40], [5, 5, 1, 1.5]], "category": ["狗", "7"], "is_crowd": [False, True]},
        [{"bbox": [1, 2, 30, 40], "label": "狗"}, {"bbox": [5, 5, 1, 1.5], "category_id": 7, "iscrowd": 1}],
        # The names win over their numbers.
        {
            "bbox": [[1, 2, 30, 40], [5, 5, 1, 1.5]],
            "category_id": [0, 1],
            "category_name": ["狗", "7"],
            "crowd": [0, 1],
        },
    ],
)
def test_boxes_beside_the_pictures(objects: Any, tmp_path: Path) -> None:
    empty = {"bbox": [], "categories": []}
    write(tmp_path, {"file_name": "a.png", "objects": objects}, {"file_name": "b.png", "objects": empty})
    listing = read_listing(tmp_path)
    assert listing.task == "detection"
    assert boxes_of(listing) == {"a.png": (Box("狗", 1, 2, 31, 42), Box("7", 5, 5, 6, 6.5, crowd=True)), "b.png": ()}
    assert any("column 'objects' are read as left, top, width, height (task detection)" in one for one in listing.notes)


def test_a_table_for_each_split_and_what_is_wrong_in_them(tmp_path: Path) -> None:
    things = {"bbox": [[1, 2, 3, 4], "?", [1, 2]], "categories": ["cat", "cat"]}
    write(tmp_path / "train", {"file_name": "a.png", "objects": things})
    write(tmp_path / "test", {"file_name": "c.png", "objects": None}, {"file_name": "a.png", "objects": things})
    listing = read_listing(tmp_path, ReadOptions(task="detection"))
    assert [(entry.path.name, entry.split) for entry in listing.entries] == [
        ("a.png", "test"),
        ("c.png", "test"),
        ("a.png", "train"),
    ]
    # A box that is no four numbers stays until the pictures are opened; one without a class is left out of each table.
    assert [len(boxes) for boxes in boxes_of(listing).values()] == [2, 0]
    assert [fault.times for fault in listing.faults["no class"]] == [1, 1]


def test_corners_where_only_they_fit_the_pictures(tmp_path: Path) -> None:
    rows = [
        {"file_name": f"{name}.png", "width": 50, "height": 40, "objects": {"bbox": [[20, 15, 45, 35]], "label": ["x"]}}
        for name in "ab"
    ]
    listing = read_listing(write(tmp_path, *rows))
    assert boxes_of(listing)["a.png"] == (Box("x", 20, 15, 45, 35),)
    assert listing.entries[0].drawn is not None
    assert listing.entries[0].drawn.width == 50
    assert any("as left, top, right, bottom, since only so they fit the pictures" in note for note in listing.notes)


def test_numbers_that_fit_either_way_are_sides(tmp_path: Path) -> None:
    row = {"file_name": "a.png", "width": 50, "height": 40, "objects": {"bbox": [[2, 3, 20, 30]], "label": ["x"]}}
    assert boxes_of(read_listing(write(tmp_path, row)))["a.png"] == (Box("x", 2, 3, 22, 33),)


@pytest.mark.parametrize("cell", ["nonsense", {"bbox": 3}, ["a"], {"categories": []}])
def test_a_cell_that_holds_no_boxes_is_refused(cell: Any, tmp_path: Path) -> None:
    fine = {"bbox": [[1, 2, 3, 4]], "categories": ["cat"]}
    write(tmp_path, {"file_name": "a.png", "objects": fine}, {"file_name": "b.png", "objects": cell})
    with pytest.raises(DataError, match=r"row 2 of '.*metadata.jsonl' has no boxes in its cell of objects: .*Write \{"):
        read_listing(tmp_path)


def test_objects_of_another_kind_are_none(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "dog").mkdir()
    for name in ("cat/d.png", "dog/e.png"):
        (tmp_path / name).touch()
    write(tmp_path, {"file_name": "cat/d.png", "objects": ["sofa", "table"]})
    for name in "abc":
        (tmp_path / f"{name}.png").unlink()
    assert read_listing(tmp_path).task == "classification"


@pytest.mark.parametrize(
    "feature",
    [
        {"feature": {"category": {"names": ["cat", "狗"], "_type": "ClassLabel"}}, "_type": "Sequence"},
        {"category": {"feature": {"names": ["cat", "狗"], "_type": "ClassLabel"}, "_type": "List"}},
    ],
)
@pytest.mark.parametrize("listed", [False, True])
def test_parquet_with_the_pictures_in_it_and_names_of_classes(feature: Any, listed: bool, tmp_path: Path) -> None:
    pictures = pa.array(
        [{"bytes": b"\x89PNG", "path": "a.png"}, {"bytes": b"\x89PNG", "path": "b.png"}],
        pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
    )
    objects: list[Any] = [{"bbox": [[1.0, 2, 3, 4]], "category": [1]}, {"bbox": [], "category": []}]
    if listed:
        objects = [[{"bbox": [1.0, 2, 3, 4], "category": 1}], []]
        feature = [feature["feature"]] if "feature" in feature else [{"category": feature["category"]["feature"]}]
    table = pa.table({"image": pictures, "objects": objects})
    features = {"image": {"_type": "Image"}, "objects": feature}
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, tmp_path / "train-00000-of-00001.parquet")
    listing = read_listing(tmp_path)
    assert listing.task == "detection"
    assert [entry.target for entry in listing.entries] == [Boxes((Box("狗", 1, 2, 4, 6),)), Boxes()]
