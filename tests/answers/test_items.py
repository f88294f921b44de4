"""Which files a name stands for. In: folders, archives, tables, globs, addresses. Out: items in order, or why there are none."""

from __future__ import annotations

import os
import re
import shutil
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tellapart.answers.items import PathItem, expand, is_address, read_file, read_item
from tellapart.errors import DataError, PictureError, StorageError
from tellapart.storage import own_folder


def fill(root: Path, *names: str) -> str:
    """Files that hold their own names."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return str(root)


def table_of(path: Path, **columns: list[object]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def found(root: Path, *paths: object, named: bool = False) -> list[str]:
    """What the paths stand for, below `root`; every item is `named` or none is."""
    items = list(expand([str(path) for path in paths]))
    assert [item.named for item in items] == [named] * len(items)
    return [Path(item.path).relative_to(root).as_posix() for item in items]


def test_folders_that_we_wrote_are_passed_over_unless_named(tmp_path: Path) -> None:
    for name in ("in/runs", "in/more/b", "in/more/a", "in/.hidden"):
        own_folder(tmp_path / name)
        (tmp_path / name / "report.png").touch()
    (tmp_path / "in/1.jpg").touch()
    own: list[str] = ["told before"]
    assert [item.path for item in expand([str(tmp_path / "in")], own)] == [str(tmp_path / "in" / "1.jpg")]
    assert own == ["told before", *(str(tmp_path / "in" / name) for name in (".hidden", "runs", "more/a", "more/b"))]
    assert found(tmp_path, tmp_path / "in") == ["in/1.jpg"], "nobody has to hear of it"
    named = [item.path for item in expand([str(tmp_path / "in" / "runs")], own)]
    assert named == [str(tmp_path / "in" / "runs" / "report.png")]
    own.clear()
    assert [item.path for item in expand([str(tmp_path / "i*")], own)] == [str(tmp_path / "in" / "1.jpg")]
    assert len(own) == 4, "of a folder that a glob found, too"


def test_a_folder_is_walked_in_order_without_what_is_hidden(tmp_path: Path) -> None:
    fill(tmp_path, "b/2.jpg", "b/1.jpg", "a/x/3.jpg", "a/4.jpg", "z.jpg", ".h.jpg", ".git/5.jpg", "a/.6.jpg", "c.txt")
    assert found(tmp_path, tmp_path) == ["c.txt", "z.jpg", "a/4.jpg", "a/x/3.jpg", "b/1.jpg", "b/2.jpg"]
    assert found(tmp_path, tmp_path / "b", tmp_path / "a") == ["b/1.jpg", "b/2.jpg", "a/4.jpg", "a/x/3.jpg"]


def test_links_are_followed_and_each_folder_is_walked_once(tmp_path: Path) -> None:
    fill(tmp_path, "in/a/1.jpg", "in/z/3.jpg", "outside/2.jpg")
    (tmp_path / "in/a/round").symlink_to(tmp_path / "in")
    (tmp_path / "in/b").symlink_to(tmp_path / "outside")
    (tmp_path / "in/c").symlink_to(tmp_path / "in/a")
    assert found(tmp_path, tmp_path / "in") == ["in/a/1.jpg", "in/b/2.jpg", "in/z/3.jpg"]


@pytest.mark.parametrize(("kind", "ending"), [("zip", ".zip"), ("tar", ".tar"), ("gztar", ".tar.gz")])
def test_an_archive_is_walked_like_the_folder_that_it_packs(tmp_path: Path, kind: str, ending: str) -> None:
    """In the order of parts of names: a/9 before a-b, though - comes before /; and less what is hidden anywhere in it."""
    names = (
        "b.png",
        "a/9.png",
        "a-b/1.png",
        ".x.png",
        "a/.y/1.png",
        "__MACOSX/a/1.png",
        "a b/c d.png",
        "a/__MACOSX/2.png",
    )
    fill(tmp_path / "pets", *names)
    shutil.make_archive(str(tmp_path / "pets"), kind, tmp_path / "pets")
    wanted = [f"pets{ending}/{name}" for name in ("a/9.png", "a b/c d.png", "a-b/1.png", "b.png")]
    assert found(tmp_path, tmp_path / f"pets{ending}") == wanted
    assert found(tmp_path, tmp_path / f"*{ending}") == wanted, "found by a glob"
    assert read_item(PathItem(path=str(tmp_path / f"pets{ending}" / "a" / "9.png"), named=False)) == b"a/9.png"
    assert found(tmp_path, tmp_path / f"pets{ending}" / "a") == wanted[:1], "a folder in it, and not a b or a-b"
    (inside,) = expand(
        [
            str(tmp_path / f"pets{ending}" / "b.png"),
        ]
    )
    assert inside == PathItem(path=str(tmp_path / f"pets{ending}" / "b.png"), named=True)


def test_the_pictures_of_shards_in_a_folder_or_a_pattern_are_those_of_each(tmp_path: Path) -> None:
    for number in range(3):
        with tarfile.open(tmp_path / f"s-{number}.tar", "w") as archive:
            for name in ("a.jpg", "a.cls", "b.jpg"):
                archive.addfile(tarfile.TarInfo(name))
    (tmp_path / "z.tar").write_bytes(b"none")
    names = ["a.cls", "a.jpg", "b.jpg"]
    first = [str(tmp_path / f"s-{number}.tar" / name) for number in (0, 1) for name in names]
    assert [item.path for item in expand([str(tmp_path / "s-{0..1}.tar")])] == first
    whole = [item.path for item in expand([str(tmp_path)])]
    assert whole == [*first, *(str(tmp_path / "s-2.tar" / name) for name in names), str(tmp_path / "z.tar")]


def test_what_lies_in_a_broken_archive_is_left_to_its_row(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"no zip")
    assert found(tmp_path, tmp_path / "a.zip" / "cat", named=True) == ["a.zip/cat"]


def test_a_text_may_be_a_list(tmp_path: Path) -> None:
    path = tmp_path / "Names.TXT"
    path.write_text("a.png\n")
    with pytest.raises(PictureError, match="but a text. If it lists pictures, give it with --list before it"):
        read_item(PathItem(path=str(path), named=True))
    assert read_item(PathItem(path=str(path), named=False)) == b"a.png\n"
    path.write_bytes(b"")
    assert read_item(PathItem(path=str(path), named=True)) == b"", "an empty file is told as one"


def test_pictures_in_a_table_are_its_rows_wherever_it_is_found(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    table = table_of(tmp_path / "in" / "p.parquet", image=[b"first", b"second"])
    rows = ["in/p.parquet/0000000", "in/p.parquet/0000001"]
    for name in ("0000002", "x.jpg"):
        with pytest.raises(PictureError, match="no such row; there are 0000000 ... 0000001, counted from 0$"):
            read_file(str(table / name))
    for path in (table, tmp_path / "in", tmp_path / "in" / "*.parquet"):
        assert found(tmp_path, path) == rows
    assert read_file(str(table / "0000001")) == b"second"


def test_a_table_without_pictures_is_refused_where_it_was_named_and_passed_over_where_it_was_found(
    tmp_path: Path,
) -> None:
    (tmp_path / "in").mkdir()
    table = table_of(tmp_path / "in" / "p.parquet", label=["cat"])
    with pytest.raises(DataError, match="must have one column of pictures, which holds their bytes; it has none"):
        list(expand([str(table)]))
    for path in (tmp_path / "in", tmp_path / "in" / "*"):
        assert found(tmp_path, path) == ["in/p.parquet"]


def test_what_is_named_is_asked_for_whether_it_is_there_or_not(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg", "[b].jpg", ".c.jpg")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    names = ("a.jpg", "none.jpg", "[b].jpg", ".c.jpg", "gone", "a\0*.jpg")
    assert found(tmp_path, *(tmp_path / name for name in names), named=True) == list(names)
    address = "https://example.com/cat?*"
    assert list(expand([address])) == [PathItem(path=address, named=True)]


def test_a_glob_stands_for_what_it_finds_in_order(tmp_path: Path) -> None:
    fill(tmp_path, "b.jpg", "a.jpg", "c.png", "d.jpg/2.txt", "d.jpg/1.txt", "e/f/g.jpg")
    assert found(tmp_path, tmp_path / "*.jpg") == ["a.jpg", "b.jpg", "d.jpg/1.txt", "d.jpg/2.txt"]
    assert found(tmp_path, tmp_path / "**" / "g.jpg") == ["e/f/g.jpg"]
    with pytest.raises(DataError) as fault:
        list(expand(["no/*.such"]))
    assert str(fault.value) == (
        "no file matches 'no/*.such'. Check the pattern, or quote it so that the shell leaves it alone."
    )


@pytest.mark.parametrize(
    ("text", "address"),
    [
        *((text, True) for text in ("http://a", "https://a", "HTTP://a", "HttpS://a", "http://")),
        *(
            (text, False)
            for text in ("http:/a", "https:/a", "xhttp://a", "ftp://a", "file:///a", "http", "", "a/http://")
        ),
    ],
)
def test_what_is_an_address(text: str, address: bool) -> None:
    assert is_address(text) == address


def test_a_file_called_like_an_address_is_read_as_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "http:/127.0.0.1/a.png")
    monkeypatch.chdir(tmp_path)
    assert read_item(PathItem(path="http://127.0.0.1/a.png", named=True)) == b"http:/127.0.0.1/a.png"


def test_a_private_address_is_asked_only_if_allowed() -> None:
    item = PathItem(path="http://127.0.0.1:9/cat.png", named=True)  # the port of `discard`, where nobody answers
    with pytest.raises(PictureError, match="no public address"):
        read_item(item)
    with pytest.raises(PictureError, match="cannot be fetched: Connection refused"):
        read_item(item, allow_private=True)


@pytest.mark.parametrize("ending", ["csv", "TSV", "tab", "json", "jsonl", "ndjson"])
def test_a_table_that_was_named_says_how_its_pictures_are_taken(tmp_path: Path, ending: str) -> None:
    path = fill(tmp_path, f"t.{ending}") + f"/t.{ending}"
    with pytest.raises(PictureError) as fault:
        read_item(PathItem(path=path, named=True))
    assert str(fault.value) == (
        "not a picture in a known format, but a table. With --list before it, the pictures that it names are taken"
    )
    assert read_item(PathItem(path=path, named=False)) == f"t.{ending}".encode(), "one that was only found is any file"


def test_a_picture_with_the_ending_of_a_table_and_a_text_with_another_are_read(tmp_path: Path) -> None:
    """Text holds no byte 0, at least not in its first 4,096."""
    for name, data in (("a.csv", b"x" * 4095 + b"\0"), ("b.text", b"path,label")):
        (tmp_path / name).write_bytes(data)
        assert read_item(PathItem(path=str(tmp_path / name), named=True)) == data
    (tmp_path / "c.csv").write_bytes(b"x" * 4096 + b"\0")
    with pytest.raises(PictureError, match="but a table"):
        read_item(PathItem(path=str(tmp_path / "c.csv"), named=True))


@pytest.mark.parametrize("address", ["file:///a.jpg", "ftp://example.org/a.jpg", "s3://pets/a.jpg"])
def test_an_address_of_another_kind_says_which_are_fetched(address: str) -> None:
    with pytest.raises(PictureError, match="^no such file; of addresses, those of http and https are fetched$"):
        read_item(PathItem(path=address, named=True))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.jpg", "no such file"),
        ("a\0b.jpg", "cannot be read: embedded null byte"),
        ("x" * 300, "cannot be read: File name too long"),
        ("folder", "not a regular file"),
    ],
    ids=["none", "null", "long", "folder"],
)
def test_why_a_file_cannot_be_read(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(PictureError) as fault:
        read_file(os.path.join(tmp_path, name))
    assert str(fault.value) == words


def test_a_source_that_is_damaged_is_an_item_with_its_reason(tmp_path: Path) -> None:
    """Where others are named beside it; who wants the whole or nothing hears an error."""
    damaged = [tmp_path / name for name in ("a.zip", "b.tar.gz", "c.npz", "d.parquet", "e.npy")]
    for path in damaged:
        path.write_bytes(b"PK\x03\x04 cut short")
    fine = tmp_path / "fine.png"
    fine.write_bytes(b"")
    found = list(expand([str(path) for path in (*damaged, fine)], tolerant=True))
    assert [item.path for item in found] == [str(path) for path in (*damaged, fine)]
    assert [bool(item.error) for item in found] == [True] * 5 + [False]
    for item in found[:5]:
        assert item.named
        with pytest.raises(PictureError, match=re.escape(item.error)):
            read_item(item)
        with pytest.raises((DataError, StorageError)):
            list(expand([item.path]))
