"""What a training starts from: a first answer, or nothing. In: Dataset, a backbone or none. Out: Start. Next: strategies.py.

On a pretrained backbone the quick answer always comes first, and fine-tuning goes on from it; a network from scratch has none.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from tellapart.data.dataset import Dataset
from tellapart.data.packed_texts import texts_at
from tellapart.errors import SettingsError
from tellapart.evaluation.choosing import Choice, LinearCandidate, Validated, choose
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.embedding import Embedded, embed_dataset
from tellapart.reporter import percent
from tellapart.runs.run import WORK, keep_first
from tellapart.tasks.task import FirstTerms, LearnedHead, LearnTexts, Task
from tellapart.workflows.learning.session import TrainingSession

if TYPE_CHECKING:
    from tellapart.tasks.prepared import Prepared


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Start:
    """What is known before a network is trained with gradients, and how to prepare it."""

    prepare: Callable[[], Prepared]  # the network to train, which goes on from the first answer
    first: Validated[Any] | None = None  # the answer on the frozen backbone; None: the network begins at random
    chosen: Choice[Any] | None = None  # of several first answers, that one; None where it is the only one
    called: str = ""  # that answer, in a sentence
    choose: Callable[[Validated[Any], Validated[Any]], Choice[Any]] = (
        choose  # of that answer and what the training gives
    )
    untried: Callable[[], str] | None = None  # why nothing is trained beside the answer, where no time was given for it
    embedded: Embedded | None = None  # the pictures by the frozen backbone, where that answer is made of these


def begin(
    session: TrainingSession, task: Task, dataset: Dataset, backbone: ReadyBackbone | None
) -> tuple[Dataset, Start]:
    """The first answer on the backbone, and the data set without the pictures that it cannot be had of.

    None is for a network from scratch. Raises: DataError, SettingsError, BackboneError, TrainingError, StorageError.
    """
    if task.direct is not None:
        return dataset, _directly(session, task, task.direct, dataset)
    if session.run.settings.base is not None:
        from tellapart.workflows.learning.further import prepare_further

        return dataset, Start(prepare=partial(prepare_further, session, task, dataset))
    if backbone is None:
        from tellapart.workflows.learning.scratch import prepare_scratch

        return dataset, Start(prepare=partial(prepare_scratch, session, task, len(dataset.classes)))
    if task.head is not None:
        return dataset, _by_head(session, task, task.head, dataset, backbone)
    return _quick(session, task, dataset, backbone)


def _directly(session: TrainingSession, task: Task, learn: LearnTexts, dataset: Dataset) -> Start:
    """The answer of a task whose items need no backbone; from scratch there is none before its network."""
    began, own = time.monotonic(), task.own
    entries = session.examined.listing.entries
    texts = texts_at(entries, dataset.indices)

    def prepare() -> Prepared:
        if own is None:
            raise SettingsError(f"the task {task.name} has no network to train. Choose --strategy probe.")
        with session.reporter.step("Preparing the network", 1) as advance:
            prepared = own.prepare(session.run.settings, dataset, texts, session.reporter)
            advance(1)
        return prepared

    if session.run.settings.strategy == "scratch":
        return Start(prepare=prepare)
    chosen = learn(session.run.settings, dataset, texts, session.reporter)
    session.seconds["classifier"] = time.monotonic() - began
    start = Start(prepare=prepare, first=chosen.winner, chosen=chosen, called="the first answer")
    if own is None:
        return start
    return replace(
        start,
        choose=lambda _, second: own.choose(chosen, second, dataset),
        untried=lambda: own.untried(session.run.settings, dataset, texts),
    )


def _by_head(
    session: TrainingSession, task: Task, head: LearnedHead, dataset: Dataset, backbone: ReadyBackbone
) -> Start:
    """The first answer of a task with a head of its own, learned on the frozen backbone."""
    settings, reporter = session.run.settings, session.reporter
    if session.early is not None:
        session.early.squares.clear()
    began = time.monotonic()
    candidate = head.first(settings, dataset, backbone, _first_terms(session))
    settings = session.run.settings
    first = task.validate(candidate, dataset)
    session.seconds["first answer"] = time.monotonic() - began
    reporter.say(f"first answer: {first.figure_name.replace('_', ' ')} {percent(first.figure)} on validation")

    def prepare() -> Prepared:
        with reporter.step("Preparing the network", 1) as advance:
            prepared = head.prepare(settings, len(dataset.classes), candidate)
            advance(1)
        return prepared

    return Start(prepare=prepare, first=first, called="the first answer, on the frozen backbone", choose=head.choose)


def _first_terms(session: TrainingSession) -> FirstTerms:
    """Within the run's time; what is planned is kept before it is learned."""

    def keep(*, epochs: int, views: int) -> None:
        session.run = keep_first(session.run, epochs=epochs, views=views)
        session.run.log("planned first answer", epochs=epochs, views=views)

    return FirstTerms(
        work=session.run.folder / WORK / "first",
        device=session.device,
        reporter=session.reporter,
        clock=session.clock,
        keep=keep,
    )


def _quick(session: TrainingSession, task: Task, dataset: Dataset, backbone: ReadyBackbone) -> tuple[Dataset, Start]:
    """The answer without gradients, on the embeddings. Raises: SettingsError for a task that has none."""
    quick, settings = task.quick, session.run.settings
    if quick is None:
        raise SettingsError(f"the task {task.name} has no answer without gradients. Choose --strategy scratch.")
    dataset, embedded = _embed(session, dataset, backbone)
    began = time.monotonic()
    with session.reporter.step("Fitting the classifier", 1) as advance:
        candidate = quick(settings, dataset, embedded)
        advance(1)
    session.seconds["classifier"] = time.monotonic() - began

    def last_layer() -> LinearCandidate:
        """The classifier on the last layer alone, which is all that the trained network has."""
        return quick(settings, dataset, embedded.last()) if embedded.backbone.stages else candidate

    def prepare() -> Prepared:
        from tellapart.workflows.learning.finetune import prepare_finetune

        return prepare_finetune(session, last_layer())

    return dataset, Start(
        prepare=prepare,
        first=task.validate(candidate, dataset),
        called="the classifier on the frozen network",
        embedded=embedded,
    )


def _embed(session: TrainingSession, dataset: Dataset, backbone: ReadyBackbone) -> tuple[Dataset, Embedded]:
    dataset, embedded = embed_dataset(
        dataset,
        backbone,
        session.device,
        session.cache,
        session.reporter,
        engine=session.engine,
        squares=None if session.early is None else session.early.squares,
        afar=session.afar,
    )
    if session.early is not None:
        embedded = session.early.settle(embedded)
    session.seconds["embeddings"] = embedded.seconds
    return dataset, embedded
