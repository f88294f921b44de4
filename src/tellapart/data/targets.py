"""What is known of a picture: its target. In: a cell's text, or values. Out: Target, arrays of targets. Next: mask_targets.py.

A class (classification), a set of classes (multilabel), a mask (segmentation), boxes (detection). Each names its classes, can
be had under other names for them, and has a text that tables and sheets show and that reads back as the same target.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import TaskName
from tellapart.data.mask_targets import IGNORED as IGNORED
from tellapart.data.mask_targets import MaskFile as MaskFile
from tellapart.data.set_cells import SEPARATOR, UNKNOWN, escaped, split_names, unescaped


class _Whole:
    """What is known of a picture as a whole."""

    __slots__ = ()

    @property
    def text(self) -> str:
        """What tables show, and what reads back as the same target."""
        raise NotImplementedError

    @property
    def said(self) -> str:
        """The same for a person."""
        return self.text

    @property
    def outlines(self) -> tuple[Box, ...]:
        """What can be drawn on its picture: nothing."""
        return ()

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that say it, beside its picture: none."""
        return ()

    def elsewhere(self, moved: Mapping[str, str]) -> Self:
        """The same where its files lie elsewhere now, old path -> new path."""
        return self


@dataclass(frozen=True, slots=True)
class ClassName(_Whole):
    """One class."""

    name: str

    @property
    def classes(self) -> tuple[str, ...]:
        """The class."""
        return (self.name,)

    @property
    def known(self) -> tuple[str, ...]:
        """Those, and the classes of which it is said that nothing is known; here there are none."""
        return self.classes

    @property
    def text(self) -> str:
        """The name as it is."""
        return self.name

    def renamed(self, mapping: Mapping[str, str]) -> ClassName:
        """The same with other names for some classes."""
        return ClassName(mapping.get(self.name, self.name))

    @classmethod
    def read(cls, text: str) -> ClassName:
        """The target whose text this is."""
        return cls(text)


