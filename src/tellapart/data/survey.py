"""What the pictures of a data set are, taken together. In: Listing, list[Inspection]. Out: Audit. Next: audit.py."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tellapart.bundle import TaskName
from tellapart.data.augmented import Augmented, Scenes, comparable, join
from tellapart.data.conflicts import LabelConflict
from tellapart.data.depth import Depths, gather_depths
from tellapart.data.examples import SPLITS, Entry, Inspection, Listing
from tellapart.data.oddities import Oddities, find_oddities
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
class Leak:
    """Copies, or pictures of one group, that the user's own splits keep apart; `splits` in the order of `paths`."""

    paths: tuple[Path, ...]
    splits: tuple[str, ...]  # "" for not given


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
    groups: tuple[str, ...]  # for every entry: the smallest content hash of its group; "" where it is not usable
    leaked_indices: tuple[int, ...]  # entries of the given test split with a copy or group mate in train or validation
    augmented_indices: frozenset[int] = frozenset()  # entries that are augmented copies of another
    uncompared: tuple[Path, ...] = ()  # too small or too long to be looked at for augmented copies, where that was done
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
    usable = [index for index, inspection in enumerate(inspections) if not inspection.problem]
    copies = reader.copies(listing, inspections)
    augmented = join(scenes or Scenes(pairs=()), inspections, copies.cluster_of)
    groups = _groups(entries, inspections, augmented.joined)
    leaks, leaked = _leaks(entries, groups)

    def paths(rows: Iterable[int]) -> tuple[Path, ...]:
        return tuple(entries[row].path for row in rows)

    return Audit(
        source=listing.source,
        task=listing.task,
        classes=listing.classes,
        pictures=len(usable),
        counts=_counts(listing, usable),
        distinct=_distinct(listing, usable, groups),
        sizes=_sizes([inspections[index] for index in usable]),
        formats=_tally(inspections[index].format for index in usable if inspections[index].format),
        modes=_tally(inspections[index].mode for index in usable if inspections[index].mode),
        wrong_extensions=paths(index for index in usable if inspections[index].wrong_extension),
        turned=paths(index for index in usable if inspections[index].turned),
        unreadable=_unreadable(entries, inspections),
        ignored=_ignored(listing, inspections),
        exact_copies=tuple(map(paths, copies.exact)),
        near_copies=tuple(map(paths, copies.near)),
        augmented_copies=None if scenes is None else _paths(entries, augmented),
        augmented_indices=augmented.copies,
        uncompared=() if scenes is None else paths(row for row in usable if not _comparable(inspections[row])),
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
    found = zip(entries, inspections, strict=True)
    return tuple((entry.path, one.problem) for entry, one in found if one.problem and one.is_picture)


def _ignored(listing: Listing, inspections: Sequence[Inspection]) -> dict[str, int]:
    """What was passed over, counted by reason: what no picture is, too, whatever it is called."""
    stray = sum(bool(inspection.problem) and not inspection.is_picture for inspection in inspections)
    return dict(sorted({**listing.ignored, **({"not a picture": stray} if stray else {})}.items()))


def _comparable(inspection: Inspection) -> bool:
    return comparable(inspection.width, inspection.height)


def _paths(entries: Sequence[Entry], augmented: Augmented) -> tuple[tuple[Path, ...], ...]:
    return tuple(tuple(entries[index].path for index in cluster) for cluster in augmented.clusters)


def _counts(listing: Listing, usable: Sequence[int]) -> dict[str, dict[str, int]]:
    found = Counter(
        (listing.entries[index].split or "", name) for index in usable for name in listing.entries[index].target.classes
    )
    given = {entry.split or "" for entry in listing.entries}
    splits = [split for split in ("", *SPLITS) if split in given]
    return {split: {label: found[split, label] for label in listing.classes} for split in splits}


def _distinct(listing: Listing, usable: Sequence[int], groups: Sequence[str]) -> dict[str, int]:
    pairs = {(name, groups[index]) for index in usable for name in listing.entries[index].target.classes}
    found = Counter(name for name, _ in pairs)
    return {label: found[label] for label in listing.classes}


def _sizes(inspections: Sequence[Inspection]) -> Sizes:
    widths = sorted(inspection.width for inspection in inspections) or [0]
    heights = sorted(inspection.height for inspection in inspections) or [0]
    return Sizes(
        least_width=widths[0],
        median_width=statistics.median_low(widths),
        most_width=widths[-1],
        least_height=heights[0],
        median_height=statistics.median_low(heights),
        most_height=heights[-1],
        distinct=len({(inspection.width, inspection.height) for inspection in inspections}),
    )


def _tally(values: Iterable[str]) -> dict[str, int]:
    """How often each value occurs, the most frequent first."""
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))


def _groups(entries: Sequence[Entry], inspections: Sequence[Inspection], cluster_of: Sequence[int]) -> tuple[str, ...]:
    """Connected components of "copy of" and "in the same group", named by their smallest content hash."""
    parent = list(range(len(entries)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    first: dict[str | int, int] = {}  # by the user's group, or by the number of the cluster
    for index, (entry, inspection) in enumerate(zip(entries, inspections, strict=True)):
        if not inspection.problem:
            keys: list[str | int] = [cluster_of[index]]
            if entry.group:
                keys.append(entry.group)
            for key in keys:
                parent[root(index)] = root(first.setdefault(key, index))
    names: dict[int, str] = {}
    for index, inspection in enumerate(inspections):
        if not inspection.problem:
            top = root(index)
            names[top] = min(names.get(top, inspection.content_hash), inspection.content_hash)
    return tuple("" if inspections[index].problem else names[root(index)] for index in range(len(entries)))


def _leaks(entries: Sequence[Entry], groups: Sequence[str]) -> tuple[tuple[Leak, ...], tuple[int, ...]]:
    """Groups over several given splits, and the test entries among them."""
    if all(entry.split is None for entry in entries):
        return (), ()
    members: defaultdict[str, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        if group and not entries[index].added:  # what was added joins the split of its group
            members[group].append(index)
    leaks: list[Leak] = []
    leaked: list[int] = []
    for indices in members.values():
        # Where some splits were given, pictures without one are trained on.
        if len({entries[index].split or "train" for index in indices}) > 1:
            leaks.append(
                Leak(
                    paths=tuple(entries[index].path for index in indices),
                    splits=tuple(entries[index].split or "" for index in indices),
                )
            )
            leaked += [index for index in indices if entries[index].split == "test"]
    return tuple(leaks), tuple(sorted(leaked))


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """A listing with one inspection an entry, and the audit over both."""

    listing: Listing
    inspections: list[Inspection]  # in the order of listing.entries
    audit: Audit
