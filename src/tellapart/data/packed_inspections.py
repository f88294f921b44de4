"""What was seen of very many pictures, in little memory. In: Inspections one by one. Out: a sequence of them. Next: copies.py.

An Inspection takes 700 bytes, and a million of them most of a small machine. What is usual about a picture fits a row of 112
bytes and is made an Inspection again whenever somebody asks, and so does what was seen of a text; the few pictures that are unusual
(unreadable, of more than 8 bits) stay as they are.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.data.examples import Inspection
from tellapart.data.looks import Looks
from tellapart.data.made_rows import MadeRows
from tellapart.data.thumbnails import Shelf, Shelved, Stack, ThumbnailRows, stacked

_FILE, _CONTENT = 32, 16  # bytes of the two hashes
_ROW = np.dtype(
    [
        ("file", np.uint8, _FILE),
        ("content", np.uint8, _CONTENT),
        ("perceptual", np.uint64),
        ("looks", np.float64, 5),
        ("shelf", np.uint32),  # row on the shelf of thumbnails
        ("width", np.int32),
        ("height", np.int32),
        (
            "kind",
            np.int32,
        ),  # in the table of kinds; -1: the row is empty, and the Inspection stands among the unusual ones
    ]
)
_UNUSUAL = -1
_MOST_SIDE = 2**31 - 1
_DIGITS = frozenset(string.digits + "abcdef")
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


class _Kind(NamedTuple):
    """What few pictures of a data set differ in."""

    format: str
    mode: str
    turned: bool
    wrong_extension: bool
    profile: str
    bands: str
    one_colour: bool | None  # None: nobody looked, since it is a text


class PackedInspections(MadeRows[Inspection]):
    """Inspections in the order in which they were put in."""

    def __init__(self, most: int) -> None:
        """There is place for `most`."""
        self._rows = np.zeros(most, dtype=_ROW)
        self._count = 0
        self._kinds: list[_Kind] = []
        self._kind_of: dict[_Kind, int] = {}
        self._unusual: dict[int, Inspection] = {}
        self._shelf: Shelf | None = None

    def append(self, inspection: Inspection) -> None:
        """Put one behind the others."""
        index = self._count
        self._count += 1
        looks, thumbnail = inspection.looks, inspection.thumbnail
        if not _is_usual(inspection) or (
            isinstance(thumbnail, Shelved) and (self._shelf or thumbnail.place[0]) is not thumbnail.place[0]
        ):
            self._rows[index]["kind"] = _UNUSUAL
            self._unusual[index] = inspection
            return
        row = 0
        if isinstance(thumbnail, Shelved):
            self._shelf, row = thumbnail.place
        self._rows[index] = (
            np.frombuffer(bytes.fromhex(inspection.file_hash) or bytes(_FILE), dtype=np.uint8),
            np.frombuffer(bytes.fromhex(inspection.content_hash), dtype=np.uint8),
            inspection.perceptual_hash,
            (0.0,) * 5 if looks is None else looks[:5],
            row,
            inspection.width,
            inspection.height,
            self._number(inspection, None if looks is None else looks.one_colour),
        )

    def __len__(self) -> int:
        return self._count

    def part(self, places: Sequence[int]) -> PackedInspections:
        """Those of the places, in their order."""
        chosen = np.asarray(places, dtype=np.int64)
        found = PackedInspections(0)
        found._rows, found._count = self._rows[chosen], len(chosen)
        found._kinds, found._kind_of, found._shelf = self._kinds, self._kind_of, self._shelf
        odd = np.flatnonzero(found._rows["kind"] == _UNUSUAL)
        found._unusual = {int(place): self._unusual[int(chosen[place])] for place in odd}
        return found

    def readable(self) -> NDArray[np.int64]:
        """The places of those without a problem, rising."""
        good = np.ones(self._count, dtype=np.bool_)
        good[[place for place, one in self._unusual.items() if one.problem]] = False
        return np.flatnonzero(good)

    def contents(self, places: NDArray[np.int64]) -> NDArray[np.bytes_]:
        """The content hashes of the places as their digits, [n]."""
        raw = self._rows["content"][places]
        digits = _HEX[np.stack([raw >> 4, raw & 15], axis=2).reshape(len(places), 2 * _CONTENT)]
        found: NDArray[np.bytes_] = np.ascontiguousarray(digits).view(f"S{2 * _CONTENT}")[:, 0]
        longest = max([2 * _CONTENT, *(len(one.content_hash) for one in self._unusual.values())])
        found = found.astype(f"S{longest}")
        for row, one in self._others(places):
            found[row] = one.content_hash.encode()
        return found

    def perceptual_hashes(self, places: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Those of the places, [n]."""
        found: NDArray[np.uint64] = self._rows["perceptual"][places]
        for row, one in self._others(places):
            found[row] = one.perceptual_hash
        return found

    def thumbnails(self, places: NDArray[np.int64]) -> Stack:
        """Those of the places, [n, 32, 32], on disk where all are there."""
        shelf = self._shelf
        if shelf is None:
            return stacked([self._at(int(place)).thumbnail for place in places])
        rows = self._rows["shelf"][places].astype(np.int64)
        for row, one in self._others(places):
            if not isinstance(one.thumbnail, Shelved) or one.thumbnail.place[0] is not shelf:
                return stacked([self._at(int(place)).thumbnail for place in places])
            rows[row] = one.thumbnail.place[1]
        return ThumbnailRows(shelf, rows)

    def sizes(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Width and height of the places in pixels, [n, 2]."""
        found = np.stack([self._rows["width"][places], self._rows["height"][places]], axis=1).astype(np.int64)
        for row, one in self._others(places):
            found[row] = one.width, one.height
        return found

    def kinds(self, name: str, places: NDArray[np.int64]) -> Iterator[Any]:
        """What the inspections at the places have under a name that is the same for many."""
        column = _Kind._fields.index(name)
        for place, number in zip(places.tolist(), self._rows["kind"][places].tolist(), strict=True):
            yield getattr(self._unusual[place], name) if number == _UNUSUAL else self._kinds[number][column]

    def unusual(self) -> Iterator[tuple[int, Inspection]]:
        """The places, rising, of those that do not fit a row, and what was seen of them."""
        return ((place, self._unusual[place]) for place in sorted(self._unusual))

    def _others(self, places: NDArray[np.int64]) -> Iterator[tuple[int, Inspection]]:
        for row in np.flatnonzero(self._rows["kind"][places] == _UNUSUAL).tolist():
            yield row, self._unusual[int(places[row])]

    def _number(self, inspection: Inspection, one_colour: bool | None) -> int:
        kind = _Kind(
            inspection.format,
            inspection.mode,
            inspection.turned,
            inspection.wrong_extension,
            inspection.profile,
            inspection.bands,
            one_colour,
        )
        number = self._kind_of.get(kind)
        if number is None:
            number = self._kind_of[kind] = len(self._kinds)
            self._kinds.append(kind)
        return number

    def _at(self, place: int) -> Inspection:
        file, content, perceptual, looks, shelf, width, height, number = self._rows[place]
        if number == _UNUSUAL:
            return self._unusual[place]
        kind = self._kinds[number]
        if kind.one_colour is None or self._shelf is None:
            return Inspection(file_hash="", content_hash=content.tobytes().hex(), width=int(width), height=int(height))
        brightest, darkest, entropy, edges, crowding = looks.tolist()
        return Inspection(
            file_hash=file.tobytes().hex(),
            content_hash=content.tobytes().hex(),
            perceptual_hash=int(perceptual),
            thumbnail=Shelved(self._shelf, int(shelf)),
            width=int(width),
            height=int(height),
            format=kind.format,
            mode=kind.mode,
            turned=kind.turned,
            wrong_extension=kind.wrong_extension,
            looks=Looks(brightest, darkest, entropy, edges, crowding, kind.one_colour),
            profile=kind.profile,
            bands=kind.bands,
        )


def _is_usual(inspection: Inspection) -> bool:
    """Whether a row holds all that was seen."""
    if not is_hash(inspection.content_hash, _CONTENT) or max(inspection.width, inspection.height) > _MOST_SIDE:
        return False
    bare = Inspection(
        file_hash="", content_hash=inspection.content_hash, width=inspection.width, height=inspection.height
    )
    if inspection == bare:  # of a text
        return True
    return (
        not inspection.problem
        and inspection.is_picture
        and inspection.depth is None
        and inspection.looks is not None
        and isinstance(inspection.thumbnail, Shelved)
        and is_hash(inspection.file_hash, _FILE)
    )


def is_hash(text: str, length: int) -> bool:
    """Whether it is so many bytes in small hex digits."""
    return len(text) == 2 * length and _DIGITS.issuperset(text)


def readable(inspections: Sequence[Inspection]) -> NDArray[np.int64]:
    """The places of those without a problem, rising, packed or not."""
    if isinstance(inspections, PackedInspections):
        return inspections.readable()
    return np.array([place for place, one in enumerate(inspections) if not one.problem], dtype=np.int64)


def unusual_of(inspections: Sequence[Inspection]) -> Iterator[tuple[int, Inspection]]:
    """With their places, rising, all that may be unreadable, no picture, or of more than 8 bits; not much else of very many."""
    return inspections.unusual() if isinstance(inspections, PackedInspections) else enumerate(inspections)


def contents_of(inspections: Sequence[Inspection], places: NDArray[np.int64]) -> NDArray[np.bytes_]:
    """The content hashes of the places as their digits, [n]."""
    if isinstance(inspections, PackedInspections):
        return inspections.contents(places)
    return np.array([inspections[place].content_hash.encode() for place in places.tolist()], dtype=np.bytes_)


def perceptual_hashes_of(inspections: Sequence[Inspection], places: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Those of the places, [n]."""
    if isinstance(inspections, PackedInspections):
        return inspections.perceptual_hashes(places)
    return np.array([inspections[place].perceptual_hash for place in places.tolist()], dtype=np.uint64)


def thumbnails_of(inspections: Sequence[Inspection], places: NDArray[np.int64]) -> Stack:
    """Those of the places, [n, 32, 32]."""
    if isinstance(inspections, PackedInspections):
        return inspections.thumbnails(places)
    return stacked([inspections[place].thumbnail for place in places.tolist()])


def sizes_of(inspections: Sequence[Inspection], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Width and height of the places in pixels, [n, 2]."""
    if isinstance(inspections, PackedInspections):
        return inspections.sizes(places)
    sizes = [(inspections[place].width, inspections[place].height) for place in places.tolist()]
    return np.array(sizes, dtype=np.int64).reshape(-1, 2)


def parts_of(inspections: Sequence[Inspection], name: str, places: NDArray[np.int64]) -> Iterator[Any]:
    """What the inspections at the places call `name`, one after the other."""
    if isinstance(inspections, PackedInspections) and name in _Kind._fields:
        return inspections.kinds(name, places)
    return (getattr(inspections[place], name) for place in places.tolist())


def part_of(inspections: Sequence[Inspection], places: Sequence[int]) -> Sequence[Inspection]:
    """The inspections at some places, packed where they are."""
    if isinstance(inspections, PackedInspections):
        return inspections.part(places)
    return [inspections[place] for place in places]
