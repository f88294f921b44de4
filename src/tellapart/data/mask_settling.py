"""Every mask opened, named and laid on its picture. In: Listing, inspections. Out: both, with settled masks. Next: mask_counts.py.

The masks of a data set are named together: what a value means is known once all have been seen. No pixels are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tellapart.data.box_turning import orientation_of
from tellapart.data.examples import Entry, Inspection, Listing
from tellapart.data.faults import FaultList, Kind, joined
from tellapart.data.mask_fit import how_to_lay, lay
from tellapart.data.mask_legend import MaskNaming, SeenValues, name_values
from tellapart.data.mask_pixels import black_or_white, count
from tellapart.data.mask_sources import open_source
from tellapart.data.mask_targets import MaskFile, MaskForm, Painting, painted
from tellapart.errors import DataError, PictureError
from tellapart.reporter import counted
from tellapart.runtime import cores
from tellapart.threads import in_order

_AHEAD = 2  # masks, beside those that the threads have


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """One mask and what is wrong with it."""

    seen: SeenValues | None  # None: it cannot be used
    painting: Painting | None
    kind: Kind | None = None
    detail: str = ""
    smoothed: bool = False


def settle_masks(listing: Listing, inspections: Sequence[Inspection]) -> tuple[Listing, list[Inspection]]:
    """The listing with masks whose values are named, and classes in their order; `inspections` in the order of the entries.

    A picture whose mask cannot be read, does not fit or has no pixel that counts is left out; a picture that cannot be read
    itself keeps its mask as it was given. Raises: DataError where values have no name, or none of the masks can be used.
    """
    usable = [index for index, inspection in enumerate(inspections) if not inspection.problem]
    opened = _open_all([(listing.entries[index], inspections[index]) for index in usable])
    if _are_smoothed(opened):
        again = [place for place, one in enumerate(opened) if not _is_black_and_white(one)]
        cut = _open_all([(listing.entries[usable[place]], inspections[usable[place]]) for place in again], "smoothed")
        for place, one in zip(again, cut, strict=True):
            opened[place] = one
    found = [one.seen for one in opened if one.seen is not None]
    if usable and not found:
        path, reason = listing.entries[usable[0]].path, opened[0].detail
        raise DataError(
            f"none of the {counted(len(usable), 'mask')} of {listing.source} can be used; that of the first picture, {path}, "
            f"because: {opened[0].kind}, {reason}. Save masks as PNG with a number or a colour for each class."
        )
    naming = name_values(listing.source, found, listing.told_values)
    return _settled(listing, inspections, dict(zip(usable, opened, strict=True)), naming)


def _settled(
    listing: Listing, inspections: Sequence[Inspection], opened: Mapping[int, _Opened], naming: MaskNaming
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
            target = painted(_path(entry), replace(one.painting, values=next(names)))
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


def _path(entry: Entry) -> Path:
    return entry.target.path if isinstance(entry.target, MaskFile) else entry.path


def _open_all(pictures: Sequence[tuple[Entry, Inspection]], form: MaskForm | None = None) -> list[_Opened]:
    def work(one: tuple[Entry, Inspection]) -> _Opened:
        return _open(*one, form)

    return list(in_order(pictures, work, workers=cores(), name="masks", ahead=_AHEAD))


def _open(entry: Entry, inspection: Inspection, form: MaskForm | None) -> _Opened:
    """One mask, read and laid on its picture; with `form` in place of its own."""
    target = entry.target
    given = target.painting if isinstance(target, MaskFile) and target.painting is not None else _PLAIN
    path = _path(entry)
    given = replace(given, form=form or given.form)
    picture = (inspection.width, inspection.height)
    try:
        source = open_source(path, given.form, item=given.item, parts=given.parts, picture=picture)
    except PictureError as error:
        return _Opened(seen=None, painting=None, kind="unreadable mask", detail=str(error))
    values = source.values
    orientation = orientation_of(entry.path) if inspection.turned else 1
    laid = how_to_lay(values.size, picture, orientation)
    sizes = f"{values.size[0]} x {values.size[1]} of {picture[0]} x {picture[1]}"
    if laid is None:
        return _Opened(seen=None, painting=None, kind="other shape", detail=sizes)
    size = picture if laid.kind == "scaled" or values.names else (0, 0)
    pixels = count(lay(values.indices, size, laid.turned), len(values.values))
    return _Opened(
        seen=SeenValues(
            path=path,
            values=values.values,
            pixels=pixels,
            coloured=values.coloured,
            palette=values.palette,
            names=values.names,
        ),
        painting=replace(given, pixels=pixels, size=size, turned=laid.turned, digest=source.digest),
        kind=_KINDS.get(laid.kind, "smoothed" if form == "smoothed" else None),
        detail=sizes if laid.kind == "scaled" else "",
        smoothed=values.smoothed,
    )


_PLAIN = Painting(values=(), pixels=())
_KINDS: dict[str, Kind] = {"turned": "mask turned", "perhaps turned": "mask perhaps turned", "scaled": "mask scaled"}


def _is_black_and_white(one: _Opened) -> bool:
    return one.seen is None or (
        not one.seen.coloured and not one.seen.palette and not one.seen.names and set(one.seen.values) <= {0, 255}
    )


def _are_smoothed(opened: Sequence[_Opened]) -> bool:
    """Whether all masks are black and white, and some have greys along edges."""
    some = [one for one in opened if one.seen is not None]
    return any(one.smoothed for one in some) and all(map(_is_nearly_black_and_white, some))


def _is_nearly_black_and_white(one: _Opened) -> bool:
    seen = one.seen
    return seen is None or (
        not seen.coloured and not seen.palette and not seen.names and black_or_white(seen.values, seen.pixels)
    )
