"""Shards as sources: numbers and their names, texts, groups, splits, patterns."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.data.examples import Listing, ReadOptions
from tellapart.data.listing import read_listing
from tellapart.errors import DataError, SettingsError


def png(value: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((9, 8, 3), value, dtype=np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def shard(path: Path, **samples: dict[str, object]) -> Path:
    """KEY.png for each, with its other files: texts as they are, all else as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for place, (key, beside) in enumerate(samples.items()):
            files = {"png": png(place)} | {
                ending: (said if isinstance(said, str) else json.dumps(said)).encode()
                for ending, said in beside.items()
            }
            for ending, data in files.items():
                info = tarfile.TarInfo(f"{key}.{ending}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return path


def found(listing: Listing) -> list[tuple[str, str]]:
    return [(entry.path.name, str(entry.target)) for entry in listing.entries]


def classes(listing: Listing) -> list[str]:
    return [entry.target.classes[0] for entry in listing.entries]


def test_numbers_stay_numbers_and_that_is_told(tmp_path: Path) -> None:
    path = shard(tmp_path / "a.tar", a={"cls": "0"}, b={"cls": "1\n"})
    listing = read_listing(path)
    assert classes(listing) == ["0", "1"]
    assert "its classes are numbers, of which nothing says the names; they stay as they are" in listing.notes[1]
    assert not listing.numbered


def test_a_file_beside_the_shards_names_the_numbers(tmp_path: Path) -> None:
    shard(tmp_path / "a.tar", a={"cls": "1"}, b={"cls": "0"})
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    listing = read_listing(tmp_path)
    assert classes(listing) == ["dog", "cat"]
    assert listing.notes[1].endswith(f"named by {tmp_path / 'classes.txt'}, from number 0 on.")


@pytest.mark.parametrize("text", ['["cat", "dog"]', '{"0": "cat", "1": "dog"}'])
def test_a_list_or_an_object_of_json_names_them(tmp_path: Path, text: str) -> None:
    path = shard(tmp_path / "a.tar", a={"cls": "1"}, b={"cls": "0"})
    (tmp_path / "classes.json").write_text(text)
    assert classes(read_listing(path)) == ["dog", "cat"]


def test_what_an_archive_leaves_out_is_told_once_however_it_is_named(tmp_path: Path) -> None:
    for name in ("a.tar", "b.tar"):
        path = shard(tmp_path / "shards" / name, a={"cls": "cat"}, b={"cls": "dog"})
        data = path.read_bytes()
        path.write_bytes(data[: len(data.rstrip(b"\0")) // 512 * 512 + 512])  # without the mark of its end
    pattern = str(tmp_path / "shards" / "{a,b}.tar")
    for source, times in ((tmp_path / "shards", 2), (Path(pattern), 2), (tmp_path / "shards" / "a.tar", 1)):
        assert read_listing(source).ignored == {"rest of a tar that was probably cut off": times}


def test_what_is_told_names_them(tmp_path: Path) -> None:
    path = shard(tmp_path / "a.tar", a={"cls": "1"}, b={"cls": "0"})
    (tmp_path / "names").write_text("Hund\nKatze\n")
    assert classes(read_listing(path, ReadOptions(classes="cat, dog"))) == ["dog", "cat"]
    assert classes(read_listing(path, ReadOptions(classes=str(tmp_path / "names")))) == ["Katze", "Hund"]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("cat", "names 1 classes, from number 0 on, and the shards have the class 1. Name all of them."),
        ("cat,cat", "names the class 'cat' twice; each number needs a name of its own. Rename one."),
        ("cat,", "names 2 classes, from number 0 on, and the shards have the class 1"),
    ],
)
def test_names_that_do_not_do(tmp_path: Path, names: str, said: str) -> None:
    path = shard(tmp_path / "a.tar", a={"cls": "1"}, b={"cls": "0"})
    with pytest.raises(DataError, match=said):
        read_listing(path, ReadOptions(classes=names))


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "is not JSON. Write it again."), ("[1, 2]", "must name the classes as a list of texts, or as an object")],
)
def test_files_of_names_that_do_not_do(tmp_path: Path, text: str, said: str) -> None:
    path = shard(tmp_path / "a.tar", a={"cls": "1"}, b={"cls": "0"})
    (tmp_path / "classes.json").write_text(text)
    with pytest.raises(DataError, match=said):
        read_listing(path)


def test_a_file_of_names_that_is_too_large(tmp_path: Path) -> None:
    path = shard(tmp_path / "a.tar", a={"cls": "1"}, b={"cls": "0"})
    with (tmp_path / "classes.txt").open("wb") as file:
        file.truncate(16 * 1024 * 1024 + 1)
    with pytest.raises(DataError, match="which names classes, has 16,777,217 bytes; the limit is 16,777,216."):
        read_listing(path)


def test_names_for_classes_that_have_names_are_refused(tmp_path: Path) -> None:
    path = shard(tmp_path / "a.tar", a={"cls": "cat"}, b={"cls": "0"})
    with pytest.raises(
        DataError, match="--classes names the numbers of classes, and .* has the class 'cat', which is none"
    ):
        read_listing(path, ReadOptions(classes="cat,dog"))


