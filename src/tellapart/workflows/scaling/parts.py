"""Pictures in parts, each predicted whole. In: PathItems. Out: Parts with keys. Next: answer_folder.py.

An archive or a table of pictures is a part of its own, or several where it is large; pictures that lie alone are taken some hundred
at a time. Where parts begin does not depend on how many workers there are, so that another cluster may go on.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tellapart.answers.items import PathItem, is_address
from tellapart.sources.places import stamp_of
from tellapart.sources.reading import split_path, split_table
from tellapart.sources.remote.addresses import is_remote

LOOSE, IN_SHARD = 250, 5_000  # pictures in a part at most: those that lie alone, and those of one archive or table


@dataclass(frozen=True, slots=True, kw_only=True)
class PicturePart:
    """Pictures that one worker takes, in order."""

    key: str  # of their names, and of the files' sizes and times of change
    items: tuple[PathItem, ...]


def in_parts(items: Iterable[PathItem], *, loose: int = LOOSE, in_shard: int = IN_SHARD) -> Iterator[PicturePart]:
    """Every item once, in order."""
    holders: dict[str, str] = {}
    here: list[PathItem] = []
    holder = ""
    times: dict[str, int] = {}  # that a part was named
    for item in items:
        held = _holder(item.path, holders)
        if here and (held != holder or len(here) == (in_shard if holder else loose)):
            yield _part(holder, here, times)
            here = []
        holder = held
        here.append(item)
    if here:
        yield _part(holder, here, times)


def _holder(path: str, known: dict[str, str]) -> str:
    """The archive or table that a picture stands in; "" for a file of its own."""
    folder = os.path.dirname(path)
    if folder not in known:
        inside = split_path(path) or split_table(path)
        known[folder] = inside[0] if inside else ""
    return known[folder]


def _part(holder: str, items: list[PathItem], times: dict[str, int]) -> PicturePart:
    digest = hashlib.sha256(json.dumps([1, holder, _stamp(holder) if holder else []]).encode())
    for item in items:
        told = [item.path, item.named, item.error, [] if holder else _stamp(item.path)]
        digest.update(json.dumps(told).encode())
    key = digest.hexdigest()
    times[key] = times.get(key, 0) + 1
    return PicturePart(key=key if times[key] == 1 else f"{key}-{times[key]}", items=tuple(items))


def _stamp(path: str) -> list[str | int]:
    """What tells whether a file changed; nothing of an address that each would have to be asked of."""
    if is_address(path) and not is_remote(path):
        return []
    try:
        found = stamp_of(path)
    except (OSError, ValueError):
        return []  # the reason is its row
    return [found.size, found.changed]
