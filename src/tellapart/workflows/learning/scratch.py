"""Train a network from random weights. In: Dataset, settings. Out: Candidate. Next: job.py."""

from __future__ import annotations

import functools

from tellapart.data.augment import build_augmentation, resolve
from tellapart.data.dataset import Dataset
from tellapart.errors import SettingsError
from tellapart.evaluation.choosing import Candidate
from tellapart.features.shrink import AugmentedPictures
from tellapart.reporter import Reporter
from tellapart.runs.network import build_network
from tellapart.runs.run import Run, replan
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.classification.abstaining import scored_pictures
from tellapart.training.devices import Devices
from tellapart.training.planning import Clock, Plan, plan, reserve_seconds
from tellapart.training.timing import Speed, measure
from tellapart.workflows.learning.finished import finish_network
from tellapart.workflows.learning.fitting import run_job
from tellapart.workflows.learning.job import make_job
from tellapart.workflows.learning.processes import send
from tellapart.workflows.learning.shrunk import shrink_splits

EPOCHS = 30  # where neither epochs nor a budget are given
LEARNING_RATES = {"adamw": 1e-3, "sgd": 5e-2}


def scratch(run: Run, dataset: Dataset, devices: Devices, clock: Clock, reporter: Reporter) -> tuple[Run, Candidate]:
    """Train the network that the settings describe. Raises: SettingsError, TrainingError, StorageError."""
    settings = run.settings
    with reporter.step("Preparing the network", 1) as advance:
        built = build_network(settings, len(dataset.classes))
        size = built.preprocessing.size
        augment = build_augmentation(resolve(**settings.augment.model_dump()), size=size)
        speed = measure(
            built.network,
            start=0,
            shape=(size, size, 3),
            lower=None,
            augment=augment,
            devices=devices,
            batch_size=settings.loop.pictures_at_once,
            preprocessing=built.preprocessing,
            workers=settings.loop.workers,
            test_time_augmentation=settings.network.test_time_augmentation,
            left=clock.left,
        )
        advance(1)
    reserve = reserve_seconds(scored=scored_pictures(dataset), seconds_picture=speed.deployed)
    planned = _plan(settings, dataset, speed, clock, reserve)
    run = replan(run, epochs=planned.epochs, size=size)
    run.log("planned", strategy="scratch", epochs=planned.epochs, seconds=round(planned.seconds, 1))
    squares = shrink_splits(dataset, built.preprocessing, reporter)
    varied = AugmentedPictures(pictures=squares.train, augment=augment, seed=settings.seed)
    job = make_job(
        run,
        squares,
        augment.augmentation,
        network=built.network,
        start=0,
        train=varied,
        validation=squares.validation,
        samples=varied,
        epochs=planned.epochs,
        learning_rate=LEARNING_RATES[settings.loop.optimizer],
        facts={},
        deadline=clock.deadline(reserve),
        title=f"Training {built.name}",
    )
    send(job, devices)
    fitted = run_job(job, devices, reporter, run.log)
    if not fitted.best_epoch:
        raise SettingsError(
            f"--budget {settings.budget} ended before the first epoch did, so there is nothing to test. Give a longer one."
        )
    return run, finish_network(
        built.network,
        strategy="scratch",
        name=built.name,
        preprocessing=built.preprocessing,
        source=built.source,
        license_name=built.license,
        fitted=fitted,
        dataset=dataset,
        folder=run.folder,
        reporter=reporter,
        views=settings.network.test_time_augmentation,
    )


def _plan(settings: TrainSettings, dataset: Dataset, speed: Speed, clock: Clock, reserve: float) -> Plan:
    """How many epochs; `reserve` seconds stay for what comes after them. Raises: SettingsError when there is time for none."""
    fit = functools.partial(
        plan, speed.costs, train=len(dataset.rows("train")), validation=len(dataset.rows("validation")), views=0
    )
    left = None if clock.left is None else clock.left - reserve
    planned = fit(epochs=settings.loop.epochs, default_epochs=EPOCHS if left is None else 1000, seconds=left)
    if planned is None:
        one = fit(epochs=1, default_epochs=1, seconds=None)
        raise SettingsError(
            f"--budget {settings.budget} is too short: one epoch would take about {one.seconds if one else 0.0:.1f} s, and "
            f"{max(0.0, left or 0.0):.1f} s are left between preparing and testing. Give a longer budget, a smaller network or "
            "smaller pictures."
        )
    return planned
