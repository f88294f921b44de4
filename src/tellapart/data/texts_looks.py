"""Whether a folder looks like texts with classes. In: folders and what they hold. Out: TextLook. Next: texts_folder.py."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tellapart.data.tree import Child, Folder, Tree, has_picture_name

TEXTS = (".txt", ".text")
NAMED = frozenset({"pos", "neg", "neu", "positive", "negative", "neutral"})  # endings that are classes
CLASSES = "class.txt"  # names of classes, one a line, whose numbers other files give
_LOOKED_AT = 50  # files of a folder


class TextLook(NamedTuple):
    """What a folder of texts looks like."""

    form: str  # in words
    example: str  # the file that says so


def look_for_texts(folders: Iterable[tuple[Folder, list[Child]]], tree: Tree) -> TextLook | None:
    """What a data set looks like whose `folders` hold these children; None where it holds pictures, or no texts by class."""
    found: TextLook | None = None
    for _, children in folders:
        if any(has_picture_name(child.name) for child in children if not child.is_folder):
            return None
        found = found or _numbered(children) or _endings(children) or _folders(tree, children)
    return found


def _numbered(children: Sequence[Child]) -> TextLook | None:
    files = [child for child in children if not child.is_folder and child.name.lower().endswith(TEXTS)]
    if not any(child.name.lower() == CLASSES for child in files) or len(files) < 2:
        return None
    other = next(child for child in files if child.name.lower() != CLASSES)
    return TextLook(f"lines of a text and the number of a class, beside {CLASSES}", other.path)


def _endings(children: Sequence[Child]) -> TextLook | None:
    files = [child for child in children if not child.is_folder and ending_of(child.name) in NAMED]
    if len({ending_of(child.name) for child in files}) < 2:
        return None
    return TextLook("a file of texts for each class, called by its ending", files[0].path)


def _folders(tree: Tree, children: Sequence[Child]) -> TextLook | None:
    """Folders of .txt files alone, two or more."""
    first: list[str] = []
    for child in children:
        if child.is_folder:
            inside = tree.children(child.path, Counter())[:_LOOKED_AT]
            files = [one.path for one in inside if one.name.lower().endswith(TEXTS)]
            if not files or len(files) < len(inside) or is_numbers(files[0]):
                return None
            first.append(files[0])
    return TextLook("a folder of .txt files for each class", first[0]) if len(first) > 1 else None


def ending_of(name: str) -> str:
    """What stands after the last dot of a name, in small letters."""
    return os.path.splitext(name)[1].lower().removeprefix(".")


def is_numbers(path: str) -> bool:
    """Whether a file holds numbers alone, as labels of boxes do; False for one in an archive."""
    try:
        with open(path, "rb") as file:
            head = file.read(2048)
    except OSError:
        return False
    return bool(head.strip()) and not head.translate(None, b"0123456789.+-eE \t\r\n")
