"""Names of classes that shards number. In: numbers, --classes or a file beside the shards. Out: names. Next: shards.py.

Nobody's names are guessed: without such a file the numbers stay, and that is told.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from tellapart.data.encodings import known_text
from tellapart.data.shard_records import is_number
from tellapart.errors import DataError
from tellapart.sources.reading import exists, read_bytes
from tellapart.sources.remote.addresses import share
from tellapart.storage import storage_errors

FILES = ("classes.txt", "class_names.txt", "labels.txt", "classes.json", "class_names.json")
_MOST_BYTES = 16 * 1024 * 1024


class Names(NamedTuple):
    """What the numbers mean, and what is to be told of it."""

    of: Mapping[str, str]  # number -> name
    note: str


def find_names(labels: Collection[str], source: Path, shard: Path, told: str | None) -> Names:
    """Names of the classes `labels`, where all are numbers: from `told`, or else from a file beside `shard`.

    Raises: DataError where a number has no name, or two have one.
    """
    if not labels or not all(map(is_number, labels)):
        if told is not None:
            other = next((label for label in sorted(labels) if not is_number(label)), "")
            raise DataError(
                f"--classes names the numbers of classes, and {str(source)!r} has the class {other!r}, which is none. Leave it out."
            )
        return Names({}, "")
    beside = [shard.parent / name for name in FILES]
    share(str(shard), map(str, beside))  # who named a shard elsewhere named what lies beside it
    where = Path(told) if told is not None else next(filter(_is_there, beside), None)
    if where is None:
        return Names(
            {},
            f"{source}: its classes are numbers, of which nothing says the names; they stay as they are. --classes names them, or "
            f"a file {FILES[0]} beside the shards with a name a line, from number 0 on.",
        )
    names = told.split(",") if told is not None and not _is_there(where) else _read(where)
    return Names(_by_number([name.strip() for name in names], labels, str(where)), _told(source, where, told))


def _told(source: Path, where: Path, told: str | None) -> str:
    if told is not None:
        return f"{source}: its classes are numbers, named as --classes says."
    return f"{source}: its classes are numbers, named by {where}, from number 0 on."


def _by_number(names: list[str], labels: Collection[str], where: str) -> dict[str, str]:
    found = [unicodedata.normalize("NFC", name) for name in names]
    if twice := sorted(name for name, count in Counter(found).items() if name and count > 1):
        raise DataError(
            f"{where!r} names the class {twice[0]!r} twice; each number needs a name of its own. Rename one."
        )
    beyond = sorted((label for label in labels if int(label) >= len(found) or not found[int(label)]), key=int)
    if beyond:
        raise DataError(
            f"{where!r} names {len(found):,} classes, from number 0 on, and the shards have the class {beyond[0]}. Name all of "
            "them."
        )
    return {label: found[int(label)] for label in labels}


def _read(path: Path) -> list[str]:
    with storage_errors(path):
        data = read_bytes(path)
    if len(data) > _MOST_BYTES:
        raise DataError(f"{str(path)!r}, which names classes, has {len(data):,} bytes; the limit is {_MOST_BYTES:,}.")
    text = known_text(str(path), data)
    if path.suffix != ".json":
        return text.rstrip("\r\n").splitlines()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise DataError(f"{str(path)!r}, which names classes, is not JSON. Write it again.") from None
    if isinstance(value, dict):
        value = [value.get(str(number)) for number in range(len(value))]
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise DataError(
            f"{str(path)!r} must name the classes as a list of texts, or as an object with a text for each number from 0 on. "
            "Write it so."
        )
    return value


def _is_there(path: Path) -> bool:
    try:
        return exists(path)
    except (OSError, ValueError):  # names between commas may be too long for a path
        return False
