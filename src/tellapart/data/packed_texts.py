"""The texts of very many entries, made when they are asked for. In: entries, places. Out: a sequence. Next: texts_look.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.data.examples import Entry
from tellapart.data.made_rows import MadeRows
from tellapart.data.packed_entries import PackedEntries


class TextsOf(MadeRows[str]):
    """The texts of the entries at some places; "" of one that could not be read."""

    def __init__(self, entries: PackedEntries, places: NDArray[np.int64]) -> None:
        """`places` [n]."""
        self._entries, self._places = entries, places

    def __len__(self) -> int:
        return len(self._places)

    def _at(self, place: int) -> str:
        return self._entries.text(int(self._places[place])) or ""


def texts_as_read(entries: Sequence[Entry]) -> Iterator[str | None]:
    """The text of each entry; None of one that could not be read."""
    if isinstance(entries, PackedEntries):
        return map(entries.text, range(len(entries)))
    return (entry.text for entry in entries)


def texts_at(entries: Sequence[Entry], places: NDArray[np.int64] | None = None) -> Sequence[str]:
    """The texts of all entries, or of those at the places; "" of one that could not be read."""
    chosen = np.arange(len(entries)) if places is None else places
    if isinstance(entries, PackedEntries):
        return TextsOf(entries, chosen)
    return [entries[place].text or "" for place in chosen.tolist()]
