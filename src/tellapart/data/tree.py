"""What a folder holds, on disk or in an archive, one level at a time. In: paths. Out: Child, Folder. Next: archive_tree.py."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from tellapart.answers.formats import FORMAT_OF_EXTENSION
from tellapart.errors import StorageError
from tellapart.storage import is_own

OWN = "folder that tellapart wrote"  # a reason that Listing.ignored counts
_SYSTEM_NAMES = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir", "$recycle.bin"))
_MOST_KEPT = 200_000  # names; more are read from the disk again


class Child(NamedTuple):
    """One name in a folder that is neither hidden nor broken."""

    path: str
    name: str
    is_folder: bool
    is_link: bool


class Folder(NamedTuple):
    """A folder and the way to it: what tells its root, ..., its parent and itself from all others."""

    path: str
    chain: tuple[tuple[int, int], ...]


class Tree(Protocol):
    """Folders in folders."""

    def children(self, path: str, ignored: Counter[str]) -> list[Child]:
        """What a folder holds, sorted by name; `ignored` counts what is left out. Raises: StorageError."""

    def enter(self, parent: Folder, path: str, ignored: Counter[str]) -> Folder | None:
        """One level down; None where the folder is one of its own ancestors, or is gone."""


class DiskTree:
    """Folders on disk; links are followed."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[list[Child], Counter[str]]] = {}
        self._kept = 0

    def children(self, path: str, ignored: Counter[str]) -> list[Child]:
        """What a folder holds, sorted by name, less what is hidden, ours, broken or no regular file."""
        known = self._known.get(path)
        if known is None:
            reasons: Counter[str] = Counter()
            known = _list(path, reasons), reasons
            self._kept += len(known[0])
            if self._kept <= _MOST_KEPT:
                self._known[path] = known
        ignored.update(known[1])
        return known[0]

    def enter(self, parent: Folder, path: str, ignored: Counter[str]) -> Folder | None:
        """One level down, or None where the directory is one of its own ancestors."""
        try:
            status = os.stat(path)
        except OSError:
            ignored["folder that vanished while it was read"] += 1
            return None
        identity = (status.st_dev, status.st_ino)
        if identity in parent.chain:
            ignored["link loop"] += 1
            return None
        return Folder(path, (*parent.chain, identity))


def files_below(tree: Tree, parent: Folder, child: Child, ignored: Counter[str] | None = None) -> Iterator[str]:
    """Every file below a child of `parent`, links followed."""
    ignored = Counter() if ignored is None else ignored
    entered: set[tuple[int, int]] = set()
    folders: list[Folder | None] = [tree.enter(parent, child.path, ignored)]
    links: list[Folder | None] = []  # after the real folders, so that a file's own path wins every time
    while folders or links:
        here = folders.pop() if folders else links.pop()
        if here is None:
            continue
        # Without this, folders that link to each other would give a path for every order in which to visit them.
        if here.chain[-1] in entered:
            ignored["folder reached twice within a class"] += 1
            continue
        entered.add(here.chain[-1])
        for inner in tree.children(here.path, ignored):
            if not inner.is_folder:
                yield inner.path
            else:
                (links if inner.is_link else folders).append(tree.enter(here, inner.path, ignored))


def holding(tree: Tree, parent: Folder, folders: list[Child]) -> list[Child]:
    """The folders with pictures in them, by their names; where no file at all has a picture's name, with any file."""

    def those_with(wanted: Callable[[str], bool]) -> list[Child]:
        return [child for child in folders if any(map(wanted, files_below(tree, parent, child)))]

    # Downloads often have no extension.
    return those_with(has_picture_name) or those_with(lambda path: True)


def has_picture_name(path: str) -> bool:
    """Whether the extension says picture."""
    return os.path.splitext(path)[1].lower() in FORMAT_OF_EXTENSION


def reason_of_name(name: str) -> str:
    """Why a name is left out, wherever it is; "" if it is not."""
    if name.startswith("."):
        return "hidden"
    if name.casefold() in _SYSTEM_NAMES:
        return "left by the operating system"
    if not name.isascii() and not _is_unicode(name):
        return "name that is not UTF-8 (rename it)"
    return ""


def no_permission(folder: str) -> StorageError:
    """For a folder that may not be read."""
    return StorageError(f"no permission to read the folder {folder!r}. Change it with chmod, or run as its owner.")


def _list(directory: str, ignored: Counter[str]) -> list[Child]:
    found: list[Child] = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                reason = reason_of_name(entry.name) or _reason_of_kind(entry)
                if reason:
                    ignored[reason] += 1
                else:
                    found.append(Child(entry.path, entry.name, entry.is_dir(), entry.is_symlink()))
    except PermissionError:
        raise no_permission(directory) from None
    except OSError as error:
        raise StorageError(f"the folder {directory!r} cannot be read: {error.strerror}. Check the disk.") from None
    return sorted(found, key=lambda child: child.name)


def _reason_of_kind(entry: os.DirEntry[str]) -> str:
    try:
        if entry.is_dir():
            return OWN if is_own(entry.path) else ""
        if entry.is_file():
            return ""
        # is_file and is_dir follow links: what is left is a link to nothing, or a pipe, socket or device.
        return "not a regular file" if os.path.exists(entry.path) else "broken link"
    except OSError:
        return "broken link"


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
