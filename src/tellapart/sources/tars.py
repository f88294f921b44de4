"""The pictures in a .tar, .tar.gz or .tgz, each read where it lies. In: a path. Out: Contents. Next: reading.py."""

from __future__ import annotations

import functools
import tarfile
from collections import Counter
from collections.abc import Iterator
from typing import IO, Any

from tellapart.errors import DataError, PictureError
from tellapart.sources.gzips import GzipDamaged, GzipReader, Marks
from tellapart.sources.members import (
    CUT_OFF,
    FREE_BYTES,
    LINK,
    MAX_GROWTH,
    MAX_INDEX_BYTES,
    SPECIAL,
    Contents,
    Member,
    collect,
)
from tellapart.sources.places import open_binary, stamp_of

_GZIP_MAGIC = b"\x1f\x8b"
_BLOCK = 512
_MOST_AT_ONCE = 1024 * 1024 * 1024


class _Plain:
    """A file of which a header's reader cannot ask too much at once."""

    def __init__(self, file: IO[bytes]) -> None:
        self.tell, self.seek, self._file = file.tell, file.seek, file

    def read(self, size: int) -> bytes:
        """As any file's. Raises: GzipDamaged for more than the limit."""
        if size > MAX_INDEX_BYTES:
            raise GzipDamaged(f"a header has {size:,} bytes; the limit is {MAX_INDEX_BYTES:,}")
        return self._file.read(size)


def open_tar(path: str) -> Contents:
    """List a tar's files; one with gzip is gone over once. Raises: DataError where it is none, is damaged, or breaks a limit."""
    with open_binary(path) as file:
        packed = file.read(2) == _GZIP_MAGIC
    ignored: Counter[str] = Counter()
    size_bytes, marks = stamp_of(path).size, None
    try:
        if packed:
            # Also what lies between the members grows: it must be unpacked to pass it by.
            marks = Marks(size_bytes, most=2 * max(FREE_BYTES, MAX_GROWTH * size_bytes))
            read = functools.partial(_read_packed, path, marks)
        else:
            read = functools.partial(_read_plain, path)
        with open_binary(path) as file:
            source = GzipReader(file, marks, most_bytes=MAX_INDEX_BYTES, filling=True) if marks else _Plain(file)
            return collect(path, size_bytes, _members(source, ignored), ignored, read)
    except (tarfile.TarError, GzipDamaged, EOFError, ValueError, RecursionError) as error:
        raise DataError(
            f"the archive {path!r} cannot be read: {error}. Copy or download it again, or unpack it."
        ) from None


def _members(file: Any, ignored: Counter[str]) -> Iterator[Member]:
    archive: Any = tarfile.TarFile(fileobj=file, encoding="utf-8", errors="surrogateescape")
    while (info := archive.next()) is not None:
        archive.members.clear()  # or it would keep a kilobyte of each
        if info.isdir():
            continue
        if not info.isreg() or info.issparse():
            ignored[LINK if info.issym() or info.islnk() else SPECIAL] += 1
            continue
        raw = info.name.encode("utf-8", "surrogateescape")
        yield Member(
            raw=raw,
            text=info.name if raw.isascii() or "path" in info.pax_headers else None,
            offset=info.offset_data,
            packed=info.size,
            size=info.size,
        )
    # tarfile takes any header that it cannot read for the end, so that half an archive would pass for a whole one.
    file.seek(archive.offset)
    last = file.read(_BLOCK)
    if last and last != bytes(_BLOCK):
        raise tarfile.ReadError(f"the header at byte {archive.offset:,} is damaged or cut off")
    ignored[CUT_OFF] += not last  # between two members, or written without the block of zeros that ends a tar


def _read_plain(path: str, member: Member) -> bytes:
    with open_binary(path) as file:
        file.seek(member.offset)
        data = file.read(member.size)
    return _whole(data, member)


def _read_packed(path: str, marks: Marks, member: Member) -> bytes:
    try:
        with open_binary(path) as file:
            reader = marks.reader(file, member.offset, most_bytes=_MOST_AT_ONCE)
            data = reader.read(member.size)
            marks.leave(reader)
    except GzipDamaged as error:
        raise PictureError(f"damaged in its archive: {error}") from None
    return _whole(data, member)


def _whole(data: bytes, member: Member) -> bytes:
    if len(data) < member.size:
        raise PictureError("damaged in its archive: the archive ends before it does")
    return data
