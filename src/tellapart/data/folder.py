"""List a folder of labelled pictures without opening any. In: Path. Out: Listing. Next: table.py.

FOLDER/CLASS/**/picture.jpg             not yet split
FOLDER/{train,val,test}/CLASS/**/...    already split; any of the three may be missing
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tellapart.answers.formats import FORMAT_OF_EXTENSION
from tellapart.data.examples import Entry, Listing, Split
from tellapart.data.targets import ClassName
from tellapart.errors import DataError, StorageError
from tellapart.storage import OWN_MARK, is_own

SPLIT_WORDS: Mapping[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}

OWN = "folder that tellapart wrote"  # a reason that Listing.ignored counts

_SYSTEM_NAMES = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir", "$recycle.bin"))
_ARRANGE = "Arrange the pictures as FOLDER/CLASS/picture.jpg, one folder for each class"


class _Child(NamedTuple):
    """One name in a directory that is neither hidden nor broken."""

    path: str
    name: str
    is_folder: bool
    is_link: bool


class _Folder(NamedTuple):
    """A directory and the way to it: (device, inode) of the root, ..., of its parent, of itself."""

    path: str
    chain: tuple[tuple[int, int], ...]


def scan(folder: Path) -> Listing:
    """List the labelled files of a folder, sorted by path; labels are folder names in Unicode normal form C.

    A folder is taken as split when every direct child that holds pictures is called by a word of `SPLIT_WORDS` and
    they hold class folders; so a class called `test` beside a class `cat` stays a class. Links are followed, but a
    directory is never entered below itself, nor twice within one class. `Listing.ignored` counts what is left out.
    Raises: DataError without such a folder, class folders or files; StorageError without permission to read.
    """
    ignored: Counter[str] = Counter()
    root = _root(folder)
    if is_own(folder):
        raise DataError(
            f"tellapart wrote the folder {str(folder)!r}; it is no data to learn from. Give the folder of your own pictures; "
            f"or, if these are, remove the file {OWN_MARK} in it."
        )
    children = _children(root.path, ignored)
    folders = [child for child in children if child.is_folder]
    if not folders:
        raise _no_class_folders(folder, len(children), ignored)
    ignored["loose file outside a class folder"] += len(children) - len(folders)
    split_folders = _split_folders(root, folders)
    if split_folders:
        others = [child for child in folders if child not in split_folders]
        empty = sum(child.name.casefold() in SPLIT_WORDS for child in others)
        ignored["split folder without pictures"] += empty
        ignored["folder beside the split folders"] += len(others) - empty
        files = [file for child in split_folders for file in _files_of_split(root, child, ignored)]
    else:
        files = [file for child in folders for file in _files_of_class(root, child, None, ignored)]
    if not files:
        raise DataError(f"{str(folder)!r} has class folders but no files in them{_left_out(ignored)}. {_ARRANGE}.")
    # In the order of Path, part by part, in which "a/x" comes before "a-b/x".
    files.sort(key=lambda file: file[0].replace(os.sep, "\0"))
    return Listing(
        source=folder,
        entries=tuple(Entry(path=Path(path), target=ClassName(label), split=split) for path, label, split in files),
        classes=tuple(sorted({label for _, label, _ in files})),
        ignored={reason: count for reason, count in sorted(ignored.items()) if count},
    )


def _root(folder: Path) -> _Folder:
    try:
        status = os.stat(folder)
    except PermissionError:
        raise _no_permission(str(folder)) from None
    except (OSError, ValueError):
        raise DataError(f"there is no folder {str(folder)!r}. Check the spelling, or give the full path.") from None
    if not stat.S_ISDIR(status.st_mode):
        raise DataError(
            f"{str(folder)!r} is neither a folder nor a CSV table. Give the folder that holds the class folders, "
            "or a file that ends in .csv and has the columns path and label."
        )
    return _Folder(str(folder), ((status.st_dev, status.st_ino),))


def _split_folders(root: _Folder, folders: list[_Child]) -> list[_Child]:
    """The split folders, or nothing where the folders are classes."""
    named = [child for child in folders if child.name.casefold() in SPLIT_WORDS]
    if not named:
        return []
    holding = [child for child in folders if any(_has_picture_name(path) for path in _files(root, child))]
    # Where no file at all has a picture's name (downloads often have none), every file counts.
    holding = holding or [child for child in folders if any(True for _ in _files(root, child))]
    splits = [child for child in holding if child in named]
    with_classes = any(inner.is_folder for child in splits for inner in _children(child.path, Counter()))
    if not splits or (len(splits) < len(holding) and not _is_split_download(splits, with_classes)):
        return []
    holding = splits
    if not with_classes:
        raise DataError(
            f"the split folders {_quoted(child.name for child in holding)} in {root.path!r} hold files but no class "
            "folders. Arrange the pictures as FOLDER/train/CLASS/picture.jpg, or as FOLDER/CLASS/picture.jpg."
        )
    return holding


def _is_split_download(splits: list[_Child], with_classes: bool) -> bool:
    """Whether folders called train and test, beside others, are splits rather than classes of those names."""
    words = {SPLIT_WORDS[child.name.casefold()] for child in splits}
    return with_classes and "train" in words and len(words) > 1


def _files_of_split(root: _Folder, child: _Child, ignored: Counter[str]) -> Iterator[tuple[str, str, Split | None]]:
    here = _enter(root, child.path, ignored)
    if here is None:
        return
    for inner in _children(here.path, ignored):
        if inner.is_folder:
            yield from _files_of_class(here, inner, SPLIT_WORDS[child.name.casefold()], ignored)
        else:
            ignored["loose file outside a class folder"] += 1


def _files_of_class(
    parent: _Folder, child: _Child, split: Split | None, ignored: Counter[str]
) -> Iterator[tuple[str, str, Split | None]]:
    label = unicodedata.normalize("NFC", child.name)
    before = ignored["link loop"]
    count = 0
    for path in _files(parent, child, ignored):
        count += 1
        yield path, label, split
    if count == 0 and ignored["link loop"] == before:
        ignored["class folder without files"] += 1


def _files(parent: _Folder, child: _Child, ignored: Counter[str] | None = None) -> Iterator[str]:
    """Every file below a child of `parent`, links followed."""
    ignored = Counter() if ignored is None else ignored
    entered: set[tuple[int, int]] = set()
    folders: list[_Folder | None] = [_enter(parent, child.path, ignored)]
    links: list[_Folder | None] = []  # after the real folders, so that a file's own path wins every time
    while folders or links:
        here = folders.pop() if folders else links.pop()
        if here is None:
            continue
        # Without this, folders that link to each other would give a path for every order in which to visit them.
        if here.chain[-1] in entered:
            ignored["folder reached twice within a class"] += 1
            continue
        entered.add(here.chain[-1])
        for inner in _children(here.path, ignored):
            if not inner.is_folder:
                yield inner.path
            else:
                (links if inner.is_link else folders).append(_enter(here, inner.path, ignored))


def _enter(parent: _Folder, path: str, ignored: Counter[str]) -> _Folder | None:
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
    return _Folder(path, (*parent.chain, identity))


def _children(directory: str, ignored: Counter[str]) -> list[_Child]:
    """What a directory holds, sorted by name, less what is hidden, broken or no regular file."""
    found: list[_Child] = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                reason = _reason_to_ignore(entry)
                if reason:
                    ignored[reason] += 1
                else:
                    found.append(_Child(entry.path, entry.name, entry.is_dir(), entry.is_symlink()))
    except PermissionError:
        raise _no_permission(directory) from None
    except OSError as error:
        raise StorageError(f"the folder {directory!r} cannot be read: {error.strerror}. Check the disk.") from None
    return sorted(found, key=lambda child: child.name)


def _reason_to_ignore(entry: os.DirEntry[str]) -> str:
    name = entry.name
    if name.startswith("."):
        return "hidden"
    if name.casefold() in _SYSTEM_NAMES:
        return "left by the operating system"
    if not name.isascii() and not _is_unicode(name):
        return "name that is not UTF-8 (rename it)"
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


def _has_picture_name(path: str) -> bool:
    return os.path.splitext(path)[1].lower() in FORMAT_OF_EXTENSION


def _quoted(names: Iterator[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _left_out(ignored: Mapping[str, int]) -> str:
    counts = ", ".join(f"{reason}: {count}" for reason, count in sorted(ignored.items()) if count)
    return f" (left out: {counts})" if counts else ""


def _no_permission(folder: str) -> StorageError:
    return StorageError(f"no permission to read the folder {folder!r}. Change it with chmod, or run as its owner.")


def _no_class_folders(folder: Path, files: int, ignored: Mapping[str, int]) -> DataError:
    what = f"holds {files:,} files but no class folders" if files else "is empty"
    return DataError(f"the folder {str(folder)!r} {what}{_left_out(ignored)}. {_ARRANGE}.")
