"""Split pictures with boxes into train, validation and test. In: targets, hashes, groups. Out: list[Split]. Next: dataset.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial

from tellapart.data.folds import assign_folds
from tellapart.data.stratify import assign_label_sets
from tellapart.data.targets import Boxes, Target

_NOTHING = ""  # stands for what a picture without boxes shows: no class is called so


def _boxes(target: Target) -> Mapping[str, int]:
    """The boxes of each class."""
    boxes = target.boxes if isinstance(target, Boxes) else ()
    return Counter(box.label for box in boxes) if boxes else {_NOTHING: 1}


# Every picture with boxes gets its split, as `stratify.assign_label_sets` gives it to sets of classes. The share of a split is
# kept for the boxes of each class, and for the pictures without any; among equals for all pictures. Every class gets a picture
# that shows it in each split that is carved and in train.
# Raises: DataError where nothing is left to carve from, or a class has too few groups; SettingsError for fractions.
assign_boxes = partial(assign_label_sets, weigh=_boxes)

# The same for K folds, as `folds.assign_folds`.
fold_boxes = partial(assign_folds, weigh=_boxes)
