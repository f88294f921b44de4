"""Data sets of boxes or masks, which have no class a picture. In: a tree. Out: what it looks like. Next: shards.py.

Names say where to look; a look at one file's beginning says whether it is what its name promises.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Literal, NamedTuple

from tellapart.bundle import TaskName
from tellapart.data.layouts import split_of
from tellapart.data.mask_looks import look_for_masks
from tellapart.data.mask_words import kind_of_folder
from tellapart.data.texts_looks import look_for_texts
from tellapart.data.tree import Child, Folder, Tree, holding
from tellapart.errors import DataError, PictureError
from tellapart.sources.reading import read_bytes, split_path

_DEEPEST = 3  # levels below the root
_MOST_FOLDERS = 400
_LOOKED_INTO = 3  # files of a kind in a folder
_HEAD_BYTES = 256 * 1024
_ANNOTATIONS = frozenset(("annotations", "labels", "xml", "xmls", "json", "labelme", "imagesets"))
_CVAT = re.compile(rb"""<(?:image\b[^>]*\bname|track\b[^>]*\blabel)\s*=\s*["']""")
_STUDIO = re.compile(rb'"(?:rectangle|polygon|ellipse)labels"')
_YOLO_LINE = re.compile(rb"\d+(\s+-?[\d.]+(e-?\d+)?){4,}\s*")


BoxForm = Literal["voc", "cvat", "coco", "yolo", "labelme", "label_studio"]


class Look(NamedTuple):
    """What a data set looks like."""

    task: str
    form: str  # in words
    example: str  # the file or folder that says so
    boxes: BoxForm | None = None  # the form of boxes that it has
    within: bool = False  # so do folders of classes in it, where all of them do

    @property
    def read_as(self) -> TaskName | None:
        """The task whose reader can read it; None where no reader can."""
        if self.boxes is not None:
            return "detection"
        if self.task == "text":
            return "text"
        return "segmentation" if self.task == "segmentation" else None


class OtherTask(DataError):
    """The data set is for another task."""

    def __init__(self, message: str, look: Look | None = None) -> None:
        """`look` is what the whole of it looks like; None where only one folder of several does."""
        super().__init__(message)
        self.look = look


def recognise(tree: Tree, root: Folder) -> Look | None:
    """What the folder is for, if it is not for classes of whole pictures."""
    for here, children in _walk(tree, root):
        found = _masks(tree, children) or _annotations(here, children)
        if found is not None:
            return found._replace(example=os.path.relpath(found.example, root.path))
    texts = look_for_texts(_walk(tree, root), tree)
    return None if texts is None else Look("text", texts.form, os.path.relpath(texts.example, root.path))


def refuse(tree: Tree, root: Folder, look: Look) -> OtherTask:
    """The error for a data set of another task; one of several in a folder is named, and the others too."""
    top, _, below = look.example.partition(os.sep)
    below = "" if look.read_as == look.task == "text" else below  # its folders are classes
    folders = [child for child in tree.children(root.path, Counter()) if child.is_folder] if below else []
    several = holding(tree, root, folders) if len(folders) > 1 else []
    others = [child for child in several if child.name != top]
    if others and split_of(top) is None and top.casefold() not in _ANNOTATIONS and not kind_of_folder(top):
        fitting = [
            child.name
            for child in others
            if (one := tree.enter(root, child.path, Counter())) and not recognise(tree, one)
        ]
        if look.within and not fitting:
            return _of_whole(root, look)
        example = f", such as {os.path.join(root.path, fitting[0])!r}" if fitting else ""
        return OtherTask(
            f"{root.path!r} holds {len(several)} folders with pictures, and {top!r} in it looks like a data set for {look.task}: "
            f"{look.form}, such as {look.example!r}. Give one data set{example}. If the "
            "folders are classes all the same, give --task classification."
        )
    return _of_whole(root, look)


