"""Which mask is of which picture, by the names of folders and files alone. In: paths. Out: MaskPairs. Next: mask_lists.py.

Folders are called as pictures or masks are (images, masks, label, 标注); what is left of a path without such words must be equal:
train/images/a.jpg and train/masks/a.png, images/train/a.jpg and masks/train/a_mask.png, train/a.jpg and trainannot/a.png. Of one
mask a class, a folder (masks/cell/a.png) or the end of the name (a_cell.png) says which.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tellapart.data.columns import split_named
from tellapart.data.mask_legend import FOREGROUND
from tellapart.data.mask_words import Named, bare, says_mask, take_apart, without_mask_words
from tellapart.data.tree import has_picture_name
from tellapart.errors import DataError

_MOST_ENDS = 64  # different ends of names, or folders, that may be classes
_BETWEEN = "_-. "

Part = tuple[str, str]  # a class, and the path of its mask


@dataclass(slots=True)
class MaskPairs:
    """What was found."""

    masks: dict[str, str] = field(default_factory=dict)  # picture -> its mask
    parts: dict[str, list[Part]] = field(default_factory=dict)  # picture -> one mask a class; several of one are joined
    without_mask: list[str] = field(default_factory=list)  # pictures
    without_picture: list[str] = field(default_factory=list)  # masks
    several: list[tuple[str, str]] = field(default_factory=list)  # pictures, and a mask more that is called as they are
    form: str = ""  # in words, why: images/ beside masks/


def find_pairs(root: str, paths: Iterable[str]) -> MaskPairs:
    """Pair the files below `root` that have a picture's name; nothing is opened.

    Raises: DataError where the masks of several folders may be meant.
    """
    named = [take_apart(path, root) for path in sorted(paths) if has_picture_name(path)]
    masks = [one for one in named if one.kind == "mask"]
    pictures = [one for one in named if one.kind == "image"]
    if masks:
        pictures = pictures or [one for one in named if not one.kind]
        form = f"{_folder(pictures, root)} beside {_folder(masks, root)} with pictures in both"
    else:
        masks, pictures = _beside(named)
        form = f"pictures beside masks such as {os.path.basename(masks[0].path)!r}" if masks else ""
    pairing = _Pairing(pictures, masks)
    pairing.run(root)
    return MaskPairs(
        masks={path: own[0] for path, own in sorted(pairing.found.items()) if path not in pairing.parts},
        parts={path: sorted(parts) for path, parts in sorted(pairing.parts.items())},
        without_mask=[one.path for one in pictures if one.path not in pairing.found and one.path not in pairing.parts],
        without_picture=sorted(pairing.left),
        several=[(path, more) for path, own in sorted(pairing.found.items()) for more in own[1:]],
        form=form,
    )


def _beside(named: Sequence[Named]) -> tuple[list[Named], list[Named]]:
    """Masks in the folders of their pictures, by their names: a.jpg and a_mask.png; and the pictures."""
    stems = {(one.folders, one.stem.casefold()) for one in named if not says_mask(one.stem)}
    masks = [one for one in named if says_mask(one.stem) and (one.folders, bare(one.stem)) in stems]
    known = {one.path for one in masks}
    more = [one for one in named if one.path not in known and says_mask(_without_number(one.stem))] if masks else []
    known.update(one.path for one in more)
    return [*masks, *more], [one for one in named if one.kind != "other" and one.path not in known]


def _without_number(stem: str) -> str:
    return stem.rstrip("0123456789").rstrip(_BETWEEN)


def _folder(files: Sequence[Named], root: str) -> str:
    """The folder that the first of them lies in, as seen from the root."""
    return f"{os.path.relpath(os.path.dirname(files[0].path), root) if files else 'pictures'}/"


class _Pairing:
    """Pictures and masks on their way."""

    def __init__(self, pictures: Sequence[Named], masks: Sequence[Named]) -> None:
        self.pictures = pictures
        self.left = {mask.path: mask for mask in masks}
        self.found: dict[str, list[str]] = {}  # picture -> masks that are called as it is
        self.parts: dict[str, list[Part]] = {}

    def run(self, root: str) -> None:
        self._match(lambda one: (one.folders, one.stem))
        self._match(_plain)
        self._refuse_several_folders(root)
        self._match_classes(self._by_folder())
        self._match_classes(self._by_end())
        self._match_lone_pictures()
        self._match_unique(lambda one: bare(one.stem))
        self._match_unique_ends()

    def _match(self, key: Callable[[Named], Hashable]) -> None:
        by_key: defaultdict[Hashable, list[str]] = defaultdict(list)
        for mask in self.left.values():
            by_key[key(mask)].append(mask.path)
        for picture in self.pictures:
            own = by_key.get(key(picture))
            if picture.path not in self.found and own:
                self.found[picture.path] = own
                for path in own:
                    self.left.pop(path, None)

    def _refuse_several_folders(self, root: str) -> None:
        """Raises: DataError where pictures have masks in folders that are called differently."""
        for picture, own in self.found.items():
            folders = sorted({take_apart(path, root).said for path in own}) if len(own) > 1 else []
            if len(folders) > 1:
                raise DataError(
                    f"the picture {picture} has masks in {' and in '.join(map(repr, folders))}. Keep one of these folders in "
                    f"{root!r}, or give a table with path,mask."
                )

    def _by_folder(self) -> Iterator[tuple[str, str, str]]:
        """Picture, class and mask, where a folder among those of the masks says the class."""
        pictures = {_plain(one): one.path for one in self.pictures}
        for mask in self.left.values():
            for place in reversed(range(len(mask.folders))):
                if split_named(mask.folders[place]) is not None:
                    continue
                folders = (*mask.folders[:place], *mask.folders[place + 1 :])
                picture = pictures.get(_plain(mask._replace(folders=folders)))
                if picture is not None:
                    yield picture, mask.folders[place], mask.path
                    break

    def _by_end(self) -> Iterator[tuple[str, str, str]]:
        """Picture, class and mask, where the end of a mask's name says the class: a_cell.png of a.jpg."""
        pictures = {(one.folders, one.stem.casefold()): one.path for one in self.pictures}
        pictures |= {_plain(one): one.path for one in self.pictures}
        for mask in self.left.values():
            stem = mask.stem.casefold()
            for place in reversed([place for place, letter in enumerate(stem) if letter in _BETWEEN and place]):
                picture = pictures.get((mask.folders, stem[:place]))
                if picture is not None:
                    yield picture, without_mask_words(mask.stem[place + 1 :]), mask.path
                    break

    def _match_classes(self, candidates: Iterable[tuple[str, str, str]]) -> None:
        """One mask a class, unless the same end says nothing; numbers count things of one class."""
        found = list(candidates)
        ends = {end for _, end, _ in found}
        named = {end for end in ends if end and not end.replace("_", "").isdecimal()}
        if len(ends) == 1 and named and not self._in_folders(found):
            for picture, _, mask in found:
                self.found.setdefault(picture, []).append(mask)
                self.left.pop(mask, None)
        elif len(named) <= _MOST_ENDS:
            for picture, end, mask in found:
                self._add_part(picture, end if end in named else FOREGROUND, mask)

    def _in_folders(self, found: Sequence[tuple[str, str, str]]) -> bool:
        """Whether a class's folder was given rather than an end of a name."""
        return all(os.path.basename(os.path.dirname(mask)).casefold() == end.casefold() for _, end, mask in found)

    def _add_part(self, picture: str, name: str, mask: str) -> None:
        parts = self.parts.setdefault(picture, [(FOREGROUND, path) for path in self.found.get(picture, ())])
        parts.append((name, mask))
        self.left.pop(mask, None)

    def _match_lone_pictures(self) -> None:
        """Folders of one picture each, with masks of its things that are called otherwise."""
        pictures: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
        masks: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
        for one in self.pictures:
            pictures[one.folders].append(one.path)
        for one in self.left.values():
            masks[one.folders].append(one.path)
        alone = [folders for folders in masks if folders and len(pictures[folders]) == 1]
        if len(alone) > 1:
            for folders in alone:
                for path in masks[folders]:
                    self._add_part(pictures[folders][0], FOREGROUND, path)

    def _match_unique(self, key: Callable[[Named], str]) -> None:
        """By names alone, where no two pictures and no two masks are called so."""
        masks: defaultdict[str, list[str]] = defaultdict(list)
        pictures: defaultdict[str, list[str]] = defaultdict(list)
        for mask in self.left.values():
            masks[key(mask)].append(mask.path)
        for picture in self._waiting():
            pictures[key(picture)].append(picture.path)
        for name, own in pictures.items():
            if len(own) == 1 and len(masks[name]) == 1:
                self.found[own[0]] = masks[name]
                self.left.pop(masks[name][0])

    def _match_unique_ends(self) -> None:
        """What is left, without what all pictures, and all masks, begin and end with: 21_training and 21_manual."""
        waiting = self._waiting()
        if self.found or self.parts or len(waiting) < 2 or len(self.left) < 2:
            return
        of_picture, of_mask = (_common([one.stem for one in files]) for files in (waiting, list(self.left.values())))
        paths = {one.path for one in waiting}
        self._match_unique(lambda one: _cut(one.stem, *(of_picture if one.path in paths else of_mask)))

    def _waiting(self) -> list[Named]:
        return [one for one in self.pictures if one.path not in self.found and one.path not in self.parts]


def _common(stems: Sequence[str]) -> tuple[int, int]:
    """How many letters all begin with, and end with."""
    start = _common_start(stems)
    return start, _common_start([stem[start:][::-1] for stem in stems])


def _common_start(texts: Sequence[str]) -> int:
    first, last = min(texts), max(texts)
    return next((place for place, letter in enumerate(first) if letter != last[place]), len(first))


def _cut(stem: str, start: int, end: int) -> str:
    return stem[start : len(stem) - end]


def _plain(one: Named) -> tuple[tuple[str, ...], str]:
    return tuple(folder.casefold() for folder in one.folders), bare(one.stem)
