"""Which picture an annotation means."""

from __future__ import annotations

import math
import os

import pytest

from tellapart.data.box_files import BoxFiles, around, class_name, number, read_text_bytes, side
from tellapart.data.faults import FaultList

PATHS = [
    "set/train/images/a.png",
    "set/valid/images/a.png",
    "set/valid/images/B.JPG",
    "set/valid/images/b.jpg",
    "set/deep/IMG_1.2.png",
    "set/train/labels/a.txt",
    "set/data.yaml",
    "set/deep/z.png",
    "set/z.png",
]


@pytest.fixture
def files() -> BoxFiles:
    return BoxFiles("set", [path.replace("/", os.sep) for path in PATHS])


@pytest.mark.parametrize(
    ("name", "near", "found"),
    [
        ("a.png", "set/train/labels", "set/train/images/a.png"),
        ("a.png", "set/valid/labels", "set/valid/images/a.png"),
        ("a", "set/valid/labels", "set/valid/images/a.png"),
        ("a", "set/Annotations/train/images", "set/train/images/a.png"),
        ("a", "set/Annotations/valid/images", "set/valid/images/a.png"),
        ("a.jpeg", "set/valid/labels", "set/valid/images/a.png"),
        ("../images/a.png", "set/valid/labels", "set/valid/images/a.png"),
        ("train/images/a.png", "set/valid", "set/train/images/a.png"),
        ("C:\\old\\place\\a.png", "set/valid/labels", "set/valid/images/a.png"),
        ("b.jpg", "set/valid", "set/valid/images/b.jpg"),
        ("B.JPG", "set/valid", "set/valid/images/B.JPG"),
        ("A.PNG", "set/train", "set/train/images/a.png"),
        ("IMG_1.2", "set", "set/deep/IMG_1.2.png"),
        ("z", "set/Annotations", "set/z.png"),
        ("z", "set/Annotations/deep", "set/deep/z.png"),
        ("IMG_1", "set", None),
        ("IMG_1.3", "set", None),
        ("../../../etc/passwd", "set", None),
        ("a.txt", "set/train/labels", None),
        ("/a.png", "set/train", "set/train/images/a.png"),
        (" ", "set", None),
    ],
)
def test_names(files: BoxFiles, name: str, near: str, found: str | None) -> None:
    wanted = None if found is None else found.replace("/", os.sep)
    assert files.picture(name, near.replace("/", os.sep)) == wanted


def test_endings_and_splits(files: BoxFiles) -> None:
    assert [os.path.basename(path) for path in files.ending(".txt", ".yaml")] == ["data.yaml", "a.txt"]
    assert files.split_of(os.path.join("set", "valid", "images", "a.png")) == "validation"
    assert files.split_of(os.path.join("set", "deep", "IMG_1.2.png")) is None
    assert files.has(os.path.join("set", "data.yaml"))
    assert not files.has("set")


def test_values() -> None:
    assert [class_name(value) for value in (" cat ", 7, True, None, 1.5, "e\u0301", [])] == [
        "cat",
        "7",
        "",
        "",
        "",
        "\u00e9",
        "",
    ]
    assert [number(value) for value in ("1.5", 2, "1e3")] == [1.5, 2.0, 1000.0]
    assert all(math.isnan(number(value)) for value in ("x", None, True, [], 10**400))
    assert [side(value) for value in ("640", 0, -3, "x", float("inf"), float("nan"))] == [640.0, 0, 0, 0, 0, 0]
    assert around([[1, 5], [3, 2]]) == (1, 2, 3, 5)
    assert around([]) is None
    assert all(map(math.isnan, around([[1, 5], [3, "x"]]) or ()))


def test_bytes_have_a_limit(tmp_path: os.PathLike[str]) -> None:
    path = os.path.join(tmp_path, "a.xml")
    with open(path, "wb") as file:
        file.write(b"x" * 11)
    faults = FaultList()
    assert read_text_bytes(path, faults, 11) == b"x" * 11
    assert read_text_bytes(path, faults, 10) is None
    assert read_text_bytes(str(tmp_path), faults) is None
    assert [fault.detail for fault in faults.found()["unreadable"]] == [
        "11 bytes; the limit is 10",
        "not a regular file",
    ]
