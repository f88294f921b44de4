"""How the answers of two files differ, a set of classes a picture. In: answers. Out: Difference, Resampling. Next: telling.py."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.multilabel import LabelsAnswer
from tellapart.bundle import Manifest, MultilabelRecord
from tellapart.data.targets import ClassNames, Target, class_sets
from tellapart.evaluation.differences import Difference, Resampling
from tellapart.evaluation.intervals import Counts
from tellapart.tasks.multilabel.ranking import mean_of_present, rankings_of_resamples
from tellapart.tasks.multilabel.scoring import affordable_resamples, scored_cells
from tellapart.tasks.probable import largest_of, probabilities_of


def differ(before: LabelsAnswer, after: LabelsAnswer) -> Difference:
    """Flipped where another set of classes is named; both could be read."""
    largest = largest_of(*probabilities_of([before, after])[0])
    return Difference(flipped=int(before.labels != after.labels), of=1, largest=largest)


def resampled(
    manifest: Manifest, answers: Sequence[LabelsAnswer], targets: Sequence[Target], numbers: NDArray[np.int64]
) -> Resampling:
    """Mean average precision, over groups with these `numbers` [N]."""
    thresholds = np.array(manifest.record_of(MultilabelRecord).thresholds)
    sets = class_sets(targets, manifest.classes)
    cells = scored_cells(probabilities_of(answers)[0], sets, thresholds, numbers)
    rankings = rankings_of_resamples(cells)

    def precision(counts: Counts) -> NDArray[np.floating]:
        return mean_of_present(rankings(counts)[0])

    return Resampling(values=precision, most=affordable_resamples(*cells.known.shape))


def picture_f1(manifest: Manifest, answer: LabelsAnswer, target: Target) -> float:
    """F1 of the named set, without the classes that nobody knows; 1 where there is nothing to name and nothing is named."""
    told, unknown = set(target.classes), set(target.unknown) if isinstance(target, ClassNames) else set()
    named = set(answer.labels) - unknown
    return 2 * len(named & told) / (len(named) + len(told)) if named or told else 1.0
