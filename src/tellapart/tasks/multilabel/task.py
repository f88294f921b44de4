"""A set of classes a picture, as one record. In: nothing. Out: MULTILABEL. Next: probing.py.

Every function imports its part when it is called: the table of tasks must cost nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.table import ANSWERINGS
from tellapart.data.folds import assign_folds
from tellapart.data.stratify import assign_label_sets
from tellapart.data.targets import ClassNames, class_sets
from tellapart.errors import SettingsError
from tellapart.tasks.multilabel import telling
from tellapart.tasks.probable import ENDS, export_linear, probabilities_of, reopen_linear
from tellapart.tasks.task import Task

if TYPE_CHECKING:
    from tellapart.bundle import Manifest, TaskRecord
    from tellapart.data.dataset import Dataset
    from tellapart.data.examples import Entry
    from tellapart.data.targets import Target
    from tellapart.evaluation.choosing import Choice, LinearCandidate, Validated
    from tellapart.evaluation.differences import Difference, Resampling
    from tellapart.evaluation.doubts import Doubted
    from tellapart.features.embedding import Embedded
    from tellapart.models.build import BuiltNetwork
    from tellapart.models.staged import StagedNetwork
    from tellapart.runs.writing import Tested
    from tellapart.settings.tree import TrainSettings
    from tellapart.tasks.folds import Pooled
    from tellapart.tasks.lesson import Lesson
    from tellapart.training.devices import Devices
    from tellapart.training.learner import Learner


def _strata(targets: NDArray[Any]) -> NDArray[np.int64]:
    """The combination of classes of each picture, int64 [N]."""
    return np.asarray(np.unique(targets == 1, axis=0, return_inverse=True)[1], dtype=np.int64).reshape(-1)


def _check(settings: TrainSettings, dataset: Dataset) -> None:
    """Raises: DataError that names the classes that all training pictures show, or of which none is known not to; SettingsError."""
    if settings.loop.loss in ("hinge", "mean_squared_error"):
        raise SettingsError(
            f"loop.loss is {settings.loop.loss}, which is for one class a picture; a set of classes is learned by cross_entropy, "
            "focal or asymmetric. Choose one of these."
        )
    if settings.network.output is not None:
        raise SettingsError(
            f"network.output is {settings.network.output}, and of a set of classes each has a sigmoid of its own. Leave it out."
        )
    from tellapart.training.multilabel_probe import check_targets

    check_targets(dataset.targets[dataset.rows["train"]], dataset.classes)


def _quick(settings: TrainSettings, dataset: Dataset, embedded: Embedded) -> LinearCandidate:
    from tellapart.tasks.multilabel.probing import fit

    return fit(settings, dataset, embedded)


def _labels_right(targets: NDArray[Any], logits: NDArray[Any]) -> NDArray[np.float64]:
    """The share of the known labels of each picture that are told right, 1 where none is known."""
    known = ~np.isnan(targets)
    right = ((logits > 0) == (targets == 1)) & known
    return np.where(known.any(axis=1), right.sum(axis=1) / np.maximum(known.sum(axis=1), 1), 1.0)


def _build(settings: TrainSettings, class_count: int) -> BuiltNetwork[StagedNetwork]:
    from tellapart.runs.network import build_network

    return build_network(settings, class_count)


def _learner(lesson: Lesson, devices: Devices) -> Learner:
    from tellapart.tasks.multilabel.learner import make_learner

    return make_learner(lesson, devices)


def _validate(candidate: LinearCandidate, dataset: Dataset) -> Validated[LinearCandidate]:
    from tellapart.tasks.multilabel.candidates import validate

    return validate(candidate, dataset)


def _correct(settings: TrainSettings, choice: Choice[LinearCandidate], dataset: Dataset) -> Choice[LinearCandidate]:
    from tellapart.tasks.multilabel.candidates import correct

    return correct(settings, choice, dataset)


def _test(settings: TrainSettings, choice: Choice[LinearCandidate], dataset: Dataset) -> Tested:
    from tellapart.tasks.multilabel.testing import test

    return test(settings, choice, dataset)


def _pool(*given: Any, **named: Any) -> Pooled:
    from tellapart.tasks.multilabel.pooling import pool

    return pool(*given, **named)


def _average(*given: Any, **named: Any) -> TaskRecord:
    from tellapart.tasks.multilabel.pooling import average

    return average(*given, **named)


def _score(
    manifest: Manifest, answers: Sequence[Any], targets: Sequence[Target], *, groups: NDArray[Any], seed: int
) -> dict[str, Any]:
    from tellapart.tasks.multilabel.testing import score

    encoded = class_sets(targets, manifest.classes)
    return score(manifest, *probabilities_of(answers), encoded, groups=groups, seed=seed)


def _differ(before: Any, after: Any) -> Difference:
    from tellapart.tasks.multilabel.differing import differ

    return differ(before, after)


def _resampled(
    manifest: Manifest, answers: Sequence[Any], targets: Sequence[Target], numbers: NDArray[np.int64]
) -> Resampling:
    from tellapart.tasks.multilabel.differing import resampled

    return resampled(manifest, answers, targets, numbers)


def _of_picture(manifest: Manifest, answer: Any, target: Target) -> float:
    from tellapart.tasks.multilabel.differing import picture_f1

    return picture_f1(manifest, answer, target)


def _write_answers(path: Path, manifest: Manifest, entries: Sequence[Entry], answers: Sequence[Any]) -> None:
    from tellapart.tasks.multilabel.testing import write_answers

    write_answers(path, manifest, entries, probabilities_of(answers)[0])


def _doubt(*given: Any, **named: Any) -> Doubted:
    from tellapart.tasks.multilabel.doubting import doubt

    return doubt(*given, **named)


def _sections(*given: Any, **named: Any) -> Any:
    from tellapart.tasks.multilabel.sections import sections

    return sections(*given, **named)


MULTILABEL = Task(
    name="multilabel",
    headline="mean_average_precision",
    watched=("mAP",),
    answering=ANSWERINGS["multilabel"],
    kind=ClassNames,
    encode=class_sets,
    strata=_strata,
    split=assign_label_sets,
    folds=assign_folds,
    check=_check,
    quick=_quick,
    scores=("labels_right", _labels_right),
    build=_build,
    learner=_learner,
    validate=_validate,
    correct=_correct,
    test=_test,
    export=export_linear,
    pool=_pool,
    average=_average,
    score=_score,
    ends=ENDS,
    reopen=reopen_linear,
    differ=_differ,
    resampled=_resampled,
    picture=("f1", _of_picture),
    write_answers=_write_answers,
    telling=telling,
    sections=_sections,
    doubt=_doubt,
)
