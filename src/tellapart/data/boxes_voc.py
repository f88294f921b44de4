"""Boxes in Pascal VOC's XML. In: BoxFiles. Out: Annotated. Next: boxes_cvat.py.

One XML a picture, in Annotations/ beside JPEGImages/ or images/, or beside the picture. ImageSets/Main/train.txt, val.txt and
test.txt say the splits, as do train_list.txt and the like with the paths of a picture and its XML. The numbers are taken as the
sides of the box, in pixels from the picture's upper left corner.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from xml.etree.ElementTree import Element

from tellapart.data.box_files import Annotated, BoxFiles, Pages, class_name, number, read_text_bytes, side
from tellapart.data.box_xml import parse_xml
from tellapart.data.columns import split_named
from tellapart.data.examples import SPLITS, Split
from tellapart.data.faults import Drawn, FaultList
from tellapart.data.targets import Box

FORM = "boxes in Pascal VOC's XML"

_BOTH = "trainval"  # trained on, as far as train and val do not say which is which


class _Lists:
    """Which split the lists give to an annotation, by the folder that the lists are for."""

    def __init__(self, files: BoxFiles) -> None:
        self._splits: defaultdict[str, defaultdict[str, set[Split]]] = defaultdict(lambda: defaultdict(set))
        self.found: list[str] = []
        for path in files.ending(".txt"):
            folder, name = os.path.split(path)
            stem = os.path.splitext(name)[0].casefold()
            inner = os.path.basename(folder).casefold()
            split = "train" if stem == _BOTH else split_named(stem)
            if split is None and stem.endswith("_list"):
                split, inner = split_named(stem.removesuffix("_list")), "_list"
            if split is not None and inner in ("main", "imagesets", "_list"):
                self._read(path, split, inner, weak=stem == _BOTH)

    def _read(self, path: str, split: Split, inner: str, *, weak: bool) -> None:
        faults = FaultList()
        data = read_text_bytes(path, faults)
        rows = (
            [] if data is None else [line.split() for line in data.decode("utf-8-sig", errors="replace").splitlines()]
        )
        rows = [row for row in rows if row]
        if inner == "_list" and not all(row[-1].lower().endswith(".xml") for row in rows):
            return
        folder = os.path.dirname(path)
        above = {"main": os.path.dirname(os.path.dirname(folder)), "imagesets": os.path.dirname(folder)}.get(
            inner, folder
        )
        self.found.append(path)
        for row in rows:
            name = row[-1] if inner == "_list" else row[0]
            stem = _stem(name)
            known = self._splits[above][stem]
            if not weak:
                known.add(split)

    def of(self, xml: str) -> tuple[bool, set[Split]]:
        """Whether lists are for an annotation at all, and the splits that they name it in; none but listed: trained on."""
        fitting = [above for above in self._splits if xml.startswith(above.rstrip(os.sep) + os.sep)]
        if not fitting:
            return False, set()
        names = self._splits[max(fitting, key=len)]
        stem = _stem(xml)
        return True, (names[stem] or {"train"}) if stem in names else set()


def _stem(path: str) -> str:
    """The file's name without what says that it is a picture or XML; of IMG_1.2 nothing is cut."""
    name = path.replace("\\", "/").rpartition("/")[2]
    return re.sub(r"\.(?:xml|jpe?g|png|bmp|tiff?|webp|gif)$", "", name, flags=re.IGNORECASE)


def read_voc(files: BoxFiles, faults: FaultList) -> Annotated:
    """Every picture with an annotation that can be read; what is wrong goes to `faults`."""
    lists, pages = _Lists(files), Pages(faults)
    annotated: set[str] = set()
    for xml in files.ending(".xml"):
        data = read_text_bytes(xml, faults)
        if data is None:
            continue
        root = parse_xml(xml, data, faults)
        if root is None or root.tag != "annotation":
            continue
        picture = _picture(xml, root, files, faults)
        if picture is None:
            faults.add("no picture", xml, detail=_text(root, "filename")[:200])
            continue
        annotated.add(picture)
        listed, splits = lists.of(xml)
        if listed and not splits:
            faults.add("in no list", picture)
            continue
        if len(splits) > 1:
            faults.add("in two splits", picture, detail=" and ".join(split for split in SPLITS if split in splits))
            splits = {"train"}
        split = next(iter(splits)) if splits else files.split_of(xml)
        boxes, lost = _boxes(root, xml, faults)
        drawn = Drawn(width=side(_text(root, "size/width")), height=side(_text(root, "size/height")), lost=lost)
        pages.add(picture, boxes, split, drawn, xml)
    for picture in files.pictures:
        if picture not in annotated and not _is_mask(picture):
            faults.add("not annotated", picture)
    return Annotated(entries=pages.entries(), form=FORM, notes=_notes(lists))


def _notes(lists: _Lists) -> tuple[str, ...]:
    if not lists.found:
        return ()
    names = ", ".join(os.path.basename(path) for path in lists.found)
    return (f"{os.path.dirname(lists.found[0])}: the lists {names} say the splits.",)


def _is_mask(picture: str) -> bool:
    """VOC's own folders of masks hold pictures, but none to learn from here."""
    return os.path.basename(os.path.dirname(picture)).casefold().startswith("segmentation")


def _picture(xml: str, root: Element, files: BoxFiles, faults: FaultList) -> str | None:
    """The picture that is called as the XML is; else the one that the XML names."""
    near = os.path.dirname(xml)
    named = _text(root, "filename")
    stem = os.path.splitext(os.path.basename(xml))[0]
    own = files.picture(stem, near)
    if own is None:
        return files.picture(named, near)
    # Both may be there: annotations are copied and renamed, and the name inside is forgotten.
    if named and _stem(named).casefold() not in (_stem(own).casefold(), stem.casefold()):
        faults.add("other name", xml, detail=named[:200])
    return own


def _boxes(root: Element, xml: str, faults: FaultList) -> tuple[list[Box], int]:
    """The boxes, and how many are left out."""
    boxes, nameless, placeless = [], 0, 0
    for thing in root.findall("object"):
        name, place = class_name(_text(thing, "name")), thing.find("bndbox")
        if not name or place is None:
            nameless += not name
            placeless += bool(name)
            continue
        left, top, right, bottom = (number(_text(place, one)) for one in ("xmin", "ymin", "xmax", "ymax"))
        difficult, truncated = _is_set(thing, "difficult"), _is_set(thing, "truncated")
        boxes.append(Box(name, left, top, right, bottom, difficult=difficult, truncated=truncated))
    faults.add("no class", xml, nameless)
    faults.add("not a number", xml, placeless, "an object without bndbox")
    return boxes, nameless + placeless


def _is_set(thing: Element, mark: str) -> bool:
    return _text(thing, mark).casefold() in ("1", "true", "yes")


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
