"""What the pictures of a data set are, taken together. In: Listing, list[Inspection]. Out: Audit. Next: audit.py."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import TaskName
from tellapart.data.augmented import Augmented, Scenes, comparable, join
from tellapart.data.conflicts import LabelConflict
from tellapart.data.depth import Depths, gather_depths
from tellapart.data.examples import SPLITS, Entry, Inspection, Listing
from tellapart.data.oddities import Oddities, find_oddities
from tellapart.data.packed_entries import column_of, paths_at
from tellapart.data.packed_inspections import parts_of, readable, sizes_of, unusual_of
from tellapart.data.picture_groups import Leak, count_distinct, find_groups, find_leaks
from tellapart.data.reader import OwnCounts
from tellapart.data.readers import READERS
from tellapart.deep_values import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Upright sizes of the usable pictures in pixels; all 0 where there is none."""

    least_width: int
    median_width: int
    most_width: int
    least_height: int
    median_height: int
    most_height: int
    distinct: int  # different (width, height)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What a look at every picture found. A picture is usable when it could be decoded."""

    source: Path
    task: TaskName
    classes: tuple[str, ...]  # sorted
    pictures: int  # usable ones
    counts: Mapping[str, Mapping[str, int]]  # split ("" for not given) -> class -> usable pictures
    distinct: Mapping[str, int]  # class -> usable pictures, copies and pictures of one group counted once
    sizes: Sizes
    formats: Mapping[str, int]  # of the contents: JPEG, PNG ...
    modes: Mapping[str, int]  # as stored: RGB, L, P ...
    wrong_extensions: tuple[Path, ...]
    turned: tuple[Path, ...]  # stored sideways or mirrored, read upright as their EXIF says
    unreadable: tuple[tuple[Path, str], ...]  # path, reason
    ignored: Mapping[str, int]  # reason -> files or folders that are no pictures of the data set
    exact_copies: tuple[tuple[Path, ...], ...]
    near_copies: tuple[tuple[Path, ...], ...]  # clusters with at least two different contents
    augmented_copies: tuple[tuple[Path, ...], ...] | None  # the original first; None: they were not looked for
    two_labels: tuple[LabelConflict, ...]
    leaks: tuple[Leak, ...]
    duplicates: int  # pictures that are exact copies of an earlier one
    groups: Sequence[str]  # for every entry: the smallest content hash of its group; "" where it is not usable
    leaked_indices: tuple[int, ...]  # entries of the given test split with a copy or group mate in train or validation
    augmented_indices: frozenset[int] = frozenset()  # entries that are augmented copies of another
    uncompared: Sequence[Path] = ()  # too small or too long to be looked at for augmented copies, where that was done
    own: OwnCounts | None = None  # what only targets of this task have; None: nothing
    depths: Depths | None = None  # where pictures have more than 8 bits
    oddities: Oddities = field(default_factory=Oddities)
    notes: tuple[str, ...] = ()  # how the source was read, where that had to be found out

    @property
    def totals(self) -> dict[str, int]:
        """Usable pictures of each class over all splits."""
        return {label: sum(by_class[label] for by_class in self.counts.values()) for label in self.classes}

    @property
    def imbalance(self) -> float:
        """Usable pictures in the largest class over those in the smallest that has any; 1 where there is none."""
        totals = [total for total in self.totals.values() if total]
        return max(totals) / min(totals) if totals else 1.0


