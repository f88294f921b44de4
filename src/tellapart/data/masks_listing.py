"""List a folder of pictures with masks, in whichever form they are. In: Path. Out: Listing. Next: mask_words.py.

Masks are listed as they were given, and not opened: what their values mean is known once all of them have been.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from tellapart.data.box_files import BoxFiles
from tellapart.data.boxes_listing import about_splits, all_files
from tellapart.data.examples import Entry, Listing, ReadOptions, Split
from tellapart.data.faults import FaultList
from tellapart.data.folder import open_tree
from tellapart.data.mask_class_files import told_values
from tellapart.data.mask_lists import MaskLists, read_lists
from tellapart.data.mask_pairs import MaskPairs, find_pairs
from tellapart.data.mask_targets import MaskFile, Painting
from tellapart.data.masks_coco import list_coco
from tellapart.data.masks_labelme import list_labelme
from tellapart.errors import DataError

_Found = tuple[MaskFile, Split | None]
_SHAPES: Mapping[str, Callable[[BoxFiles, FaultList], dict[str, _Found]]] = {
    "shapes in COCO's JSON": list_coco,
    "shapes in LabelMe's JSON": list_labelme,
}
_HOW = "Arrange them as images/a.jpg and masks/a.png, called alike, or give a table with path,mask"


def read_masks(source: Path, options: ReadOptions) -> Listing:
    """List the pictures of a folder or archive with their masks, sorted by path.

    Raises: DataError where no picture has one; SettingsError for what was told and is no name of a value; StorageError.
    """
    ignored: Counter[str] = Counter()
    tree, root, notes = open_tree(source, options.encoding, ignored)
    files = BoxFiles(root.path, list(all_files(tree, root, ignored)))
    faults = FaultList()
    lists, targets, form = _find(files, faults)
    if not targets:
        raise DataError(f"{str(source)!r} has no picture with a mask. {_HOW}.")
    said = [f"{source}: {form}, read as pictures with masks (task segmentation)."] * (options.task is None)
    listing = Listing(
        source=source,
        entries=tuple(_entries(targets, lists, faults)),
        classes=(),
        task="segmentation",
        ignored={reason: count for reason, count in sorted(ignored.items()) if count},
        notes=(*notes, *said, *lists.notes),
        told_values=told_values(options, files.ending(".txt", ".csv", ".names"), files.root),
    )
    if not listing.entries:
        raise DataError(f"{str(source)!r} has pictures with masks, and none of its lists names one. Correct the lists.")
    listing = replace(listing, faults=faults.found())
    return replace(listing, notes=(*listing.notes, *about_splits(listing)))


def _find(files: BoxFiles, faults: FaultList) -> tuple[MaskLists, dict[str, _Found], str]:
    """The lists, each picture's mask and split, and in which form they are, in words."""
    lists = read_lists(files)
    pairs = find_pairs(files.root, set(files.pictures) - set(lists.masks) - set(lists.masks.values()))
    targets = {
        picture: (mask, files.split_of(picture) or files.split_of(str(mask.path)))
        for picture, mask in _masks(pairs, lists)
    }
    if targets:
        _add_faults(pairs, lists, faults)
        form = pairs.form if pairs.masks or pairs.parts else "lists of pictures with their masks"
        return lists, targets, form
    for form, read in _SHAPES.items():
        found = read(files, faults)
        if found:
            for picture in sorted(set(files.pictures) - set(found)):
                faults.add("not annotated", picture)
            return lists, found, form
    return lists, {}, ""


def _masks(found: MaskPairs, lists: MaskLists) -> Iterator[tuple[str, MaskFile]]:
    """Each picture's mask, not yet opened."""
    for picture, mask in (found.masks | lists.masks).items():
        yield picture, MaskFile(Path(mask))
    for picture, parts in found.parts.items():
        painting = Painting(values=(), pixels=(), form="parts", parts=tuple((name, Path(path)) for name, path in parts))
        yield picture, MaskFile(Path(parts[0][1]), painting=painting)


def _entries(targets: dict[str, _Found], lists: MaskLists, faults: FaultList) -> Iterator[Entry]:
    """Those of the pictures in the order of their paths; where there are lists, of those that one names."""
    for picture, (target, split) in sorted(targets.items(), key=lambda one: Path(one[0])):
        if not lists.paths:
            pass
        elif picture in lists.listed:
            split = lists.split_of(picture, faults)
        else:
            faults.add("in no list", picture)
            continue
        yield Entry(path=Path(picture), target=target, split=split)


def _add_faults(found: MaskPairs, lists: MaskLists, faults: FaultList) -> None:
    """Pictures and masks that are alone; a picture that no list names needs no mask."""
    for path in found.without_mask:
        if not lists.paths or path in lists.listed:
            faults.add("no mask", path)
    for path in found.without_picture:
        faults.add("mask without picture", path)
    for path, other in found.several:
        faults.add("two masks", path, detail=other)
