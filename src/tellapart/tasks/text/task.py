"""One class a text, as one record. In: nothing. Out: TEXT. Next: probing.py.

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
from tellapart.data.split import assign_splits
from tellapart.data.targets import ClassName, class_numbers
from tellapart.errors import SettingsError
from tellapart.tasks.differing_classes import differ, resampled
from tellapart.tasks.probable import probabilities_of
from tellapart.tasks.task import OwnNetwork, Task
from tellapart.tasks.text import telling

if TYPE_CHECKING:
    from tellapart.bundle import Manifest
    from tellapart.data.dataset import Dataset
    from tellapart.data.examples import Entry
    from tellapart.data.targets import Target
    from tellapart.evaluation.choosing import Choice, Validated
    from tellapart.evaluation.doubts import Doubted
    from tellapart.models.build import BuiltNetwork
    from tellapart.models.trainable import Trainable
    from tellapart.reporter import Reporter
    from tellapart.runs.writing import Tested
    from tellapart.settings.space import Space
    from tellapart.settings.tree import Strategy, TrainSettings
    from tellapart.tasks.folds import Pooled
    from tellapart.tasks.lesson import Lesson
    from tellapart.tasks.prepared import Prepared
    from tellapart.tasks.text.candidates import TextCandidate
    from tellapart.tasks.text.word_candidate import WordCandidate
    from tellapart.tasks.text.word_rows import WordRows
    from tellapart.training.devices import Devices
    from tellapart.training.learner import Learner
    from tellapart.training.progress import Fitted

_NO_BACKBONE = (
    "the strategy is finetune, and no network of texts comes trained. Choose --strategy scratch, which trains one, "
    "probe or auto."
)


def _strata(targets: NDArray[Any]) -> NDArray[np.int64]:
    return np.asarray(targets, dtype=np.int64)


def _prefer(settings: TrainSettings) -> TrainSettings:
    """What suits a network of texts, from scratch. Raises: SettingsError for what is about pictures or sets of classes."""
    if settings.strategy == "finetune":
        raise SettingsError(_NO_BACKBONE)
    if settings.backbone != type(settings).model_fields["backbone"].default:
        raise SettingsError(
            f"--backbone is {settings.backbone!r}, a network that looks at pictures, and these are texts. Leave it out; "
            "--embeddings names a network of sentences."
        )
    if settings.base is not None:
        raise SettingsError(
            f"--from {settings.base} trains a network on that takes pictures, and these are texts. Leave it out."
        )
    if settings.precision is not None:
        raise SettingsError(
            f"--precision is {settings.precision:g}, and a text has one class, of which the most probable is named. Leave it out; "
            "`--coverage` says how often the set of likely classes must hold the true one."
        )
    if settings.probe.weighing is not None:
        raise SettingsError(
            f"probe.weighing is {settings.probe.weighing}, which is about a network that looks at pictures. Leave it out."
        )
    if settings.strategy == "scratch":
        from tellapart.tasks.text.suiting import suit_network

        return suit_network(settings)
    if settings.strategy == "auto" and settings.budget is not None:
        from tellapart.tasks.text.suiting import suit_loop

        return suit_loop(settings)
    return settings


def _check(settings: TrainSettings, dataset: Dataset) -> None:
    _prefer(settings)


def _direct(
    settings: TrainSettings, dataset: Dataset, texts: Sequence[str], reporter: Reporter, /
) -> Choice[TextCandidate]:
    from tellapart.tasks.text.candidates import validate
    from tellapart.tasks.text.choosing import choose_texts
    from tellapart.tasks.text.probing import fit

    found = [validate(fit(settings, dataset, texts, reporter), dataset)]
    if settings.embeddings is not None:
        from tellapart.tasks.text.embedding import fit_sentences

        found.append(validate(fit_sentences(settings, dataset, texts, settings.embeddings, reporter), dataset))
    return choose_texts(found, dataset)


def _doubt(texts: Sequence[str], targets: NDArray[Any], groups: Sequence[str], /, **named: Any) -> Doubted:
    from tellapart.tasks.text.doubting import doubt

    return doubt(texts, np.asarray(targets, dtype=np.int64), groups, **named)


def _prepare(settings: TrainSettings, dataset: Dataset, texts: Sequence[str], reporter: Reporter) -> Prepared:
    from tellapart.tasks.text.preparing import prepare

    return prepare(settings, dataset, texts, reporter)


def _finish(prepared: Prepared, fitted: Fitted) -> WordCandidate:
    from tellapart.tasks.text.finishing import finish

    return finish(prepared, fitted)


def _choose(first: Choice[TextCandidate], other: Validated[TextCandidate], dataset: Dataset) -> Choice[TextCandidate]:
    from tellapart.tasks.text.choosing import choose_text

    return choose_text(first, other, dataset)


def _untried(settings: TrainSettings, dataset: Dataset, texts: Sequence[str]) -> str:
    from tellapart.runtime import cores
    from tellapart.tasks.text.untried import why_untried

    train = [texts[row] for row in dataset.rows["train"].tolist()]
    return why_untried(train, settings.network.text, cores=cores())


def _crops(*given: Any, **named: Any) -> WordRows:
    from tellapart.tasks.text.preparing import rows_of_split

    return rows_of_split(*given, **named)


def _space(strategy: Strategy) -> Space:
    from tellapart.tasks.text.space import space

    return space(strategy)


def _build(settings: TrainSettings, class_count: int) -> BuiltNetwork[Trainable]:
    """Raises: SettingsError: a network of texts is made of their words, by `own`."""
    raise SettingsError(
        "a network of texts begins with the words of its training texts. Train it with --strategy scratch."
    )


def _learner(lesson: Lesson, devices: Devices) -> Learner:
    from tellapart.tasks.text.learner import make_learner

    return make_learner(lesson, devices)


def _validate(candidate: TextCandidate, dataset: Dataset) -> Validated[TextCandidate]:
    from tellapart.tasks.text.candidates import validate

    return validate(candidate, dataset)


def _correct(settings: TrainSettings, choice: Choice[TextCandidate], dataset: Dataset) -> Choice[TextCandidate]:
    """Nothing: its maximum likelihood on the training texts names each class as often as it occurs."""
    return choice


def _test(settings: TrainSettings, choice: Choice[TextCandidate], dataset: Dataset) -> Tested:
    from tellapart.tasks.text.testing import test

    return test(settings, choice, dataset)


def _export(choice: Choice[TextCandidate], tested: Tested, manifest: Manifest) -> bytes:
    from tellapart.export.texts import assemble_texts
    from tellapart.tasks.text.averaging import temperatures_of

    candidate = choice.winner.candidate
    return assemble_texts(
        candidate.graphs,
        temperatures=temperatures_of(candidate),
        novelty_scale=tested.details.novelty_scale,
        classes=len(manifest.classes),
        manifest=manifest,
    )


def _pool(*given: Any, **named: Any) -> Pooled:
    from tellapart.tasks.pooled_classes import pool

    return pool(*given, **named)


def _score(
    manifest: Manifest, answers: Sequence[Any], targets: Sequence[Target], *, groups: NDArray[Any], seed: int
) -> dict[str, Any]:
    from tellapart.tasks.tested_classes import score

    encoded = class_numbers(targets, manifest.classes)
    return score(manifest, *probabilities_of(answers), encoded, groups=groups, seed=seed)


def _write_answers(path: Path, manifest: Manifest, entries: Sequence[Entry], answers: Sequence[Any]) -> None:
    from tellapart.tasks.tested_classes import write_answers

    write_answers(path, manifest, entries, probabilities_of(answers)[0])


def _sections(*given: Any, **named: Any) -> Any:
    from tellapart.tasks.text.sections import sections

    return sections(*given, **named)


def _reopen(*given: Any) -> Any:
    """Raises: SettingsError: what is made smaller are networks that take pictures."""
    raise SettingsError(
        "this model is of texts, and networks that take pictures alone are made smaller. Of a network of texts the file is "
        "smaller with fewer numbers a word (network.text.embedding) or fewer words (network.text.vocabulary)."
    )


TEXT = Task(
    name="text",
    headline="accuracy",
    watched=("accuracy",),
    answering=ANSWERINGS["text"],
    kind=ClassName,
    encode=class_numbers,
    strata=_strata,
    split=assign_splits,
    folds=assign_folds,
    check=_check,
    quick=None,
    direct=_direct,
    doubt_texts=_doubt,
    own=OwnNetwork(prepare=_prepare, finish=_finish, choose=_choose, untried=_untried),
    crops=_crops,
    prefer=_prefer,
    space=_space,
    build=_build,
    learner=_learner,
    validate=_validate,
    correct=_correct,
    test=_test,
    export=_export,
    ends=("logits",),
    reopen=_reopen,
    differ=differ,
    resampled=resampled,
    pool=_pool,
    score=_score,
    write_answers=_write_answers,
    telling=telling,
    sections=_sections,
)
