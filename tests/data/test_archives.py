"""Data sets in archives are read as the folders that they pack."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.answers.items import expand
from tellapart.answers.items import read_file as read_for_prediction
from tellapart.data.corrections import correct
from tellapart.data.examples import Listing, PictureFile
from tellapart.data.folder import scan
from tellapart.data.inspection import inspect_all
from tellapart.data.listing import read_listing
from tellapart.errors import DataError, PictureError
from tellapart.reporting.pictures import thumbnails

KINDS = ("zip", "tar", "gztar")
ENDINGS = {"zip": ".zip", "tar": ".tar", "gztar": ".tar.gz"}


def picture(seed: int) -> bytes:
    """A small PNG."""
    data = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)).save(data, "PNG")
    return data.getvalue()


def fill(root: Path, *names: str) -> Path:
    """Pictures, each unlike the others."""
    for seed, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(picture(seed))
    return root


def packed(folder: Path, kind: str) -> Path:
    """The folder as an archive beside it."""
    return Path(shutil.make_archive(str(folder), kind, folder))


def found(listing: Listing) -> list[tuple[str, str, str | None]]:
    return [
        (entry.path.relative_to(listing.source).as_posix(), entry.target.text, entry.split) for entry in listing.entries
    ]


def tar_of(path: Path, files: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "names",
    [
        ["cat/1.png", "cat/deep/2.png", "dog/.hidden.png", "dog/3.png", "__MACOSX/cat/._1.png", "loose.png"],
        ["train/cat/1.png", "train/dog/2.png", "val/cat/3.png", "val/dog/4.png", "other/5.txt"],
        ["data/set/cat/1.png", "data/set/dog/2.png", "猫/.DS_Store"],
        ["seg_train/猫/1.png", "seg_train/dog/2.png", "seg_test/猫/3.png", "seg_test/loose.png"],
        ["cat/1.png", "runs/a/report.png", "runs/a/.tellapart", "dog/2.png"],
    ],
)
def test_an_archive_is_read_as_the_folder_that_it_packs(tmp_path: Path, kind: str, names: list[str]) -> None:
    folder = fill(tmp_path / "pets", *names)
    plain, inside = scan(folder), scan(packed(folder, kind))
    assert found(inside) == found(plain)
    assert inside.classes == plain.classes
    assert inside.ignored == plain.ignored
    archive = str(inside.source)
    told = [note for note in inside.notes if "packed as one stream" not in note]
    assert told == [note.replace(str(plain.source), archive) for note in plain.notes]
    assert any("A .zip or a plain .tar is read faster" in note for note in inside.notes) == (kind == "gztar")


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_in_an_archive_are_the_same_pictures(tmp_path: Path, kind: str) -> None:
    folder = fill(tmp_path / "pets", *(f"{label}/{number}.png" for label in ("cat", "dog") for number in range(8)))
    plain, inside = scan(folder), scan(packed(folder, kind))
    one, other = (inspect_all([entry.path for entry in listing.entries], workers=4) for listing in (plain, inside))
    assert one == other
    assert not any(inspection.problem for inspection in other)
    entry = inside.entries[3]
    kept = PictureFile(path=entry.path, file_hash=other[3].file_hash, content_hash=other[3].content_hash)
    assert kept.read() == plain.entries[3].path.read_bytes()
    (shown,) = thumbnails([entry.path], side=8)
    assert shown is not None
    items = [item.path for item in expand([str(inside.source)])]
    assert items == [str(entry.path) for entry in inside.entries]
    assert read_for_prediction(items[3]) == kept.read()
    inside.source.unlink()
    with pytest.raises(PictureError, match="vanished after the audit"):
        kept.read()


def test_a_damaged_member_is_a_row_of_the_audit_and_no_end(tmp_path: Path) -> None:
    archive = packed(fill(tmp_path / "pets", "cat/1.png", "dog/2.png"), "zip")
    data = bytearray(archive.read_bytes())
    data[data.index(b"cat/1.png") + 40] ^= 255
    archive.write_bytes(data)
    inspections = inspect_all([entry.path for entry in scan(archive).entries], workers=1)
    assert [inspection.problem.partition(":")[0] for inspection in inspections] == ["damaged in its archive", ""]


def test_a_table_in_an_archive_names_pictures_in_it(tmp_path: Path) -> None:
    fill(tmp_path / "pets", "all/1.png", "all/2.png")
    (tmp_path / "pets" / "labels.csv").write_text("path,label\nall/1.png,cat\nall/2.png,dog\n")
    archive = packed(tmp_path / "pets", "zip")
    listing = read_listing(archive / "labels.csv")
    assert [(entry.path, entry.target.text) for entry in listing.entries] == [
        (archive / "all" / "1.png", "cat"),
        (archive / "all" / "2.png", "dog"),
    ]
    with pytest.raises(DataError, match="there is no folder .*labels2.csv"):
        read_listing(archive / "labels2.csv")


def test_corrections_name_members_as_they_name_files(tmp_path: Path) -> None:
    archive = packed(fill(tmp_path / "pets", "cat/1.png", "dog/2.png"), "zip")
    (tmp_path / "labels.csv").write_text("path,label\ncat/1.png,dog\n")
    corrected = correct(scan(archive), tmp_path / "labels.csv")
    assert [entry.target.text for entry in corrected.listing.entries] == ["dog", "dog"]


def old_zip(path: Path, names: list[bytes]) -> Path:
    """A zip whose names are these bytes, without the mark that says UTF-8."""
    stand_in = {str(place).rjust(len(raw), "x"): raw for place, raw in enumerate(names)}
    with zipfile.ZipFile(path, "w") as archive:
        for place, name in enumerate(stand_in):
            archive.writestr(name, picture(place))
    data = path.read_bytes()
    for name, raw in stand_in.items():
        data = data.replace(name.encode(), raw)
    path.write_bytes(data)
    return path


def test_names_of_unknown_encoding_are_told(tmp_path: Path) -> None:
    names = ["汽车/1.png", "水果/2.png", "天空/3.png"]
    archive = old_zip(tmp_path / "x.zip", [name.encode("gbk") for name in names])
    listing = scan(archive)
    assert listing.classes == ("天空", "水果", "汽车")
    assert len(listing.notes) == 1
    assert "not UTF-8, and it does not say what they are: read as gb18030, such as '汽车/1.png'" in listing.notes[0]
    assert not any(one.problem for one in inspect_all([entry.path for entry in listing.entries], workers=1))


def test_names_that_may_be_read_in_several_ways_are_asked_for(tmp_path: Path) -> None:
    archive = old_zip(tmp_path / "x.zip", ["고양이/1.png".encode("cp949"), "강아지/2.png".encode("cp949")])
    with pytest.raises(
        DataError, match="gb18030 reads '.*cp949 reads '고양이/1.png', .* Say it, such as --encoding gb18030"
    ):
        scan(archive)
    listing = scan(archive, encoding="cp949")
    assert (listing.classes, listing.notes) == (("강아지", "고양이"), ())
    assert not any(one.problem for one in inspect_all([entry.path for entry in listing.entries], workers=1))
    with pytest.raises(DataError, match="cannot be read as 'ascii'. Give another --encoding"):
        scan(archive, encoding="ascii")


def test_the_question_of_names_is_not_one_of_layouts(tmp_path: Path) -> None:
    names = [
        f"{folder}/{kind}{number}.png" for folder, kind in (("고양이", "cat"), ("강아지", "dog")) for number in range(3)
    ]
    archive = old_zip(tmp_path / "x.zip", [name.encode("cp949") for name in names])
    with pytest.raises(DataError, match="Say it, such as --encoding gb18030[.]$"):
        read_listing(archive)


def shard(path: Path, *samples: tuple[str, dict[str, bytes]]) -> Path:
    """KEY.jpg beside KEY.cls or KEY.json."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files = {}
    for place, (key, beside) in enumerate(samples):
        files[f"{key}.png"] = picture(place)
        files |= {f"{key}.{ending}": data for ending, data in beside.items()}
    return tar_of(path, files)


