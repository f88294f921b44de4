"""examples.csv comes back as it was written, is whole or absent, and is refused in words when it is not ours."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tellapart.data.examples import Example
from tellapart.data.examples_csv import COLUMNS, read_examples, write_examples
from tellapart.data.targets import Box, Boxes, ClassName, ClassNames, MaskFile, Target
from tellapart.errors import DataError, StorageError


def example(path: str, *, label: str = "cat", problem: str = "", group: str = "g") -> Example:
    return Example(
        path=Path(path),
        target=ClassName(label),
        split=None if problem else "test",
        group=group,
        content_hash="" if problem else "0123456789abcdef" * 2,
        width=640,
        height=480,
        problem=problem,
    )


EXAMPLES = [
    example("plain.jpg"),
    example("folder, with commas/a.jpg", label="a,b"),
    example('with "quotes".jpg', label='"quoted"', group="it's"),
    example("with\nnewline.jpg", label="line\r\nbreak"),
    example("with\rreturn.jpg", label=" spaces "),
    example("图片/猫 一.jpg", label="猫", group="病人 1"),
    example("broken.jpg", problem='damaged, "truncated"\nat byte 7'),
    example("emoji 🐈.jpg", label="=1+1"),
    example("semi;colon\ttab.jpg", label="", group=""),
]


def test_examples_come_back_as_they_were_written(tmp_path: Path) -> None:
    write_examples(tmp_path / "examples.csv", EXAMPLES)
    assert read_examples(tmp_path / "examples.csv") == EXAMPLES


def test_every_split_comes_back(tmp_path: Path) -> None:
    written = [
        Example(
            path=Path(f"{split}.png"), target=ClassName("a"), split=split, group="", content_hash="", width=0, height=0
        )
        for split in ("train", "validation", "test", None)
    ]
    write_examples(tmp_path / "examples.csv", written)
    assert read_examples(tmp_path / "examples.csv") == written


def test_an_empty_data_set_is_a_header(tmp_path: Path) -> None:
    write_examples(tmp_path / "examples.csv", [])
    assert (tmp_path / "examples.csv").read_bytes() == ",".join(COLUMNS).encode() + b"\r\n"
    assert read_examples(tmp_path / "examples.csv") == []


def test_any_csv_reader_can_read_it(tmp_path: Path) -> None:
    write_examples(tmp_path / "examples.csv", EXAMPLES)
    with open(tmp_path / "examples.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(EXAMPLES)
    assert rows[5]["path"] == "图片/猫 一.jpg"
    assert rows[6]["split"] == ""
    assert rows[0] | {"width": 0} == rows[0] | {"width": 0, "height": "480", "split": "test", "problem": ""}


def test_a_name_that_is_no_unicode_comes_back(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    write_examples(tmp_path / "examples.csv", [example(name)])
    assert read_examples(tmp_path / "examples.csv")[0].path == Path(name)


def test_what_a_spreadsheet_put_in_front_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "examples.csv"
    write_examples(path, EXAMPLES)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_examples(path) == EXAMPLES


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "examples.csv"
    write_examples(path, EXAMPLES)

    def interrupted() -> Iterator[Example]:
        yield EXAMPLES[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_examples(path, interrupted())
    assert read_examples(path) == EXAMPLES
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_the_way_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "examples.csv").mkdir()
    with pytest.raises(StorageError, match=r"examples\.csv.*it is a folder, not a file\. Choose another path"):
        write_examples(tmp_path / "examples.csv", EXAMPLES)
    assert [path.name for path in tmp_path.iterdir()] == ["examples.csv"]
    with pytest.raises(StorageError, match="cannot use"):
        read_examples(tmp_path / "missing.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"has the columns '' instead of 'path,target,split"),
        ("path,label\na.jpg,cat\n", r"has the columns 'path,label' instead of 'path,target,split"),
        ("HEADER\na.jpg,cat,test,g,00,1,1\n", r"line 2: 7 cells instead of 8"),
        ("HEADER\na.jpg,cat,dev,g,00,1,1,\n", r"line 2: the split is 'dev'; it must be one of train, validation, test"),
        (
            "HEADER\na.jpg,cat,,g,00,1,1,\nb.jpg,cat,,g,00,wide,1,\n",
            r"line 3: the width is 'wide'; it must be a number",
        ),
        ("HEADER\na.jpg,cat,,g,00,1,-1,\n", r"line 2: the height is '-1'; it must be a number of pixels"),
        ('HEADER\na.jpg,"cat"x,,g,00,1,1,\n', r"line 2: not a CSV table \("),
        ('HEADER\na.jpg,"cat,,g,00,1,1,\n', r"line 2: not a CSV table \("),
    ],
)
def test_what_is_not_ours_is_refused_with_the_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "examples.csv"
    path.write_text(text.replace("HEADER", ",".join(COLUMNS)), encoding="utf-8")
    with pytest.raises(DataError, match=message) as caught:
        read_examples(path)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).endswith("Give the examples.csv of a run folder, as `tellapart train` wrote it.")


def test_a_file_of_an_older_run_has_a_column_label(tmp_path: Path) -> None:
    path = tmp_path / "examples.csv"
    path.write_text("path,label,split,group,content_hash,width,height,problem\na.jpg,a|b,train,g,00,3,4,\n")
    (found,) = read_examples(path)
    assert (found.path, found.target, found.split, found.width) == (Path("a.jpg"), ClassName("a|b"), "train", 3)


@pytest.mark.parametrize(
    "target",
    [ClassNames(("a", "b|c"), ("?d",)), ClassNames(), MaskFile(Path("masks/猫.png")), Boxes((Box("a", 1, 2.5, 3, 4),))],
)
def test_targets_of_every_kind_come_back(tmp_path: Path, target: Target) -> None:
    written = [replace(example("a.png"), target=target)]
    write_examples(tmp_path / "examples.csv", written)
    assert read_examples(tmp_path / "examples.csv", type(target)) == written


def test_a_target_that_is_none_is_refused_with_the_line(tmp_path: Path) -> None:
    write_examples(tmp_path / "examples.csv", [example("a.png", label="a|"), example("b.png", label="x")])
    with pytest.raises(
        DataError, match=r"line 2: the target is 'a\|': a class of the set has an empty name\. Give the"
    ):
        read_examples(tmp_path / "examples.csv", ClassNames)
    with pytest.raises(DataError, match=r"line 2: the target is 'a\|': "):
        read_examples(tmp_path / "examples.csv", Boxes)


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    written = [example("-2.jpg", label="=1+1", group="@x"), example("a.jpg", label="'=1")]
    write_examples(tmp_path / "examples.csv", written)
    lines = (tmp_path / "examples.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in lines[1:]] == [["'-2.jpg", "'=1+1"], ["a.jpg", "''=1"]]
    assert read_examples(tmp_path / "examples.csv") == written
