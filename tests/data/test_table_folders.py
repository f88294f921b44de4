"""Folders of parquet and Arrow tables, as Hugging Face keeps data sets. In: tables with pictures in them. Out: one listing."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tellapart.data.examples import Listing
from tellapart.data.listing import read_listing
from tellapart.errors import DataError
from tellapart.sources.reading import read_bytes

FEATURES = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
SHARDS = (
    "train-00000-of-00002-0123456789abcdef",
    "train-00001-of-00002",
    "validation-00000-of-00001",
    "test-00000-of-00001",
)


def picture(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (9, 9), (shade, 0, 0)).save(file, "PNG")
    return file.getvalue()


def table(shade: int, **columns: Any) -> pa.Table:
    """Two pictures, of shades `shade` and `shade + 1`, of classes 0 and 1."""
    rows = [{"bytes": picture(shade + number), "path": f"{number}.png"} for number in (0, 1)]
    found = pa.table({"image": rows, **(columns or {"label": [0, 1]})})
    return found.replace_schema_metadata({"huggingface": json.dumps(FEATURES)})


def write(path: Path, shade: int, **columns: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".arrow":  # as save_to_disk writes it
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table(shade).schema) as stream:
            stream.write_table(table(shade, **columns))
    else:
        pq.write_table(table(shade, **columns), path)


def found(listing: Listing, folder: Path) -> list[tuple[str, str, str | None]]:
    return [(entry.path.relative_to(folder).as_posix(), entry.target.text, entry.split) for entry in listing.entries]


@pytest.mark.parametrize("between", ["", "data/", "a/b/"])
def test_shards_are_one_set_split_by_their_names(tmp_path: Path, between: str) -> None:
    for number, name in enumerate(SHARDS):
        write(tmp_path / f"{between}{name}.parquet", 10 * number)
    (tmp_path / "README.md").touch()
    (tmp_path / ".git").mkdir()
    listing = read_listing(tmp_path)
    splits = ("test", "train", "train", "validation")
    assert [(label, split) for _, label, split in found(listing, tmp_path)] == [
        (label, split) for split in splits for label in ("cat", "dog")
    ]
    assert listing.classes == ("cat", "dog")
    shown = ", ".join(f"{between}{name}.parquet" for name in sorted(SHARDS))
    assert listing.notes[0] == f"{tmp_path}: labels are read from {shown}."
    last = listing.entries[-1]
    assert last.path == tmp_path / f"{between}{SHARDS[2]}.parquet" / "0000001.png"
    assert read_bytes(last.path) == picture(21)


def test_folders_say_the_split_too(tmp_path: Path) -> None:
    write(tmp_path / "train" / "data-00000-of-00001.arrow", 10)
    write(tmp_path / "test" / "data-00000-of-00001.arrow", 20)
    for name in ("dataset_dict.json", "train/state.json", "test/state.json"):
        (tmp_path / name).write_text("{}")
    assert [split for _, _, split in found(read_listing(tmp_path), tmp_path)] == ["test", "test", "train", "train"]


def test_names_without_a_split(tmp_path: Path) -> None:
    write(tmp_path / "part-0.parquet", 10)
    write(tmp_path / "part-1.parquet", 20)
    assert [split for _, _, split in found(read_listing(tmp_path), tmp_path)] == [None] * 4
    write(tmp_path / "train-0.parquet", 30)
    listing = read_listing(tmp_path)
    assert [split for _, _, split in found(listing, tmp_path)] == ["train"] * 2
    assert listing.notes[-1] == (
        f"{tmp_path}: tables whose names say no split are not read: 'part-0.parquet', 'part-1.parquet'."
    )


def test_without_labels_the_columns_are_named(tmp_path: Path) -> None:
    write(tmp_path / "train-00000-of-00001.parquet", 10, caption=["a", "b"])
    with pytest.raises(
        DataError, match=r"lacks the column 'label'; its first row has 'path', 'caption'.*--label-column"
    ):
        read_listing(tmp_path)


def test_a_table_beside_class_folders_is_none(tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "a.png").write_bytes(picture(1))
    write(tmp_path / "x.parquet", 10)
    assert [path for path, _, _ in found(read_listing(tmp_path), tmp_path)] == ["cat/a.png", "dog/a.png"]
