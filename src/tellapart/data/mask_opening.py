"""One mask opened and laid on its picture. In: Entry, Inspection. Out: OpenedMask. Next: mask_sources.py.

What was found is remembered by the content of the mask's file: a mask is decoded once, however often its data set is looked at.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import PIL

from tellapart.data.box_turning import orientation_of
from tellapart.data.examples import Entry, Inspection
from tellapart.data.faults import Kind
from tellapart.data.mask_fit import how_to_lay, lay
from tellapart.data.mask_legend import SeenValues
from tellapart.data.mask_pixels import black_or_white, count
from tellapart.data.mask_sources import MaskSource, open_source
from tellapart.data.mask_targets import MaskFile, MaskForm, Painting
from tellapart.data.remembered import Memory
from tellapart.errors import PictureError
from tellapart.runtime import cores
from tellapart.threads import in_order

_AHEAD = 2  # masks, beside those that the threads have
# Another Pillow may decode other pixels: what it told is then asked again.
_VERSION = f"mask-1-pillow-{PIL.__version__}"
_PLAIN = Painting(values=(), pixels=())
_KINDS: Mapping[str, Kind] = {"turned": "mask turned", "perhaps turned": "mask perhaps turned", "scaled": "mask scaled"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedMask:
    """One mask and what is wrong with it."""

    seen: SeenValues | None = None  # None: it cannot be used
    painting: Painting | None = None
    kind: Kind | None = None
    detail: str = ""
    smoothed: bool = False  # greys along the edges of black and white

    @property
    def plain(self) -> bool:
        """Whether it is of the values 0 and 255 alone, or cannot be used."""
        return self.seen is None or (self._grey and set(self.seen.values) <= {0, 255})

    @property
    def nearly_plain(self) -> bool:
        """Whether nearly all of its pixels are black or white, or it cannot be used."""
        return self.seen is None or (self._grey and black_or_white(self.seen.values, self.seen.pixels))

    @property
    def _grey(self) -> bool:
        return self.seen is not None and not (self.seen.coloured or self.seen.palette or self.seen.names)


class MaskOpener:
    """Opens masks in threads."""

    def __init__(self, remembered: Memory | None = None, workers: int | None = None) -> None:
        """`workers` threads, by default one a core; nothing is remembered where that is None."""
        self._remembered, self._workers = remembered, workers or cores()
        self._turn = threading.RLock()  # held by the one thread that uses the memory

    def open_all(
        self, pictures: Sequence[tuple[Entry, Inspection]], form: MaskForm | None = None
    ) -> Iterator[OpenedMask]:
        """Each picture's mask in their order; with `form` in place of its own."""

        def work(one: tuple[Entry, Inspection]) -> OpenedMask:
            return self._open(*one, form)

        return in_order(pictures, work, workers=self._workers, name="masks", ahead=_AHEAD)

    def _open(self, entry: Entry, inspection: Inspection, form: MaskForm | None) -> OpenedMask:
        target = entry.target
        given = target.painting if isinstance(target, MaskFile) and target.painting is not None else _PLAIN
        given = replace(given, form=form or given.form)
        path = mask_path(entry)
        picture = (inspection.width, inspection.height)
        orientation = orientation_of(entry.path) if inspection.turned else 1
        try:
            source = open_source(path, given.form, item=given.item, parts=given.parts, picture=picture)
            key = f"{source.digest}:{given.form}:{picture}:{orientation}:{_VERSION}"
            told = self._recall(key)
            if told is None:
                told = _look(source, picture, orientation)
                self._remember(key, told)
        except PictureError as error:
            return OpenedMask(kind="unreadable mask", detail=str(error))
        return _opened(told, path, replace(given, digest=source.digest), picture)

    def _recall(self, key: str) -> dict[str, Any] | None:
        if self._remembered is None:
            return None
        with self._turn:
            found = self._remembered.get_many([key]).get(key)
        try:
            told = None if found is None else json.loads(found)
        except ValueError:
            return None
        return told if isinstance(told, dict) and {name: type(value) for name, value in told.items()} == _TOLD else None

    def _remember(self, key: str, told: Mapping[str, Any]) -> None:
        if self._remembered is not None:
            with self._turn:
                self._remembered.put_many({key: json.dumps(told).encode()})


def mask_path(entry: Entry) -> Path:
    """The file of an entry's mask."""
    return entry.target.path if isinstance(entry.target, MaskFile) else entry.path


# What is kept of a mask.
_TOLD: Mapping[str, type] = {
    "problem": str,  # why it can be none
    "size": list,
    "values": list,
    "pixels": list,
    "coloured": bool,
    "palette": list,
    "names": list,
    "smoothed": bool,
    "turned": int,
    "laid": str,
}


def _look(source: MaskSource, picture: tuple[int, int], orientation: int) -> dict[str, Any]:
    """What its file says, ready for JSON."""
    told: dict[str, Any] = {name: kind() for name, kind in _TOLD.items()}
    try:
        values = source.draw()
    except PictureError as error:
        return told | {"problem": str(error)}
    laid = how_to_lay(values.size, picture, orientation)
    told |= {"size": list(values.size), "values": list(values.values), "names": list(values.names)}
    if laid is None:
        return told | {"laid": "not"}
    size = picture if laid.kind == "scaled" else (0, 0)
    return told | {
        "pixels": list(count(lay(values.indices, size, laid.turned), len(values.values))),
        "coloured": values.coloured,
        "palette": list(values.palette),
        "smoothed": values.smoothed,
        "turned": laid.turned,
        "laid": laid.kind,
    }


def _opened(told: Mapping[str, Any], path: Path, given: Painting, picture: tuple[int, int]) -> OpenedMask:
    if told["problem"]:
        return OpenedMask(kind="unreadable mask", detail=told["problem"])
    sizes = f"{told['size'][0]} x {told['size'][1]} of {picture[0]} x {picture[1]}"
    if told["laid"] == "not":
        return OpenedMask(kind="other shape", detail=sizes)
    pixels = tuple(told["pixels"])
    scaled = told["laid"] == "scaled"
    seen = SeenValues(
        path=path,
        values=tuple(told["values"]),
        pixels=pixels,
        coloured=told["coloured"],
        palette=tuple(told["palette"]),
        names=tuple(told["names"]),
    )
    return OpenedMask(
        seen=seen,
        painting=replace(given, pixels=pixels, size=picture if scaled or seen.names else (0, 0), turned=told["turned"]),
        kind=_KINDS.get(told["laid"], "smoothed" if given.form == "smoothed" else None),
        detail=sizes if scaled else "",
        smoothed=told["smoothed"],
    )
