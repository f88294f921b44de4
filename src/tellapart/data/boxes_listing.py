"""List a folder of pictures with boxes, in whichever form they are. In: Path. Out: Listing. Next: box_repair.py.

Boxes are listed as they were given: with corners exchanged, outside the picture, or as shares of its sides. What they are in the
picture's own pixels is known once it has been opened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from tellapart.data.box_files import Annotated, BoxFiles
from tellapart.data.boxes_coco import read_coco
from tellapart.data.boxes_cvat import read_cvat
from tellapart.data.boxes_label_studio import read_label_studio
from tellapart.data.boxes_labelme import read_labelme
from tellapart.data.boxes_voc import read_voc
from tellapart.data.boxes_yolo import read_yolo
from tellapart.data.examples import SPLITS, Listing, named_classes
from tellapart.data.faults import FaultList
from tellapart.data.folder import open_tree
from tellapart.data.other_tasks import BoxForm, box_form
from tellapart.data.tree import Folder, Tree, files_below
from tellapart.errors import DataError

_READERS: Mapping[BoxForm, Callable[[BoxFiles, FaultList], Annotated]] = {
    "voc": read_voc,
    "cvat": read_cvat,
    "coco": read_coco,
    "yolo": read_yolo,
    "labelme": read_labelme,
    "label_studio": read_label_studio,
}
_ENDINGS: Mapping[BoxForm, tuple[str, ...]] = {
    "voc": (".xml",),
    "cvat": (".xml",),
    "coco": (".json",),
    "yolo": (".txt", ".yaml", ".yml"),
    "labelme": (".json",),
    "label_studio": (".json", ".csv"),
}
_NAMED: Mapping[BoxForm, str] = {
    "voc": "Pascal VOC",
    "cvat": "CVAT",
    "coco": "COCO",
    "yolo": "YOLO",
    "labelme": "LabelMe",
    "label_studio": "Label Studio",
}


def read_boxes(source: Path, *, told: bool = False, encoding: str | None = None) -> Listing:
    """List the pictures of a folder or archive with their boxes, sorted by path; one without boxes is there, too.

    `told`: the user says that boxes are to be found. Raises: DataError where none of the forms is there, or nothing can be read
    of it; StorageError.
    """
    ignored: Counter[str] = Counter()
    tree, root, notes = open_tree(source, encoding, ignored)
    files = BoxFiles(root.path, list(all_files(tree, root, ignored)))
    forms = [form for form in _READERS if any(box_form(path) == form for path in _heads(files, form))]
    if not forms:
        raise DataError(
            f"{str(source)!r} has no boxes in a form that is read: Pascal VOC's or CVAT's XML, COCO's JSON, YOLO's text files, "
            "LabelMe's JSON or an export of Label Studio. Add them beside the pictures, or give a table with "
            "path,xmin,ymin,xmax,ymax,label."
        )
    faults = FaultList()
    found = _READERS[forms[0]](files, faults)
    if not found.entries:
        raise DataError(_nothing(source, found.form, faults))
    also = " Their shapes are read as masks with --task segmentation." * found.outlined
    said = [f"{source}: {found.form}, read as pictures with boxes (task detection).{also}"] * (not told)
    if len(forms) > 1:
        others = " and ".join(_NAMED[form] for form in forms[1:])
        said.append(f"{source}: boxes in the form of {others} are there, too, and not read.")
    listing = Listing(
        source=source,
        entries=tuple(found.entries),
        classes=tuple(sorted(named_classes(entry.target for entry in found.entries))),
        task="detection",
        ignored={reason: count for reason, count in sorted(ignored.items()) if count},
        notes=(*notes, *said, *found.notes),
        faults=faults.found(),
    )
    return replace(listing, notes=(*listing.notes, *about_splits(listing)))


def all_files(tree: Tree, root: Folder, ignored: Counter[str]) -> Iterator[str]:
    """Every file of a tree, links followed."""
    for child in tree.children(root.path, ignored):
        if child.is_folder:
            yield from files_below(tree, root, child, ignored)
        else:
            yield child.path


def _heads(files: BoxFiles, form: BoxForm) -> list[str]:
    """Files that may be of a form: some from the beginning, the middle and the end, since odd ones lie together."""
    paths = files.ending(*_ENDINGS[form])
    if len(paths) <= 60:
        return paths
    step = len(paths) // 20
    return [*paths[:20], *paths[::step], *paths[-20:]]


def _nothing(source: Path, form: str, faults: FaultList) -> str:
    """The sentence for a data set of which no picture is left."""
    found = faults.found()
    for kind in ("no picture", "unreadable", "in no list"):
        if kind in found:
            first = found[kind][0]
            where = f"{first.path} ({first.detail})" if first.detail else str(first.path)
            # Each a whole sentence, as the table of phrases has it.
            nothing = {
                "no picture": f"{where} names pictures that are not there. Put the pictures beside the annotations.",
                "unreadable": f"{where} cannot be read. Repair the annotations.",
                "in no list": f"{where} is in none of the lists of the splits. Correct the lists.",
            }[kind]
            return f"{str(source)!r} holds {form}, but nothing to learn from: {nothing}"
    return f"{str(source)!r} holds {form}, but no pictures. Put them beside the annotations."


def about_splits(listing: Listing) -> Iterator[str]:
    """Which split nobody gave, where some were given."""
    given = {entry.split for entry in listing.entries}
    missing = [split for split in SPLITS if split not in given]
    if "train" in given and missing:
        yield (
            f"{listing.source}: there is no {' or '.join(missing)} split, so a training takes "
            f"{'it' if len(missing) == 1 else 'them'} out of its train pictures."
        )
