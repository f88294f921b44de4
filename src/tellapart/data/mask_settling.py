"""Every mask opened, named and laid on its picture. In: Listing, inspections. Out: both, with settled masks. Next: mask_counts.py.

The masks of a data set are named together: what a value means is known once all have been seen. No pixels are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tellapart.data.examples import Entry, Inspection, Listing
from tellapart.data.faults import FaultList, joined
from tellapart.data.mask_legend import MaskNaming, name_values
from tellapart.data.mask_opening import MaskOpener, OpenedMask, mask_path
from tellapart.data.mask_targets import painted
from tellapart.data.reader import ALONE, Opening
from tellapart.errors import DataError
from tellapart.reporter import counted


def settle_masks(
    listing: Listing, inspections: Sequence[Inspection], opening: Opening = ALONE
) -> tuple[Listing, list[Inspection]]:
    """The listing with masks whose values are named, and classes in their order; `inspections` in the order of the entries.

    A picture whose mask cannot be read, does not fit or has no pixel that counts is left out; a picture that cannot be read
    itself keeps its mask as it was given. Raises: DataError where values have no name, or none of the masks can be used.
    """
    usable = [index for index, inspection in enumerate(inspections) if not inspection.problem]
    opened = _open([(listing.entries[index], inspections[index]) for index in usable], opening)
    found = [one.seen for one in opened if one.seen is not None]
    if usable and not found:
        path, first = listing.entries[usable[0]].path, opened[0]
        raise DataError(
            f"none of the {counted(len(usable), 'mask')} of {listing.source} can be used; that of the first picture, {path}, "
            f"because: {first.kind}, {first.detail}. Save masks as PNG with a number or a colour for each class."
        )
    naming = name_values(listing.source, found, listing.told_values)
    return _settled(listing, inspections, dict(zip(usable, opened, strict=True)), naming)


def _open(pictures: Sequence[tuple[Entry, Inspection]], opening: Opening) -> list[OpenedMask]:
    """All masks; where all are black and white, and some have greys along edges, those cut in the middle."""
    opener = MaskOpener(opening.remembered, opening.workers)
    opened = []
    for one in opener.open_all(pictures):
        opened.append(one)
        opening.advance(1)
    if any(one.smoothed for one in opened) and all(one.nearly_plain for one in opened):
        again = [place for place, one in enumerate(opened) if not one.plain]
        cut = opener.open_all([pictures[place] for place in again], "smoothed")
        for place, one in zip(again, cut, strict=True):
            opened[place] = one
    return opened


def _settled(
    listing: Listing, inspections: Sequence[Inspection], opened: Mapping[int, OpenedMask], naming: MaskNaming
) -> tuple[Listing, list[Inspection]]:
    """Both without what cannot be used; `opened` by the number of the entry."""
    faults, entries, kept, names = FaultList(), list[Entry](), list[Inspection](), iter(naming.names)
    for index, (entry, inspection) in enumerate(zip(listing.entries, inspections, strict=True)):
        one = opened.get(index)
        if one is not None:
            if one.kind is not None:
                faults.add(one.kind, entry.path, detail=one.detail)
            if one.painting is None:
                continue
            target = painted(mask_path(entry), replace(one.painting, values=next(names)))
            if not target.classes:
                faults.add("nothing counts", entry.path)
                continue
            entry = replace(entry, target=target)
        entries.append(entry)
        kept.append(inspection)
    return replace(
        listing,
        entries=tuple(entries),
        classes=naming.classes,
        notes=(*listing.notes, *naming.notes),
        faults=joined(listing.faults, faults.found()),
        absent=naming.absent,
    ), kept
