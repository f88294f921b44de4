"""Whether a folder looks like pictures with masks, by names alone. In: a tree, children. Out: MaskLook. Next: mask_words.py.

Folders of classes may be called mask and normal; so what is called like masks must lie beside what is called like pictures, or the
names of single files must say which is whose mask.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tellapart.data.mask_words import bare, kind_of_folder, may_say_mask, rest_of_folder, says_mask
from tellapart.data.tree import Child, Tree, has_picture_name

_LOOKED_AT = 200  # names in a folder
_SHARE = 0.4  # of the pictures in a folder that are masks of others beside them, nearly half where each has one


class MaskLook(NamedTuple):
    """What says so."""

    form: str  # in words
    example: str  # a path
    beside: bool = False  # masks lie in the folders of their pictures, which may be classes all the same


def look_for_masks(tree: Tree, children: Sequence[Child]) -> MaskLook | None:
    """images/ beside masks/, train/ beside trainannot/, a.jpg beside a_mask.png; None where nothing says masks."""
    folders = [child for child in children if child.is_folder]
    kinds = {child: kind_of_folder(child.name) for child in folders}
    masks = [child for child in folders if kinds[child] == "mask"]
    if masks and not any(_has_label_files(tree, child) for child in masks):
        for mask in masks:
            rest = rest_of_folder(mask.name)
            for child in folders:
                pictures = kinds[child] == "image" or (bool(rest) and child.name.casefold() == rest)
                if pictures and _share_names(tree, child, mask):
                    return MaskLook(f"{child.name}/ beside {mask.name}/ with pictures in both", mask.path)
    return _beside([child for child in children if not child.is_folder and has_picture_name(child.name)][:_LOOKED_AT])


def _beside(files: Sequence[Child]) -> MaskLook | None:
    if not may_say_mask(child.name for child in files):
        return None
    stems = {os.path.splitext(child.name)[0].casefold() for child in files}
    masks = [
        child for child in files if says_mask(stem := os.path.splitext(child.name)[0]) and bare(stem) in stems - {stem}
    ]
    if not masks or len(masks) < _SHARE * len(files):
        return None
    return MaskLook(f"pictures beside masks such as {masks[0].name!r}", masks[0].path, beside=True)


def _share_names(tree: Tree, pictures: Child, masks: Child) -> bool:
    """Whether some picture and some mask are called alike."""
    ours, theirs = ({bare(name) for name in _names(tree, one)} for one in (pictures, masks))
    if not ours or not theirs:
        return False
    many = len(ours) >= _LOOKED_AT  # of many folders, the first ones that are looked at may be others
    return many or bool(ours & theirs) or any(name.startswith(own) for own in ours for name in theirs)


def _names(tree: Tree, folder: Child) -> Iterator[str]:
    """Names of pictures in it, or one or two levels down: images/train, gtFine/train/aachen."""
    waiting, found = [(folder.path, 0)], 0
    while waiting and found < _LOOKED_AT:
        path, depth = waiting.pop(0)
        for child in tree.children(path, Counter()):
            if child.is_folder and depth < 2:
                waiting.append((child.path, depth + 1))
            elif not child.is_folder and has_picture_name(child.name):
                found += 1
                yield os.path.splitext(child.name)[0]


def _has_label_files(tree: Tree, folder: Child) -> bool:
    """Whether a folder holds more texts than pictures, as those of boxes do."""
    names = [child.name.lower() for child in tree.children(folder.path, Counter()) if not child.is_folder]
    texts = sum(name.endswith((".xml", ".txt")) for name in names)
    return texts > sum(map(has_picture_name, names))