def test_names_where_there_are_no_shards_are_refused_as_ever(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(png(1))
    with pytest.raises(SettingsError, match="--classes is 'cat,dog', which is about the values of masks"):
        read_listing(tmp_path, ReadOptions(classes="cat,dog"))


def test_a_number_with_its_name_in_the_record_needs_no_file(tmp_path: Path) -> None:
    path = shard(tmp_path / "a.tar", a={"cls": "1", "json": {"label": "dog"}}, b={"cls": "0", "json": {"label": "cat"}})
    listing = read_listing(path)
    assert classes(listing) == ["dog", "cat"]
    assert listing.notes == (
        f"{path}: one shard as webdataset writes them; the classes are what 'label' in .json says.",
    )


def test_a_number_beside_two_names_is_refused(tmp_path: Path) -> None:
    path = shard(tmp_path / "a.tar", a={"cls": "1", "json": {"label": "dog"}}, b={"cls": "1", "json": {"label": "cat"}})
    with pytest.raises(DataError, match="have the number 1 beside the classes 'cat' and 'dog'. Write them again"):
        read_listing(path)
    path = shard(tmp_path / "a.tar", a={"cls": "1", "json": {"label": "dog"}}, b={"cls": "2", "json": {"label": "dog"}})
    with pytest.raises(DataError, match="have the class 'dog' beside the numbers 1 and 2. Write them again"):
        read_listing(path)


def test_groups_and_splits_of_records(tmp_path: Path) -> None:
    path = shard(
        tmp_path / "a.tar",
        a={"json": {"label": "cat", "group": 7, "split": "train"}},
        b={"json": {"label": "dog", "group": "p8", "split": "val"}},
    )
    assert [(entry.group, entry.split) for entry in read_listing(path).entries] == [
        ("7", "train"),
        ("p8", "validation"),
    ]


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({"label": "dog"}, "1 of 2 pictures in the shards of .* have a 'split'. Write it for all, or for none."),
        ({"label": "dog", "split": "later"}, "has 'later' as 'split'. Use train, val or test, or leave it out."),
        ({"label": "dog", "split": "val", "group": [1]}, r"has \[1\] as 'group'. Write one text or number"),
    ],
)
def test_splits_and_groups_that_do_not_do(tmp_path: Path, second: dict[str, object], said: str) -> None:
    path = shard(tmp_path / "a.tar", a={"json": {"label": "cat", "split": "train"}}, b={"json": second})
    with pytest.raises(DataError, match=said):
        read_listing(path)


def test_a_text_is_the_class_where_nothing_else_is(tmp_path: Path) -> None:
    path = shard(tmp_path / "a.tar", a={"txt": "cat\n"}, b={"txt": "dog"}, c={})
    listing = read_listing(path)
    assert found(listing)[0][0] == "a.png"
    assert classes(listing) == ["cat", "dog"]
    assert listing.ignored == {"picture in a shard without a class": 1}
    assert "the classes are what .txt says" in listing.notes[0]


def test_a_text_that_describes_its_picture_is_no_class(tmp_path: Path) -> None:
    samples: dict[str, dict[str, object]] = {f"k{place:02d}": {"txt": "cat"} for place in range(30)}
    samples["k29"] = {"txt": "a cat that sits\non a mat"}
    path = shard(tmp_path / "a.tar", **samples)
    with pytest.raises(
        DataError, match=r"'k29.txt' in the shard .* has 'a cat that sits\\non a mat', which is no name"
    ):
        read_listing(path)


def test_a_pattern_names_its_shards_in_order(tmp_path: Path) -> None:
    for number in range(3):
        shard(tmp_path / f"s-{number:03d}.tar", a={"cls": "cat"}, b={"cls": "dog"})
    pattern = tmp_path / "s-{000..001}.tar"
    listing = read_listing(pattern)
    assert [str(entry.path.relative_to(tmp_path)) for entry in listing.entries] == [
        f"s-00{number}.tar/{key}.png" for number in range(2) for key in "ab"
    ]
    assert listing.source == pattern


def test_the_names_of_a_pattern_say_the_splits(tmp_path: Path) -> None:
    for name in ("train", "val"):
        shard(tmp_path / f"{name}-0.tar", a={"cls": "cat"}, b={"cls": "dog"})
    listing = read_listing(tmp_path / "{train,val}-0.tar")
    assert [entry.split for entry in listing.entries] == ["train", "train", "validation", "validation"]


def test_patterns_that_do_not_do(tmp_path: Path) -> None:
    shard(tmp_path / "0.tar", a={"cls": "cat"})
    shard(tmp_path / "1.tar", a={}, b={})
    with pytest.raises(DataError, match=r"names '.*2\.tar', which is not there. Give a pattern of files that all are"):
        read_listing(tmp_path / "{0..2}.tar")
    with pytest.raises(DataError, match=r"1\.tar' is no shard: few of its pictures have a .cls, .json or .txt"):
        read_listing(tmp_path / "{1..1}.tar")
    with pytest.raises(DataError, match="stands for several files, which must be shards: all .tar, .tar.gz, .tgz, or"):
        read_listing(tmp_path / "{0..1}.zip")
