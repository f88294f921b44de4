"""What is listed of very many pictures, in little memory. In: Entries. Out: a sequence of them. Next: packed_inspections.py.

An Entry with its path takes 500 bytes. A folder's name, a class, a split and a group are common to many pictures and stand in
tables; of each picture its own name is left (of a text its letters too), and it is made an Entry again whenever somebody asks.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Hashable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from tellapart.data.examples import SPLITS, Entry, Split
from tellapart.data.made_rows import MadeRows
from tellapart.data.targets import ClassName

MANY = 20_000  # entries from which on they are packed

_Value = TypeVar("_Value", bound=Hashable)
_SPLITS: tuple[Split | None, ...] = (None, *SPLITS)


class _Column(Generic[_Value]):
    """Values of which most come often."""

    def __init__(self) -> None:
        self.table: list[_Value] = []
        self._number_of: dict[_Value, int] = {}
        self.numbers = array("i")

    def append(self, value: _Value) -> None:
        number = self._number_of.get(value)
        if number is None:
            number = self._number_of[value] = len(self.table)
            self.table.append(value)
        self.numbers.append(number)

    def __getitem__(self, place: int) -> _Value:
        return self.table[self.numbers[place]]

    def part(self, places: NDArray[np.int64]) -> _Column[_Value]:
        found = _Column[_Value]()
        found.table, found._number_of = self.table, self._number_of
        found.numbers = array("i", np.frombuffer(self.numbers, dtype=np.intc)[places].tobytes())
        return found


class PackedEntries(MadeRows[Entry]):
    """Entries of one class each, in the order in which they were put in."""

    def __init__(self) -> None:
        self._names, self._ends = bytearray(), array("q")
        self._folders, self._targets = _Column[str](), _Column[ClassName]()
        self._groups, self._folds = _Column[str](), _Column[str]()
        self._marks = bytearray()  # split and `added` of each
        self._texts, self._text_ends = bytearray(), array("q")  # where there are any; ~end of an entry without one

    def append(self, entry: Entry) -> bool:
        """Put one behind the others; False, and nothing is done, where it holds more than a column has."""
        target = entry.target
        if not isinstance(target, ClassName) or entry.train_target is not None or entry.drawn is not None:
            return False
        self.put(
            str(entry.path),
            target,
            entry.split,
            group=entry.group,
            fold=entry.fold,
            added=entry.added,
            text=entry.text,
        )
        return True

    def put(
        self,
        path: str,
        target: ClassName,
        split: Split | None,
        *,
        group: str = "",
        fold: str = "",
        added: bool = False,
        text: str | None = None,
    ) -> None:
        """Put what makes an Entry behind the others; `path` as a Path writes it."""
        folder, name = os.path.split(path)
        self._names += name.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._names))
        self._folders.append(folder)
        self._targets.append(target)
        self._groups.append(group)
        self._folds.append(fold)
        self._marks.append(2 * _SPLITS.index(split) + added)
        if text is not None:
            self._texts += text.encode("utf-8", "surrogatepass")
        if text is not None or self._text_ends:
            self._text_ends.extend([~0] * (len(self._ends) - 1 - len(self._text_ends)))
            self._text_ends.append(len(self._texts) if text is not None else ~len(self._texts))

    def __len__(self) -> int:
        return len(self._ends)

    def path_text(self, place: int) -> str:
        """The path of the picture at a place."""
        start = self._ends[place - 1] if place else 0
        name = self._names[start : self._ends[place]].decode("utf-8", "surrogatepass")
        return os.path.join(self._folders[place], name)

    def text(self, place: int) -> str | None:
        """The text of the entry at a place; None where it has none."""
        end = self._text_ends[place] if self._text_ends else ~0
        return None if end < 0 else self._texts[self._text_start(place) : end].decode("utf-8", "surrogatepass")

    def _text_start(self, place: int) -> int:
        before = self._text_ends[place - 1] if place else 0
        return before if before >= 0 else ~before

    def column(self, name: str, places: Iterable[int]) -> Iterator[Any]:
        """What `column_of` promises."""
        if name in ("split", "added"):
            marks = (divmod(self._marks[place], 2) for place in places)
            return (_SPLITS[split] if name == "split" else bool(added) for split, added in marks)
        columns: dict[str, _Column[Any]] = {"target": self._targets, "group": self._groups, "fold": self._folds}
        return map(columns[name].__getitem__, places)

    def part(self, places: Sequence[int]) -> PackedEntries:
        """Those of the places, in their order."""
        chosen = np.asarray(places, dtype=np.int64)
        found = PackedEntries()
        for place in chosen.tolist():
            start = self._ends[place - 1] if place else 0
            found._names += self._names[start : self._ends[place]]
            found._ends.append(len(found._names))
            if self._text_ends:
                end = self._text_ends[place]
                found._texts += self._texts[self._text_start(place) : end] if end >= 0 else b""
                found._text_ends.append(len(found._texts) if end >= 0 else ~len(found._texts))
        found._folders, found._targets = self._folders.part(chosen), self._targets.part(chosen)
        found._groups, found._folds = self._groups.part(chosen), self._folds.part(chosen)
        found._marks = bytearray(np.frombuffer(self._marks, dtype=np.uint8)[chosen].tobytes())
        return found

    def sorted_by_path(self) -> PackedEntries:
        """The same in the order of the paths, part by part, as paths compare."""
        last = ""
        for place in range(len(self)):
            key = self._key(place)
            if key < last:
                return self.part(sorted(range(len(self)), key=self._key))
            last = key
        return self

    def _key(self, place: int) -> str:
        return self.path_text(place).replace(os.sep, "\0")

    def _at(self, place: int) -> Entry:
        split, added = divmod(self._marks[place], 2)
        return Entry(
            path=Path(self.path_text(place)),
            target=self._targets[place],
            split=_SPLITS[split],
            group=self._groups[place],
            fold=self._folds[place],
            added=bool(added),
            text=self.text(place),
        )


def column_of(entries: Sequence[Entry], name: str, places: NDArray[np.int64] | None = None) -> Iterator[Any]:
    """What the entries, or those at the places, call `name`, one after the other: target, split, group, fold or added."""
    chosen = range(len(entries)) if places is None else places.tolist()
    if isinstance(entries, PackedEntries):
        return entries.column(name, chosen)
    return (getattr(entries[place], name) for place in chosen)


class PathsOf(Sequence[Path]):
    """The paths of entries, made when they are asked for."""

    def __init__(self, entries: Sequence[Entry], places: Sequence[int] | None = None) -> None:
        """Of all entries, or of those at `places`."""
        self._entries = entries
        self._places = range(len(entries)) if places is None else places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> PathsOf: ...
    def __getitem__(self, index: int | slice) -> Path | PathsOf:
        if isinstance(index, slice):
            return PathsOf(self._entries, self._places[index])
        return Path(self._text(self._places[index]))

    def __iter__(self) -> Iterator[Path]:
        return map(Path, self.texts())

    def texts(self) -> Iterator[str]:
        """The same as texts."""
        return map(self._text, self._places)

    def _text(self, place: int) -> str:
        entries = self._entries
        return entries.path_text(place) if isinstance(entries, PackedEntries) else str(entries[place].path)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


def paths_at(entries: Sequence[Entry], places: Iterable[int]) -> Sequence[Path]:
    """The paths of the entries at some places; of very many entries made when they are asked for."""
    if isinstance(entries, PackedEntries):
        return PathsOf(entries, array("q", places))
    return tuple(entries[place].path for place in places)


def packed(entries: Iterable[Entry]) -> Sequence[Entry]:
    """Entries, packed as long as every one can be; else as they are."""
    if isinstance(entries, PackedEntries):
        return entries
    found, rest = PackedEntries(), iter(entries)
    for entry in rest:
        if not found.append(entry):
            return (*found, entry, *rest)
    return found


def part_of(entries: Sequence[Entry], places: Sequence[int]) -> Sequence[Entry]:
    """The entries at some places, packed where they are."""
    if isinstance(entries, PackedEntries):
        return entries.part(places)
    return tuple(entries[place] for place in places)