def test_shards_with_cls(tmp_path: Path) -> None:
    shard(tmp_path / "train-000000.tar", ("a", {"cls": b"0\n"}), ("b.left", {"cls": b"1"}))
    shard(tmp_path / "train-000001.tar", ("c", {"cls": "猫".encode(), "json": b"{}"}))
    shard(tmp_path / "val-000000.tar", ("d", {"cls": b"0"}), ("e", {"txt": b"no class"}))
    listing = scan(tmp_path)
    assert found(listing) == [
        ("train-000000.tar/a.png", "0", "train"),
        ("train-000001.tar/c.png", "猫", "train"),
        ("val-000000.tar/d.png", "0", "validation"),
    ]
    # A key ends at the first dot of a name: of b.left.png it is b, and b has no class.
    assert listing.ignored == {"not a picture": 1, "picture in a shard without a class": 2}
    assert listing.notes == (f"{tmp_path}: 3 shards as webdataset writes them; the classes are what .cls says.",)


def test_a_class_in_another_encoding_is_refused_and_not_guessed(tmp_path: Path) -> None:
    shard(tmp_path / "000000.tar", ("a", {"cls": "狗狗".encode("gb18030")}), ("b", {"cls": "猫咪".encode("gb18030")}))
    with pytest.raises(
        DataError, match=r"a\.cls', which names classes, is not in UTF-8 \(line 1\)\. Save it as UTF-8, so that"
    ):
        scan(tmp_path)


