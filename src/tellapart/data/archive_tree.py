"""The folders in an archive. In: its contents. Out: ArchiveTree. Next: layouts.py."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from tellapart.data.tree import OWN, Child, Folder, reason_of_name
from tellapart.errors import DataError
from tellapart.sources.members import Contents
from tellapart.sources.names import Naming
from tellapart.sources.reading import open_archive
from tellapart.storage import OWN_MARK


class UnknownNames(DataError):
    """The names in an archive may be read in several ways."""


class ArchiveTree:
    """Folders in an archive; their paths go on behind the archive's."""

    def __init__(self, archive: Path, encoding: str | None = None) -> None:
        """`encoding`: of names where the archive does not say it; None: found, or asked for.

        Raises: DataError where the archive cannot be read, or its names may be read in several ways; StorageError.
        """
        contents = open_archive(archive)
        self.notes: tuple[str, ...] = _slow(archive, contents)
        self.ignored = contents.ignored
        names = list(contents.members)
        if contents.naming is not None:
            names, note = _settle(archive, contents, contents.naming, encoding)
            self.notes += (note,) * bool(note)
        self._folders: dict[str, dict[str, bool]] = {str(archive): {}}  # path -> name -> whether it is a folder
        self._numbers: dict[str, int] = {}
        for name in names:
            self._add(str(archive), name.split("/"))

    def children(self, path: str, ignored: Counter[str]) -> list[Child]:
        """What a folder holds, sorted by name, less what is hidden or ours."""
        found = []
        for name, folder in sorted(self._folders[path].items()):
            inner = os.path.join(path, name)
            reason = reason_of_name(name) or (OWN if folder and OWN_MARK in self._folders[inner] else "")
            if reason:
                ignored[reason] += 1
            else:
                found.append(Child(inner, name, folder, is_link=False))
        return found

    def enter(self, parent: Folder, path: str, ignored: Counter[str]) -> Folder:
        """One level down: there are no links."""
        return Folder(path, (*parent.chain, (-1, self._numbers.setdefault(path, len(self._numbers)))))

    def _add(self, archive: str, parts: list[str]) -> None:
        here = archive
        for part in parts[:-1]:
            self._folders[here][part] = True
            here = os.path.join(here, part)
            self._folders.setdefault(here, {})
        self._folders[here].setdefault(parts[-1], False)


def _slow(archive: Path, contents: Contents) -> tuple[str, ...]:
    if not archive.name.lower().endswith("gz") or not contents.members:
        return ()
    words = "packed as one stream, so each picture costs the unpacking of some that lie before it"
    return (f"{archive}: {words}. A .zip or a plain .tar is read faster.",)


def _settle(archive: Path, contents: Contents, naming: Naming, encoding: str | None) -> tuple[list[str], str]:
    """The names as they are read, and what to say of it. Raises: DataError."""
    told = f"the names in the archive {str(archive)!r} are not UTF-8, and it does not say what they are"
    if encoding is not None:
        return _read_as(contents, encoding, str(archive)), ""
    folders = any(not raw.rpartition(b"/")[0].isascii() for raw in contents.by_raw)
    shown = ", ".join(f"{name} reads {example!r}" for name, example in naming.likely.items())
    if folders and not naming.sure:
        raise UnknownNames(
            f"{told}: {shown or 'none of the usual encodings fits'}. Say it, such as --encoding {naming.encoding}."
        )
    example = next(iter(naming.likely.values()), "")
    return list(contents.members), f"{told}: read as {naming.encoding}, such as {example!r}. --encoding says another."


def _read_as(contents: Contents, encoding: str, archive: str) -> list[str]:
    names = [name for name, member in contents.members.items() if member.text is not None]
    for raw in sorted(contents.by_raw):
        try:
            names.append(raw.decode(encoding))
        except (UnicodeDecodeError, LookupError):
            raise DataError(
                f"a name in the archive {archive!r}, {raw!r}, cannot be read as {encoding!r}. Give another --encoding."
            ) from None
    return names
