"""Bytes come out of an archive as they went in, from many threads and in any order; what is odd is refused in words."""

from __future__ import annotations

import errno
import gzip
import os
import random
import struct
import tarfile
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tellapart.errors import DataError, PictureError, StorageError
from tellapart.preprocessing import MAX_FILE_BYTES
from tellapart.sources.gzips import GzipDamaged, GzipReader, Marks
from tellapart.sources.reading import exists, is_archive, open_archive, read_bytes, split_path

from .archives import KINDS, pack, tar_with, zip_with_names

NAMES = [f"{label}/{number}.bin" for label in "ab" for number in range(9)]
FILES = {name: random.Random(name).randbytes(200 * place) for place, name in enumerate(NAMES)}


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_of_an_archive_is_as_it_was(tmp_path: Path, kind: str) -> None:
    archive = pack(tmp_path / f"pets.{kind}", FILES)
    assert is_archive(archive)
    assert list(open_archive(archive).members) == list(FILES)
    for name, data in FILES.items():
        assert read_bytes(archive / name) == data
        assert exists(archive / name)
    assert not exists(archive / "a/99.bin")
    assert not exists(archive / "a")
    with pytest.raises(FileNotFoundError, match="no such member; its first of 18 are a/0.bin, a/1.bin, a/2.bin"):
        read_bytes(archive / "a/99.bin")


@pytest.mark.parametrize("kind", KINDS)
def test_many_threads_read_in_any_order(tmp_path: Path, kind: str) -> None:
    generator = random.Random(0)
    files = {f"{number}.bin": generator.randbytes(generator.randrange(60_000)) for number in range(150)}
    archive = pack(tmp_path / f"big.{kind}", files)
    order = list(files) * 2
    generator.shuffle(order)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda name: read_bytes(archive / name), order)) == [files[name] for name in order]


def test_a_gzip_of_several_streams_is_one(tmp_path: Path) -> None:
    plain = pack(tmp_path / "plain.tar", FILES).read_bytes()
    joined = tmp_path / "joined.tar.gz"
    joined.write_bytes(b"".join(gzip.compress(plain[start : start + 700]) for start in range(0, len(plain), 700)))
    assert [read_bytes(joined / name) for name in reversed(FILES)] == [*reversed(FILES.values())]


def test_plain_files_and_their_refusals_are_the_systems(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"abc")
    assert read_bytes(tmp_path / "a.jpg") == b"abc"
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "b.jpg")
    with pytest.raises(NotADirectoryError):
        read_bytes(tmp_path / "a.jpg" / "b.jpg")
    with pytest.raises(PictureError, match="not a regular file"):
        read_bytes(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PictureError, match="not a regular file"):
        read_bytes(tmp_path / "pipe")
    with open(tmp_path / "large.jpg", "wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(PictureError, match="the limit is 536,870,912. Store it smaller"):
        read_bytes(tmp_path / "large.jpg")


def test_a_folder_that_is_called_like_an_archive_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "pets.zip").mkdir()
    (tmp_path / "pets.zip" / "a.jpg").write_bytes(b"abc")
    assert not is_archive(tmp_path / "pets.zip")
    assert split_path(tmp_path / "pets.zip" / "a.jpg") is None
    assert read_bytes(tmp_path / "pets.zip" / "a.jpg") == b"abc"


def test_an_archive_that_changes_is_listed_again(tmp_path: Path) -> None:
    archive = pack(tmp_path / "pets.zip", {"a.jpg": b"one"})
    assert read_bytes(archive / "a.jpg") == b"one"
    pack(archive, {"a.jpg": b"another"})
    assert read_bytes(archive / "a.jpg") == b"another"
    pack(archive, {"b.jpg": b"another"})
    os.utime(archive, ns=(0, 1))
    assert read_bytes(archive / "b.jpg") == b"another"
    with pytest.raises(FileNotFoundError):
        read_bytes(archive / "a.jpg")


def test_what_is_no_archive_inside(tmp_path: Path) -> None:
    for kind in KINDS:
        (tmp_path / f"x.{kind}").write_bytes(b"<html>404 not found</html>" * 40)
        with pytest.raises(DataError, match=rf"the archive '.*x.{kind}' cannot be read: .*Copy or download it again"):
            open_archive(tmp_path / f"x.{kind}")
        with pytest.raises(PictureError, match="cannot be read"):
            read_bytes(tmp_path / f"x.{kind}" / "a.jpg")
        assert not exists(tmp_path / f"x.{kind}" / "a.jpg")
    with pytest.raises(StorageError, match="cannot be read: No such file"):
        open_archive(tmp_path / "nowhere.zip")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["../up.jpg", "a/../../up.jpg", "/etc/passwd", "C:/windows/a.jpg"])
