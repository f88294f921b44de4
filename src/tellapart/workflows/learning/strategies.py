"""Which networks a run trains. In: Dataset, a backbone or none. Out: Trained, with the one that is kept. Next: finetune.py.

Whether fine-tuning follows a first answer depends on the strategy, the time that is left and on whether that answer makes
mistakes at all.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from tellapart.data.dataset import Dataset
from tellapart.errors import BackboneError, ForeignCheckpoint, TrainingError
from tellapart.evaluation.choosing import Candidate, Choice, Validated, only
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.embedding import Embedded
from tellapart.reporter import duration
from tellapart.runtime import cores
from tellapart.tasks.task import Task
from tellapart.training.planning import TooShort, reserve_seconds, worth_trying
from tellapart.workflows.learning.session import TrainingSession
from tellapart.workflows.learning.start import Start, begin

_TOO_LATE = "Not fine-tuned: the budget was used up before it began. Give a longer --budget."
_NO_NETWORK = "No network was trained beside it: the budget does not allow one epoch. Give a longer --budget."
_MOST_RIGHT = 0.9995  # of the validation split; above it nothing is left that fine-tuning could show


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """What was kept, and what it was trained on."""

    dataset: Dataset  # without the pictures that turned out to be unusable
    choice: Choice[Candidate]
    computed: int  # pictures that went through the frozen network
    reused: int  # pictures whose embedding was in the cache
    engine: str | None  # that computed the training pictures' embeddings; None: there are none


def learn(session: TrainingSession, task: Task, dataset: Dataset, backbone: ReadyBackbone | None) -> Trained:
    """Train what the settings ask for; `backbone` is None for a network from scratch.

    Raises: DataError, SettingsError, TrainingError, StorageError.
    """
    dataset, start = begin(session, task, dataset, backbone)
    choice, embedded = _go_on(session, task, dataset, start), start.embedded
    return Trained(
        dataset=dataset,
        choice=task.correct(session.run.settings, choice, dataset),
        computed=0 if embedded is None else embedded.computed,
        reused=0 if embedded is None else embedded.reused,
        engine=None if embedded is None else embedded.engine,
    )


def _go_on(session: TrainingSession, task: Task, dataset: Dataset, start: Start) -> Choice[Candidate]:
    """Train with gradients where that was asked for, or may help and fits; keep what wins on validation."""
    settings, first = session.run.settings, start.first
    free = settings.strategy == "auto"
    if first is not None:
        if settings.strategy == "probe" or (task.direct is not None and not _tries_own(session, task)):
            return _keep(start, first, start.untried() if free and start.untried is not None else "")
        if free and start.embedded is not None:
            why_not = _why_not(session, start.embedded, first.figure, train=len(dataset.rows["train"]))
            if why_not:
                return only(first, why_not)
        if _too_late(session):
            return _keep(start, first, _TOO_LATE if task.own is None else _NO_NETWORK)
    from tellapart.workflows.learning.gradient import train_network

    began = time.monotonic()
    try:
        trained = train_network(session, task, dataset, start.prepare())
    except (TrainingError, BackboneError) as error:
        if first is None or not free or isinstance(error, ForeignCheckpoint):  # of which the run can be gone on with
            raise
        failed = "fine-tuning" if task.own is None else "training a network"
        return _keep(start, first, f"Kept {start.called}: {failed} failed, since {error}")
    session.seconds["training" if first is None else "fine-tuning"] = time.monotonic() - began
    if isinstance(trained, TooShort):
        if first is not None and task.own is not None:
            return _keep(start, first, _no_network(trained))
        return _without(first, settings.budget, trained)
    second = task.validate(trained, dataset)
    return start.choose(first, second) if first is not None and free else only(second)


def _tries_own(session: TrainingSession, task: Task) -> bool:
    """Whether a network of the task's own follows its first answer: where time was given for it, and the strategy is free."""
    settings = session.run.settings
    return task.own is not None and settings.strategy == "auto" and settings.budget is not None


def _keep(start: Start, first: Validated[Any], why: str = "") -> Choice[Candidate]:
    """The first answer, with how it was chosen."""
    if start.chosen is None:
        return only(first, why)
    return replace(start.chosen, reason=" ".join(filter(None, (start.chosen.reason, why))))


def _too_late(session: TrainingSession) -> bool:
    """Whether nothing is left for fine-tuning, not even for finding out how long it would take."""
    left = session.clock.left
    return left is not None and left < reserve_seconds(scored=0, seconds_picture=0.0) and not session.run.planned


def _no_network(found: TooShort) -> str:
    if not found.seconds:
        return _NO_NETWORK
    return (
        f"No network was trained beside it: the budget does not allow one epoch, which takes about {duration(found.seconds)} here. "
        "Give a longer --budget."
    )


def _without(first: Validated[Any] | None, budget: str | None, found: TooShort) -> Choice[Candidate]:
    """The choice where no epoch fits. Raises: SettingsError where there is no first answer to fall back on."""
    from tellapart.workflows.learning import finetune, scratch

    if first is None:
        raise scratch.too_short(budget, found)
    return only(first, finetune.too_short(found))


def _why_not(session: TrainingSession, embedded: Embedded, figure: float, *, train: int) -> str:
    """Why `auto` does not even begin to fine-tune; empty where it does. Nothing heavy is imported to find out."""
    if session.run.planned:
        return ""  # it has begun: a resumed run must not change its mind
    if figure > _MOST_RIGHT:
        return "Not fine-tuned: the classifier on the frozen network already gets every validation picture right."
    left = session.clock.left
    if left is None or session.run.settings.loop.epochs is not None:
        return ""  # no end, or told how long
    pace = 0.013 / cores() if embedded.pace is None else embedded.pace
    worth, needed = worth_trying(train=train, seconds_picture=pace, seconds=left)
    if worth:
        return ""
    budget = session.run.settings.budget
    given = f"the budget of {budget}" if budget else f"{session.clock.budget:.0f} s, the default without --budget"
    minutes = max(1, round(2 * needed / 60 + 0.5))
    return (
        f"Not fine-tuned: that takes at least {needed:.0f} s here, and {max(0.0, left):.0f} s are left of {given}. "
        f"It may do better: try --budget {minutes}m."
    )
