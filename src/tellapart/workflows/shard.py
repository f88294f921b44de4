"""A data set as shards. In: pictures, a folder to write. Out: shards, shards.json. Next: data/shards.py.

What is written grows in a hidden folder beside the one asked for, which takes its name at the end: whole or not at all. Killed at
any moment, the same command goes on behind the last whole shard, and gives the same bytes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tellapart.data.examples import SPLITS, Entry, Listing, ReadOptions
from tellapart.data.listing import read_listing
from tellapart.data.readers import READERS
from tellapart.data.shard_files import SHARDS, Packed, ShardFile, ending_of
from tellapart.data.shard_progress import STATE, Hashed, State, WrittenShard, begin, plan_of
from tellapart.errors import DataError, PictureError, StorageError
from tellapart.export.begun import take_place
from tellapart.features.rows import try_lock
from tellapart.reporter import Reporter, counted
from tellapart.sources.reading import read_bytes
from tellapart.storage import check_replaceable, replacing, storage_errors, write_bytes, write_json

INDEX, NAMES = "shards.json", "classes.txt"
LEAST_BYTES = 1_000_000
_LOCK = "lock"
_FOUND = ReadOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharded:
    """What was written."""

    folder: Path
    shards: tuple[WrittenShard, ...]
    left_out: tuple[tuple[str, str], ...]  # path, reason
    reused: int  # shards that an earlier call had written

    @property
    def pictures(self) -> int:
        """In all shards."""
        return sum(shard.pictures for shard in self.shards)

    def as_json(self) -> dict[str, Any]:
        """For --json."""
        return {
            "folder": str(self.folder),
            "pictures": self.pictures,
            "bytes": sum(shard.bytes for shard in self.shards),
            "shards": [asdict(shard) for shard in self.shards],
            "left_out": [{"path": path, "reason": reason} for path, reason in self.left_out],
            "reused": self.reused,
        }


def write_shards(
    pictures: Path,
    out: Path,
    *,
    layout: str = "tar",
    most_bytes: int = 500_000_000,
    force: bool = False,
    reporter: Reporter,
    options: ReadOptions = _FOUND,
) -> Sharded:
    """Write shards of at most `most_bytes` (one picture at least) with labels, groups and given splits.

    Pictures that cannot be read are left out, and told. Raises: DataError for targets that such shards cannot carry; StorageError,
    also where `out` is there and not to be replaced or none of ours, or another process writes it.
    """
    begun = out.with_name(f".{out.name}.shards")
    _bring_back(begun, out)
    if out.exists() and not force:
        raise StorageError(
            f"{out} is there already, and nothing is overwritten unasked. Choose another --out, or replace it with --force."
        )
    check_replaceable(out, ours=INDEX)
    listing = read_listing(pictures, options)
    for note in listing.notes:
        reporter.say(note)
    _check(listing, layout)
    entries = sorted(listing.entries, key=lambda entry: SPLITS.index(entry.split) if entry.split else -1)
    with _alone(begun):
        state = begin(begun, plan_of(listing, entries, layout, most_bytes), kept=_LOCK)
        reused = len(state.done)
        if reused:
            reporter.say(f"Going on behind {counted(reused, 'shard')} that an earlier call has written.")
        with reporter.step("Writing shards", len(entries)) as advance:
            advance(state.next)
            while state.next < len(entries):
                _write_next(begun, state, listing, entries, layout=layout, most_bytes=most_bytes, advance=advance)
        if not state.done:
            raise DataError(
                f"no picture of {str(pictures)!r} can be read, so nothing is written. `tellapart check` says why."
            )
        _finish(begun, out, state, listing, layout)
    return Sharded(folder=out, shards=tuple(state.done), left_out=tuple(state.left_out), reused=reused)


def _bring_back(begun: Path, out: Path) -> None:
    """What was to be replaced when a process was killed between two moves is there again. Raises: StorageError."""
    old = begun.with_name(f"{begun.name}.old")
    with storage_errors(out):
        if old.exists() and not out.exists():
            os.replace(old, out)


def _check(listing: Listing, layout: str) -> None:
    reader = READERS[listing.task]
    if reader.folder is not None:
        raise DataError(
            f"{str(listing.source)!r} is for {listing.task}, whose targets shards do not carry; they carry a class or a set of "
            "classes a picture. Pack the folder as one .zip or .tar instead, which is read in place."
        )
    if reader.separated and layout == "tar":
        raise DataError(
            f"{str(listing.source)!r} gives pictures several classes or none, and a tar as webdataset has them holds one class a "
            "picture. Add --format parquet."
        )


@contextlib.contextmanager
def _alone(begun: Path) -> Iterator[None]:
    """Raises: StorageError where another process writes the same shards."""
    with storage_errors(begun):
        begun.mkdir(parents=True, exist_ok=True)
        lock = (begun / _LOCK).open("ab")
    with lock:
        if not try_lock(lock, shared=False):
            raise StorageError(
                f"another process is writing {begun} just now. Wait until it is done, or choose another --out."
            )
        yield


def _write_next(
    begun: Path,
    state: State,
    listing: Listing,
    entries: Sequence[Entry],
    *,
    layout: str,
    most_bytes: int,
    advance: Callable[[int], None],
) -> None:
    """One more shard, of one split; the state is kept once it is on the disk. Raises: StorageError."""
    split = entries[state.next].split or "shard"
    number = sum(shard.name.startswith(f"{split}-") for shard in state.done)
    target = begun / f"{split}-{number:06d}.{layout}"
    here, count, left_out = state.next, 0, list(state.left_out)
    with replacing(target) as file:
        hashed = Hashed(file)
        shard: ShardFile = SHARDS[layout](hashed, "labels" if READERS[listing.task].separated else "label")  # type: ignore[arg-type]
        while here < len(entries) and (entries[here].split or "shard") == split:
            try:
                sample = _sample(listing, entries[here], here)
            except PictureError as error:
                left_out.append((str(entries[here].path), str(error)))
            else:
                if count and shard.size_with(sample) > most_bytes:
                    break
                shard.add(sample)
                count += 1
            here += 1
            advance(1)
        shard.close()
    if count:
        state.done.append(
            WrittenShard(name=target.name, pictures=count, bytes=hashed.written, sha256=hashed.sha256.hexdigest())
        )
    else:
        target.unlink()
    state.next, state.left_out = here, left_out
    write_json(begun / STATE, asdict(state))


def _sample(listing: Listing, entry: Entry, index: int) -> Packed:
    """Raises: PictureError where it cannot be read, or is no picture."""
    try:
        data = read_bytes(entry.path)
    except (OSError, ValueError) as error:
        raise PictureError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    number = listing.classes.index(entry.target.text) if entry.target.text in listing.classes else -1
    folder = listing.folder
    inside = entry.path.relative_to(folder) if entry.path.is_relative_to(folder) else Path(*entry.path.parts[-2:])
    return Packed(
        key=f"{index:09d}",
        ending=ending_of(str(entry.path), data),
        data=data,
        target=entry.target.text,
        number=number,
        group=entry.group,
        path=inside.as_posix(),
    )


def _finish(begun: Path, out: Path, state: State, listing: Listing, layout: str) -> None:
    """The names of classes, the index, and the folder in its place. Raises: StorageError."""
    write_bytes(begun / NAMES, "".join(f"{name}\n" for name in listing.classes).encode())
    record = {
        "format": layout,
        "task": listing.task,
        "classes": list(listing.classes),
        "pictures": sum(shard.pictures for shard in state.done),
        "shards": [asdict(shard) for shard in state.done],
        "left_out": [{"path": Path(path).name, "reason": reason} for path, reason in state.left_out],
    }
    write_json(begun / INDEX, record)
    with storage_errors(begun):
        (begun / STATE).unlink()
        (begun / _LOCK).unlink()
    if out.exists() and not out.is_dir():
        out.unlink()
    take_place(begun, out)
    shutil.rmtree(begun, ignore_errors=True)
