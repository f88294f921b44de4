"""List a folder of pictures with masks, in whichever form they are. In: Path. Out: Listing. Next: mask_pairs.py.

Masks are listed as they were given, and not opened: what their values mean is known once all of them have been.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from tellapart.data.box_files import BoxFiles
from tellapart.data.boxes_listing import about_splits, all_files
from tellapart.data.examples import Entry, Listing, ReadOptions
from tellapart.data.faults import FaultList
from tellapart.data.folder import open_tree
from tellapart.data.mask_class_files import told_values
from tellapart.data.mask_pairs import find_pairs
from tellapart.data.mask_targets import MaskFile
from tellapart.errors import DataError

_HOW = "Arrange them as images/a.jpg and masks/a.png, called alike, or give a table with path,mask"


def read_masks(source: Path, options: ReadOptions) -> Listing:
    """List the pictures of a folder or archive with their masks, sorted by path.

    Raises: DataError where no picture has one; SettingsError for what was told and is no name of a value; StorageError.
    """
    ignored: Counter[str] = Counter()
    tree, root, notes = open_tree(source, options.encoding, ignored)
    files = BoxFiles(root.path, list(all_files(tree, root, ignored)))
    faults = FaultList()
    found = find_pairs(files.root, files.pictures)
    if not found.pairs:
        raise DataError(f"{str(source)!r} has no picture with a mask. {_HOW}.")
    for path in found.without_mask:
        faults.add("no mask", path)
    for path in found.without_picture:
        faults.add("mask without picture", path)
    for path, other in found.several:
        faults.add("two masks", path, detail=other)
    entries = [
        Entry(
            path=Path(pair.picture),
            target=MaskFile(Path(pair.mask)),
            split=files.split_of(pair.picture) or files.split_of(pair.mask),
        )
        for pair in found.pairs
    ]
    said = [f"{source}: {found.form}, read as pictures with masks (task segmentation)."] * (options.task is None)
    listing = Listing(
        source=source,
        entries=tuple(sorted(entries, key=lambda entry: entry.path)),
        classes=(),
        task="segmentation",
        ignored={reason: count for reason, count in sorted(ignored.items()) if count},
        notes=(*notes, *said),
        faults=faults.found(),
        told_values=told_values(options),
    )
    return replace(listing, notes=(*listing.notes, *about_splits(listing)))
