"""Shards of pictures with their classes, as webdataset writes them. In: tars. Out: Listing. Next: folder.py.

Several tars in one folder, or of one pattern such as shard-{000000..000099}.tar, are one data set, and their names may say the
split: train-000000.tar. What stands in one is in shard_records.py; it is read in its order.
"""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tellapart.data.columns import split_named
from tellapart.data.examples import Entry, Listing, Split, named_classes
from tellapart.data.layouts import split_of
from tellapart.data.names import stored_twice
from tellapart.data.packed_entries import MANY, PackedEntries
from tellapart.data.shard_names import find_names
from tellapart.data.shard_records import CLASS, KEYS, RECORD, TEXT, Said, is_shard, read_records, read_texts
from tellapart.data.targets import ClassName
from tellapart.data.tree import Child, Folder, Tree
from tellapart.errors import DataError
from tellapart.sources.reading import exists, is_archive, open_archive
from tellapart.sources.remote.addresses import is_remote

TARS = (".tar", ".tar.gz", ".tgz")
_Row = tuple[str, ClassName, Split | None, str]  # path, class, split, group
WITHOUT = "picture in a shard without a class"  # a reason that Listing.ignored counts


class Shard(NamedTuple):
    """One tar, and the split that its name or its folder's says."""

    path: Path
    split: Split | None


def find_shards(tree: Tree, root: Folder, source: Path) -> list[Shard]:
    """The shards that are at `source`, a tar or a folder of tars, split or not; nothing where it is anything else."""
    if is_archive(source):
        found = [Shard(source, None)] if source.name.lower().endswith(TARS) else []
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
    if not found or not is_shard(open_archive(found[0].path)):
        return []
    return _split_by_name(found)


def named_shards(source: Path, files: Sequence[str]) -> list[Shard]:
    """Those that a pattern `source` names. Raises: DataError where the first is no shard, or one is not there."""
    for file in files:
        if not is_remote(file) and not exists(file):
            raise DataError(
                f"{str(source)!r} names {file!r}, which is not there. Give a pattern of files that all are."
            )
    if not is_shard(open_archive(files[0])):
        raise DataError(
            f"{files[0]!r} is no shard: few of its pictures have a {CLASS}, {RECORD} or {TEXT} of their name beside them. Give "
            "shards as webdataset writes them."
        )
    return _split_by_name([Shard(Path(file), None) for file in files])


def _split_by_name(found: Sequence[Shard]) -> list[Shard]:
    """The same with the splits that all their names say, where no folder says one."""
    named = [split_of(shard.path.name.partition(".")[0]) for shard in found]
    if all(named) and not any(shard.split for shard in found):
        return [Shard(shard.path, name.split) for shard, name in zip(found, named, strict=True) if name]
    return list(found)


def _tars(children: Iterable[Child]) -> list[Path]:
    return [Path(child.path) for child in children if not child.is_folder and child.name.lower().endswith(TARS)]


def list_shards(
    source: Path,
    shards: Sequence[Shard],
    ignored: Counter[str],
    notes: Iterable[str],
    *,
    names: str | None = None,
) -> Listing:
    """The pictures of all shards and their classes; `names` of numbers, or the file that has them, where they were told.

    Raises: DataError where no picture has a class, or a split is missing or unknown; StorageError.
    """
    found = _read(shards, ignored)
    for shard in shards:
        if shard.path != source:  # of one that is the whole source it is known by now
            ignored.update(open_archive(shard.path).ignored)
    if not any(said.label for _, pictures in found for said in pictures):
        raise DataError(
            f"the shards of {str(source)!r} give no picture a class: none has a {CLASS} beside it, or a {RECORD} with "
            f"{', '.join(map(repr, KEYS))}. Write one for each picture."
        )
    ignored[WITHOUT] += sum(not said.label for _, pictures in found for said in pictures)
    _check_numbers(source, found)
    written = {said.label for _, pictures in found for said in pictures if said.label}
    named = find_names(written, source, shards[0].path, names)
    entries = _entries(_rows(source, found, named.of), sum(len(pictures) for _, pictures in found))
    return Listing(
        source=source,
        entries=entries,
        classes=tuple(sorted(named_classes(entry.target for entry in entries))),
        ignored={reason: count for reason, count in sorted(ignored.items()) if count},
        notes=(*notes, *_told(source, found, written), *([named.note] if named.note else ())),
        numbered=bool(named.of),
    )


