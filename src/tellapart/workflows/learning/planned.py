"""How long a training may be. In: Lesson, Prepared. Out: Planned, also kept by the run, or TooShort. Next: assemble.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tellapart.evaluation.novelty import FIT_PICTURES
from tellapart.runs.run import replan
from tellapart.tasks.lesson import Lesson
from tellapart.tasks.prepared import Prepared
from tellapart.tasks.task import Task
from tellapart.training.learner import Learner
from tellapart.training.planning import Plan, TooShort, cached_views, plan, reserve_seconds
from tellapart.training.timing import Speed, Trial, measure
from tellapart.workflows.learning.session import TrainingSession


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What one training may take."""

    epochs: int
    views: int  # augmented views that the frozen stages see once
    deadline: float | None  # of this process's clock


def plan_training(
    session: TrainingSession, task: Task, lesson: Lesson, prepared: Prepared, *, scored: int
) -> Planned | TooShort:
    """Time the machine, and fill what is left of the budget; a run that was planned before goes on with that plan.

    Where there is no budget, and nothing else ends the run, nothing is timed.

    `scored`: the pictures of validation and test, or parts of them, which the trained network must still look at.
    Raises: TrainingError, SettingsError, StorageError.
    """
    epochs = session.run.settings.loop.epochs if session.run.planned else None
    if session.clock.left is None and not session.run.has_end:
        return _unbounded(session, prepared, epochs)
    train, validation = len(lesson.train_targets), len(lesson.validation_targets)
    with session.reporter.step("Timing the machine", 1) as advance:
        speed = _measure(session, prepared, task.learner(lesson, session.join()), lesson)
        advance(1)
    # A network that was just trained must still look at validation, test, and what novelty is fitted to.
    looked_at = scored + min(train, FIT_PICTURES)
    reserve = reserve_seconds(scored=looked_at, seconds_picture=speed.deployed)
    if epochs is not None:
        # Whatever this machine's pace is today: the epochs that are finished count, and the deadline ends the rest.
        return Planned(epochs=epochs, views=prepared.views or 0, deadline=session.clock.deadline(reserve))
    found = _plan(session, prepared, speed, reserve, train=train, validation=validation)
    if isinstance(found, TooShort):
        session.run.log("too short", seconds=round(found.seconds + found.reserve, 1))
        return found
    _keep(session, prepared, epochs=found.epochs, views=found.views, seconds=round(found.seconds, 1))
    return Planned(epochs=found.epochs, views=found.views, deadline=session.clock.deadline(reserve))


def _unbounded(session: TrainingSession, prepared: Prepared, epochs: int | None) -> Planned:
    """Nothing ends it but its epochs, so it does not matter how long they take: of a large network that takes minutes to find out.

    `epochs`: those of a plan that was made before.
    """
    if epochs is not None:
        return Planned(epochs=epochs, views=prepared.views or 0, deadline=None)
    epochs = session.run.settings.loop.epochs or prepared.epochs
    views = 0 if prepared.lower is None else cached_views(prepared.views, epochs)
    _keep(session, prepared, epochs=epochs, views=views)
    return Planned(epochs=epochs, views=views, deadline=None)


def _keep(session: TrainingSession, prepared: Prepared, *, epochs: int, views: int, **facts: float) -> None:
    """Write the plan into the recipe, then tell it."""
    # From scratch nothing is frozen, so there are no views to speak of.
    looks: dict[str, Any] = {} if prepared.strategy == "scratch" else {"views": views}
    session.run = replan(session.run, epochs=epochs, **looks, **prepared.planned)
    session.run.log("planned", strategy=prepared.strategy, epochs=epochs, **looks, **facts)


def _measure(session: TrainingSession, prepared: Prepared, learner: Learner, lesson: Lesson) -> Speed:
    settings = session.run.settings
    return measure(
        Trial(
            network=prepared.network,
            learner=learner,
            targets=lesson.train_targets[lesson.train_rows],
            start=prepared.start,
            shape=prepared.shape,
        ),
        lower=prepared.lower,
        augment=prepared.augment,
        devices=session.join(),
        batch_size=settings.loop.pictures_at_once,
        preprocessing=prepared.preprocessing,
        workers=settings.loop.workers,
        test_time_augmentation=settings.network.test_time_augmentation,
        reading=prepared.reading,
        left=session.clock.left,
    )


def _plan(
    session: TrainingSession, prepared: Prepared, speed: Speed, reserve: float, *, train: int, validation: int
) -> Plan | TooShort:
    """How many epochs; `reserve` seconds stay for what comes after them."""

    def planned(epochs: int | None, default: int, seconds: float | None) -> Plan | None:
        return plan(
            speed.costs,
            train=train,
            validation=validation,
            epochs=epochs,
            views=prepared.views,
            default_epochs=default,
            seconds=seconds,
        )

    left = session.clock.left
    most = prepared.most_epochs if left is not None and session.clock.fills else prepared.epochs
    found = planned(session.run.settings.loop.epochs, most, None if left is None else left - reserve)
    if found is not None:
        return found
    one = planned(1, 1, None)
    return TooShort(seconds=one.seconds if one else 0.0, left=left or 0.0, reserve=reserve)
