"""The label doctor: a set of classes a picture. In: embeddings, targets. Out: Doubted. Next: evaluation/doubts.py."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.data.targets import ClassNames
from tellapart.evaluation.doubts import Doubted, NamedDoubt
from tellapart.evaluation.multilabel_labels import DoubtfulCell, SetReport, examine_sets, suggest
from tellapart.half_rows import Rows
from tellapart.training.multilabel_out_of_fold import multilabel_out_of_fold


def doubt(
    vectors: Rows,
    targets: NDArray[np.float32],
    groups: Sequence[str],
    *,
    classes: Sequence[str],
    folds: int,
    seed: int,
    advance: Callable[[int], None] | None = None,
) -> Doubted:
    """Judge each class of each set by classifiers that did not see its picture: `vectors` [N, D], `targets` [N, K], `groups` [N].

    A picture is named once: its set with every doubtful class turned round is what is suggested, and the probabilities are
    those of its most doubtful class, as the set says it and the other way round.
    Raises: DataError when a class has only pictures that show it, or only such that do not.
    """
    chances = multilabel_out_of_fold(vectors, targets, groups, classes=classes, folds=folds, seed=seed, advance=advance)
    report = examine_sets(chances, targets, vectors, groups=groups)
    nothing = float("nan")
    outliers = tuple(
        NamedDoubt(
            row=one.row,
            kind="outlier",
            label=_text(targets[one.row], classes),
            suggested=_text(targets[one.row], classes),
            probability_of_label=nothing,
            probability_of_suggested=nothing,
            score=one.score,
        )
        for one in report.outliers
    )
    return Doubted(
        wrong=_wrong(report, targets, classes),
        outliers=outliers,
        ambiguous=(),
        judged=int(np.isfinite(chances).any(axis=1).sum()),
        agreement=report.agreeing / report.judged if report.judged else None,
    )


def _wrong(report: SetReport, targets: NDArray[np.float32], classes: Sequence[str]) -> tuple[NamedDoubt, ...]:
    """One doubt a picture, the one with the most doubtful class first."""
    suggested = suggest(targets, report.cells)
    by_row: dict[int, list[DoubtfulCell]] = defaultdict(list)
    for cell in report.cells:
        by_row[cell.row].append(cell)
    found = [
        NamedDoubt(
            row=row,
            kind="label",
            label=_text(targets[row], classes),
            suggested=_text(suggested[row], classes),
            probability_of_label=1 - max(cell.score for cell in cells),
            probability_of_suggested=max(cell.score for cell in cells),
            score=max(cell.score for cell in cells),
        )
        for row, cells in by_row.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.score, one.row)))


def _text(row: NDArray[np.floating], classes: Sequence[str]) -> str:
    """A row of targets [K] in {0, 1, NaN} as a table writes it."""
    names = tuple(name for name, value in zip(classes, row.tolist(), strict=True) if value == 1)
    unknown = tuple(name for name, value in zip(classes, row.tolist(), strict=True) if value != value)
    return ClassNames(names, unknown).text
