"""A folder of parquet files, a part each, that can be gone on with. In: parts. Out: whole files. Next: part_answers.py.

A file takes its name when it is whole, and says in itself which part it is; predictions.json says by which model and settings.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.errors import StorageError
from tellapart.features.rows import try_lock
from tellapart.reporter import counted
from tellapart.storage import own_folder, storage_errors, sweep_parts, write_bytes, write_json
from tellapart.workflows.scaling.columns import read_told
from tellapart.workflows.scaling.parts import PicturePart

INDEX = "predictions.json"
_LOCK = ".lock"
_SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallied:
    """What a part came to."""

    key: str  # of the part
    rows: int
    unreadable: int
    unknown: int
    answered: tuple[int, ...]  # which of the folders named have an answer in it, by their places

    @classmethod
    def of(cls, told: Mapping[str, Any] | None) -> Tallied | None:
        """What a file says of itself; None where it says nothing of the kind."""
        try:
            return None if told is None else cls(**{**told, "answered": tuple(told["answered"])})
        except (TypeError, KeyError):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """The folder with what is there already."""

    folder: Path
    asked: Mapping[str, Any]  # the model and settings
    names: dict[str, str]  # key -> the name of its file
    done: dict[str, Tallied]  # key -> of whole files

    def keep(self, key: str, data: bytes, tallied: Tallied) -> None:
        """Write one part's file whole. Raises: StorageError."""
        write_bytes(self.folder / self.names[key], data)
        self.done[key] = tallied

    def plan(self, parts: Sequence[PicturePart], *, barren: Sequence[PicturePart] = (), whole: bool = False) -> None:
        """Give each part's file its name, those of earlier calls first, and say so in the index. Raises: StorageError.

        `barren` are parts that say of folders that they hold no picture, which is known only at the end.
        """
        number = max((int(Path(name).stem) for name in self.names.values()), default=-1)
        for part in (*parts, *barren):
            if part.key not in self.names:
                number += 1
                self.names[part.key] = f"{number:06d}.parquet"
        listed = [
            {"file": self.names[part.key], "key": part.key, "pictures": len(part.items), "barren": part in barren}
            for part in (*parts, *barren)
        ]
        record = {"schema": _SCHEMA, **self.asked, "whole": whole, "parts": listed}
        write_json(self.folder / INDEX, record)


@contextlib.contextmanager
def begin_folder(
    folder: Path, asked: Mapping[str, Any], parts: Sequence[PicturePart], *, force: bool
) -> Iterator[Begun]:
    """The folder, alone in it; what an earlier call has finished of the same parts counts as done.

    Raises: StorageError where another process writes it, where something else lies in it, or where it is of another model, other
    settings or other pictures, unless `force` says to begin anew.
    """
    _check_ours(folder)
    own_folder(folder)
    with storage_errors(folder):
        lock = (folder / _LOCK).open("ab")
    with lock:
        if not try_lock(lock, shared=False):
            raise StorageError(
                f"another process is writing {folder} just now. Wait until it is done, or choose another --out."
            )
        sweep_parts(folder)
        if force:
            _clear(folder)
        begun = _found(folder, asked, parts)
        begun.plan(parts)
        yield begun


def _check_ours(folder: Path) -> None:
    with storage_errors(folder):
        there = list(folder.iterdir()) if folder.exists() else []
        if there and not (folder / INDEX).is_file() and any(not one.name.startswith(".") for one in there):
            raise StorageError(
                f"{folder} holds other files than predictions of an earlier call. Name a folder for --out that is new or empty."
            )


def _clear(folder: Path) -> None:
    with storage_errors(folder):
        for path in [*folder.glob("[0-9]*.parquet"), folder / INDEX]:
            path.unlink(missing_ok=True)


def _found(folder: Path, asked: Mapping[str, Any], parts: Sequence[PicturePart]) -> Begun:
    """Raises: StorageError."""
    begun = Begun(folder=folder, asked=asked, names={}, done={})
    if not (folder / INDEX).is_file():
        return begun
    record = _read(folder)
    for name, value in asked.items():
        if record.get(name) != value:
            raise StorageError(
                f"{folder} holds predictions by another {name} ({_short(record.get(name))}; this time {_short(value)}). Choose "
                "another --out, or begin anew with --force."
            )
    for one in record["parts"]:
        if one["barren"]:
            with storage_errors(folder):
                (folder / one["file"]).unlink(missing_ok=True)  # there may be pictures now
    known = {one["key"]: one["file"] for one in record["parts"] if not one["barren"]}
    stale = len(known.keys() - {part.key for part in parts})
    if stale:
        raise StorageError(
            f"the pictures of {counted(stale, 'part')} in {folder}, of {len(known):,}, changed or are not named any more. "
            "Choose another --out, or begin anew with --force."
        )
    begun.names.update(known)
    for key, name in known.items():
        tallied = Tallied.of(read_told(folder / name))
        if tallied is not None and tallied.key == key:
            begun.done[key] = tallied
    return begun


def _read(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        if record["schema"] == _SCHEMA and all({"key", "file", "barren"} <= one.keys() for one in record["parts"]):
            return dict(record)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        pass
    raise StorageError(
        f"{folder / INDEX} is damaged, or of another version. Choose another --out, or begin anew with --force."
    )


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:59]}…"