def test_a_member_beyond_the_folder_refuses_the_archive(tmp_path: Path, kind: str, name: str) -> None:
    archive = pack(tmp_path / f"x.{kind}", {"a/1.jpg": b"", name: b""})
    with pytest.raises(
        DataError, match="has a member called .* which lies beyond the folder that it packs. Nothing of it is read"
    ):
        open_archive(archive)


def test_a_member_without_a_name_refuses_the_archive(tmp_path: Path) -> None:
    archive = zip_with_names(tmp_path / "x.zip", {b"\0bc": b"of a name zipfile keeps what is before its first zero"})
    with pytest.raises(DataError, match="has a member called .* which lies beyond the folder"):
        open_archive(archive)


def test_names_with_dots_and_doubled_slashes_are_made_plain(tmp_path: Path) -> None:
    archive = pack(tmp_path / "x.tar", {"./a//1.jpg": b"one"})
    assert list(open_archive(archive).members) == ["a/1.jpg"]
    assert read_bytes(archive / "a" / "1.jpg") == b"one"


def test_backslashes_of_old_windows_programs_part_folders(tmp_path: Path) -> None:
    assert list(open_archive(zip_with_names(tmp_path / "x.zip", {b"cat\\1.jpg": b"one"})).members) == ["cat/1.jpg"]


