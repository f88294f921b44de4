"""What masks add to an audit: how many pixels of each class. In: entries, inspections. Out: MaskCounts, words. Next: audit.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tellapart.data.examples import SPLITS, Entry, Inspection
from tellapart.data.faults import Faults, fault_sentences, faults_json
from tellapart.data.mask_targets import MaskFile
from tellapart.reporter import counted

_RARE = 0.001  # share of the counted pixels under which a class is easily overlooked
_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskCounts:
    """How the usable pictures' masks are made up."""

    pictures: Mapping[str, int]  # split ("" for not given) -> usable pictures
    pixels: Mapping[str, Mapping[str, int]]  # split -> class -> pixels
    ignored: int  # pixels that count nowhere
    one_class: Mapping[str, int]  # class -> pictures that show nothing else
    absent: tuple[str, ...]  # classes that were named and never occur
    faults: Faults = field(default_factory=dict)

    @property
    def shares(self) -> dict[str, float]:
        """Of all counted pixels, by class."""
        totals = Counter[str]()
        for by_class in self.pixels.values():
            totals.update(by_class)
        whole = sum(totals.values())
        return {name: pixels / whole if whole else 0.0 for name, pixels in totals.items()}

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        return {
            "pictures": dict(self.pictures),
            "pixels": {split: dict(by_class) for split, by_class in self.pixels.items()},
            "shares": {name: round(share, 6) for name, share in self.shares.items()},
            "ignored_pixels": self.ignored,
            "of_one_class": dict(self.one_class),
            "absent": list(self.absent),
            "faults": faults_json(self.faults),
        }


def count_masks(
    entries: Sequence[Entry],
    inspections: Sequence[Inspection],
    classes: Sequence[str],
    faults: Faults,
    absent: tuple[str, ...] = (),
) -> MaskCounts:
    """Count the masks of the pictures that can be read; `inspections` in the order of `entries`."""
    usable = [
        (str(entry.split or ""), entry.target)
        for entry, inspection in zip(entries, inspections, strict=True)
        if not inspection.problem and isinstance(entry.target, MaskFile)
    ]
    pictures: Counter[str] = Counter(split for split, _ in usable)
    splits = [split for split in ("", *SPLITS) if split in pictures]
    pixels: dict[str, Counter[str]] = {split: Counter() for split in splits}
    ignored, alone = 0, Counter[str]()
    for split, mask in usable:
        areas = mask.areas
        pixels[split].update(areas)
        ignored += 0 if mask.painting is None else sum(mask.painting.pixels) - sum(areas.values())
        alone.update(mask.classes if len(mask.classes) == 1 else ())
    return MaskCounts(
        pictures={split: pictures[split] for split in splits},
        pixels={split: {name: pixels[split][name] for name in classes} for split in splits},
        ignored=ignored,
        one_class={name: alone[name] for name in classes if alone[name]},
        absent=absent,
        faults=faults,
    )


def mask_warnings(counts: MaskCounts, short: Callable[[Path], str]) -> Iterator[str]:
    """What should be looked at, in sentences; `short` is a path as a person sees it."""
    yield from fault_sentences(counts.faults, short, warned=True)
    if counts.absent:
        more = f" and {len(counts.absent) - _NAMED:,} more" if len(counts.absent) > _NAMED else ""
        yield (
            f"never there: {', '.join(map(repr, counts.absent[:_NAMED]))}{more}, which {'are' if len(counts.absent) > 1 else 'is'} "
            "named and no class, since no mask shows it."
        )
    rare = {name: share for name, share in counts.shares.items() if 0 < share < _RARE}
    if rare:
        listed = ", ".join(f"{name!r} has {100 * share:.2g} %" for name, share in list(rare.items())[:_NAMED])
        yield f"rare: {listed} of the pixels, and is easily overlooked. Add pictures that show it, or train on crops that do."


def mask_notes(counts: MaskCounts, short: Callable[[Path], str]) -> Iterator[str]:
    """What is good to know, in sentences."""
    yield from fault_sentences(counts.faults, short, warned=False)
    whole = sum(counts.pictures.values())
    for name, number in counts.one_class.items():
        yield f"masks of {name!r} alone: {number:,} of {counted(whole, 'picture')}; they stay."
    if counts.ignored:
        total = counts.ignored + sum(sum(by_class.values()) for by_class in counts.pixels.values())
        yield f"pixels that count nowhere: {100 * counts.ignored / total:.3g} %."


def mask_lines(counts: MaskCounts) -> Iterator[str]:
    """Pixels of each class by split, and their share in per cent, as the lines of a table."""
    splits, shares = list(counts.pixels), counts.shares
    yield f"{'pixels':<30}" + "".join(f"{split or 'in all':>16}" for split in splits) + f"{'share':>10}"
    for name, share in shares.items():
        numbers = "".join(f"{counts.pixels[split][name]:>16,}" for split in splits)
        yield f"{name[:29]:<30}{numbers}{100 * share:>8.2f} %"
