"""Several tests of one class a picture, or text, as one. In: FoldAnswers, targets. Out: Pooled. Next: told_classes.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import ClassificationRecord, Score, TaskRecord, TextRecord
from tellapart.data.targets import Target, class_numbers
from tellapart.evaluation.abstention import Thresholds, find_thresholds, held_and_sizes, tell_abstention
from tellapart.evaluation.calibration import Surest
from tellapart.evaluation.metrics import evaluate
from tellapart.tasks.folds import FoldAnswers, Pooled, joined


def pool(
    parts: Sequence[FoldAnswers],
    targets: Sequence[Target],
    *,
    classes: tuple[str, ...],
    groups: NDArray[np.int64],
    record: TaskRecord,
    beside: Mapping[str, Any],
    seed: int,
) -> Pooled:
    """Every picture by the network that had not seen it; its set of classes by that network's own threshold."""
    labels = class_numbers(targets, classes)
    uncalibrated = Surest(joined(parts, "chances"), joined(parts, "classes"))
    metrics = evaluate(joined(parts, "probabilities"), uncalibrated, labels, classes=classes, groups=groups, seed=seed)
    if not isinstance(record, (ClassificationRecord, TextRecord)) or record.abstention is None:
        return Pooled(metrics=metrics, beside={}, record=record)
    kept = record.abstention
    held, sizes, known = _outcomes(parts, labels)
    measured = tell_abstention(
        held,
        sizes,
        known,
        labels,
        Thresholds.kept(kept),
        classes=classes,
        groups=groups,
        seed=seed,
    )
    told = {
        "measured_coverage": Score.of(measured["coverage"]),
        "mean_set_size": measured["mean_set_size"],
        "known": None if measured["known"] is None else Score.of(measured["known"]),
    }
    return Pooled(
        metrics=metrics,
        beside={"abstention": measured},
        record=record.model_copy(update={"abstention": kept.model_copy(update=told)}),
    )


def average(
    parts: Sequence[FoldAnswers],
    targets: Sequence[Target],
    *,
    classes: tuple[str, ...],
    coverage: float,
    precision: float | None,
) -> TaskRecord:
    """The mean of the probabilities, and a threshold of sets over all pictures, each as the network told it that had not seen it.

    Source: CV+ of Barber et al. 2021, Annals of Statistics 49:486-507, with the mean for the single networks.
    """
    found = find_thresholds(
        joined(parts, "probabilities"), class_numbers(targets, classes), joined(parts, "novelty"), coverage=coverage
    )
    first = parts[0].record
    if not isinstance(first, (ClassificationRecord, TextRecord)) or first.abstention is None:
        raise ValueError(f"a record of {first.kind} where one class a picture is averaged")
    told = {
        "threshold": found.probability,
        "novelty_threshold": found.novelty,
        "calibrated_on": found.calibrated_on,
    }
    return first.model_copy(update={"temperature": 1.0, "abstention": first.abstention.model_copy(update=told)})


def _outcomes(
    parts: Sequence[FoldAnswers], labels: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.bool_] | None]:
    """Whether each set holds the true class, how large it is, and whether the picture is not called unknown, [N] each."""
    held, sizes, known, start = [], [], list[NDArray[np.bool_] | None](), 0
    for part in parts:
        probabilities = part.array("probabilities")
        own = labels[start : start + len(probabilities)]
        start += len(probabilities)
        abstention = part.record.abstention if isinstance(part.record, (ClassificationRecord, TextRecord)) else None
        one, size = held_and_sizes(probabilities, own, 0.0 if abstention is None else abstention.threshold)
        held.append(one)
        sizes.append(size)
        line = None if abstention is None else abstention.novelty_threshold
        known.append(None if line is None else np.asarray(part.array("novelty") <= line))
    told = [one for one in known if one is not None]
    return np.concatenate(held), np.concatenate(sizes), np.concatenate(told) if len(told) == len(known) else None
