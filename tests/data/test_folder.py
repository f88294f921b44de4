"""Folders as people have them: split or not, with links, hidden files and odd names."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tellapart.data.examples import Listing, Split
from tellapart.data.folder import scan
from tellapart.errors import DataError, StorageError
from tellapart.storage import own_folder


def make(root: Path, *files: str) -> Path:
    """Empty files: scanning opens none."""
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def found(listing: Listing) -> list[tuple[str, str, Split | None]]:
    return [(str(entry.path.relative_to(listing.source)), entry.target.text, entry.split) for entry in listing.entries]


@contextmanager
def closed(folder: Path) -> Iterator[None]:
    """Nobody may read the folder; root, who always may, becomes nobody meanwhile."""
    folder.chmod(0)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o755)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user may enter, which pytest's own is not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_classes_not_yet_split(tmp_path: Path) -> None:
    make(tmp_path, "dog/b.jpg", "cat/a.PNG", "cat/deep/er/c.jpg", "cat/notes.txt")
    listing = scan(tmp_path)
    assert found(listing) == [
        ("cat/a.PNG", "cat", None),
        ("cat/deep/er/c.jpg", "cat", None),
        ("cat/notes.txt", "cat", None),
        ("dog/b.jpg", "dog", None),
    ]
    assert (listing.source, listing.classes, listing.ignored) == (tmp_path, ("cat", "dog"), {})
    assert all(entry.group == "" for entry in listing.entries)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"),
        ("Training", "train"),
        ("val", "validation"),
        ("VALID", "validation"),
        ("validation", "validation"),
        ("Test", "test"),
        ("testing", "test"),
    ],
)
def test_split_words(tmp_path: Path, name: str, split: Split) -> None:
    make(tmp_path, f"{name}/cat/a.jpg", f"{name}/dog/b.jpg")
    assert found(scan(tmp_path)) == [(f"{name}/cat/a.jpg", "cat", split), (f"{name}/dog/b.jpg", "dog", split)]


def test_classes_are_the_union_over_splits(tmp_path: Path) -> None:
    make(tmp_path, "train/dog/a.jpg", "val/cat/b.jpg", "test/ant/nest/c.jpg")
    (tmp_path / "train" / "empty").mkdir()
    listing = scan(tmp_path)
    assert listing.classes == ("ant", "cat", "dog")
    assert found(listing) == [
        ("test/ant/nest/c.jpg", "ant", "test"),
        ("train/dog/a.jpg", "dog", "train"),
        ("val/cat/b.jpg", "cat", "validation"),
    ]
    assert listing.ignored == {"class folder without files": 1}


def test_a_class_called_test_beside_another_class(tmp_path: Path) -> None:
    make(tmp_path, "test/deep/a.jpg", "cat/b.jpg")
    assert found(scan(tmp_path)) == [("cat/b.jpg", "cat", None), ("test/deep/a.jpg", "test", None)]


@pytest.mark.parametrize("beside", ["annotations/a.xml", "empty/deep/.hidden", ".cache/x.jpg"])
def test_what_holds_no_pictures_beside_split_folders_does_not_hide_the_split(tmp_path: Path, beside: str) -> None:
    make(tmp_path, "train/cat/a.jpg", "val/dog/b.jpg", beside)
    listing = scan(tmp_path)
    assert listing.classes == ("cat", "dog")
    reason = "hidden" if beside.startswith(".") else "folder beside the split folders"
    assert listing.ignored == {reason: 1}


def test_a_split_whose_files_have_no_extension(tmp_path: Path) -> None:
    make(tmp_path, "train/cat/1", "test/dog/2")
    assert [entry.split for entry in scan(tmp_path).entries] == ["test", "train"]


def test_loose_files_are_counted(tmp_path: Path) -> None:
    make(tmp_path, "train/cat/a.jpg", "train/loose.jpg", "test/cat/b.jpg", "test/one.jpg", "readme.md")
    listing = scan(tmp_path)
    assert len(listing.entries) == 2
    assert listing.ignored == {
        "loose file outside a class folder": 1,
        "picture in a split folder, in no class folder": 2,
    }


def test_hidden_and_system_files_are_counted(tmp_path: Path) -> None:
    make(tmp_path, "cat/a.jpg", "cat/._a.jpg", "cat/.DS_Store", ".git/objects/x.jpg", ".hidden/b.jpg")
    make(tmp_path, "cat/Thumbs.db", "dog/desktop.ini", "dog/b.jpg", "__MACOSX/cat/a.jpg")
    listing = scan(tmp_path)
    assert found(listing) == [("cat/a.jpg", "cat", None), ("dog/b.jpg", "dog", None)]
    assert listing.ignored == {"hidden": 4, "left by the operating system": 3}


def test_chinese_spaced_and_decomposed_names(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "café au lait")
    make(tmp_path, "猫/图 1.jpg", f"train/{decomposed}/a b.JPG", "train/猫/x.jpg")
    listing = scan(tmp_path / "train")
    assert listing.classes == ("café au lait", "猫")
    assert listing.entries[0].path == tmp_path / "train" / decomposed / "a b.JPG"
    assert listing.entries[0].path.exists()
    assert found(scan(tmp_path))[-1] == ("猫/图 1.jpg", "猫", None)


def test_two_spellings_of_one_name_are_one_class(tmp_path: Path) -> None:
    for form in ("NFC", "NFD"):
        make(tmp_path, f"{form}/{unicodedata.normalize(form, 'été')}/a.jpg")
    (tmp_path / "NFC").rename(tmp_path / "train")
    (tmp_path / "NFD").rename(tmp_path / "test")
    assert scan(tmp_path).classes == ("été",)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such a name")
def test_a_name_that_is_not_utf8_is_counted(tmp_path: Path) -> None:
    make(tmp_path, "cat/a.jpg", "dog/b.jpg")
    Path(os.fsdecode(os.fsencode(tmp_path / "cat") + b"/" + "狗.jpg".encode("gb18030"))).touch()
    listing = scan(tmp_path)
    assert len(listing.entries) == 2
    assert listing.ignored == {"name that is not UTF-8 (rename it)": 1}


def test_links_are_followed(tmp_path: Path) -> None:
    make(tmp_path, "elsewhere/b.jpg", "elsewhere/deep/c.jpg", "data/cat/a.jpg", "single.jpg")
    (tmp_path / "data/dog").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data/cat/link.jpg").symlink_to(tmp_path / "single.jpg")
    listing = scan(tmp_path / "data")
    assert found(listing) == [
        ("cat/a.jpg", "cat", None),
        ("cat/link.jpg", "cat", None),
        ("dog/b.jpg", "dog", None),
        ("dog/deep/c.jpg", "dog", None),
    ]
    assert listing.ignored == {}


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    make(tmp_path, "real/cat/a.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert scan(tmp_path / "link").entries[0].path == tmp_path / "link/cat/a.jpg"


@pytest.mark.parametrize("target", ["data", "data/cat", "data/cat/deep"])
def test_a_link_to_an_ancestor_is_a_loop(tmp_path: Path, target: str) -> None:
    make(tmp_path, "data/cat/deep/a.jpg", "data/dog/b.jpg")
    (tmp_path / "data/cat/deep/loop").symlink_to(tmp_path / target)
    listing = scan(tmp_path / "data")
    assert [name for name, _, _ in found(listing)] == ["cat/deep/a.jpg", "dog/b.jpg"]
    assert listing.ignored == {"link loop": 1}


def test_a_link_above_the_folder_comes_back_as_a_loop(tmp_path: Path) -> None:
    make(tmp_path, "data/cat/a.jpg", "data/dog/b.jpg")
    (tmp_path / "data/cat/up").symlink_to(tmp_path)
    listing = scan(tmp_path / "data")
    assert [name for name, _, _ in found(listing)] == ["cat/a.jpg", "dog/b.jpg"]
    assert listing.ignored == {"link loop": 1}


def test_loops_at_the_root_and_in_a_split(tmp_path: Path) -> None:
    make(tmp_path, "train/cat/a.jpg", "test/cat/b.jpg")
    (tmp_path / "val").symlink_to(tmp_path)
    (tmp_path / "train/dog").symlink_to(tmp_path / "train")
    listing = scan(tmp_path)
    assert listing.classes == ("cat",)
    assert listing.ignored == {"split folder without pictures": 1, "link loop": 1}


def test_folders_that_link_to_each_other_are_entered_once_a_class(tmp_path: Path) -> None:
    # Followed in every order, eight such folders would give 8! / 2 paths to each picture.
    names = [f"class{number}" for number in range(8)]
    for name in names:
        make(tmp_path, f"{name}/{name}.jpg")
    for name in names:
        for other in names:
            if other != name:
                (tmp_path / name / other).symlink_to(tmp_path / other)
    listing = scan(tmp_path)
    assert len(listing.entries) == 8 * 8
    assert listing.classes == tuple(names)
    assert {entry.path.name for entry in listing.entries if entry.target.text == "class0"} == {
        f"{name}.jpg" for name in names
    }


@pytest.mark.parametrize("link", ["a", "z"])
def test_a_real_folder_wins_over_a_link_to_it(tmp_path: Path, link: str) -> None:
    make(tmp_path, "cat/m/a.jpg")
    (tmp_path / "cat" / link).symlink_to(tmp_path / "cat/m")
    listing = scan(tmp_path)
    assert found(listing) == [("cat/m/a.jpg", "cat", None)]
    assert listing.ignored == {"folder reached twice within a class": 1}


def test_broken_links_pipes_and_sockets_are_counted(tmp_path: Path) -> None:
    make(tmp_path, "cat/a.jpg")
    (tmp_path / "cat/gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "cat/self.jpg").symlink_to(tmp_path / "cat/self.jpg")
    os.mkfifo(tmp_path / "cat/pipe.jpg")
    with socket.socket(socket.AF_UNIX) as unix:
        here = Path.cwd()
        os.chdir(tmp_path / "cat")  # a socket's path may have 108 bytes at most
        try:
            unix.bind("socket.jpg")
        finally:
            os.chdir(here)
        listing = scan(tmp_path)
    assert found(listing) == [("cat/a.jpg", "cat", None)]
    assert listing.ignored == {"broken link": 2, "not a regular file": 2}


def test_entries_are_sorted_as_paths(tmp_path: Path) -> None:
    make(tmp_path, "a-b/x.jpg", "a/x.jpg", "a b/x.jpg", "a/x/y.jpg", "a/x-y.jpg", "B/x.jpg")
    paths = [entry.path for entry in scan(tmp_path).entries]
    assert paths == sorted(paths)
    assert len(paths) == 6


def test_a_relative_folder_gives_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "cat/a.jpg")
    monkeypatch.chdir(tmp_path)
    assert scan(Path()).entries[0].path == Path("cat/a.jpg")


def message(folder: Path, error: type[Exception] = DataError) -> str:
    with pytest.raises(error) as caught:
        scan(folder)
    return str(caught.value)


def test_no_such_folder(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    assert message(missing) == f"there is no folder or file '{missing}'. Check the spelling, or give the full path."
    assert message(Path("a\0b")).startswith("there is no folder ")
    for text in ("http://example.com/x.zip", "HTTPS://example.com/pets"):
        assert message(Path(text)) == (
            f"'{text}' is an address on the web, from which no data sets are fetched. Download it, and give the file or folder."
        )


def test_a_folder_in_an_archive_is_not_given_alone(tmp_path: Path) -> None:
    make(tmp_path / "pets", "cat/a.jpg", "dog/b.jpg")
    shutil.make_archive(str(tmp_path / "pets"), "zip", tmp_path / "pets")
    archive = tmp_path / "pets.zip"
    assert message(archive / "cat") == (
        f"'{archive}/cat' is a folder in an archive, which is read whole. Give '{archive}' or a table in it, or unpack it and give "
        "the folder."
    )
    assert message(archive / "ca").startswith(f"there is no folder or file '{archive}/ca'.")


def test_a_file_that_is_no_folder(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg")
    assert message(tmp_path / "a.jpg") == (
        f"'{tmp_path / 'a.jpg'}' is neither a folder, an archive (.zip, .tar, .tar.gz, .tgz) nor a table that is "
        "read (.csv, .tsv, .txt, .xlsx, .json, .jsonl, .parquet, .arrow ...). Give the folder that holds the class folders, or a "
        "table with the columns path and label."
    )


ARRANGE = "Arrange the pictures as FOLDER/CLASS/picture.jpg, one folder for each class."


def test_an_empty_folder(tmp_path: Path) -> None:
    assert message(tmp_path) == f"the folder '{tmp_path}' is empty. {ARRANGE}"
    make(tmp_path, ".DS_Store")
    assert message(tmp_path) == f"the folder '{tmp_path}' is empty (left out: hidden: 1). {ARRANGE}"


def test_pictures_without_class_folders(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "b.jpg")
    assert message(tmp_path) == f"the folder '{tmp_path}' holds 2 files but no class folders. {ARRANGE}"
    make(tmp_path / "one", "a.jpg")
    shutil.make_archive(str(tmp_path / "x"), "zip", tmp_path / "one")
    archive = tmp_path / "x.zip"
    assert message(archive) == f"the archive '{archive}' holds 1 file but no class folders. {ARRANGE}"


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (
            "txt",
            "Or, since most are .txt files: texts with classes (--task text) are read from one folder of them a class",
        ),
        ("xml", "Or, since most are .xml files: boxes in XML (--task detection) stand beside their pictures"),
        ("json", "Or, since most are .json files: boxes or masks in JSON (--task detection or segmentation) stand"),
    ],
)
def test_files_of_another_task_say_which(tmp_path: Path, ending: str, words: str) -> None:
    make(tmp_path, f"a.{ending}", f"b.{ending}", "c.jpg")
    assert f"holds 3 files but no class folders. {ARRANGE} {words}" in message(tmp_path)


def test_class_folders_without_files(tmp_path: Path) -> None:
    (tmp_path / "cat/deep").mkdir(parents=True)
    (tmp_path / "dog").mkdir()
    assert message(tmp_path) == (
        f"'{tmp_path}' has class folders but no files in them (left out: class folder without files: 2). {ARRANGE}"
    )


def test_split_folders_without_class_folders(tmp_path: Path) -> None:
    make(tmp_path, "train/a.jpg", "test/b.jpg")
    assert message(tmp_path) == (
        f"the split folders 'test', 'train' in '{tmp_path}' hold files but no class folders. "
        "Arrange the pictures as FOLDER/train/CLASS/picture.jpg, or as FOLDER/CLASS/picture.jpg."
    )


@pytest.mark.skipif(sys.platform == "win32", reason="permissions work otherwise there")
@pytest.mark.parametrize("which", ["", "cat", "cat/deep"])
def test_no_permission_to_read(open_folder: Path, which: str) -> None:
    make(open_folder, "cat/deep/a.jpg")
    with closed(open_folder / which):
        text = message(open_folder, StorageError)
    assert text == (
        f"no permission to read the folder '{open_folder / which}'. Change it with chmod, or run as its owner."
    )


def test_a_split_folder_without_pictures_is_called_so(tmp_path: Path) -> None:
    make(tmp_path, "train/cat/a.jpg", "test/cat/b.jpg", "samples/any/.hidden")
    (tmp_path / "val" / "cat").mkdir(parents=True)
    assert scan(tmp_path).ignored == {"folder beside the split folders": 1, "split folder without pictures": 1}


def test_split_folders_beside_another_folder_are_still_splits(tmp_path: Path) -> None:
    for name in ("train/cat/1.png", "train/dog/1.png", "test/cat/2.png", "test/dog/2.png", "samples/any/1.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    listing = scan(tmp_path)
    assert listing.classes == ("cat", "dog")
    assert {entry.split for entry in listing.entries} == {"train", "test"}
    assert listing.ignored["folder beside the split folders"] == 1
    assert f"{tmp_path}: beside the split folders and not read: 'samples'." in listing.notes


def test_what_tellapart_wrote_is_no_data_and_counted(tmp_path: Path) -> None:
    make(tmp_path, "cat/1.jpg", "dog/1.jpg")
    own_folder(tmp_path / "explanations")
    own_folder(
        tmp_path / "runs" / "a"
    )  # not runs itself, which may hold more than ours; it is no empty class all the same
    own_folder(tmp_path / "dog" / "runs" / "a")
    make(tmp_path, "explanations/1.png", "runs/a/report.png", "dog/runs/a/1.png")
    listing = scan(tmp_path)
    assert listing.classes == ("cat", "dog")
    assert [file for file, _, _ in found(listing)] == ["cat/1.jpg", "dog/1.jpg"]
    assert listing.ignored == {"folder that tellapart wrote": 3}


def test_a_folder_that_tellapart_wrote_is_refused_when_named(tmp_path: Path) -> None:
    own_folder(tmp_path / "explanations")
    make(tmp_path, "explanations/cat/1.png")
    with pytest.raises(
        DataError, match="tellapart wrote the folder '.*explanations'.*remove the file .tellapart in it"
    ):
        scan(tmp_path / "explanations")
