"""The label doctor: one class a picture. In: embeddings, targets. Out: Doubted. Next: evaluation/doubts.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.doubts import Doubted, NamedDoubt
from tellapart.evaluation.labels import Doubt, examine_labels
from tellapart.training.out_of_fold import out_of_fold


def doubt(
    vectors: NDArray[np.float32],
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
    report = examine_labels(probabilities, targets, vectors, groups=groups)
    judged = np.isfinite(probabilities).all(axis=1)
    agrees = probabilities[judged].argmax(axis=1) == targets[judged]

    def named(found: Sequence[Doubt]) -> tuple[NamedDoubt, ...]:
        return tuple(
            NamedDoubt(
                row=one.row,
                kind=one.kind,
                label=classes[one.label],
                suggested=classes[one.suggested],
                probability_of_label=one.probability_of_label,
                probability_of_suggested=one.probability_of_suggested,
                score=one.score,
            )
            for one in found
        )

    return Doubted(
        wrong=named(report.wrong),
        outliers=named(report.outliers),
        ambiguous=named(report.ambiguous),
        judged=report.judged,
        agreement=float(agrees.mean()) if judged.any() else None,
    )
