"""Data sets of dev and test alone. In: tables, folders. Out: dev to learn from; what cannot be."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tellapart.data.examples import ReadOptions
from tellapart.data.listing import read_listing
from tellapart.errors import DataError, SettingsError


def table(folder: Path, *splits: str) -> Path:
    rows = [f"a film {number},{'yes' if number % 2 else 'no'},{split}" for split in splits for number in range(4)]
    (folder / "t.csv").write_text("text,label,split\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return folder / "t.csv"


def test_a_table_of_texts_is_learned_from_where_it_is_told(tmp_path: Path) -> None:
    found = read_listing(table(tmp_path, "dev", "test"), ReadOptions(train_split="dev"))
    assert Counter(entry.split for entry in found.entries) == {"train": 4, "test": 4}
    found = read_listing(table(tmp_path, "dev", "test"), ReadOptions(train_split="validation"))
    assert Counter(entry.split for entry in found.entries) == {"train": 4, "test": 4}


def test_so_are_numbered_lines(tmp_path: Path) -> None:
    (tmp_path / "class.txt").write_text("no\nyes\n", encoding="utf-8")
    for name in ("dev", "test"):
        (tmp_path / f"{name}.txt").write_text("a film\t0\nb film\t1\n", encoding="utf-8")
    found = read_listing(tmp_path, ReadOptions(train_split="dev"))
    assert Counter(entry.split for entry in found.entries) == {"train": 2, "test": 2}


@pytest.mark.parametrize(
    ("splits", "name", "message"),
    [
        (("train", "dev"), "dev", r"gives 'train', 'validation': 'train' is there to learn from. Leave it out"),
        (("test",), "dev", r"--train-split is 'dev', and .* gives 'test': 'dev' is not among them"),
    ],
)
def test_what_is_not_there_or_needed_is_refused(
    tmp_path: Path, splits: tuple[str, ...], name: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_listing(table(tmp_path, *splits), ReadOptions(train_split=name))


def test_what_is_no_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--train-split is 'films', which is no usual name of a split"):
        read_listing(table(tmp_path, "dev"), ReadOptions(train_split="films"))
