"""Lists that say splits of pictures with masks, and which mask is whose. In: BoxFiles. Out: MaskLists. Next: mask_class_files.py.

ImageSets/Segmentation/train.txt   a name a line, as Pascal VOC has it
train.txt, train_list.txt          two paths a line, picture and mask, as PaddleSeg has it; or a picture's path
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from tellapart.data.box_files import BoxFiles, read_text_bytes
from tellapart.data.columns import split_named
from tellapart.data.encodings import known_text
from tellapart.data.examples import SPLITS, Split
from tellapart.data.faults import FaultList
from tellapart.data.mask_words import take_apart
from tellapart.data.tree import has_picture_name
from tellapart.reporter import counted

_BOTH = "trainval"  # trained on, as far as train and val do not say which is which
_FOLDERS = ("segmentation", "imagesets")
_END = "_list"


@dataclass(slots=True)
class MaskLists:
    """What the lists say."""

    masks: dict[str, str] = field(default_factory=dict)  # picture -> mask
    splits: dict[str, set[Split]] = field(default_factory=dict)  # picture -> the splits that name it
    listed: set[str] = field(default_factory=set)  # pictures that some list names, of trainval too
    paths: list[str] = field(default_factory=list)  # of the lists that were read

    strange: list[tuple[str, int]] = field(default_factory=list)  # lists that name no picture here, and their lines

    @property
    def notes(self) -> list[str]:
        """Where the splits come from, and which lists say nothing."""
        told = [
            f"{path}: a list of {counted(lines, 'line')}, none of which names a picture here; it says no split."
            for path, lines in self.strange
        ]
        if self.paths:
            names = ", ".join(map(os.path.basename, self.paths))
            told.insert(0, f"{os.path.dirname(self.paths[0])}: the lists {names} say the splits.")
        return told

    def split_of(self, picture: str, faults: FaultList) -> Split | None:
        """The split of a listed picture; one that several lists name is trained on, and told."""
        named = self.splits.get(picture, set())
        if len(named) > 1:
            faults.add("in two splits", picture, detail=" and ".join(split for split in SPLITS if split in named))
            return "train"
        return next(iter(named), "train")


def read_lists(files: BoxFiles) -> MaskLists:
    """The lists among the files; those that name no picture here are passed over, and told.

    Raises: DataError for a list in another encoding than UTF-8: its pictures would be in no split, in silence.
    """
    found = MaskLists()
    candidates = [
        (path, split) for path in files.ending(".txt") if (split := _split_of_list(path, files.root)) is not None
    ]
    if not candidates:
        return found
    # A name alone is never that of a mask.
    plain = BoxFiles(
        files.root, [path for path in files.pictures if take_apart(path, files.root).kind not in ("mask", "other")]
    )
    segmentation = [one for one in candidates if os.path.basename(os.path.dirname(one[0])).casefold() == _FOLDERS[0]]
    for path, split in segmentation or candidates:
        _read(path, split, files, plain, found)
    return found


def _split_of_list(path: str, root: str) -> Split | None:
    folder, name = os.path.split(path)
    stem = os.path.splitext(name)[0].casefold().removesuffix(_END)
    if folder != root and os.path.basename(folder).casefold() not in _FOLDERS:
        return None
    return "train" if stem == _BOTH else split_named(stem)


def _read(path: str, split: Split, files: BoxFiles, plain: BoxFiles, found: MaskLists) -> None:
    data = read_text_bytes(path, FaultList())
    weak = os.path.basename(path).casefold().startswith(_BOTH)
    folder, used = os.path.dirname(path), False
    text = "" if data is None else known_text(path, data, which="lists pictures")
    lines = [line for line in text.splitlines() if line.strip()]
    for line in lines:
        cells = line.split()
        pair = _pair(line, folder, files)
        picture = pair[0] if pair is not None else _file(cells[0], folder, plain) or plain.picture(cells[0], folder)
        if picture is None:
            continue
        used = True
        if pair is not None:
            found.masks.setdefault(*pair)
        found.listed.add(picture)
        own = found.splits.setdefault(picture, set())
        if not weak:
            own.add(split)
    if used:
        found.paths.append(path)
    elif lines:
        found.strange.append((path, len(lines)))


def _pair(line: str, folder: str, files: BoxFiles) -> tuple[str, str] | None:
    """The picture and mask of a line with two paths, between blanks, a tab or a comma; None for another line."""
    for cells in (line.split(), line.split("\t"), line.split(",")):
        if len(cells) == 2:
            one, other = (_file(cell, folder, files) for cell in cells)
            if one is not None and other is not None and one != other:
                return one, other
    return None


def _file(cell: str, folder: str, files: BoxFiles) -> str | None:
    """The listed picture file at a path that counts from the list's folder or the root."""
    plain = cell.strip().replace("\\", "/").lstrip("/")
    for base in (folder, files.root):
        path = os.path.normpath(os.path.join(base, plain))
        if files.has(path) and has_picture_name(path):
            return path
    return None
