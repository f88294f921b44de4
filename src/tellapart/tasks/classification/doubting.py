"""The label doctor: one class a picture. In: embeddings, targets. Out: Doubted. Next: tasks/doubted_classes.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.doubts import Doubted
from tellapart.half_rows import Rows
from tellapart.tasks.doubted_classes import doubted
from tellapart.training.out_of_fold import out_of_fold


def doubt(
    vectors: Rows,
    targets: NDArray[np.int64],
    groups: Sequence[str],
    *,
    classes: Sequence[str],
    folds: int,
    seed: int,
    advance: Callable[[int], None] | None = None,
) -> Doubted:
    """Judge each label by classifiers that did not see its picture: `vectors` [N, D], `targets` [N] in 0..K-1, `groups` [N].

    Raises: DataError when there are fewer than two classes.
    """
    probabilities = out_of_fold(
        vectors, targets, groups, class_count=len(classes), folds=folds, seed=seed, advance=advance
    )
    return doubted(probabilities, targets, vectors, groups, classes=classes)
