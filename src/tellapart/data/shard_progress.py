"""How far a writing of shards has come. In: what is to be written, a folder. Out: a state that survives a kill. Next: shards.py."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tellapart.data.examples import Entry, Listing
from tellapart.sources.reading import split_path, split_table
from tellapart.storage import storage_errors

STATE = "state.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenShard:
    """One whole shard."""

    name: str
    pictures: int
    bytes: int
    sha256: str  # of the file


@dataclass(slots=True, kw_only=True)
class State:
    """How far the writing has come; kept after each shard."""

    plan: str  # digest of the data set and the settings
    done: list[WrittenShard] = field(default_factory=list)
    next: int = 0  # the first picture that is in none of them
    left_out: list[tuple[str, str]] = field(default_factory=list)  # path, reason


def plan_of(listing: Listing, entries: Sequence[Entry], layout: str, most_bytes: int) -> str:
    """Of all that decides which bytes are written, as far as it is known without reading the pictures."""
    digest = hashlib.sha256(json.dumps([1, layout, most_bytes, listing.task, listing.classes]).encode())
    holders: set[str] = set()  # archives and tables that pictures stand in
    for entry in entries:
        inside = split_path(entry.path) or split_table(entry.path)
        file = inside[0] if inside else str(entry.path)
        stamp = [] if file in holders else _stamp(file)
        if inside:
            holders.add(file)
        digest.update(json.dumps([str(entry.path), entry.target.text, entry.split, entry.group, stamp]).encode())
    return digest.hexdigest()


def _stamp(file: str) -> list[int]:
    try:
        status = os.stat(file)
    except (OSError, ValueError):
        return []  # the reason follows when it is read
    return [status.st_size, status.st_mtime_ns]


def begin(begun: Path, plan: str, *, kept: str) -> State:
    """The state that a killed process left where it was writing the same, else a new one, with nothing but `kept` in the folder.

    Raises: StorageError.
    """
    try:
        found = json.loads((begun / STATE).read_text(encoding="utf-8"))
        done = [WrittenShard(**one) for one in found.pop("done")]
        state = State(**found | {"done": done, "left_out": [tuple(one) for one in found["left_out"]]})
        whole = all(_sha256(begun / one.name) == one.sha256 for one in done)
    except (OSError, ValueError, TypeError, KeyError):
        state, whole = None, False  # there is none, or it was never whole
    if state is None or not whole or state.plan != plan:
        state = State(plan=plan)
    names = {kept, *((STATE, *(one.name for one in state.done)) if state.done else ())}
    with storage_errors(begun):
        for left in begun.iterdir():
            if left.name not in names:
                left.unlink()
    return state


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Hashed:
    """A file of which the bytes are counted and hashed on their way."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.sha256, self.written = file, hashlib.sha256(), 0
        self.closed = False

    def write(self, data: bytes) -> int:
        """As any file's."""
        self._file.write(data)
        self.sha256.update(data)
        self.written += len(data)
        return len(data)

    def flush(self) -> None:
        """As any file's."""
        self._file.flush()

    def tell(self) -> int:
        """As any file's."""
        return self.written
