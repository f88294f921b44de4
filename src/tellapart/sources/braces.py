"""Several files in one name, as shells and webdataset write them. In: shard-{000000..000099}.tar. Out: names. Next: reading.py."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator

from tellapart.errors import DataError
from tellapart.sources.remote.addresses import share

MOST = 100_000  # names that one pattern may stand for
_PART = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d{1,12})\.\.(\d{1,12})")


def is_pattern(text: str) -> bool:
    """Whether a path has braces that stand for several names, and is not itself a file or folder."""
    return any(_is_part(part) for part in _PART.findall(text)) and not os.path.lexists(text)


def expand_braces(text: str) -> list[str]:
    """The names that a pattern stands for, in its order: {1..3} and {001..100} count up, {a,b} chooses.

    Raises: DataError for a range that counts down, or more names than the limit.
    """
    pieces: list[list[str]] = []
    end, total = 0, 1
    for found in _PART.finditer(text):
        if not _is_part(found[1]):
            continue
        pieces += [[text[end : found.start()]], list(_values(found[1], text))]
        end, total = found.end(), total * len(pieces[-1])
        if total > MOST:
            raise _too_many(text)
    pieces.append([text[end:]])
    names = ["".join(parts) for parts in itertools.product(*pieces)]
    share(text, names)
    return names


def _is_part(part: str) -> bool:
    return "," in part or _RANGE.fullmatch(part) is not None


def _values(part: str, text: str) -> Iterator[str]:
    found = _RANGE.fullmatch(part)
    if found is None:
        yield from part.split(",")
        return
    first, last = int(found[1]), int(found[2])
    if last < first:
        raise DataError(f"{text!r} counts from {found[1]} down to {found[2]}. Write the smaller number first.")
    if last - first >= MOST:
        raise _too_many(text)
    padded = found[1].startswith("0") or found[2].startswith("0")  # as shells do it
    width = max(len(found[1]), len(found[2])) if padded else 0
    yield from (f"{number:0{width}d}" for number in range(first, last + 1))


def _too_many(text: str) -> DataError:
    return DataError(f"{text!r} stands for more than {MOST:,} files, the limit. Give a folder, or a smaller range.")
