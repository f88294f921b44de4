"""What the small files in one shard say of its pictures. In: a tar's contents. Out: list[Said]. Next: shards.py.

A picture KEY.jpg has KEY.cls (a class as text), KEY.json (with "label" or "class", "group", "split") or, where no picture of the
data set has either, KEY.txt beside it; a key ends at the first dot of a name.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from tellapart.data.encodings import known_text
from tellapart.data.tree import has_picture_name, reason_of_name
from tellapart.errors import DataError, PictureError
from tellapart.sources.members import Contents

CLASS, RECORD, TEXT = ".cls", ".json", ".txt"
KEYS = ("label", "class", "cls", "class_name", "label_name", "category")  # of a record, the first that is there
_MOST_BYTES = 1024 * 1024  # of a class or a record
_MOST_LETTERS = 100  # of a class in a text; what is longer describes the picture
_LOOKED_AT = 20  # texts by which it is told whether they can be classes
_BOX = re.compile(r"\d+(\s+-?\d*\.?\d+){4,}")  # a line of YOLO's labels


class Said(NamedTuple):
    """A picture in a shard, and what is said of it."""

    name: str  # of the member
    label: str  # as it is stored; "" where nothing says it
    by: str  # what says it
    number: str = ""  # where `label` is a name and .cls numbers the same class
    group: str = ""
    split: str = ""


def is_shard(contents: Contents) -> bool:
    """Whether half of the pictures have a class, a record or a short text beside them."""
    names = contents.members
    keys = [key_of(name) for name in names if has_picture_name(name)]
    if not keys:
        return False
    if 2 * sum(key + CLASS in names or key + RECORD in names for key in keys) >= len(keys):
        return True
    # Texts beside pictures in folders describe them: there the folders are the classes.
    texts = [key for key in keys if "/" not in key and key + TEXT in names]
    return 2 * len(texts) >= len(keys) and all(_is_class(_small(contents, key + TEXT)) for key in texts[:_LOOKED_AT])


def read_records(path: Path, contents: Contents, ignored: Counter[str]) -> list[Said]:
    """Each picture of a shard in the shard's order, with what .cls and .json say. Raises: DataError where they are damaged."""
    pictures = []
    for name in contents.members:
        if reason := next((found for part in name.split("/") if (found := reason_of_name(part))), ""):
            ignored[reason] += 1
        elif has_picture_name(name):
            pictures.append(_said(path, contents, name))
        else:
            ignored["not a picture"] += not name.endswith((CLASS, RECORD))
    return pictures


def read_texts(path: Path, contents: Contents, pictures: Iterable[Said]) -> list[Said]:
    """The same pictures with the class that KEY.txt says. Raises: DataError where one is no class."""
    found = []
    for said in pictures:
        name = key_of(said.name) + TEXT
        if name not in contents.members:
            found.append(said)
            continue
        text = known_text(str(path / name), _read(contents, name, path)).strip()
        if not _is_class(text):
            raise DataError(
                f"{name!r} in the shard {str(path)!r} has {text[:40]!r}, which is no name of a class: one line of at most "
                f"{_MOST_LETTERS} letters. Write the class into KEY{CLASS}, or as 'label' into KEY{RECORD}."
            )
        found.append(said._replace(label=text, by=TEXT if text else ""))
    return found


def key_of(name: str) -> str:
    """What the files of one picture have in common."""
    folder, slash, file = name.rpartition("/")
    return folder + slash + file.partition(".")[0]


def is_number(label: str) -> bool:
    """Whether a class is told by its number."""
    return label.isascii() and label.isdecimal()


def _said(path: Path, contents: Contents, name: str) -> Said:
    key = key_of(name)
    label = by = ""
    if key + CLASS in contents.members:
        text = known_text(str(path / (key + CLASS)), _read(contents, key + CLASS, path))
        label, by = sys.intern(text.strip()), CLASS  # a million pictures have few classes
    if key + RECORD not in contents.members:
        return Said(name, label, by)
    record = _record(path, contents, key + RECORD)
    named, key_name = _label(record, key + RECORD, path)
    group, split = (_word(record, which, key + RECORD, path) for which in ("group", "split"))
    if label and not (is_number(label) and named and not is_number(named)):
        return Said(name, label, by, group=group, split=split)
    return Said(name, named, f"{key_name!r} in {RECORD}" if named else "", label, group, split)


def _record(path: Path, contents: Contents, name: str) -> dict[str, Any]:
    try:
        record = json.loads(_read(contents, name, path))
    except (ValueError, RecursionError):
        raise DataError(f"{name!r} in the shard {str(path)!r} is not JSON. Write it again.") from None
    return record if isinstance(record, dict) else {}


def _label(record: dict[str, Any], name: str, path: Path) -> tuple[str, str]:
    """The class in a record, and what it is called there; "" where there is none."""
    found = next((one for one in KEYS if record.get(one) is not None), None)
    if found is None:
        return "", ""
    if isinstance(record[found], bool) or not isinstance(record[found], str | int):
        raise DataError(
            f"{name!r} in the shard {str(path)!r} has {record[found]!r} as {found!r}, which is not one class. Write one text or "
            "number for each picture."
        )
    return str(record[found]).strip(), found


def _word(record: dict[str, Any], which: str, name: str, path: Path) -> str:
    value = record.get(which)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise DataError(
            f"{name!r} in the shard {str(path)!r} has {value!r} as {which!r}. Write one text or number for each picture."
        )
    return str(value).strip()


def _is_class(text: str) -> bool:
    return len(text) <= _MOST_LETTERS and "\n" not in text.strip() and _BOX.fullmatch(text.strip()) is None


def _small(contents: Contents, name: str) -> str:
    """The beginning of a text, for a look at it; what cannot be read is told later."""
    member = contents.members[name]
    try:
        return "" if member.size > _MOST_BYTES else contents.read(member).decode("utf-8", "replace").strip()
    except (PictureError, OSError):
        return ""


def _read(contents: Contents, name: str, path: Path) -> bytes:
    member = contents.members[name]
    if member.size > _MOST_BYTES:
        raise DataError(f"{name!r} in the shard {str(path)!r} has {member.size:,} bytes; the limit is {_MOST_BYTES:,}.")
    try:
        return contents.read(member)
    except PictureError as error:
        raise DataError(f"{name!r} in the shard {str(path)!r} cannot be read: {error}.") from None