def test_links_and_devices_are_counted_and_never_followed(tmp_path: Path) -> None:
    link, hard, device = tarfile.TarInfo("a/link.jpg"), tarfile.TarInfo("a/hard.jpg"), tarfile.TarInfo("a/null")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    hard.type, hard.linkname = tarfile.LNKTYPE, "a/1.jpg"
    device.type = tarfile.CHRTYPE
    contents = open_archive(tar_with(tmp_path / "x.tar", tarfile.TarInfo("a/1.jpg"), link, hard, device))
    assert list(contents.members) == ["a/1.jpg"]
    assert contents.ignored == {"link in an archive": 2, "device or pipe in an archive": 1}
    info = zipfile.ZipInfo("a/link.jpg")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert open_archive(tmp_path / "x.zip").ignored == {"link in an archive": 1}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_of_two_members_of_a_name_the_last_counts(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.jpg", b"one")
            archive.writestr("a.jpg", b"two")
    else:
        pack(path, {"a.jpg": b"one", "./a.jpg": b"two"})
    assert read_bytes(path / "a.jpg") == b"two"
    assert open_archive(path).ignored == {"member of an archive that a later one of its name replaces": 1}


def _with_sizes(path: Path, name: bytes, size: int) -> None:
    """Lie about a member's unpacked size in the zip's list."""
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\1\2")
    assert data[place + 46 :].startswith(name)
    struct.pack_into("<I", data, place + 24, size)
    path.write_bytes(data)


def test_a_member_that_grows_beyond_what_it_says_is_cut_off(tmp_path: Path) -> None:
    archive = pack(tmp_path / "x.zip", {"a.bmp": bytes(50_000_000)})
    _with_sizes(archive, b"a.bmp", 10)
    open_archive(archive)
    tracemalloc.start()
    try:
        with pytest.raises(PictureError, match="damaged in its archive: its bytes are not those that were packed"):
            read_bytes(archive / "a.bmp")
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_a_member_that_says_it_grows_a_thousandfold_is_not_unpacked(tmp_path: Path) -> None:
    archive = pack(tmp_path / "x.zip", {"a.bmp": bytes(70_000_000)})
    with pytest.raises(
        PictureError, match="would grow from .* bytes to 70,000,000, as what is made to fill a memory does"
    ):
        read_bytes(archive / "a.bmp")


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_that_would_fill_a_disk_is_refused(tmp_path: Path, kind: str) -> None:
    archive = tmp_path / f"x.{kind}"
    if kind == "zip":
        pack(archive, {"a.bmp": bytes(1_000_000)})
        _with_sizes(archive, b"a.bmp", 2_000_000_000)
    else:
        info = tarfile.TarInfo("a.bmp")
        info.size = 2_000_000_000
        archive.write_bytes(gzip.compress(info.tobuf() + bytes(100_000)))
    with pytest.raises(
        DataError, match="would grow to more than 100 times its size, as those do that are made to fill a disk"
    ):
        open_archive(archive)


def test_a_stream_that_grows_without_measure_is_left(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(gzip.compress(bytes(3_000_000)))
    for most, read in ((3_000_000, True), (2_999_999, False)):
        with open(tmp_path / "x.gz", "rb") as file:
            reader = GzipReader(file, Marks(3_000, most), most_bytes=10_000_000, filling=True)
            if read:
                assert reader.read(4_000_000) == bytes(3_000_000)
                continue
            with pytest.raises(GzipDamaged, match="would grow to more than 2,999,999 bytes"):
                reader.read(4_000_000)


def test_members_that_share_bytes_are_refused(tmp_path: Path) -> None:
    archive = pack(tmp_path / "x.zip", {"a.bmp": bytes(5_000), "b.bmp": b"2"})
    data = bytearray(archive.read_bytes())
    second = data.rindex(b"PK\1\2")
    struct.pack_into("<I", data, second + 42, 0)  # it begins where the first does
    archive.write_bytes(data)
    with pytest.raises(DataError, match="its member '[ab].bmp' shares bytes with another"):
        open_archive(archive)


def test_a_damaged_member_is_its_own_problem(tmp_path: Path) -> None:
    data = random.Random(3).randbytes(5_000)
    archive = pack(tmp_path / "x.zip", {"a.jpg": data, "b.jpg": data})
    packed = bytearray(archive.read_bytes())
    packed[100] ^= 255
    archive.write_bytes(packed)
    with pytest.raises(PictureError, match="damaged in its archive"):
        read_bytes(archive / "a.jpg")
    assert read_bytes(archive / "b.jpg") == data


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_a_tar_that_ends_early(tmp_path: Path, kind: str) -> None:
    whole = pack(
        tmp_path / f"x.{kind}", {"a.jpg": random.Random(1).randbytes(3_000), "b.jpg": random.Random(2).randbytes(3_000)}
    )
    whole.write_bytes(whole.read_bytes()[:4_000])
    with pytest.raises(DataError, match="cannot be read: (the header at byte 3,584 is damaged or cut off|ends early)"):
        open_archive(whole)


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_a_tar_that_was_cut_off_between_two_members_is_told(tmp_path: Path, kind: str) -> None:
    files = {"a.jpg": b"1", "b.jpg": b"2", "c.jpg": b"3"}
    data = pack(tmp_path / "whole.tar", files).read_bytes()
    assert open_archive(tmp_path / "whole.tar").ignored == {}
    cut = tmp_path / f"cut.{kind}"
    cut.write_bytes(data[:2048] if kind == "tar" else gzip.compress(data[:2048]))
    found = open_archive(cut)
    assert list(found.members) == ["a.jpg", "b.jpg"]
    assert found.ignored == {"rest of a tar that was probably cut off": 1}


def test_a_locked_member_and_one_packed_by_an_unusual_method_say_so(tmp_path: Path) -> None:
    archive = pack(tmp_path / "x.zip", {"a.jpg": b"abc"})
    data = bytearray(archive.read_bytes())
    data[data.rindex(b"PK\1\2") + 8] |= 1
    archive.write_bytes(data)
    with pytest.raises(PictureError, match="encrypted in its archive. Pack it without a password"):
        read_bytes(archive / "a.jpg")
    with zipfile.ZipFile(tmp_path / "y.zip", "w", zipfile.ZIP_LZMA) as lzma:
        lzma.writestr("a.jpg", b"abc" * 100)
    with pytest.raises(PictureError, match=r"packed by LZMA, which is not read in place. Pack it as usual \(Deflate\)"):
        read_bytes(tmp_path / "y.zip" / "a.jpg")


def test_a_member_larger_than_a_picture_may_be(tmp_path: Path) -> None:
    archive = pack(tmp_path / "x.zip", {"a.jpg": random.Random(1).randbytes(6_000_000)})
    _with_sizes(archive, b"a.jpg", 550_000_000)
    with pytest.raises(PictureError, match="file of 550,000,000 bytes; the limit is 536,870,912. Store it smaller"):
        read_bytes(archive / "a.jpg")


def test_the_refusal_names_the_file(tmp_path: Path) -> None:
    archive = pack(tmp_path / "x.zip", {"a.jpg": b"abc"})
    with pytest.raises(FileNotFoundError) as caught:
        read_bytes(archive / "b.jpg")
    assert caught.value.errno == errno.ENOENT
    assert caught.value.filename == f"{archive}/b.jpg"
