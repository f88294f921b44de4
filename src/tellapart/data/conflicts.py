"""Copies of one picture that are labelled differently. In: Listing, clusters of copies. Out: LabelConflicts. Next: survey.py."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tellapart.data.box_agreement import Annotation, boxes_disagree, in_words
from tellapart.data.examples import Entry, Inspection, Listing
from tellapart.data.label_sets import disagree
from tellapart.data.targets import Boxes, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelConflict:
    """Copies of one picture with different targets; `labels`, the targets' texts, in the order of `paths`."""

    paths: tuple[Path, ...]
    labels: tuple[str, ...]
    exact: bool  # two pictures with the very same pixels have different labels


def find_conflicts(
    listing: Listing, inspections: Sequence[Inspection], copies: Sequence[int], joined: Sequence[int]
) -> tuple[LabelConflict, ...]:
    """Of N entries, by their clusters: those of `copies` [N] alone, and those with augmented ones `joined` [N].

    A copy that was turned or moved has its boxes elsewhere, and rightly so.
    """
    if listing.task == "detection":
        return _two_sets_of_boxes(listing.entries, inspections, copies)
    return _two_labels(listing.entries, inspections, joined)


def _two_labels(
    entries: Sequence[Entry], inspections: Sequence[Inspection], cluster_of: Sequence[int]
) -> tuple[LabelConflict, ...]:
    clusters: defaultdict[int, list[int]] = defaultdict(list)
    for index, cluster in enumerate(cluster_of):
        clusters[cluster].append(index)
    conflicts = []
    for members in clusters.values():
        if disagree(entries[index].target for index in members):
            targets_of: defaultdict[str, set[Target]] = defaultdict(set)
            for index in members:
                targets_of[inspections[index].content_hash].add(entries[index].target)
            conflicts.append(
                LabelConflict(
                    paths=tuple(entries[index].path for index in members),
                    labels=tuple(entries[index].target.text for index in members),
                    exact=any(disagree(targets) for targets in targets_of.values()),
                )
            )
    return tuple(conflicts)


def _two_sets_of_boxes(
    entries: Sequence[Entry], inspections: Sequence[Inspection], cluster_of: Sequence[int]
) -> tuple[LabelConflict, ...]:
    clusters: defaultdict[int, list[int]] = defaultdict(list)
    for index, cluster in enumerate(cluster_of):
        if not inspections[index].problem:
            clusters[cluster].append(index)

    def disagree_in(members: Sequence[int]) -> bool:
        pages = [(entries[index].target, inspections[index]) for index in members]
        return boxes_disagree(
            Annotation(target, one.width, one.height) for target, one in pages if isinstance(target, Boxes)
        )

    conflicts = []
    for members in clusters.values():
        if len(members) > 1 and disagree_in(members):
            same: defaultdict[str, list[int]] = defaultdict(list)
            for index in members:
                same[inspections[index].content_hash].append(index)
            targets = [entries[index].target for index in members]
            conflicts.append(
                LabelConflict(
                    paths=tuple(entries[index].path for index in members),
                    labels=tuple(in_words(target) for target in targets if isinstance(target, Boxes)),
                    exact=any(len(equal) > 1 and disagree_in(equal) for equal in same.values()),
                )
            )
    return tuple(conflicts)
