"""The label doctor: masks. In: settings, Dataset, ReadyBackbone. Out: Doubted. Next: region_doubts.py.

Pictures are dealt into folds, copies together. For each fold a pixel probe on the frozen network learns from the other folds and is
calibrated on a part of them; what it says of its own fold speaks for or against the masks there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.errors import DataError
from tellapart.evaluation.doubts import Doubted, NamedDoubt
from tellapart.features.backbone import ReadyBackbone
from tellapart.reporter import Reporter, counted
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.segmentation.candidates import true_mask, validate
from tellapart.tasks.segmentation.first import first_answer
from tellapart.tasks.segmentation.judging import JudgedMask, judge
from tellapart.tasks.segmentation.region_doubts import RegionDoubt
from tellapart.tasks.segmentation.testing import record_of
from tellapart.training.multilabel_folds import deal_label_sets

FOLDS = 2  # each takes as long as a first answer
_PARTS = 5  # of what a fold's probe may see; one of them calibrates it
_TOLD = 3  # doubts of a picture that are told in words
_WORDS = {
    "missing": "{suggested} missing",
    "surplus": "{label} may be nothing",
    "swapped": "{label} may be {suggested}",
}


def doubt(
    settings: TrainSettings, dataset: Dataset, backbone: ReadyBackbone, work: Path, device: str, reporter: Reporter
) -> Doubted:
    """Judge every mask by a probe that did not see its picture; `settings` as `prefer` and `suit` give them, files go to `work`.

    A picture is named once, with all its doubtful regions. Raises: DataError where no fold has enough to learn from;
    BackboneError, StorageError.
    """
    rows, judged = [], []
    for row, one in _out_of_fold(settings, dataset, backbone, work, device, reporter):
        rows.append(row)
        judged.append(one)
    if not rows:
        raise DataError(
            f"{counted(len(dataset.indices), 'picture')} with masks are too few to judge some by the others. Add pictures, or "
            "leave --labels out."
        )
    wrong = [_named(row, one, dataset.classes) for row, one in zip(rows, judged, strict=True) if one.doubts]
    confusion = np.sum([one.confusion for one in judged], axis=0)
    left = len(dataset.indices) - len(rows)
    return Doubted(
        wrong=tuple(sorted(wrong, key=lambda one: (-one.score, one.row))),
        outliers=(),
        ambiguous=(),
        judged=len(rows),
        agreement=float(np.trace(confusion) / max(1, confusion.sum())),
        lead=(
            f"Masks of {counted(len(rows), 'picture')} judged by pixel probes on the frozen network that had not seen them; "
            f"{counted(len(wrong), 'picture')} to look at."
            + (f" Not judged: {counted(left, 'picture')}, since the others show too little." if left else "")
        ),
    )


def _out_of_fold(
    settings: TrainSettings, dataset: Dataset, backbone: ReadyBackbone, work: Path, device: str, reporter: Reporter
) -> Iterator[tuple[int, JudgedMask]]:
    """Rows of the data set, and what a probe that has not seen them says of each."""
    generator = np.random.default_rng(settings.seed)
    there = (np.asarray(dataset.targets) > 0).astype(np.float64)
    fold_of = deal_label_sets(there, dataset.groups, FOLDS, generator)
    for fold in range(int(fold_of.max(initial=-1)) + 1):
        part = _part(dataset, fold_of == fold, there, generator)
        shown = [(there[part.splits == split] > 0).any(0).sum() for split in ("train", "validation")]
        if shown[0] < 2 or shown[1] < 1 or not len(part.rows["test"]):
            continue
        reporter.say(f"fold {fold + 1} of {FOLDS}: learning from the others")
        candidate = first_answer(settings, part, backbone, work / f"fold {fold}", device, reporter)
        calibration = validate(candidate, part).calibration
        record = record_of(part.classes, calibration, calibrated_on=len(part.rows["validation"]))
        own = part.rows["test"]
        for row, answer in zip(own.tolist(), candidate.answers(part, own, record), strict=True):
            path = str(part.examples[int(part.indices[row])].path)
            yield row, judge(answer, true_mask(part, row), path=path)


def _part(
    dataset: Dataset, own: NDArray[np.bool_], there: NDArray[np.float64], generator: np.random.Generator
) -> Dataset:
    """The data set with the pictures of one fold, bool [N], as test, and the others as train and validation."""
    others = np.flatnonzero(~own)
    splits = np.full(len(own), "test", dtype="<U10")
    parts = deal_label_sets(there[others], dataset.groups[others], _PARTS, generator)
    splits[others] = np.where(parts == 0, "validation", "train")
    return replace(dataset, splits=splits)


def _named(row: int, judged: JudgedMask, classes: Sequence[str]) -> NamedDoubt:
    """All doubts about a picture as one, the weightiest first."""
    first = judged.doubts[0]
    words = [_words(one, classes) for one in judged.doubts]
    more = f" and {len(words) - _TOLD} more" if len(words) > _TOLD else ""
    return NamedDoubt(
        row=row,
        kind=first.fault,
        label=classes[first.label],
        suggested=classes[first.suggested],
        probability_of_label=float("nan"),
        probability_of_suggested=first.certainty,
        score=1 - judged.quality,
        told=", ".join(words[:_TOLD]) + more,
    )


def _words(one: RegionDoubt, classes: Sequence[str]) -> str:
    said = _WORDS[one.fault].format(label=classes[one.label], suggested=classes[one.suggested])
    return f"{said} ({one.pixels:,} pixels at {one.box[0]},{one.box[1]})"
