"""Names of which an archive does not say how they are written. In: bytes of known encodings. Out: what is read, told or asked."""

from __future__ import annotations

import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest

from tellapart.sources.names import find_naming
from tellapart.sources.reading import open_archive, read_bytes

from .archives import zip_with_names

ANIMALS = ["汽车/一.jpg", "水果/二.jpg", "天空/三.jpg", "猫咪/四.jpg", "狗狗/五.jpg"]


@pytest.mark.parametrize(
    ("names", "encoding", "found"),
    [
        (ANIMALS, "gbk", "gb18030"),
        (["ネコ/あ.jpg", "いぬ/い.jpg"], "cp932", "cp932"),
        (["貓咪/一.jpg", "狗狗/二.jpg", "圖書館/三.jpg"], "big5", "big5"),
        (["Müller/1.jpg", "Bär/2.jpg"], "cp437", "cp437"),
        (["Müller/1.jpg", "Bär/2.jpg"], "cp1252", "cp1252"),
        (["kotek żaba/1.jpg", "gołąb/2.jpg"], "cp852", "cp852"),
        (["αρνί/1.jpg"], "cp1253", "cp1253"),
        (["γάτα/1.jpg", "σκύλος/2.jpg"], "cp737", "cp737"),
    ],
)
def test_one_encoding_alone_gives_usual_letters(names: list[str], encoding: str, found: str) -> None:
    naming = find_naming([name.encode(encoding) for name in names])
    assert naming is not None
    assert (naming.encoding, dict(naming.likely)) == (found, {found: names[0]})
    assert naming.sure


@pytest.mark.parametrize("names", [["cat/1.jpg"], ["猫/1.jpg", "Bär/2.jpg"], []])
def test_utf8_proves_itself(names: list[str]) -> None:
    assert find_naming([name.encode() for name in names]) is None


def test_bytes_that_may_be_read_in_several_ways_are_not_sure() -> None:
    naming = find_naming(["鸟/1.jpg".encode("gbk")])
    assert naming is not None
    assert not naming.sure
    assert naming.likely["gb18030"] == "鸟/1.jpg"
    assert naming.likely["cp949"] == "쿰/1.jpg"


@pytest.mark.parametrize(
    ("name", "encoding"),
    [("חתול", "cp862"), ("кошка", "cp866"), ("кошка", "cp1251"), ("คน", "cp874"), ("kuşlar", "cp857")],
)
def test_a_question_names_the_right_encoding_among_others(name: str, encoding: str) -> None:
    naming = find_naming([f"{name}/1.jpg".encode(encoding)])
    assert naming is not None
    assert naming.likely[encoding] == f"{name}/1.jpg"
    assert len(naming.likely) > 1


def test_a_file_is_found_by_its_name_however_its_bytes_were_read(tmp_path: Path) -> None:
    archive = zip_with_names(tmp_path / "x.zip", {name.encode("gbk"): name.encode() for name in ANIMALS})
    assert list(open_archive(archive).members) == ANIMALS
    for name in ANIMALS:
        assert read_bytes(archive / name) == name.encode()
        assert read_bytes(archive / name.encode("gbk").decode("cp437")) == name.encode()


def test_a_tar_of_another_code_page(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w", format=tarfile.GNU_FORMAT, encoding="gbk") as archive:
        for name in ANIMALS:
            archive.addfile(tarfile.TarInfo(name))
    assert list(open_archive(tmp_path / "x.tar").members) == ANIMALS


def test_the_name_in_unicode_that_some_programs_add_is_taken(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("m?ller/1.jpg")
    field = struct.pack("<BI", 1, zlib.crc32(b"m\x81ller/1.jpg")) + "müller/1.jpg".encode()
    info.extra = struct.pack("<2H", 0x7075, len(field)) + field
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(info, b"abc")
    data = (tmp_path / "x.zip").read_bytes()
    (tmp_path / "x.zip").write_bytes(data.replace(b"m?ller", b"m\x81ller"))
    assert list(open_archive(tmp_path / "x.zip").members) == ["müller/1.jpg"]
