"""Doubtful labels of one class each. In: out-of-fold probabilities, vectors. Out: Doubted. Next: evaluation/doubts.py."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.doubts import Doubted, NamedDoubt
from tellapart.evaluation.labels import Doubt, examine_labels
from tellapart.half_rows import Rows


def doubted(
    probabilities: NDArray[np.floating],
    targets: NDArray[np.int64],
    vectors: Rows,
    groups: Sequence[str],
    *,
    classes: Sequence[str],
) -> Doubted:
    """Judge labels `targets` [N] in 0..K-1 by `probabilities` [N, K] of classifiers that did not see them; NaN where there is none.

    `vectors` [N, D] say what is like what, `groups` [N] which are copies ("" is no group).
    """
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