def _of_whole(root: Folder, look: Look) -> OtherTask:
    return OtherTask(
        f"{root.path!r} looks like a data set for {look.task}: {look.form}, such as {look.example!r}, and its folders are no "
        "classes of whole pictures. If they are all the same, give --task classification; for classes of each picture, give a CSV "
        "with path,label or path,labels.",
        look,
    )


def box_form(path: str) -> BoxForm | None:
    """The form of boxes that a file holds, by its name and beginning."""
    says = _KINDS.get(os.path.splitext(path)[1].lower())
    look = None if says is None else says(path, _head(path))
    return None if look is None else look.boxes


def _walk(tree: Tree, root: Folder) -> Iterator[tuple[Folder, list[Child]]]:
    waiting: list[tuple[Folder, int]] = [(root, 0)]
    for _ in range(_MOST_FOLDERS):
        if not waiting:
            return
        here, depth = waiting.pop(0)
        children = tree.children(here.path, Counter())
        yield here, children
        if depth < _DEEPEST:
            inner = [tree.enter(here, child.path, Counter()) for child in children if child.is_folder]
            waiting += [(folder, depth + 1) for folder in inner if folder is not None]


def _masks(tree: Tree, children: list[Child]) -> Look | None:
    found = look_for_masks(tree, children)
    return None if found is None else Look("segmentation", found.form, found.example, within=found.beside)


def _annotations(here: Folder, children: list[Child]) -> Look | None:
    for ending, says in _KINDS.items():
        files = [child.path for child in children if not child.is_folder and child.name.lower().endswith(ending)]
        for path in files[:_LOOKED_INTO]:
            look = says(path, _head(path))
            if look is not None:
                return look
    return None


def _xml(path: str, head: bytes) -> Look | None:
    if b"<annotation" in head and b"<bndbox" in head:
        return Look("detection", "boxes in Pascal VOC's XML", path, "voc")
    if b"<annotations" in head and _CVAT.search(head):
        return Look("detection or segmentation", "shapes in CVAT's XML", path, "cvat")
    return None


def _json(path: str, head: bytes) -> Look | None:
    if b'"shapes"' in head and b'"points"' in head:
        return Look("detection or segmentation", "shapes in LabelMe's JSON", path, "labelme")
    if _STUDIO.search(head):
        return Look("detection or segmentation", "regions in Label Studio's JSON", path, "label_studio")
    named = re.search(r"coco|instances|keypoints|panoptic|annotations", os.path.basename(path).lower())
    if b'"images"' in head and (b'"annotations"' in head or named):
        return Look("detection or segmentation", "annotations in COCO's JSON", path, "coco")
    return None


def _yolo(path: str, head: bytes) -> Look | None:
    lines = [line for line in head.splitlines()[:20] if line.strip()]
    if lines and all(_YOLO_LINE.fullmatch(line) for line in lines):
        return Look("detection", "boxes in YOLO's text files", path, "yolo")
    return None


def _yolo_settings(path: str, head: bytes) -> Look | None:
    keys = {line.partition(b":")[0].strip() for line in head.splitlines()}
    if b"names" in keys and keys & {b"train", b"val"} and (b"nc" in keys or b"path" in keys):
        return Look("detection", "the settings of a YOLO data set", path, "yolo")
    return None


def _csv(path: str, head: bytes) -> Look | None:
    # In a cell quotes are doubled.
    if _STUDIO.search(head.replace(b'""', b'"')):
        return Look("detection or segmentation", "regions in Label Studio's CSV", path, "label_studio")
    return None


_KINDS: Mapping[str, Callable[[str, bytes], Look | None]] = {
    ".xml": _xml,
    ".json": _json,
    ".csv": _csv,
    ".txt": _yolo,
    ".yaml": _yolo_settings,
    ".yml": _yolo_settings,
}


def _head(path: str) -> bytes:
    """The beginning of a file; nothing where it cannot be read."""
    try:
        if split_path(path) is not None:
            return read_bytes(path)[:_HEAD_BYTES]
        with open(path, "rb") as file:
            return file.read(_HEAD_BYTES)
    except (OSError, PictureError):
        return b""
