"""The examples of a very large data set, in little memory. In: Examples. Out: a sequence of them. Next: examples_csv.py.

An Example with its path takes 700 bytes. Its path, class and split are packed as an entry's are; its content, its group, its width
and height take 40 bytes beside, and it is made again whenever somebody asks. The few that have a problem stay as they are.
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.data.examples import Example
from tellapart.data.made_rows import MadeRows
from tellapart.data.packed_entries import MANY, PackedEntries
from tellapart.data.packed_inspections import is_hash
from tellapart.data.targets import ClassName

_HASH = 16  # bytes of a content hash, by which a group is called too


class PackedExamples(MadeRows[Example]):
    """Examples in the order in which they were put in."""

    def __init__(self) -> None:
        self._named = PackedEntries()
        self._contents, self._groups, self._sizes = bytearray(), bytearray(), array("q")
        self._unusual: dict[int, Example] = {}

    def append(self, example: Example) -> None:
        """Put one behind the others."""
        content, group, target = example.content_hash, example.group, example.target
        if (
            example.problem
            or not isinstance(target, ClassName)
            or not (is_hash(content, _HASH) and is_hash(group, _HASH))
        ):
            self._unusual[len(self)] = example
            content = group = "00" * _HASH
            self._named.put("", _NO_CLASS, None)
        else:
            self._named.put(str(example.path), target, example.split)
        self._contents += bytes.fromhex(content)
        self._groups += bytes.fromhex(group)
        self._sizes.extend((example.width, example.height))

    def __len__(self) -> int:
        return len(self._named)

    def column(self, name: str, places: Sequence[int]) -> Iterator[Any]:
        """What `said_of` promises."""
        usual: Iterator[Any]
        if name in ("target", "split"):
            usual = self._named.column(name, places)
        else:
            hashes = self._contents if name == "content_hash" else self._groups
            usual = (hashes[_HASH * place : _HASH * (place + 1)].hex() for place in places)
        for place, value in zip(places, usual, strict=True):
            yield getattr(self._unusual[place], name) if place in self._unusual else value

    def problems(self) -> Iterator[tuple[int, str]]:
        """The places of those with a problem, rising, and it."""
        return ((place, one.problem) for place, one in sorted(self._unusual.items()) if one.problem)

    def _at(self, place: int) -> Example:
        if place in self._unusual:
            return self._unusual[place]
        named, hashed = self._named[place], slice(_HASH * place, _HASH * (place + 1))
        return Example(
            path=named.path,
            target=named.target,
            split=named.split,
            group=self._groups[hashed].hex(),
            content_hash=self._contents[hashed].hex(),
            width=self._sizes[2 * place],
            height=self._sizes[2 * place + 1],
        )


_NO_CLASS = ClassName("")


def said_of(
    examples: Sequence[Example], name: Literal["target", "split", "group", "content_hash"], places: Sequence[int]
) -> Iterator[Any]:
    """What the examples at the places call `name`, one after the other."""
    if isinstance(examples, PackedExamples):
        return examples.column(name, places)
    return (getattr(examples[place], name) for place in places)


def problems_of(examples: Sequence[Example]) -> Iterator[tuple[int, str]]:
    """The places of those with a problem, rising, and it."""
    if isinstance(examples, PackedExamples):
        return examples.problems()
    return ((place, one.problem) for place, one in enumerate(examples) if one.problem)


def usable_places(examples: Sequence[Example]) -> NDArray[np.int64]:
    """The places of those without a problem, rising, [n]."""
    usable = np.ones(len(examples), dtype=np.bool_)
    usable[[place for place, _ in problems_of(examples)]] = False
    return np.flatnonzero(usable)


def packed_examples(examples: Iterable[Example]) -> Sequence[Example]:
    """A list of them, or, where they are very many, packed."""
    rest = iter(examples)
    first = list(itertools.islice(rest, MANY))
    if len(first) < MANY:
        return first
    found = PackedExamples()
    for example in itertools.chain(first, rest):
        found.append(example)
    return found
