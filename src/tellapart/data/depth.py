"""Pictures of more than 8 bits in a data set, taken together. In: inspections. Out: Depths, in words. Next: survey.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.data.examples import Entry, Inspection
from tellapart.data.packed_inspections import unusual_of
from tellapart.deep_values import Depth, Span, as_text, find_span, number, outside

_HOT = 8  # times the bulk that a few pixels must reach to be worth a word
_OTHERWISE = "--range LOW:HIGH says otherwise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Depths:
    """What the pictures of more than 8 bits hold together."""

    pictures: int
    windowed: int  # of them, that say themselves what is black and white
    lowest: float  # value, over all of them
    highest: float
    bulk: float  # all but one pixel in a thousand are at most this, in each picture
    span: Span | None  # the range that those to train on use, or that was told; None where all say it themselves
    told: bool = False
    outside: tuple[tuple[Path, str], ...]  # those that do not fit into it, and why

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        return {
            "pictures": self.pictures,
            "windowed": self.windowed,
            "lowest": self.lowest,
            "highest": self.highest,
            "range": None if self.span is None else list(self.span),
            "outside": [{"path": str(path), "reason": reason} for path, reason in self.outside],
        }


def gather_depths(
    entries: Sequence[Entry], inspections: Sequence[Inspection], told: Span | None = None
) -> Depths | None:
    """Of all pictures that can be read, by the range that was `told` or is found; None where none has more than 8 bits."""
    found = [(entries[place], one.depth) for place, one in unusual_of(inspections) if one.depth is not None]
    if not found:
        return None
    depths = [depth for _, depth in found]
    # The range is found as training will find it, as far as the splits are known by now.
    span = told or find_span([depth for entry, depth in found if entry.split in (None, "train")] or depths)
    return Depths(
        pictures=len(found),
        windowed=sum(depth.windowed for depth in depths),
        lowest=min(depth.lowest for depth in depths),
        highest=max(depth.highest for depth in depths),
        bulk=max(depth.high for depth in depths),
        span=span,
        told=told is not None,
        outside=misfits([entry.path for entry, _ in found], depths, span),
    )


def misfits(paths: Sequence[Path], depths: Sequence[Depth | None], span: Span | None) -> tuple[tuple[Path, str], ...]:
    """Pictures whose values do not fit into a range, and why."""
    if span is None:
        return ()
    reasons = ((path, outside(depth, span)) for path, depth in zip(paths, depths, strict=True) if depth is not None)
    return tuple((path, reason) for path, reason in reasons if reason)


def depth_notes(depths: Depths) -> Iterator[str]:
    """How they are read, in sentences."""
    values = f"values from {number(depths.lowest)} to {number(depths.highest)}"
    if depths.span is None:
        yield (
            f"more than 8 bits a pixel: {_count(depths.pictures)}, {values}; each says itself what is black and white. "
            "--range LOW:HIGH reads all of them alike."
        )
    elif depths.told:
        yield (
            f"more than 8 bits a pixel: {_count(depths.pictures)}, {values}; all are read by the range that you told, "
            f"{as_text(depths.span)} from black to white."
        )
    else:
        yield (
            f"more than 8 bits a pixel: {_count(depths.pictures)}, {values}; all are read by one range, {as_text(depths.span)} "
            f"from black to white. {_OTHERWISE}."
        )


def depth_warnings(depths: Depths, shown: str) -> Iterator[str]:
    """What does not fit together, in sentences; `shown` is the first of `outside`, as a person sees it."""
    if depths.outside:
        whose = "that you told" if depths.told else "of the others"
        remedy = "Check them, and the range" if depths.told else f"Check what these pictures are; {_OTHERWISE}"
        yield (
            f"{_count(len(depths.outside))} of more than 8 bits do not fit into the range {whose}, such as {shown}: "
            f"{depths.outside[0][1]}. {remedy}."
        )
    if depths.span is not None and not depths.told and depths.bulk > 0 and depths.span[1] > _HOT * depths.bulk:
        yield (
            f"a few pixels reach {number(depths.highest)}, while 999 of 1,000 in every picture are at most {number(depths.bulk)}; "
            f"by the range {as_text(depths.span)} all else is dark. If they are faults, give "
            f"--range 0:{number(depths.bulk)}."
        )


def _count(pictures: int) -> str:
    return f"{pictures:,} picture{'' if pictures == 1 else 's'}"
