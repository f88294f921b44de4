"""Files that are not there. In: tables that name them. Out: rows of the audit, or a hint at what is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.data.inspection import inspect_all
from tellapart.data.listing import read_listing
from tellapart.errors import DataError


def write(folder: Path, *names: str, files: tuple[str, ...]) -> Path:
    for file in files:
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_bytes(b"x")
    path = folder / "table.csv"
    path.write_text("path,label\n" + "".join(f"{name},cat\n" for name in names), encoding="utf-8")
    return path


def test_up_to_half_are_left_to_the_audit(tmp_path: Path) -> None:
    listing = read_listing(write(tmp_path, "a.png", "gone\\b.png", "c.png", files=("a.png", "c.png")))
    assert [str(entry.path.relative_to(tmp_path)) for entry in listing.entries] == ["a.png", "c.png", "gone/b.png"]
    problems = [inspection.problem for inspection in inspect_all([entry.path for entry in listing.entries], workers=1)]
    assert problems[2] == "there is no such file"


@pytest.mark.parametrize(
    ("name", "file", "hint"),
    [
        ("a", "a.png", "Did you mean --extension .png?"),
        ("a.png", "images/a.png", "Did you mean --root '{folder}/images'?"),
        ("a", "images/a.JPG", "Did you mean --root '{folder}/images' --extension .JPG?"),
        (
            "https://example.org/a.png",
            "a.png",
            "These are addresses on the web, which are not fetched: download the pictures",
        ),
        (
            "C:\\data\\a.png",
            "a.png",
            "These are whole paths, such as another machine has them, to which --root adds nothing",
        ),
        ("/data/none/a.png", "a.png", "These are whole paths, such as another machine has them"),
        ("a.png", "b.png", "Give another with --root."),
        ("CAT/a.PNG", "Cat/A.png", "There is 'Cat/A.png': write the paths as the files are called."),
        ("cat/a.jpg", "cat/a.png", "There is 'cat/a.png': write the paths as the files are called."),
        ("'cat/a.png'", "cat/a.png", "There is 'cat/a.png': write the paths so, without quotes, file:// and %2F."),
        ("cat%2Fa.png", "cat/a.png", "There is 'cat/a.png': write the paths so, without quotes, file:// and %2F."),
        ("file://cat/a.png", "cat/a.png", "There is 'cat/a.png': write the paths so, without quotes, file:// and %2F."),
    ],
)
def test_more_are_told_with_what_may_be_meant(tmp_path: Path, name: str, file: str, hint: str) -> None:
    with pytest.raises(DataError) as caught:
        read_listing(write(tmp_path, name, files=(file,)))
    told = f"names files that do not exist, 1 of 1: {name!r} (row 2). Paths count from the folder {str(tmp_path)!r}. "
    assert told + hint.format(folder=tmp_path) in str(caught.value)
