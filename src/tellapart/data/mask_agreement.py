"""Copies of one picture whose masks differ. In: entries, clusters of copies. Out: LabelConflicts. Next: reader.py.

A mask drawn a second time never has the same edges; so two are the same unless a class is missing from one, or its areas cover each
other by less than half.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.data.conflicts import LabelConflict, clusters
from tellapart.data.examples import Entry, Inspection, named_classes
from tellapart.data.mask_fit import lay
from tellapart.data.mask_targets import IGNORED, MaskFile
from tellapart.data.masks import read_mask
from tellapart.errors import DataError

_SAME = 0.5  # overlap from which on two areas are of one thing
_LEAST_SHARE = 0.01  # of the picture; a class that has less in both is not compared
_SIDE = 256  # pixels at which they are compared


def mask_conflicts(
    entries: Sequence[Entry], inspections: Sequence[Inspection], cluster_of: Sequence[int]
) -> tuple[LabelConflict, ...]:
    """Of N entries with masks, by the number of the cluster of copies of each, [N]; one that cannot be read is left out."""
    usable = [index for index, inspection in enumerate(inspections) if not inspection.problem]
    classes = sorted(named_classes(entry.target for entry in entries))
    conflicts = []
    for members in clusters(cluster_of, usable):
        masks = {index: mask for index in members if (mask := _small(entries[index], classes)) is not None}
        if len(masks) > 1 and _disagree([masks[index] for index in masks]):
            same: defaultdict[str, list[int]] = defaultdict(list)
            for index in masks:
                same[inspections[index].content_hash].append(index)
            conflicts.append(
                LabelConflict(
                    paths=tuple(entries[index].path for index in masks),
                    labels=tuple(entries[index].target.said for index in masks),
                    exact=any(
                        len(equal) > 1 and _disagree([masks[index] for index in equal]) for equal in same.values()
                    ),
                )
            )
    return tuple(conflicts)


def _small(entry: Entry, classes: Sequence[str]) -> NDArray[np.uint8] | None:
    if not isinstance(entry.target, MaskFile):
        return None
    try:
        return lay(read_mask(entry.target, classes), (_SIDE, _SIDE), 1)
    except DataError:
        return None


def _disagree(masks: Sequence[NDArray[np.uint8]]) -> bool:
    """Whether the first of some copies has other areas than another."""
    first, *others = masks
    return any(_differ(first, other) for other in others)


def _differ(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    counts = (one != IGNORED) & (other != IGNORED)
    least = _LEAST_SHARE * one.size
    for number in np.union1d(one[counts], other[counts]):
        ours, theirs = (one == number) & counts, (other == number) & counts
        union = int(np.count_nonzero(ours | theirs))
        if union >= least and np.count_nonzero(ours & theirs) < _SAME * union:
            return True
    return False
