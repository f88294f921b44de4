"""Several tests of masks as one. In: FoldAnswers. Out: Pooled. Next: scoring.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import SegmentationRecord, TaskRecord
from tellapart.data.targets import Target
from tellapart.evaluation.abstention import conformal_quantile
from tellapart.tasks.folds import FoldAnswers, Pooled, joined, with_known
from tellapart.tasks.segmentation.judging import JudgedMask
from tellapart.tasks.segmentation.scoring import evaluate

# Of a JudgedMask, what is counted over pictures.
_COUNTED = ("confusion", "borders", "distances", "certain", "true_parts", "told_parts", "things", "confidence")


def judged_as_arrays(judged: Sequence[JudgedMask]) -> dict[str, NDArray[Any]]:
    """What is counted of n pictures, [n, ...] each; their masks are not in it."""
    return {name: np.array([getattr(one, name) for one in judged]) for name in _COUNTED}


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
    """Pixels of every picture by the network that had not seen it, counted together."""
    records = [_record(part.record) for part in parts]
    judged = [one for part in parts for one in _judged(part)]
    metrics = evaluate(
        judged,
        classes=classes,
        common=int(np.sum([one.confusion for one in judged], axis=0).sum(1).argmax()),
        background=_record(record).background,
        groups=groups,
        seed=seed,
    )
    if "abstention" not in beside or any("novelty" not in part.arrays for part in parts):
        return Pooled(metrics=metrics, beside={}, record=record)
    lines = [own.novelty_threshold for own in records]
    return with_known(parts, lines, _record(record), metrics=metrics, beside=beside, groups=groups, seed=seed)


def average(
    parts: Sequence[FoldAnswers],
    targets: Sequence[Target],
    *,
    classes: tuple[str, ...],
    coverage: float,
    precision: float | None,
) -> TaskRecord:
    """The mean of the probabilities of each pixel."""
    told: dict[str, Any] = {"temperature": 1.0, "calibrated_on": len(targets)}
    if all("novelty" in part.arrays for part in parts):
        told["novelty_threshold"] = conformal_quantile(joined(parts, "novelty"), coverage)
    return _record(parts[0].record).model_copy(update=told)


def _judged(part: FoldAnswers) -> list[JudgedMask]:
    """The pictures again, as far as they are counted."""
    columns = [part.array(name) for name in _COUNTED]
    return [
        JudgedMask(
            path="",
            width=0,
            height=0,
            unknown=None,
            novelty=None,
            quality=1.0,
            doubts=[],
            truth=b"",
            answer=b"",
            **dict(zip(_COUNTED, values, strict=True)),
        )
        for values in zip(*columns, strict=True)
    ]


def _record(record: TaskRecord) -> SegmentationRecord:
    if not isinstance(record, SegmentationRecord):
        raise ValueError(f"a record of {record.kind} where masks are pooled")
    return record
