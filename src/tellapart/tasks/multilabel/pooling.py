"""Several tests of sets of classes as one. In: FoldAnswers, targets. Out: Pooled. Next: scoring.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import MultilabelRecord, TaskRecord
from tellapart.data.targets import Target, class_sets
from tellapart.evaluation.abstention import conformal_quantile
from tellapart.tasks.folds import FoldAnswers, Pooled, joined, with_known
from tellapart.tasks.multilabel.scoring import evaluate, most_common_set
from tellapart.tasks.multilabel.thresholds import choose_thresholds


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
    """Every picture by the network that had not seen it, its classes named by that network's own thresholds."""
    records = [_record(part.record) for part in parts]
    sets = class_sets(targets, classes)
    metrics = evaluate(
        joined(parts, "probabilities"),
        joined(parts, "uncalibrated"),
        sets,
        classes=classes,
        thresholds=np.concatenate(
            [
                np.tile(np.array(own.thresholds), (len(part.array("probabilities")), 1))
                for own, part in zip(records, parts, strict=True)
            ]
        ),
        common=most_common_set(sets, classes),
        groups=groups,
        seed=seed,
    )
    lines, kept = [own.novelty_threshold for own in records], _record(record)
    pooled = with_known(parts, lines, kept, metrics=metrics, beside=beside, groups=groups, seed=seed)
    return replace(pooled, beside={**pooled.beside, "threshold_rule": kept.threshold_rule})


def average(
    parts: Sequence[FoldAnswers],
    targets: Sequence[Target],
    *,
    classes: tuple[str, ...],
    coverage: float,
    precision: float | None,
) -> TaskRecord:
    """The mean of the probabilities, and thresholds over all pictures, each as the network told it that had not seen it."""
    probabilities = joined(parts, "probabilities")
    lines = choose_thresholds(probabilities, class_sets(targets, classes), precision=precision)
    told = {
        "scales": (1.0,) * len(classes),
        "offsets": (0.0,) * len(classes),
        "thresholds": tuple(lines.values.tolist()),
        "threshold_rule": lines.rule,
        "novelty_threshold": conformal_quantile(joined(parts, "novelty"), coverage),
        "calibrated_on": len(probabilities),
    }
    return _record(parts[0].record).model_copy(update=told)


def _record(record: TaskRecord) -> MultilabelRecord:
    if not isinstance(record, MultilabelRecord):
        raise ValueError(f"a record of {record.kind} where sets of classes are pooled")
    return record
