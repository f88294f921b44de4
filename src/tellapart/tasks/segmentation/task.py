"""A class a pixel, as one record. In: nothing. Out: SEGMENTATION. Next: decoders.py.

Every function imports its part when it is called: the table of tasks must cost nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.table import ANSWERINGS
from tellapart.data.stratify_masks import assign_masks, fold_masks
from tellapart.data.targets import MaskFile, class_shares
from tellapart.errors import DataError
from tellapart.models.catalog import EMBEDDED
from tellapart.settings.space import TriedRange, TriedValues
from tellapart.tasks.segmentation import telling
from tellapart.tasks.spaces import headed
from tellapart.tasks.task import FirstTerms, LearnedHead, Task

if TYPE_CHECKING:
    from pathlib import Path

    from tellapart.bundle import Manifest, TaskRecord
    from tellapart.data.augment import Augment
    from tellapart.data.dataset import Dataset
    from tellapart.data.examples import Entry, Split
    from tellapart.data.targets import Target
    from tellapart.evaluation.choosing import Choice, Validated
    from tellapart.evaluation.differences import Difference, Resampling
    from tellapart.evaluation.doubts import Doubted
    from tellapart.features.backbone import ReadyBackbone
    from tellapart.models.build import BuiltNetwork
    from tellapart.reporter import Reporter
    from tellapart.runs.writing import Tested
    from tellapart.settings.tree import TrainSettings
    from tellapart.tasks.folds import Pooled
    from tellapart.tasks.lesson import Lesson
    from tellapart.tasks.prepared import Prepared, Reopened
    from tellapart.tasks.segmentation.candidates import PixelCandidate
    from tellapart.tasks.segmentation.crops import Crops
    from tellapart.tasks.segmentation.network import SegmentationNetwork
    from tellapart.training.devices import Devices
    from tellapart.training.learner import Learner
    from tellapart.training.progress import Fitted

_BUDGET = 900.0  # seconds: a network of pixels on two cores needs minutes, where a classifier needs one


def _strata(targets: NDArray[Any]) -> NDArray[np.int64]:
    """Of shares [N, K] the class of each picture that covers least over all, int64 [N]; K where nothing counts."""
    shown, whole = targets > 0, targets.sum(0)
    rare = np.where(shown, whole, np.inf).argmin(1)
    return np.asarray(np.where(shown.any(1), rare, targets.shape[1]), dtype=np.int64)


def _check(settings: TrainSettings, dataset: Dataset) -> None:
    """Raises: DataError where a split has no pixel that counts, or training one class alone."""
    for split, rows in dataset.rows.items():
        shares = dataset.targets[rows]
        if len(rows) and not shares.any():
            raise DataError(
                f"0 of {len(rows)} pictures of the {split} split have a pixel that counts; 1 must. Add pictures with masks to it."
            )
    found = np.flatnonzero(dataset.targets[dataset.rows["train"]].any(0))
    if len(found) < 2:
        raise DataError(
            f"every pixel of the training pictures that counts is {dataset.classes[int(found[0])]!r}; there must be 2 classes. "
            "Add masks that show another one."
        )


def _build(settings: TrainSettings, class_count: int) -> BuiltNetwork[SegmentationNetwork]:
    from tellapart.tasks.segmentation.starting import build_from_scratch

    return build_from_scratch(settings, class_count)


def _prefer(settings: TrainSettings) -> TrainSettings:
    from tellapart.tasks.segmentation.starting import prefer

    return prefer(settings)


def _suit(settings: TrainSettings, dataset: Dataset) -> TrainSettings:
    from tellapart.tasks.segmentation.starting import suit

    return suit(settings, dataset)


def _crops(dataset: Dataset, split: Split, prepared: Prepared, *, augment: Augment | None, seed: int) -> Crops:
    from tellapart.tasks.segmentation.starting import parts_of

    return parts_of(dataset, split, prepared.preprocessing, size=prepared.shape[0], augment=augment, seed=seed)


def _learner(lesson: Lesson, devices: Devices) -> Learner:
    from tellapart.tasks.segmentation.learner import teach

    return teach(lesson, devices)


def _first(settings: TrainSettings, dataset: Dataset, backbone: ReadyBackbone, terms: FirstTerms) -> PixelCandidate:
    from tellapart.tasks.segmentation.first import first_answer

    return first_answer(settings, dataset, backbone, terms.work, terms.device, terms.reporter)


def _doubt(
    settings: TrainSettings, dataset: Dataset, backbone: ReadyBackbone, work: Path, device: str, reporter: Reporter
) -> Doubted:
    from tellapart.tasks.segmentation.doubting import doubt

    return doubt(settings, dataset, backbone, work, device, reporter)


def _prepare(settings: TrainSettings, class_count: int, first: PixelCandidate) -> Prepared:
    from tellapart.tasks.segmentation.starting import prepare_finetune

    return prepare_finetune(settings, class_count, first)


def _finish(prepared: Prepared, fitted: Fitted, work: Path) -> PixelCandidate:
    from tellapart.tasks.segmentation.finishing import finish

    return finish(prepared, fitted, work)


def _again(weights: Path, manifest: Manifest, settings: TrainSettings) -> Reopened:
    from tellapart.tasks.segmentation.rebuilding import again

    return again(weights, manifest, settings)


def _close(prepared: Prepared, folder: Path) -> PixelCandidate:
    from tellapart.tasks.segmentation.finishing import close

    return close(prepared, folder)


def _choose(first: Validated[PixelCandidate], other: Validated[PixelCandidate]) -> Choice[PixelCandidate]:
    from tellapart.tasks.segmentation.candidates import choose

    return choose(first, other)


def _validate(candidate: PixelCandidate, dataset: Dataset) -> Validated[PixelCandidate]:
    from tellapart.tasks.segmentation.candidates import validate

    return validate(candidate, dataset)


def _correct(settings: TrainSettings, choice: Choice[PixelCandidate], dataset: Dataset) -> Choice[PixelCandidate]:
    """The same choice: its temperature was found when it was validated."""
    return choice


def _test(settings: TrainSettings, choice: Choice[PixelCandidate], dataset: Dataset) -> Tested:
    from tellapart.tasks.segmentation.testing import test

    return test(settings, choice, dataset)


def _export(choice: Choice[PixelCandidate], tested: Tested, manifest: Manifest) -> bytes:
    from tellapart.tasks.segmentation.testing import export

    return export(choice, tested, manifest)


def _judge(manifest: Manifest, answer: Any, target: Target) -> Any:
    from tellapart.tasks.segmentation.evaluating import judge_answer

    return judge_answer(manifest, answer, target)


def _pool(*given: Any, **named: Any) -> Pooled:
    from tellapart.tasks.segmentation.pooling import pool

    return pool(*given, **named)


def _average(*given: Any, **named: Any) -> TaskRecord:
    from tellapart.tasks.segmentation.pooling import average

    return average(*given, **named)


def _score(
    manifest: Manifest, answers: Sequence[Any], targets: Sequence[Target], *, groups: NDArray[Any], seed: int
) -> dict[str, Any]:
    from tellapart.tasks.segmentation.evaluating import score

    return score(manifest, answers, targets, groups=groups, seed=seed)


def _reopen(model: bytes, backbone: ReadyBackbone, strategy: str, embeddings: Any) -> PixelCandidate:
    from tellapart.tasks.segmentation.candidates import PixelCandidate

    return PixelCandidate(strategy=strategy, backbone=backbone, pretrained=backbone, details={})


def _differ(before: Any, after: Any) -> Difference:
    from tellapart.tasks.segmentation.differing import differ

    return differ(before, after)


def _resampled(
    manifest: Manifest, answers: Sequence[Any], targets: Sequence[Target], numbers: NDArray[np.int64]
) -> Resampling:
    from tellapart.tasks.segmentation.differing import resampled

    return resampled(manifest, answers, targets, numbers)


def _of_picture(manifest: Manifest, answer: Any, target: Target) -> float:
    from tellapart.tasks.segmentation.differing import picture_overlap

    return picture_overlap(manifest, answer, target)


def _write_answers(path: Path, manifest: Manifest, entries: Sequence[Entry], answers: Sequence[Any]) -> None:
    from tellapart.tasks.segmentation.evaluating import write_answers

    write_answers(path, manifest, entries, answers)


def _sections(*given: Any, **named: Any) -> Any:
    from tellapart.tasks.segmentation.sections import sections

    return sections(*given, **named)


def _region_heat(*given: Any) -> NDArray[np.float32]:
    from tellapart.tasks.segmentation.region_heat import region_heat

    return region_heat(*given)


SEGMENTATION = Task(
    name="segmentation",
    headline="iou",
    watched=("iou", "dice", "pixel_accuracy"),
    answering=ANSWERINGS["segmentation"],
    kind=MaskFile,
    encode=class_shares,
    strata=_strata,
    split=assign_masks,
    folds=fold_masks,
    check=_check,
    prefer=_prefer,
    suit=_suit,
    quick=None,
    head=LearnedHead(
        first=_first,
        prepare=_prepare,
        finish=_finish,
        choose=_choose,
        budget=_BUDGET,
        again=_again,
        close=_close,
        doubt=_doubt,
    ),
    build=_build,
    space=headed(
        probe={
            "backbone": TriedValues(values=EMBEDDED),
            "network.size": TriedValues(values=(256, 384, 512)),
        },
        finetune={
            "loop.learning_rate": TriedRange(low=1e-4, high=2e-3, logarithmic=True),
            "loop.head_learning_rate": TriedRange(low=3e-4, high=3e-3, logarithmic=True),
            "loop.loss": TriedValues(values=("cross_entropy", "focal", "tversky", "lovasz")),
            "network.decoder": TriedValues(values=("unet", "fpn", "deeplabv3plus")),
            "augment.elastic": TriedRange(low=0.0, high=0.05),
        },
        scratch={
            "loop.learning_rate": TriedRange(low=1e-4, high=3e-3, logarithmic=True),
            "loop.loss": TriedValues(values=("cross_entropy", "focal", "tversky", "lovasz")),
            "network.decoder": TriedValues(values=("unet", "fpn", "deeplabv3plus")),
            "augment.elastic": TriedRange(low=0.0, high=0.05),
        },
    ),
    crops=_crops,
    learner=_learner,
    validate=_validate,
    correct=_correct,
    test=_test,
    export=_export,
    pool=_pool,
    average=_average,
    judge=_judge,
    score=_score,
    ends=("logits", "embedding"),
    reopen=_reopen,
    differ=_differ,
    resampled=_resampled,
    picture=("iou", _of_picture),
    write_answers=_write_answers,
    telling=telling,
    sections=_sections,
    region_heat=_region_heat,
)
