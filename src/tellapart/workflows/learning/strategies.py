"""Which networks a run trains. In: TrainingSession, Dataset. Out: Trained, with the one that is kept. Next: finetune.py.

The quick answer always comes first, unless the network begins at random. Whether fine-tuning follows depends on the
strategy, the time that is left and on whether the first one makes mistakes at all.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from tellapart.data.dataset import Dataset
from tellapart.errors import BackboneError, ForeignCheckpoint, SettingsError, TrainingError
from tellapart.evaluation.choosing import Candidate, Choice, LinearCandidate, Validated, choose, only
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.embedding import Embedded, embed_dataset
from tellapart.reporter import percent
from tellapart.runs.run import WORK
from tellapart.runtime import cores
from tellapart.tasks.task import LearnedHead, Task
from tellapart.training.planning import TooShort, worth_trying
from tellapart.workflows.learning.fit import choose_fit, keep_fit
from tellapart.workflows.learning.session import TrainingSession

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
    if backbone is None:
        keep_fit(session, session.run.settings.network.fit or "crop")
        return _kept(session, task, dataset, _from_scratch(session, task, dataset), None)
    backbone = choose_fit(session, task, dataset, backbone)
    if task.head is not None:
        return _kept(session, task, dataset, _by_head(session, task, task.head, dataset, backbone), None)
    dataset, embedded = embed_dataset(
        dataset,
        backbone,
        session.device,
        session.cache,
        session.reporter,
        engine=session.engine,
        squares=None if session.early is None else session.early.squares,
    )
    if session.early is not None:
        embedded = session.early.settle(embedded)
    session.seconds["embeddings"] = embedded.seconds
    first = _quick(session, task, dataset, embedded)
    return _kept(session, task, dataset, _improve(session, task, dataset, embedded, first), embedded)


def _kept(
    session: TrainingSession, task: Task, dataset: Dataset, choice: Choice[Candidate], embedded: Embedded | None
) -> Trained:
    return Trained(
        dataset=dataset,
        choice=task.correct(session.run.settings, choice, dataset),
        computed=0 if embedded is None else embedded.computed,
        reused=0 if embedded is None else embedded.reused,
        engine=None if embedded is None else embedded.engine,
    )


def _from_scratch(session: TrainingSession, task: Task, dataset: Dataset) -> Choice[Candidate]:
    from tellapart.workflows.learning.gradient import train_network
    from tellapart.workflows.learning.scratch import prepare_scratch, too_short

    began = time.monotonic()
    prepared = prepare_scratch(session, task, len(dataset.classes))
    trained = train_network(session, task, dataset, prepared)
    if isinstance(trained, TooShort):
        raise too_short(session.run.settings.budget, trained)
    session.seconds["training"] = time.monotonic() - began
    return only(task.validate(trained, dataset))


def _quick(session: TrainingSession, task: Task, dataset: Dataset, embedded: Embedded) -> Validated[LinearCandidate]:
    """The answer without gradients, on validation. Raises: SettingsError for a task that has none."""
    if task.quick is None:
        raise SettingsError(f"the task {task.name} has no answer without gradients. Choose --strategy scratch.")
    began = time.monotonic()
    with session.reporter.step("Fitting the classifier", 1) as advance:
        candidate = task.quick(session.run.settings, dataset, embedded)
        advance(1)
    session.seconds["classifier"] = time.monotonic() - began
    return task.validate(candidate, dataset)


def _by_head(
    session: TrainingSession, task: Task, head: LearnedHead, dataset: Dataset, backbone: ReadyBackbone
) -> Choice[Candidate]:
    """The first answer on the frozen backbone, then fine-tuning from it; keep what wins on validation."""
    settings, strategy, reporter = session.run.settings, session.run.settings.strategy, session.reporter
    if session.early is not None:
        session.early.squares.clear()
    began = time.monotonic()
    candidate = head.first(settings, dataset, backbone, session.run.folder / WORK / "first", session.device, reporter)
    first = task.validate(candidate, dataset)
    session.seconds["first answer"] = time.monotonic() - began
    reporter.say(f"first answer: {first.figure_name.replace('_', ' ')} {percent(first.figure)} on validation")
    if strategy == "probe":
        return only(first)
    from tellapart.workflows.learning.finetune import too_short
    from tellapart.workflows.learning.gradient import train_network

    began = time.monotonic()
    try:
        with reporter.step("Preparing the network", 1) as advance:
            prepared = head.prepare(settings, len(dataset.classes), candidate)
            advance(1)
        tuned = train_network(session, task, dataset, prepared)
    except (TrainingError, BackboneError) as error:
        if strategy != "auto":
            raise
        return only(first, f"Kept the first answer, on the frozen backbone: fine-tuning failed, since {error}")
    session.seconds["fine-tuning"] = time.monotonic() - began
    if isinstance(tuned, TooShort):
        return only(first, too_short(tuned))
    second = task.validate(tuned, dataset)
    return head.choose(first, second) if strategy == "auto" else only(second)


def _improve(
    session: TrainingSession, task: Task, dataset: Dataset, embedded: Embedded, first: Validated[LinearCandidate]
) -> Choice[Candidate]:
    """Fine-tune where that was asked for, or may help and fits; keep what wins on validation."""
    strategy = session.run.settings.strategy
    if strategy == "probe":
        return only(first)
    why_not = _why_not(session, dataset, embedded, first.figure) if strategy == "auto" else ""
    if why_not:
        return only(first, why_not)
    from tellapart.workflows.learning.finetune import prepare_finetune, too_short
    from tellapart.workflows.learning.gradient import train_network

    began = time.monotonic()
    try:
        start = _start(session, task, dataset, embedded, first)
        tuned = train_network(session, task, dataset, prepare_finetune(session, start))
    except (TrainingError, BackboneError) as error:
        if strategy != "auto" or isinstance(error, ForeignCheckpoint):  # of which the run can be gone on with
            raise
        return only(first, f"Kept the classifier on the frozen network: fine-tuning failed, since {error}")
    session.seconds["fine-tuning"] = time.monotonic() - began
    if isinstance(tuned, TooShort):
        return only(first, too_short(tuned))
    second = task.validate(tuned, dataset)
    return choose(first, second) if strategy == "auto" else only(second)


def _start(
    session: TrainingSession, task: Task, dataset: Dataset, embedded: Embedded, first: Validated[LinearCandidate]
) -> LinearCandidate:
    """What fine-tuning goes on from: the classifier on the last layer alone, which is all that the trained network has."""
    if task.quick is None or not embedded.backbone.stages:
        return first.candidate
    return task.quick(session.run.settings, dataset, embedded.last())


def _why_not(session: TrainingSession, dataset: Dataset, embedded: Embedded, figure: float) -> str:
    """Why `auto` does not even begin to fine-tune; empty where it does. Nothing heavy is imported to find out."""
    if session.run.planned:
        return ""  # it has begun: a resumed run must not change its mind
    if figure > _MOST_RIGHT:
        return "Not fine-tuned: the classifier on the frozen network already gets every validation picture right."
    left = session.clock.left
    if left is None or session.run.settings.loop.epochs is not None:
        return ""  # no end, or told how long
    pace = 0.013 / cores() if embedded.pace is None else embedded.pace
    worth, needed = worth_trying(train=len(dataset.rows["train"]), seconds_picture=pace, seconds=left)
    if worth:
        return ""
    budget = session.run.settings.budget
    given = f"the budget of {budget}" if budget else f"{session.clock.budget:.0f} s, the default without --budget"
    minutes = max(1, round(2 * needed / 60 + 0.5))
    return (
        f"Not fine-tuned: that takes at least {needed:.0f} s here, and {max(0.0, left):.0f} s are left of {given}. "
        f"It may do better: try --budget {minutes}m."
    )
