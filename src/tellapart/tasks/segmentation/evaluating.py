"""A file that makes masks against pictures with masks. In: answers, targets. Out: JudgedMasks, figures, JSON lines. Next:
testing.py.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.answers.mask_answer import MaskAnswer
from tellapart.answers.predictions import write_lines
from tellapart.bundle import Manifest, SegmentationRecord
from tellapart.data.examples import Entry, Example
from tellapart.data.masks import read_mask
from tellapart.data.targets import MaskFile, Target
from tellapart.evaluation.intervals import Groups
from tellapart.tasks.segmentation.judging import JudgedMask, judge
from tellapart.tasks.segmentation.scoring import evaluate, picture_figures

_DIGITS = 6


def judge_answer(manifest: Manifest, answer: MaskAnswer, target: Target) -> JudgedMask:
    """What is kept of the answer to a picture that could be read: numbers, and small files of both masks.

    Raises: DataError for a mask that is gone, has changed, or is of another size; ValueError for another task's target.
    """
    if not isinstance(target, MaskFile):
        raise ValueError(f"a target of {type(target).__name__} where masks are scored")
    return judge(answer, read_mask(target, manifest.classes), path=answer.path)


def score(
    manifest: Manifest, judged: Sequence[JudgedMask], targets: Sequence[Target], *, groups: Groups | None, seed: int
) -> dict[str, Any]:
    """What a model file says of n pictures that could be read, against their masks; ready for JSON.

    Beside it what telling the class with most pixels everywhere reaches.
    Raises: DataError where no pixel counts.
    """
    background = manifest.record_of(SegmentationRecord).background
    common = int(np.sum([one.confusion for one in judged], axis=0).sum(1).argmax())
    return evaluate(judged, classes=manifest.classes, common=common, background=background, groups=groups, seed=seed)


def write_answers(path: Path, manifest: Manifest, entries: Sequence[Entry], judged: Sequence[JudgedMask]) -> None:
    """What a model file says of n pictures that could be read, as a run's predictions.jsonl has it. Raises: StorageError."""
    write_lines(path, (mask_row(entry, one, manifest.classes) for entry, one in zip(entries, judged, strict=True)))


def mask_row(picture: Entry | Example, judged: JudgedMask, classes: Sequence[str]) -> dict[str, Any]:
    """One picture as predictions.jsonl has it; see runs/answered_masks.py."""
    return {
        "path": str(picture.path),
        "width": judged.width,
        "height": judged.height,
        "confidence": _rounded(judged.confidence),
        "unknown": judged.unknown,
        "novelty": _rounded(judged.novelty),
        **{name: _rounded(value) for name, value in picture_figures(judged).items()},
        "quality": _rounded(judged.quality),
        "doubts": [
            {
                "fault": one.fault,
                "label": classes[one.label],
                "suggested": classes[one.suggested],
                "pixels": one.pixels,
                "certainty": _rounded(one.certainty),
                "box": list(one.box),
            }
            for one in judged.doubts
        ],
        "truth": base64.b64encode(judged.truth).decode("ascii"),
        "answer": base64.b64encode(judged.answer).decode("ascii"),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), _DIGITS)
