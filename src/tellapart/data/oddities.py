"""Pictures that are odd by themselves: in shape, size, light, colour. In: inspections. Out: Oddities, in words. Next: survey.py."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tellapart.colour_profiles import BROKEN
from tellapart.data.examples import Entry, Inspection
from tellapart.data.looks import Oddity, kinds, size_limits
from tellapart.data.packed_entries import paths_at
from tellapart.data.packed_inspections import parts_of, readable, sizes_of
from tellapart.data.shapes import MANY_ELONGATED, share_elongated, unseen

_COMMON = 0.2  # share of a data set from which on nothing is odd
_FEWEST = 5  # pictures from which on a size can be unusual
_WHAT: Mapping[Oddity, str] = {
    "one colour": "there is nothing to see in them",
    "odd shape": "longer than 20:7, so that the middle square shows little of them",
    "odd size": "far smaller or larger than the others",
    "dark": "nearly nothing in them is bright",
    "light": "nearly nothing in them is dark",
    "low information": "they hold next to no detail",
    "blurry": "they have hardly an edge",
}
_WARNED: tuple[Oddity, ...] = ("one colour", "odd shape", "odd size")


@dataclass(frozen=True, slots=True, kw_only=True)
class Oddities:
    """What is odd about single pictures, and how their files mean colours."""

    pictures: Mapping[Oddity, Sequence[Path]] = field(default_factory=dict)
    elongated: float = 0.0  # share of pictures longer than 3:2
    unseen: float = 0.0  # median share of those that a square in the middle does not show
    profiles: Mapping[str, int] = field(default_factory=dict)  # colour profiles that were followed -> pictures
    broken_profiles: tuple[Path, ...] = ()
    bands: Mapping[str, int] = field(default_factory=dict)  # which of many bands were taken -> pictures

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        return {
            "odd": {kind: [str(path) for path in paths] for kind, paths in self.pictures.items()},
            "elongated": round(self.elongated, 4),
            "profiles": dict(self.profiles),
            "broken_profiles": [str(path) for path in self.broken_profiles],
            "bands": dict(self.bands),
        }


def find_oddities(entries: Sequence[Entry], inspections: Sequence[Inspection]) -> Oddities:
    """Of all pictures that can be read."""
    usable = readable(inspections)
    sides = sizes_of(inspections, usable)
    kept: dict[tuple[int, int], tuple[int, int]] = {}  # one of each: a million pairs would be most of the memory
    sizes = [kept.setdefault(size, size) for size in zip(*sides.T.tolist(), strict=True)]
    odd: defaultdict[Oddity, array[int]] = defaultdict(lambda: array("q"))  # places
    least, most = size_limits(sides.prod(axis=1)) if len(usable) >= _FEWEST else (0.0, float("inf"))
    for place, one in ((place, inspections[place]) for place in usable.tolist()):
        if one.looks is not None:
            for kind in kinds(one.looks, width=one.width, height=one.height, deep=one.depth is not None):
                odd[kind].append(place)
        if not least <= one.width * one.height <= most:
            odd["odd size"].append(place)
    profiles = parts_of(inspections, "profile", usable)
    if len(odd.get("odd shape", ())) > _COMMON * len(usable):
        del odd["odd shape"]  # it is the set's shape; that the middle shows little of it is told as well
    return Oddities(
        pictures={kind: paths_at(entries, odd[kind]) for kind in _WHAT if kind in odd},
        elongated=share_elongated(sizes),
        unseen=unseen(sizes),
        profiles=_tally(profile for profile in profiles if profile != BROKEN),
        broken_profiles=tuple(
            entries[place].path
            for place, profile in zip(usable.tolist(), parts_of(inspections, "profile", usable), strict=True)
            if profile == BROKEN
        ),
        bands=_tally(parts_of(inspections, "bands", usable)),
    )


def oddity_warnings(odd: Oddities, short: Callable[[Path], str], *, cropped: bool = True) -> Iterator[str]:
    """What should be looked at, in sentences; `short` is a path as a person sees it. `cropped`: only the middle may be seen."""
    for kind in _WARNED:
        if kind in odd.pictures and (cropped or kind != "odd shape"):
            yield _told(kind, odd.pictures[kind], short) + " Look at them; remove what does not belong."
    if cropped and odd.elongated > MANY_ELONGATED:
        yield (
            f"{100 * odd.elongated:.0f} % of the pictures are longer than 3:2; cropped to the middle, {100 * odd.unseen:.0f} % of "
            "such a picture is not seen. Where what matters may be at the ends, train with --set network.fit=squash or pad; "
            "--strategy auto tries crop and squash."
        )
    if odd.broken_profiles:
        yield (
            f"broken colour profiles, which are ignored: {_count(odd.broken_profiles)}, such as {short(odd.broken_profiles[0])}. "
            "Their colours may look otherwise elsewhere; save them anew."
        )


def oddity_notes(odd: Oddities, short: Callable[[Path], str]) -> Iterator[str]:
    """What is good to know, in sentences."""
    for kind, paths in odd.pictures.items():
        if kind not in _WARNED:
            yield _told(kind, paths, short)
    if odd.profiles:
        named = ", ".join(f"{name} ({number:,})" for name, number in odd.profiles.items())
        yield f"colours brought to sRGB, as the pictures' profiles say: {named}."
    for bands, number in odd.bands.items():
        yield f"pictures of which only a part is read: {number:,}, their {bands}."


def _told(kind: Oddity, paths: Sequence[Path], short: Callable[[Path], str]) -> str:
    return f"{kind}: {_count(paths)}, such as {short(paths[0])}; {_WHAT[kind]}."


def _count(paths: Sequence[Path]) -> str:
    return f"{len(paths):,} picture{'' if len(paths) == 1 else 's'}"


def _tally(values: Iterator[str]) -> dict[str, int]:
    """How often each value occurs, the most frequent first; "" does not count."""
    found = Counter(value for value in values if value)
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
