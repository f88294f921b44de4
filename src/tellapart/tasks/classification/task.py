"""One class a picture, as one record. In: nothing. Out: CLASSIFICATION. Next: probing.py.

Every function imports its part when it is called: the table of tasks must cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.table import ANSWERINGS
from tellapart.data.folds import assign_folds
from tellapart.data.split import assign_splits
from tellapart.data.targets import ClassName, class_numbers
from tellapart.errors import SettingsError
from tellapart.tasks.classification import telling
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
    return np.asarray(targets, dtype=np.int64)


def _check(settings: TrainSettings, dataset: Dataset) -> None:
    """Raises: SettingsError for what is looked at only where a picture has several classes."""
    if settings.precision is not None:
        raise SettingsError(
            f"--precision is {settings.precision:g}, and these pictures have one class each, of which the most probable is "
            "named. Leave it out; `--coverage` says how often the set of likely classes must hold the true one."
        )
    if settings.loop.loss == "asymmetric":
        raise SettingsError(
            "loop.loss is asymmetric, which is for several classes a picture; one class a picture is learned by "
            "cross_entropy, focal, hinge, mean_squared_error or binary_cross_entropy. Choose one of these."
        )
    if settings.network.output == "sigmoid" and len(dataset.classes) != 2:
        raise SettingsError(
            f"network.output is sigmoid, one number for two classes, and there are {len(dataset.classes)}. Leave it out, or choose "
            "softmax."
        )


def _quick(settings: TrainSettings, dataset: Dataset, embedded: Embedded) -> LinearCandidate:
    from tellapart.tasks.classification.probing import fit

    return fit(settings, dataset, embedded)


def _refit(dataset: Dataset, embedded: Embedded) -> Callable[[TrainSettings], LinearCandidate | None]:
    from tellapart.tasks.classification.probing import refit

    return refit(dataset, embedded)


def _right(targets: NDArray[Any], logits: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(logits.argmax(axis=1) == targets, dtype=np.float64)


def _build(settings: TrainSettings, class_count: int) -> BuiltNetwork[StagedNetwork]:
    from tellapart.runs.network import build_network

    return build_network(settings, class_count)


def _learner(lesson: Lesson, devices: Devices) -> Learner:
    from tellapart.tasks.classification.learner import make_learner

    return make_learner(lesson, devices)


def _validate(candidate: LinearCandidate, dataset: Dataset) -> Validated[LinearCandidate]:
    from tellapart.tasks.classification.candidates import validate

    return validate(candidate, dataset)


def _correct(settings: TrainSettings, choice: Choice[LinearCandidate], dataset: Dataset) -> Choice[LinearCandidate]:
    from tellapart.tasks.classification.candidates import correct

    return correct(settings, choice, dataset)


def _test(settings: TrainSettings, choice: Choice[LinearCandidate], dataset: Dataset) -> Tested:
    from tellapart.tasks.classification.testing import test

    return test(settings, choice, dataset)


def _pool(*given: Any, **named: Any) -> Pooled:
    from tellapart.tasks.pooled_classes import pool

    return pool(*given, **named)


def _average(*given: Any, **named: Any) -> TaskRecord:
    from tellapart.tasks.pooled_classes import average

    return average(*given, **named)


def _score(
    manifest: Manifest, answers: Sequence[Any], targets: Sequence[Target], *, groups: NDArray[Any], seed: int
) -> dict[str, Any]:
    from tellapart.tasks.tested_classes import score

    encoded = class_numbers(targets, manifest.classes)
    return score(manifest, *probabilities_of(answers), encoded, groups=groups, seed=seed)


def _differ(before: Any, after: Any) -> Difference:
    from tellapart.tasks.differing_classes import differ

    return differ(before, after)


def _resampled(
    manifest: Manifest, answers: Sequence[Any], targets: Sequence[Target], numbers: NDArray[np.int64]
) -> Resampling:
    from tellapart.tasks.differing_classes import resampled

    return resampled(manifest, answers, targets, numbers)


def _write_answers(path: Path, manifest: Manifest, entries: Sequence[Entry], answers: Sequence[Any]) -> None:
    from tellapart.tasks.tested_classes import write_answers

    write_answers(path, manifest, entries, probabilities_of(answers)[0])


def _doubt(*given: Any, **named: Any) -> Doubted:
    from tellapart.tasks.classification.doubting import doubt

    return doubt(*given, **named)


def _sections(*given: Any, **named: Any) -> Any:
    from tellapart.tasks.classification.sections import sections

    return sections(*given, **named)


CLASSIFICATION = Task(
    name="classification",
    headline="accuracy",
    watched=("accuracy",),
    answering=ANSWERINGS["classification"],
    kind=ClassName,
    encode=class_numbers,
    strata=_strata,
    split=assign_splits,
    folds=assign_folds,
    check=_check,
    quick=_quick,
    refit=_refit,
    scores=("accuracy", _right),
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
    write_answers=_write_answers,
    telling=telling,
    sections=_sections,
    doubt=_doubt,
)
