"""What fine-tuning and training from scratch share. In: Prepared, Dataset. Out: Candidate, or why not. Next: job.py.

The pictures are decoded once, the machine is timed, epochs are planned, the network is trained and exported.
"""

from __future__ import annotations

from typing import Any

from tellapart.data.dataset import Dataset
from tellapart.data.examples import SPLITS
from tellapart.evaluation.choosing import Candidate
from tellapart.evaluation.novelty import FIT_PICTURES
from tellapart.features.caching import row_limit_bytes
from tellapart.features.frozen import cache_views
from tellapart.features.shrink import AugmentedPictures
from tellapart.runs.run import replan
from tellapart.storage import cache_folder
from tellapart.tasks.task import Task
from tellapart.training.planning import Plan, plan, reserve_seconds
from tellapart.training.progress import Fitted
from tellapart.training.timing import Speed, measure
from tellapart.workflows.learning.finished import finish_network
from tellapart.workflows.learning.fitting import run_job
from tellapart.workflows.learning.job import Usable, make_job
from tellapart.workflows.learning.prepared import Prepared, TooShort
from tellapart.workflows.learning.processes import send
from tellapart.workflows.learning.session import TrainingSession
from tellapart.workflows.learning.shrunk import ShrunkSplits, shrink_splits


def train_network(session: TrainingSession, task: Task, dataset: Dataset, prepared: Prepared) -> Candidate | TooShort:
    """Train `prepared.network` in place. Raises: DataError, TrainingError, StorageError, SettingsError."""
    shrunk = shrink_splits(dataset, prepared.preprocessing, session.reporter)
    with session.reporter.step("Timing the machine", 1) as advance:
        speed = _measure(session, prepared)
        advance(1)
    reserve = reserve_seconds(scored=_scored(dataset), seconds_picture=speed.deployed)
    planned = _plan(session, shrunk, prepared, speed, reserve)
    if isinstance(planned, TooShort):
        return planned
    # From scratch nothing is frozen, so there are no views to speak of.
    views: dict[str, Any] = {} if prepared.strategy == "scratch" else {"views": planned.views}
    session.run = replan(session.run, epochs=planned.epochs, **views, **prepared.planned)
    session.run.log(
        "planned", strategy=prepared.strategy, epochs=planned.epochs, **views, seconds=round(planned.seconds, 1)
    )
    fitted = _fit(session, task, shrunk, prepared, planned, reserve)
    if not fitted.best_epoch:
        return TooShort(seconds=0.0, left=0.0)
    return finish_network(prepared, fitted, dataset, session.run, session.reporter)


def _measure(session: TrainingSession, prepared: Prepared) -> Speed:
    settings = session.run.settings
    return measure(
        prepared.network,
        start=prepared.start,
        shape=prepared.shape,
        lower=prepared.lower,
        augment=prepared.augment,
        devices=session.join(),
        batch_size=settings.loop.pictures_at_once,
        preprocessing=prepared.preprocessing,
        workers=settings.loop.workers,
        test_time_augmentation=settings.network.test_time_augmentation,
        left=session.clock.left,
    )


def _scored(dataset: Dataset) -> int:
    """How many pictures a network that was just trained must still look at: validation, test, those novelty is fitted to."""
    train, validation, test = ((dataset.splits == split).sum() for split in SPLITS)
    return int(validation + test + min(train, FIT_PICTURES))


def _plan(
    session: TrainingSession, shrunk: ShrunkSplits, prepared: Prepared, speed: Speed, reserve: float
) -> Plan | TooShort:
    """How many epochs; `reserve` seconds stay for what comes after them."""

    def planned(epochs: int | None, default: int, seconds: float | None) -> Plan | None:
        return plan(
            speed.costs,
            train=len(shrunk.train),
            validation=len(shrunk.validation),
            epochs=epochs,
            views=prepared.views,
            default_epochs=default,
            seconds=seconds,
        )

    left = session.clock.left
    most = prepared.epochs if left is None else prepared.most_epochs
    found = planned(session.run.settings.loop.epochs, most, None if left is None else left - reserve)
    if found is not None:
        return found
    one = planned(1, 1, None)
    return TooShort(seconds=one.seconds if one else 0.0, left=left or 0.0, reserve=reserve)


def _fit(
    session: TrainingSession, task: Task, shrunk: ShrunkSplits, prepared: Prepared, planned: Plan, reserve: float
) -> Fitted:
    settings, devices = session.run.settings, session.join()
    varied = AugmentedPictures(pictures=shrunk.train, augment=prepared.augment, seed=settings.seed)
    train, validation = _sources(session, shrunk, varied, prepared, planned.views)
    job = make_job(
        session.run,
        task,
        shrunk,
        prepared.augment.augmentation,
        network=prepared.network,
        start=prepared.start,
        train=train,
        validation=validation,
        samples=varied,
        epochs=planned.epochs,
        learning_rate=prepared.learning_rate,
        facts=dict(prepared.facts),
        deadline=session.clock.deadline(reserve),
        title=prepared.title,
    )
    send(job, devices)
    return run_job(job, devices, session.reporter, session.run.log)


def _sources(
    session: TrainingSession, shrunk: ShrunkSplits, varied: AugmentedPictures, prepared: Prepared, views: int
) -> tuple[Usable, Usable]:
    """What the training reads: pictures varied anew, or what the frozen stages made of them once."""
    if prepared.lower is None:
        return varied, shrunk.validation
    seed = session.run.settings.seed
    with session.reporter.step(
        "Running the frozen stages", len(shrunk.train) * views + len(shrunk.validation)
    ) as advance:
        train, validation = (
            cache_views(
                pictures,
                lower=prepared.lower,
                shape=prepared.shape,
                views=count,
                augment=augment,
                seed=seed,
                folder=cache_folder(),
                limit_bytes=row_limit_bytes(),
                advance=advance,
            )
            for pictures, count, augment in ((shrunk.train, views, varied.augment), (shrunk.validation, 1, None))
        )
    if train.store is None:
        session.reporter.warn(
            f"{views} views of {len(shrunk.train):,} pictures do not fit into the cache, so each epoch computes them "
            "anew. Raise TELLAPART_CACHE_GB, free disk space, or give fewer --views."
        )
    return train, validation
