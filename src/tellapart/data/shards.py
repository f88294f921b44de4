"""Shards of pictures with their classes, as webdataset writes them. In: tars. Out: Listing. Next: folder.py.

000000.tar holds KEY.jpg beside KEY.cls (the class as text) or KEY.json (with "label" or "class"); a key ends at the first dot of a
name. Several such tars in one folder are one data set, and their names may say the split: train-000000.tar.
"""

from __future__ import annotations

import json
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tellapart.data.encodings import known_text
from tellapart.data.examples import Entry, Listing, Split
from tellapart.data.layouts import split_of
from tellapart.data.names import stored_twice
from tellapart.data.targets import ClassName
from tellapart.data.tree import Child, Folder, Tree, has_picture_name, reason_of_name
from tellapart.errors import DataError, PictureError
from tellapart.sources.members import Contents
from tellapart.sources.reading import open_archive

_TARS = (".tar", ".tar.gz", ".tgz")
_CLASS, _RECORD = ".cls", ".json"
_KEYS = ("label", "class", "cls", "class_name", "label_name", "category")  # of a record, the first that is there
_MOST_BYTES = 1024 * 1024  # of a class or a record
WITHOUT = "picture in a shard without a class"  # a reason that Listing.ignored counts


class Shard(NamedTuple):
    """One tar, and the split that its name or its folder's says."""

    path: Path
    split: Split | None


def find_shards(tree: Tree, root: Folder, source: Path) -> list[Shard]:
    """The shards that are at `source`, a tar or a folder of tars, split or not; nothing where it is anything else."""
    if source.is_file():
        found = [Shard(source, None)] if source.name.lower().endswith(_TARS) else []
    else:
        children = tree.children(root.path, Counter())
        folders = [child for child in children if child.is_folder]
        found = [Shard(path, None) for path in _tars(children)]
        splits = [
            (split, _tars(tree.children(child.path, Counter()))) for child in folders if (split := split_of(child.name))
        ]
        if folders and not found and len(splits) == len(folders):
            found = [Shard(path, split.split) for split, paths in splits for path in paths]
        elif folders:
            found = []
    if not found or not _is_shard(open_archive(found[0].path)):
        return []
    named = [split_of(shard.path.name.partition(".")[0]) for shard in found]
    if all(named) and not any(shard.split for shard in found):
        return [Shard(shard.path, name.split) for shard, name in zip(found, named, strict=True) if name]
    return found


def _tars(children: Iterable[Child]) -> list[Path]:
    return [Path(child.path) for child in children if not child.is_folder and child.name.lower().endswith(_TARS)]


def _is_shard(contents: Contents) -> bool:
    """Whether half of the pictures have a class or a record beside them."""
    names = set(contents.members)
    keys = [_key(name) for name in names if has_picture_name(name)]
    return bool(keys) and 2 * sum(key + _CLASS in names or key + _RECORD in names for key in keys) >= len(keys)


def list_shards(source: Path, shards: Sequence[Shard], ignored: Counter[str], notes: Iterable[str]) -> Listing:
    """The pictures of all shards and their classes. Raises: DataError where there are none; StorageError."""
    entries: list[Entry] = []
    where: Counter[str] = Counter()
    written: set[str] = set()
    for shard in shards:
        entries += _entries(shard, open_archive(shard.path), ignored, where, written)
    if not entries:
        raise DataError(
            f"the shards of {str(source)!r} give no picture a class: none has a {_CLASS} beside it, or a {_RECORD} with "
            f"{', '.join(map(repr, _KEYS))}. Write one for each picture."
        )
    said = " and ".join(sorted(where))
    several = f"{len(shards):,} shards" if len(shards) > 1 else "one shard"
    told = [f"{source}: {several} as webdataset writes them; the classes are what {said} says."]
    if twice := stored_twice(written):
        told.append(f"{source}: {twice}.")
    return Listing(
        source=source,
        entries=tuple(sorted(entries, key=lambda entry: entry.path)),
        classes=tuple(sorted({name for entry in entries for name in entry.target.classes})),
        ignored={reason: count for reason, count in sorted(ignored.items()) if count},
        notes=(*notes, *told),
    )


def _entries(
    shard: Shard, contents: Contents, ignored: Counter[str], where: Counter[str], written: set[str]
) -> Iterator[Entry]:
    """Those of one shard; `where` counts what said their classes, `written` gets those as they are stored."""
    for name in contents.members:
        if reason := next((found for part in name.split("/") if (found := reason_of_name(part))), ""):
            ignored[reason] += 1
            continue
        if not has_picture_name(name):
            ignored["not a picture"] += not name.endswith((_CLASS, _RECORD))
            continue
        label, said = _label(contents, _key(name), shard.path)
        if not label:
            ignored[WITHOUT] += 1
            continue
        where[said] += 1
        written.add(label)
        named = ClassName(unicodedata.normalize("NFC", label))
        yield Entry(path=Path(os.path.join(shard.path, *name.split("/"))), target=named, split=shard.split)


def _label(contents: Contents, key: str, path: Path) -> tuple[str, str]:
    """The class as it is stored, and what says it; "" where nothing does."""
    if key + _CLASS in contents.members:
        return known_text(str(path / (key + _CLASS)), _read(contents, key + _CLASS, path)).strip(), _CLASS
    if key + _RECORD not in contents.members:
        return "", ""
    name = key + _RECORD
    try:
        record = json.loads(_read(contents, name, path))
    except (ValueError, RecursionError):
        raise DataError(f"{name!r} in the shard {str(path)!r} is not JSON. Write it again.") from None
    found = next((one for one in _KEYS if isinstance(record, dict) and record.get(one) is not None), None)
    if found is None:
        return "", ""
    if isinstance(record[found], bool) or not isinstance(record[found], str | int):
        raise DataError(
            f"{name!r} in the shard {str(path)!r} has {record[found]!r} as {found!r}, which is not one class. Write one text or "
            "number for each picture."
        )
    return str(record[found]).strip(), f"{found!r} in {_RECORD}"


def _read(contents: Contents, name: str, path: Path) -> bytes:
    member = contents.members[name]
    if member.size > _MOST_BYTES:
        raise DataError(f"{name!r} in the shard {str(path)!r} has {member.size:,} bytes; the limit is {_MOST_BYTES:,}.")
    try:
        return contents.read(member)
    except PictureError as error:
        raise DataError(f"{name!r} in the shard {str(path)!r} cannot be read: {error}.") from None


def _key(name: str) -> str:
    folder, slash, file = name.rpartition("/")
    return folder + slash + file.partition(".")[0]