def _read(shards: Sequence[Shard], ignored: Counter[str]) -> list[tuple[Shard, list[Said]]]:
    """Texts count as classes only where no picture of the data set has anything else: they may describe the pictures."""
    found = [(shard, read_records(shard.path, open_archive(shard.path), ignored)) for shard in shards]
    if any(said.label for _, pictures in found for said in pictures):
        return found
    texts = [(shard, read_texts(shard.path, open_archive(shard.path), pictures)) for shard, pictures in found]
    ignored["not a picture"] -= sum(bool(said.label) for _, pictures in texts for said in pictures)
    return texts


def _check_numbers(source: Path, found: Sequence[tuple[Shard, list[Said]]]) -> None:
    """Raises: DataError where one number stands beside two names, or one name beside two numbers."""
    pairs = sorted({(said.number, said.label) for _, pictures in found for said in pictures if said.number})
    names: dict[str, str] = {}
    numbers: dict[str, str] = {}
    for number, name in pairs:
        if names.setdefault(number, name) != name:
            raise DataError(
                f"the shards of {str(source)!r} have the number {number} beside the classes {names[number]!r} and {name!r}. Write "
                "them again, with one number for each class."
            )
        if numbers.setdefault(name, number) != number:
            raise DataError(
                f"the shards of {str(source)!r} have the class {name!r} beside the numbers {numbers[name]} and {number}. Write "
                "them again, with one number for each class."
            )


def _entries(rows: Iterable[_Row], most: int) -> Sequence[Entry]:
    """By path; of `most`, where those are very many, packed one by one."""
    if most < MANY:
        made = (Entry(path=Path(path), target=target, split=split, group=group) for path, target, split, group in rows)
        return tuple(sorted(made, key=lambda entry: entry.path))
    found = PackedEntries()
    for path, target, split, group in rows:
        found.put(path, target, split, group=group)
    return found.sorted_by_path()


def _rows(source: Path, found: Sequence[tuple[Shard, list[Said]]], names: Mapping[str, str]) -> Iterator[_Row]:
    """Raises: DataError for splits that are unknown, or that only some pictures have."""
    own = [said for shard, pictures in found if shard.split is None for said in pictures if said.label]
    with_split = sum(bool(said.split) for said in own)
    if 0 < with_split < len(own):
        raise DataError(
            f"{with_split:,} of {len(own):,} pictures in the shards of {str(source)!r} have a 'split'. Write it for all, or for "
            "none."
        )
    for shard, pictures in found:
        classes: dict[str, ClassName] = {}
        for said in pictures:
            if not said.label:
                continue
            if said.label not in classes:
                label = unicodedata.normalize("NFC", names.get(said.label, said.label))
                classes[said.label] = ClassName(label)
            split = shard.split or _split(said, shard.path)
            yield os.path.join(shard.path, *said.name.split("/")), classes[said.label], split, said.group


def _split(said: Said, path: Path) -> Split | None:
    if not said.split:
        return None
    split = split_named(said.split)
    if split is None:
        raise DataError(
            f"{said.name!r} in the shard {str(path)!r} has {said.split!r} as 'split'. Use train, val or test, or leave it out."
        )
    return split


def _told(source: Path, found: Sequence[tuple[Shard, list[Said]]], written: set[str]) -> list[str]:
    where = sorted({said.by for _, pictures in found for said in pictures if said.label})
    several = f"{len(found):,} shards" if len(found) > 1 else "one shard"
    told = [f"{source}: {several} as webdataset writes them; the classes are what {' and '.join(where)} says."]
    if twice := stored_twice(written):
        told.append(f"{source}: {twice}.")
    return told