def test_a_class_stored_in_two_ways_over_the_shards_is_one_and_told(tmp_path: Path) -> None:
    composed, apart = "Caf\u00e9", "Cafe\u0301"
    shard(tmp_path / "0.tar", ("a", {"cls": composed.encode()}), ("b", {"cls": b"dog"}))
    shard(tmp_path / "1.tar", ("c", {"json": json.dumps({"label": apart}).encode()}))
    listing = scan(tmp_path)
    assert [name for _, name, _ in found(listing)] == [composed, "dog", composed]
    assert listing.classes == (composed, "dog")
    assert listing.notes[1:] == (
        f"{tmp_path}: {composed!r} is written in two ways that look the same (Unicode's NFC and NFD), and makes one class.",
    )


def test_shards_in_split_folders(tmp_path: Path) -> None:
    shard(tmp_path / "train" / "0.tar", ("a", {"cls": b"0"}))
    shard(tmp_path / "test" / "0.tar", ("b", {"cls": b"1"}))
    assert found(scan(tmp_path)) == [("test/0.tar/b.png", "1", "test"), ("train/0.tar/a.png", "0", "train")]


@pytest.mark.parametrize(("key", "label"), [("label", "cat"), ("class", 3), ("category", "a")])
def test_shards_with_json(tmp_path: Path, key: str, label: str | int) -> None:
    path = shard(tmp_path / "000000.tar", ("x/1", {"json": json.dumps({"id": 1, key: label}).encode()}))
    listing = scan(path)
    assert found(listing) == [("x/1.png", str(label), None)]
    assert f"one shard as webdataset writes them; the classes are what {key!r} in .json says." in listing.notes[0]


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (b'{"caption": "a cat"}', "give no picture a class: none has a .cls beside it, or a .json with 'label'"),
        (b'{"label": [1, 2]}', r"has \[1, 2\] as 'label', which is not one class"),
        (b"{", "is not JSON. Write it again"),
        (b'{"label": "' + b"a" * 1_100_000 + b'"}', "has 1,100,013 bytes; the limit is 1,048,576"),
    ],
)
def test_shards_that_cannot_be_learned_from(tmp_path: Path, record: bytes, said: str) -> None:
    path = shard(tmp_path / "000000.tar", ("1", {"json": record}))
    with pytest.raises(DataError, match=said):
        scan(path)
