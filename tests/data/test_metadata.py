"""Folders with a table beside their pictures. In: Hugging Face's layout. Out: one listing, or the folders' own classes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tellapart.data.examples import Listing, ReadOptions
from tellapart.data.listing import read_listing
from tellapart.errors import DataError


def make(folder: Path, name: str, rows: list[dict[str, str]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for row in rows:
        (folder / row["file_name"]).touch()
    text = "\n".join(map(json.dumps, rows))
    if name.endswith(".csv"):
        text = "\n".join(",".join(row) for row in [list(rows[0]), *(list(row.values()) for row in rows)])
    (folder / name).write_text(text)


def found(listing: Listing, folder: Path) -> list[tuple[str, str, str | None]]:
    return [(entry.path.relative_to(folder).as_posix(), entry.target.text, entry.split) for entry in listing.entries]


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl"])
def test_one_table_for_the_folder(tmp_path: Path, name: str) -> None:
    make(tmp_path, name, [{"file_name": "a.png", "label": "cat"}, {"file_name": "b.png", "label": "dog"}])
    listing = read_listing(tmp_path)
    assert found(listing, tmp_path) == [("a.png", "cat", None), ("b.png", "dog", None)]
    assert (listing.source, listing.folder) == (tmp_path, tmp_path)
    assert listing.notes[0] == f"{tmp_path}: labels are read from {name}."


def test_one_table_for_each_split(tmp_path: Path) -> None:
    make(
        tmp_path / "train",
        "metadata.jsonl",
        [{"file_name": "a.png", "label": "cat"}, {"file_name": "b.png", "label": "dog"}],
    )
    make(tmp_path / "test", "metadata.csv", [{"file_name": "a.png", "label": "cow"}])
    listing = read_listing(tmp_path)
    assert found(listing, tmp_path) == [
        ("test/a.png", "cow", "test"),
        ("train/a.png", "cat", "train"),
        ("train/b.png", "dog", "train"),
    ]
    assert listing.classes == ("cat", "cow", "dog")


def test_captions_are_no_labels(tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        make(tmp_path / label, "notes.csv", [{"file_name": "a.png", "text": "x"}])
    make(tmp_path, "metadata.csv", [{"file_name": "cat/a.png", "text": "a cat"}])
    assert set(read_listing(tmp_path).classes) == {"cat", "dog"}


def test_tables_for_different_tasks_are_asked(tmp_path: Path) -> None:
    make(tmp_path / "train", "metadata.jsonl", [{"file_name": "a.png", "label": "cat"}])
    make(tmp_path / "test", "metadata.jsonl", [{"file_name": "a.png", "labels": "cat|dog"}])
    with pytest.raises(
        DataError, match=r"are for different tasks, classification and multilabel\. Say which with --task\."
    ):
        read_listing(tmp_path)


def test_a_table_without_labels_is_what_is_missing(tmp_path: Path) -> None:
    """Loose pictures with captions: not the class folders are missing, but the column of classes."""
    make(tmp_path, "metadata.csv", [{"file_name": "a.png", "text": "a cat"}, {"file_name": "b.png", "text": "a dog"}])
    with pytest.raises(DataError) as caught:
        read_listing(tmp_path)
    assert str(caught.value).endswith(
        f"{tmp_path / 'metadata.csv'} describes pictures, but no column of it is called as classes are; its columns are 'path', "
        "'text'. Say which holds the classes with --label-column NAME."
    )
    told = read_listing(tmp_path, ReadOptions(label_column="text"))
    assert told.classes == ("a cat", "a dog")
