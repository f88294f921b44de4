"""The pictures of a classifier's report. In: OpenRun. Out: worst mistakes, doubtful labels. Next: sections.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tellapart.data.examples import Example
from tellapart.errors import DataError
from tellapart.evaluation.labels import LabelReport, examine_labels
from tellapart.reporting.album import LARGE_SIDE, Album, Captioned
from tellapart.reporting.facts import ClassRow, LabelsPart, Shown
from tellapart.runs.embeddings import EmbeddedExamples, last_layer_strength
from tellapart.runs.heat import with_heat
from tellapart.runs.open import OpenRun
from tellapart.runs.parts import SAMPLED
from tellapart.tasks.classification.results import true_labels, worst_rows
from tellapart.training.out_of_fold import out_of_fold

_MISTAKES, _WRONG, _OTHERS = 12, 18, 8


def sampled(rows: Sequence[ClassRow]) -> list[str]:
    """The classes that pictures are shown of: all, or the worst recognised ones."""
    return [row.name for row in (rows if len(rows) <= SAMPLED else worst_rows(rows, SAMPLED))]


def worst_mistakes(run: OpenRun, album: Album) -> tuple[list[Shown], bool]:
    """The most confident mistakes, and whether a heatmap could be laid over them."""
    predicted, sure, labels = run.predictions.best, run.predictions.sure, true_labels(run)
    rows = np.flatnonzero(predicted != labels)
    rows = rows[np.argsort(-sure[rows], kind="stable")][:_MISTAKES]
    asked: list[Captioned] = [
        (run.predictions.paths[row], run.classes[labels[row]], run.classes[predicted[row]], float(sure[row]))
        for row in rows.tolist()
    ]
    return with_heat(run, album.show(asked, side=LARGE_SIDE), [path for path, *_ in asked], predicted[rows])


def doubt_labels(run: OpenRun, embedded: EmbeddedExamples) -> LabelReport | None:
    """What the label doctor says of the embedded pictures; None where a sample of them lacks a class."""
    number = {name: index for index, name in enumerate(run.classes)}
    labels = np.array([number[example.target.text] for example in embedded.examples])
    groups = [example.group for example in embedded.examples]
    try:
        chances = out_of_fold(
            embedded.vectors,
            labels,
            groups,
            class_count=len(run.classes),
            strength=last_layer_strength(run),
            seed=run.settings.seed,
            class_weights=run.settings.class_weights,
        )
    except DataError:
        return None  # of a thousand classes, a sample may miss one
    return examine_labels(chances, labels, embedded.vectors, groups=groups)


def labels_part(run: OpenRun, examples: Sequence[Example], found: LabelReport, n_all: int, album: Album) -> LabelsPart:
    """The most doubtful of `examples`, which the rows of `found` count."""

    def shown(doubts: Sequence[Any], most: int) -> list[Shown]:
        return album.show(
            [
                (
                    examples[one.row].path,
                    run.classes[one.label],
                    run.classes[one.suggested],
                    one.probability_of_suggested,
                )
                for one in doubts[:most]
            ]
        )

    return LabelsPart(
        n=len(examples),
        n_all=n_all,
        labels=len(examples),
        wrong=shown(found.wrong, _WRONG),
        outliers=shown(found.outliers, _OTHERS),
        ambiguous=shown(found.ambiguous, _OTHERS),
        counts=(len(found.wrong), len(found.outliers), len(found.ambiguous)),
    )
