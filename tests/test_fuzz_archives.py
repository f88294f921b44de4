"""Damaged and hostile archives: each is read or refused with a reason, in little memory, and nothing is written anywhere.

For a longer search: `python tests/test_fuzz_archives.py COUNT [SEED]`.
"""

from __future__ import annotations

import gzip
import io
import resource
import sys
import tarfile
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tellapart.data.folder import scan
from tellapart.errors import DataError, PictureError, StorageError
from tellapart.sources.reading import read_bytes

FILES = {
    f"{folder}/{number}.jpg": bytes([number]) * 90
    for folder in ("train/cat", "train/dog", "test/cat")
    for number in range(2)
}
FILES |= {"train/cat/a\\b é.png": b"\x89PNG" * 9, "labels.csv": b"path,label\n", "annotations/1.xml": b"<annotation/>"}
SAMPLES = {"a.jpg": b"a" * 50, "a.cls": b"1", "b.jpg": b"b" * 50, "b.json": b'{"label": "cat"}'}
INTERESTING = (0, 1, 7, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)
ROUNDS = 250  # in the suite


def _zip(method: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in FILES.items():
            archive.writestr(name, data)
        archive.comment = b"a comment"
    return stream.getvalue()


def _tar(files: dict[str, bytes], format_: int) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=format_) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name if name != "labels.csv" else "long/" * 40 + name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("train/cat/link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return stream.getvalue()


TAR = _tar(FILES, tarfile.PAX_FORMAT)
SOUND: dict[str, tuple[str, bytes]] = {
    "zip": (".zip", _zip(zipfile.ZIP_DEFLATED)),
    "zip stored": (".zip", _zip(zipfile.ZIP_STORED)),
    "tar": (".tar", TAR),
    "tar gnu": (".tar", _tar(FILES, tarfile.GNU_FORMAT)),
    "shard": (".tar", _tar(SAMPLES, tarfile.USTAR_FORMAT)),
    "tgz": (".tgz", gzip.compress(TAR, mtime=0)),
}

Mutation = Callable[[bytearray], None]


@st.composite
def mutations(draw: st.DrawFn) -> Mutation:
    """One change at a place anywhere in the file."""
    place, kind = (
        draw(st.floats(0, 1, exclude_max=True)),
        draw(st.sampled_from(("bit", "word", "cut", "copy", "drop", "text"))),
    )
    value, length = draw(st.sampled_from(INTERESTING)), draw(st.integers(1, 600))
    text = draw(
        st.sampled_from((b"../../../", b"/etc/", b"C:/x/", b"\0\0\0", b"\xff\xfe", b"99999999999", b"PK\1\2", b"ustar"))
    )

    def change(data: bytearray) -> None:
        at = int(place * len(data))
        if kind == "bit" and data:
            data[at] ^= 1 << (length % 8)
        elif kind == "word":
            data[at : at + 4] = value.to_bytes(4, "little")
        elif kind == "cut":
            del data[at:]
        elif kind == "copy":
            data[at:at] = data[at : at + length]
        elif kind == "drop":
            del data[at : at + length]
        elif kind == "text":
            data[at : at + len(text)] = text

    return change


def look_at(folder: Path, name: str, changes: list[Mutation], *, inside: bool) -> str:
    """Change an archive and read all of it. `inside`: before it is packed by gzip. What escapes from here is a bug."""
    ending, sound = SOUND[name]
    packed = inside and name == "tgz"
    data = bytearray(TAR if packed else sound)
    for change in changes:
        change(data)
    archive = folder / f"pets{ending}"
    archive.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    before = sorted(folder.rglob("*"))
    outcome = "read"
    try:
        for entry in scan(archive).entries:
            assert archive in entry.path.parents
            assert ".." not in entry.path.relative_to(archive).parts
            try:
                read_bytes(entry.path)
            except (PictureError, OSError):
                outcome = "a picture refused"
    except (DataError, StorageError) as error:
        outcome = "refused" if len(str(error)) < 2_000 else "refused at length"
    assert sorted(folder.rglob("*")) == before
    archive.unlink()
    return outcome


def search(count: int, number: int, folder: Path) -> Counter[str]:
    """Look at so many changed archives."""
    outcomes: Counter[str] = Counter()

    @seed(number)
    @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(sorted(SOUND)), st.lists(mutations(), min_size=1, max_size=4), st.booleans())
    def one(name: str, changes: list[Mutation], inside: bool) -> None:
        outcomes[look_at(folder, name, changes, inside=inside)] += 1

    one()
    return outcomes


def test_every_sound_archive_is_read(tmp_path: Path) -> None:
    assert {name: look_at(tmp_path, name, [], inside=True) for name in SOUND} == dict.fromkeys(SOUND, "read")


def test_changed_archives_are_read_or_refused(tmp_path: Path) -> None:
    outcomes = search(ROUNDS, 0, tmp_path)
    assert set(outcomes) == {"read", "a picture refused", "refused"}


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30, 3 * 2**30))
    with tempfile.TemporaryDirectory() as folder:
        print(search(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0, Path(folder)))
