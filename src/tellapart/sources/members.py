"""What an archive holds, and what of it is refused. In: names and sizes as it says them. Out: Contents. Next: names.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from tellapart.errors import DataError
from tellapart.sources.names import Naming, find_naming, readings

MAX_MEMBERS = 1_000_000
MAX_INDEX_BYTES = 128 * 1024 * 1024  # of a list of names, or of one header
MAX_GROWTH = 100  # times the archive's own size, where it would grow to more than the next line
FREE_BYTES = 1024 * 1024 * 1024
_MANY = 1_000  # members

LINK = "link in an archive"  # reasons that Contents.ignored counts
SPECIAL = "device or pipe in an archive"
CUT_OFF = "rest of a tar that was probably cut off"
REPEATED = "member of an archive that a later one of its name replaces"


@dataclass(frozen=True, slots=True)
class Member:
    """One file in an archive."""

    raw: bytes  # its name as it stands there
    text: str | None  # its name where the archive says how it is written; None: to be found out
    offset: int  # of a tar member's bytes, or of a zip member's header
    packed: int  # bytes in the archive
    size: int  # bytes of the file
    method: int = 0  # how they are packed, as zip numbers it
    check: int = 0  # CRC-32 of the file; zip only


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contents:
    """An archive's files, by their names as paths in it: cat/1.jpg."""

    members: Mapping[str, Member]  # in the order of the archive
    ignored: Mapping[str, int]  # reason -> how many
    naming: Naming | None  # how names are written where the archive does not say it, and they are not UTF-8
    by_raw: Mapping[bytes, Member]  # those, by their names as they stand there
    read: Callable[[Member], bytes]  # Raises: PictureError, OSError

    def find(self, name: str) -> Member | None:
        """The file of a name, whichever of the likely ways to write it the caller has read it by."""
        found = self.members.get(name)
        if found is not None or self.naming is None:
            return found
        return next((self.by_raw[raw] for raw in readings(name) if raw in self.by_raw), None)


def collect(
    archive: str, size_bytes: int, found: Iterable[Member], ignored: Counter[str], read: Callable[[Member], bytes]
) -> Contents:
    """Put the files of an archive of `size_bytes` together; `ignored` counts what is none.

    Raises: DataError for a name that leads out of the archive, too many members, or one that would grow without measure.
    """
    members: list[Member] = []
    total = 0
    for member in found:
        members.append(member)
        total += member.size
        if len(members) > MAX_MEMBERS:
            raise DataError(
                f"the archive {archive!r} has more than {MAX_MEMBERS:,} members, the limit. Pack it as several archives."
            )
        if total > FREE_BYTES and total > MAX_GROWTH * size_bytes:
            raise DataError(
                f"the archive {archive!r} of {size_bytes:,} bytes would grow to more than {MAX_GROWTH} times its size, as those do "
                "that are made to fill a disk. If it is sound, unpack it and give the folder."
            )
    naming = find_naming([member.raw for member in members if member.text is None])
    named: dict[str, Member] = {}
    by_raw: dict[bytes, Member] = {}
    for member in members:
        text = member.text if member.text is not None else _decode(member.raw, naming)
        inside = path_inside(archive, text)
        ignored[REPEATED] += inside in named
        named[inside] = member
        if naming is not None and member.text is None:
            by_raw[path_inside(archive, member.raw.decode("latin-1")).encode("latin-1")] = member
    return Contents(
        members=_packed(named) if naming is None and len(named) >= _MANY else named,
        ignored={reason: count for reason, count in ignored.items() if count},
        naming=naming,
        by_raw=by_raw,
        read=read,
    )


def _packed(named: Mapping[str, Member]) -> Mapping[str, Member]:
    """The same in little memory, where all names are known."""
    import numpy as np  # what large archives alone need

    from tellapart.sources.packed import PackedRows

    columns = [[one.offset, one.packed, one.size, one.method, one.check] for one in named.values()]
    numbers = np.array(columns, dtype=np.int64)
    return PackedRows(list(named), numbers, _unpacked)


def _unpacked(name: str, numbers: tuple[int, ...]) -> Member:
    offset, packed, size, method, check = numbers
    raw = name.encode("utf-8", "surrogateescape")
    return Member(raw=raw, text=name, offset=offset, packed=packed, size=size, method=method, check=check)


def _decode(raw: bytes, naming: Naming | None) -> str:
    return raw.decode("utf-8" if naming is None else naming.encoding, "surrogateescape")


def path_inside(archive: str, name: str) -> str:
    """The name without empty parts and dots. Raises: DataError where it leads out of the archive."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or not parts or "\0" in name or _has_drive(parts[0]):
        raise DataError(
            f"the archive {archive!r} has a member called {name!r}, which lies beyond the folder that it packs. Nothing of it is "
            "read. Pack the folder again, with paths that count from it."
        )
    return str(PurePosixPath(*parts))


def _has_drive(part: str) -> bool:
    return len(part) > 1 and part[1] == ":" and part[0].isascii() and part[0].isalpha()
