"""The pictures in a .zip, each read where it lies. In: a path. Out: Contents. Next: gzips.py."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator

from tellapart.errors import DataError, PictureError
from tellapart.sources.members import LINK, MAX_INDEX_BYTES, SPECIAL, Contents, Member, collect
from tellapart.sources.places import open_binary, open_raw, stamp_of

_UTF8 = 0x800  # of the flags: the name is UTF-8
_ENCRYPTED = 0x1
_UNICODE_PATH = 0x7075  # Info-ZIP's extra field
_HEADER = struct.Struct("<4s22x2H")  # signature, then the lengths of name and extra field
_LOCKED = -1  # stands for a method
_METHODS = {9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz", 99: "AES"}
_SMALL_BYTES = 64 * 1024 * 1024
_MOST_GROWTH = 200  # of one member that is larger


class _Bounded(io.BufferedReader):
    """A file of which nobody reads too much at once: the list of members may say any size."""

    def read(self, size: int | None = -1, /) -> bytes:
        """As any file's. Raises: BadZipFile for more than the limit."""
        if size is not None and size > MAX_INDEX_BYTES:
            raise zipfile.BadZipFile(f"its list of members has {size:,} bytes; the limit is {MAX_INDEX_BYTES:,}")
        return super().read(size)


def open_zip(path: str) -> Contents:
    """List a zip's files. Raises: DataError where it is none, is damaged, or breaks a limit; OSError."""
    ignored: Counter[str] = Counter()
    size_bytes = stamp_of(path).size
    try:
        with _Bounded(open_raw(path)) as file, zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, EOFError, RecursionError) as error:
        raise DataError(
            f"the archive {path!r} cannot be read: {error}. Copy or download it again, or unpack it."
        ) from None
    _check_overlaps(path, infos, size_bytes)
    return collect(path, size_bytes, _members(infos, ignored), ignored, lambda member: _read(path, member))


def _check_overlaps(path: str, infos: list[zipfile.ZipInfo], size_bytes: int) -> None:
    """Members that share bytes are how 42 kB become petabytes. Raises: DataError."""
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end or info.header_offset + info.compress_size > size_bytes:
            raise DataError(
                f"the archive {path!r} is damaged or made to fill a disk: its member {info.filename!r} shares bytes with another "
                "or ends beyond the file. Copy or download it again."
            )
        end = info.header_offset + 30 + info.compress_size


def _members(infos: list[zipfile.ZipInfo], ignored: Counter[str]) -> Iterator[Member]:
    for info in infos:
        kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == 3 else 0
        if info.filename.endswith("/") or kind == stat.S_IFDIR:  # zipfile's is_dir() fails where there is no name
            continue
        if kind not in (0, stat.S_IFREG):
            ignored[LINK if kind == stat.S_IFLNK else SPECIAL] += 1
            continue
        # What zipfile has read as cp437 for want of the flag is turned back.
        said = bool(info.flag_bits & _UTF8)
        raw = info.orig_filename.encode("utf-8" if said else "cp437", "surrogateescape")
        unicode_path = None if said else _unicode_path(info.extra, raw)
        text = info.orig_filename if said or raw.isascii() else unicode_path
        turned = text is not None and "\\" in text and "/" not in text  # packed on Windows by an old .NET
        yield Member(
            raw=raw,
            text=text.replace("\\", "/") if text is not None and turned else text,
            offset=info.header_offset,
            packed=info.compress_size,
            size=info.file_size,
            method=_LOCKED if info.flag_bits & _ENCRYPTED else info.compress_type,
            check=info.CRC,
        )


def _unicode_path(extra: bytes, raw: bytes) -> str | None:
    """The name in UTF-8 that Info-ZIP's programs write beside one in an old code page."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        field, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == _UNICODE_PATH and len(field) > 5 and struct.unpack_from("<xI", field)[0] == zlib.crc32(raw):
            try:
                return field[5:].decode()
            except UnicodeDecodeError:
                return None
    return None


def _read(path: str, member: Member) -> bytes:
    """One file's bytes. Raises: PictureError; OSError where the archive itself cannot be read."""
    if member.method == _LOCKED:
        raise PictureError("encrypted in its archive. Pack it without a password")
    if member.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        method = _METHODS.get(member.method, f"method {member.method}")
        raise PictureError(f"packed by {method}, which is not read in place. Pack it as usual (Deflate), or unpack it")
    if member.size > max(_SMALL_BYTES, _MOST_GROWTH * member.packed):
        raise PictureError(
            f"would grow from {member.packed:,} bytes to {member.size:,}, as what is made to fill a memory does"
        )
    with open_binary(path) as file:
        file.seek(member.offset)
        header = file.read(_HEADER.size)
        signature, name, extra = _HEADER.unpack(header) if len(header) == _HEADER.size else (b"", 0, 0)
        if signature != b"PK\3\4":
            raise PictureError("damaged in its archive: no header where one should be")
        file.seek(name + extra, os.SEEK_CUR)
        packed = file.read(member.packed)
    try:
        data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, member.size + 1) if member.method else packed
    except zlib.error as error:
        raise PictureError(f"damaged in its archive: {error}") from None
    if len(data) != member.size or zlib.crc32(data) != member.check:
        raise PictureError("damaged in its archive: its bytes are not those that were packed")
    return data