def build_audit(
    listing: Listing, inspections: Sequence[Inspection], scenes: Scenes | None = None, *, span: Span | None = None
) -> Audit:
    """Audit what was listed; `inspections` in the order of `listing.entries`. 60,000 pictures take seconds.

    `scenes` says which contents are augmented copies of one another, where that was looked for; `span` is the range of
    pictures of more than 8 bits, where it was told.
    """
    entries, reader = listing.entries, READERS[listing.task]
    usable = readable(inspections)
    copies = reader.copies(listing, inspections)
    augmented = join(scenes or Scenes(pairs=()), inspections, copies.cluster_of)
    groups = find_groups(entries, inspections, augmented.joined)
    leaks, leaked = find_leaks(entries, groups)
    sizes = sizes_of(inspections, usable)

    def paths(rows: Iterable[int]) -> tuple[Path, ...]:
        return tuple(entries[row].path for row in rows)

    def that(name: str) -> tuple[Path, ...]:
        return paths(row for row, so in zip(usable.tolist(), parts_of(inspections, name, usable), strict=True) if so)

    return Audit(
        source=listing.source,
        task=listing.task,
        classes=listing.classes,
        pictures=len(usable),
        counts=_counts(listing, usable),
        distinct=count_distinct(entries, usable, groups, listing.classes),
        sizes=_sizes(sizes),
        formats=_tally(filter(None, parts_of(inspections, "format", usable))),
        modes=_tally(filter(None, parts_of(inspections, "mode", usable))),
        wrong_extensions=that("wrong_extension"),
        turned=that("turned"),
        unreadable=_unreadable(entries, inspections),
        ignored=_ignored(listing, inspections),
        exact_copies=tuple(map(paths, copies.exact)),
        near_copies=tuple(map(paths, copies.near)),
        augmented_copies=None if scenes is None else _paths(entries, augmented),
        augmented_indices=augmented.copies,
        uncompared=() if scenes is None else paths_at(entries, _uncompared(usable, sizes)),
        two_labels=reader.conflicts(entries, inspections, copies.cluster_of, augmented.joined),
        leaks=leaks,
        duplicates=sum(len(cluster) - 1 for cluster in copies.exact),
        groups=groups,
        leaked_indices=leaked,
        own=reader.count(listing, inspections, groups),
        depths=gather_depths(entries, inspections, span),
        oddities=find_oddities(entries, inspections) if reader.look is None else Oddities(),
        notes=listing.notes,
    )


def _unreadable(entries: Sequence[Entry], inspections: Sequence[Inspection]) -> tuple[tuple[Path, str], ...]:
    found = unusual_of(inspections)
    return tuple((entries[place].path, one.problem) for place, one in found if one.problem and one.is_picture)


def _ignored(listing: Listing, inspections: Sequence[Inspection]) -> dict[str, int]:
    """What was passed over, counted by reason: what no picture is, too, whatever it is called."""
    stray = sum(bool(one.problem) and not one.is_picture for _, one in unusual_of(inspections))
    return dict(sorted({**listing.ignored, **({"not a picture": stray} if stray else {})}.items()))


def _uncompared(usable: NDArray[np.int64], sizes: NDArray[np.int64]) -> Iterator[int]:
    found = zip(usable.tolist(), sizes.tolist(), strict=True)
    return (place for place, (width, height) in found if not comparable(width, height))


def _paths(entries: Sequence[Entry], augmented: Augmented) -> tuple[tuple[Path, ...], ...]:
    return tuple(tuple(entries[index].path for index in cluster) for cluster in augmented.clusters)


def _counts(listing: Listing, usable: NDArray[np.int64]) -> dict[str, dict[str, int]]:
    entries = listing.entries
    pairs = zip(column_of(entries, "split", usable), column_of(entries, "target", usable), strict=True)
    found = Counter((split or "", name) for split, target in pairs for name in target.classes)
    given = {split or "" for split in column_of(entries, "split")}
    splits = [split for split in ("", *SPLITS) if split in given]
    return {split: {label: found[split, label] for label in listing.classes} for split in splits}


def _sizes(sizes: NDArray[np.int64]) -> Sizes:
    """Of width and height, [n, 2]."""
    widths, heights = (np.sort(side).tolist() or [0] for side in sizes.T)
    return Sizes(
        least_width=widths[0],
        median_width=statistics.median_low(widths),
        most_width=widths[-1],
        least_height=heights[0],
        median_height=statistics.median_low(heights),
        most_height=heights[-1],
        distinct=len(np.unique(sizes, axis=0)),
    )


def _tally(values: Iterable[str]) -> dict[str, int]:
    """How often each value occurs, the most frequent first."""
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """A listing with one inspection an entry, and the audit over both."""

    listing: Listing
    inspections: Sequence[Inspection]  # in the order of listing.entries
    audit: Audit
