"""Split pictures with boxes into train, validation and test. In: targets, hashes, groups. Out: list[Split]. Next: dataset.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from tellapart.data.examples import Split
from tellapart.data.split import FRACTIONS
from tellapart.data.stratify import assign_label_sets
from tellapart.data.targets import Boxes, Target

_NOTHING = ""  # stands for what a picture without boxes shows: no class is called so


def assign_boxes(
    *,
    targets: Sequence[Target],
    content_hashes: Sequence[str],
    groups: Sequence[str],
    given: Sequence[Split | None],
    seed: int,
    fractions: tuple[float, float, float] = FRACTIONS,
    added: Sequence[bool] = (),
) -> list[Split]:
    """Give every picture with boxes its split, by the rules of `split.assign_splits`.

    The share of a split is kept for the boxes of each class, and for the pictures without any; among equals for all pictures.
    Every class gets a picture that shows it in each split that is carved and in train. Copies and groups stay together, and
    splits that were given are kept.
    Raises: DataError where nothing is left to carve from, or a class has too few groups; SettingsError for fractions.
    """
    return assign_label_sets(
        targets=targets,
        content_hashes=content_hashes,
        groups=groups,
        given=given,
        seed=seed,
        fractions=fractions,
        added=added,
        weigh=_boxes,
    )


def _boxes(target: Target) -> Mapping[str, int]:
    """The boxes of each class."""
    boxes = target.boxes if isinstance(target, Boxes) else ()
    return Counter(box.label for box in boxes) if boxes else {_NOTHING: 1}
