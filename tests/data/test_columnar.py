"""Tables in columns, some with the pictures in them. In: files that pyarrow writes. Out: cells, pictures' bytes, or why not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from tellapart.data.columnar import open_columns
from tellapart.data.listing import read_listing
from tellapart.errors import DataError, PictureError
from tellapart.sources.reading import exists, read_bytes

PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def stream(table: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


WRITERS: dict[str, Callable[[pa.Table, Path], object]] = {
    "t.parquet": lambda table, path: pq.write_table(table, path, row_group_size=2),
    "t.feather": lambda table, path: pyarrow.feather.write_feather(table, path, chunksize=2),
    "t.arrow": stream,
}


def hugging_face(pictures: list[Any], labels: list[int]) -> pa.Table:
    """A table as `datasets` writes it, whose description names the classes."""
    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["cat", "dog"]}}
    table = pa.table({"image": pa.array(pictures, PICTURE), "label": pa.array(labels, pa.int64())})
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


@pytest.mark.parametrize("name", WRITERS)
def test_cells_of_every_kind(tmp_path: Path, name: str) -> None:
    table = pa.table(
        {
            "path": ["a.png", "b.png", None],
            "n": pa.array([1, 2, 3], pa.int32()),
            "x": [1.0, 0.5, None],
            "on": [True, False, None],
            "class": pa.array(["cat", "dog", "cat"]).dictionary_encode(),
            "tags": [["u", "v|w"], [], None],
        }
    )
    WRITERS[name](table, tmp_path / name)
    cells = open_columns(tmp_path / name, Counter())
    assert cells.header == ("path", "n", "x", "on", "class", "tags")
    assert [row for _, row in cells.rows()] == [
        ["a.png", "1", "1", "true", "cat", "u|v\\|w"],
        ["b.png", "2", "0.5", "false", "dog", ""],
        ["", "3", "", "", "cat", ""],
    ]


@pytest.mark.parametrize("name", WRITERS)
def test_pictures_in_the_table(tmp_path: Path, name: str) -> None:
    pictures = [{"bytes": bytes([65 + row]) * 9, "path": f"{row}.jpg"} for row in range(5)]
    WRITERS[name](hugging_face(pictures, [0, 1, 0, 1, 1]), tmp_path / name)
    listing = read_listing(tmp_path / name)
    assert [entry.target.text for entry in listing.entries] == ["cat", "dog", "cat", "dog", "dog"]
    paths = [entry.path for entry in listing.entries]
    assert paths == [tmp_path / name / f"{row:07d}.jpg" for row in range(5)]
    assert [read_bytes(path) for path in reversed(paths)] == [picture["bytes"] for picture in reversed(pictures)]
    assert exists(paths[0])


def test_plain_bytes_are_pictures_too(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"path": ["x", "y"], "data": [b"one", b"two"], "label": ["a", "b"]}), tmp_path / "t.parquet"
    )
    entries = read_listing(tmp_path / "t.parquet").entries
    assert [read_bytes(entry.path) for entry in entries] == [b"one", b"two"]
    assert [entry.path.name for entry in entries] == ["0000000", "0000001"]


def test_a_row_without_bytes_and_one_that_is_not_there(tmp_path: Path) -> None:
    pq.write_table(hugging_face([{"bytes": None, "path": "a.jpg"}], [0]), tmp_path / "t.parquet")
    with pytest.raises(PictureError, match="the table has no bytes there"):
        read_bytes(tmp_path / "t.parquet/0000000.jpg")
    for name in ("0000001.jpg", "a.jpg", "-1"):
        with pytest.raises(FileNotFoundError):
            read_bytes(tmp_path / "t.parquet" / name)


def test_two_columns_of_pictures_are_asked(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [b"x"], "b": [b"y"], "label": ["c"]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"has 2 columns of pictures, 'a', 'b'\. Keep one\."):
        open_columns(tmp_path / "t.parquet", Counter())


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"path": ["a.png"] * 99, "label": ["c"] * 99}), path)
    whole = path.read_bytes()
    for data in (b"", b"PAR1", whole[: len(whole) // 2], b"path,label\n" * 9):
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"cannot be read as parquet or Arrow: .*[^.]\. Save it again, or as CSV"):
            open_columns(path, Counter())