@dataclass(frozen=True, slots=True)
class ClassNames(_Whole):
    """A set of classes, which may be empty; names in any order, each once or more, are put in order."""

    names: tuple[str, ...] = ()  # sorted
    unknown: tuple[str, ...] = ()  # sorted; classes of which nothing is known: they count neither way

    def __post_init__(self) -> None:
        """Raises: ValueError for an empty name, or one that is both in the set and unknown."""
        names, unknown = sorted(set(self.names)), sorted(set(self.unknown))
        if "" in names or "" in unknown:
            raise ValueError("a class of the set has an empty name")
        for name in names:
            if name in unknown:
                raise ValueError(f"the class {name!r} is in the set and yet unknown")
        object.__setattr__(self, "names", tuple(names))
        object.__setattr__(self, "unknown", tuple(unknown))

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the set, without the unknown ones."""
        return self.names

    @property
    def known(self) -> tuple[str, ...]:
        """Those, and the unknown ones."""
        return (*self.names, *self.unknown)

    @property
    def text(self) -> str:
        r"""Names, then unknown ones as `?name`, joined by `|`; `\` stands before a `|`, `\` or leading `?` of a name."""
        return SEPARATOR.join([*map(escaped, self.names), *(UNKNOWN + escaped(name) for name in self.unknown)])

    def renamed(self, mapping: Mapping[str, str]) -> ClassNames:
        """The same with other names for some classes; one that is in the set under one of two names that meet is in it."""
        names = {mapping.get(name, name) for name in self.names}
        return ClassNames(tuple(names), tuple({mapping.get(name, name) for name in self.unknown} - names))

    @classmethod
    def read(cls, text: str, separator: str = SEPARATOR) -> ClassNames:
        r"""The set that a cell names. Spaces around names are no part of them; a name may come twice.

        A `\` that stands before neither a separator, a `\` nor a leading `?` is a plain character.
        Raises: ValueError for an empty name between separators, or a name that is both in the set and unknown.
        """
        names: list[str] = []
        unknown: list[str] = []
        for part in split_names(text, separator) if text.strip() else ():
            if part.startswith(UNKNOWN):
                unknown.append(unescaped(part[1:].strip(), separator))
            else:
                names.append(unescaped(part, separator))
        return cls(tuple(names), tuple(unknown))


@dataclass(frozen=True, slots=True)
class Box:
    """One thing in a picture; left < right and top < bottom, in pixels of the upright picture."""

    label: str
    left: float
    top: float
    right: float
    bottom: float
    difficult: bool = False  # hard to see, by whoever drew it: it counts neither way
    truncated: bool = False  # the thing goes on outside the picture, or behind another
    crowd: bool = False  # around many things of the class at once: it counts neither way, for as many as lie in it

    @property
    def marks(self) -> tuple[str, ...]:
        """Which of the words `MARKS` are true of it."""
        return tuple(mark for mark in MARKS if getattr(self, mark))


MARKS = ("difficult", "truncated", "crowd")


@dataclass(frozen=True, slots=True)
class Boxes:
    """Things with their classes and places; may be none."""

    boxes: tuple[Box, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """The different classes of the boxes, sorted."""
        return tuple(sorted({box.label for box in self.boxes}))

    @property
    def known(self) -> tuple[str, ...]:
        """Those: of boxes that are not there nothing is said."""
        return self.classes

    @property
    def text(self) -> str:
        """A JSON list with [label, left, top, right, bottom] for each box, and a list of its marks where it has any."""
        rows = [
            [box.label, box.left, box.top, box.right, box.bottom, *([list(box.marks)] if box.marks else [])]
            for box in self.boxes
        ]
        return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))

    def renamed(self, mapping: Mapping[str, str]) -> Boxes:
        """The same with other names for some classes."""
        return Boxes(tuple(replace(box, label=mapping.get(box.label, box.label)) for box in self.boxes))

    @property
    def said(self) -> str:
        """How many of each class, for a person."""
        counts = Counter(box.label for box in self.boxes)
        return ", ".join(f"{counts[name]} {name}" for name in self.classes) or "nothing"

    @property
    def outlines(self) -> tuple[Box, ...]:
        """What can be drawn on its picture."""
        return self.boxes

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that say it, beside its picture: its text says all."""
        return ()

    def elsewhere(self, moved: Mapping[str, str]) -> Boxes:
        """The same."""
        return self

    @classmethod
    def read(cls, text: str) -> Boxes:
        """The target whose text this is. Raises: ValueError where it is none."""
        rows = json.loads(text)
        if not isinstance(rows, list) or not all(map(_is_box, rows)):
            raise ValueError("boxes are a JSON list of [label, left, top, right, bottom] or [..., [marks]]")
        return cls(tuple(map(_read_box, rows)))


Target = ClassName | ClassNames | MaskFile | Boxes

# What a target is, by task: how examples.csv of its runs is read back.
KINDS: Mapping[TaskName, type[Target]] = {
    "classification": ClassName,
    "multilabel": ClassNames,
    "segmentation": MaskFile,
    "detection": Boxes,
    "text": ClassName,
}
ONE_CLASS: TaskName = "classification"  # what folders of classes are for, unless something else is told or found


def class_numbers(targets: Sequence[Target], classes: Sequence[str]) -> NDArray[np.int64]:
    """Targets of one class each as the number of that class, int64 [N] in [0, K)."""
    number = {name: index for index, name in enumerate(classes)}
    return np.array([number[target.text] for target in targets], dtype=np.int64)


def class_sets(targets: Sequence[Target], classes: Sequence[str]) -> NDArray[np.float32]:
    """Sets of classes as float32 [N, K]: 1 in the set, 0 not, NaN where it is not known."""
    number = {name: index for index, name in enumerate(classes)}
    sets = np.zeros((len(targets), len(classes)), dtype=np.float32)
    for row, target in enumerate(targets):
        sets[row, [number[name] for name in target.classes]] = 1.0
        if isinstance(target, ClassNames):
            sets[row, [number[name] for name in target.unknown]] = np.nan
    return sets


def class_shares(targets: Sequence[Target], classes: Sequence[str]) -> NDArray[np.float32]:
    """Masks as float32 [N, K], the share in [0, 1] of the counted pixels that each class has; 0 in all where none counts."""
    shares = np.zeros((len(targets), len(classes)), dtype=np.float32)
    for row, target in enumerate(targets):
        areas = target.areas if isinstance(target, MaskFile) else {}
        counted = sum(areas.values())
        if counted:
            shares[row] = [areas.get(name, 0) / counted for name in classes]
    return shares


def _read_box(row: Sequence[Any]) -> Box:
    left, top, right, bottom = map(float, row[1:5])
    marks: dict[str, bool] = dict.fromkeys(row[5] if len(row) > 5 else (), True)
    return Box(str(row[0]), left, top, right, bottom, **marks)


def _is_box(row: object) -> bool:
    if not isinstance(row, list) or len(row) not in (5, 6):
        return False
    return len(row) == 5 or (isinstance(row[5], list) and all(mark in MARKS for mark in row[5]))


def class_boxes(targets: Sequence[Target], classes: Sequence[str]) -> NDArray[np.float32]:
    """Boxes as float32 [N, M, 6], M those of the picture with most and at least 1; rows of NaN stand for none.

    Number of the class, left, top, right, bottom in pixels of the upright picture, and 1 for a box that counts neither way, since
    it is difficult or around a crowd, else 0.
    """
    number = {name: index for index, name in enumerate(classes)}
    boxes = [target.boxes if isinstance(target, Boxes) else () for target in targets]
    found = np.full((len(boxes), max([1, *map(len, boxes)]), 6), np.nan, dtype=np.float32)
    for row, own in enumerate(boxes):
        for place, box in enumerate(own):
            aside = box.difficult or box.crowd
            found[row, place] = (number[box.label], box.left, box.top, box.right, box.bottom, aside)
    return found
