"""Split pictures with masks into train, validation and test. In: targets, hashes, groups. Out: list[Split]. Next: dataset.py."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from tellapart.data.mask_targets import MaskFile
from tellapart.data.stratify import assign_label_sets
from tellapart.data.targets import Target

_UNITS = 1000  # a class counts once where it is shown, and so much where it covers the whole picture


def _areas(target: Target) -> Mapping[str, int]:
    """The classes that occur, and how much of the picture each has."""
    areas = target.areas if isinstance(target, MaskFile) else {}
    whole = sum(areas.values())
    return {name: 1 + round(_UNITS * pixels / whole) for name, pixels in areas.items() if pixels}


# Every picture gets its split, as `stratify.assign_label_sets` gives it to sets of classes. The share of a split is kept for the
# area of each class, as shares of its picture, so that a large picture counts no more than a small one; among equals for all
# pictures. Every class gets a picture that shows it in each split that is carved and in train.
# Raises: DataError where nothing is left to carve from, or a class has too few groups; SettingsError for fractions.
assign_masks = partial(assign_label_sets, weigh=_areas)
