"""Train a network from random weights. In: Dataset, settings. Out: Candidate. Next: gradient.py."""

from __future__ import annotations

from tellapart.data.augment import build_augmentation, resolve
from tellapart.data.dataset import Dataset
from tellapart.errors import SettingsError
from tellapart.evaluation.choosing import Candidate
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.task import Task
from tellapart.workflows.learning.gradient import train_network
from tellapart.workflows.learning.prepared import Prepared, TooShort
from tellapart.workflows.learning.session import TrainingSession

EPOCHS = 30  # where neither epochs nor a budget are given
_MOST_EPOCHS = 1000
LEARNING_RATES = {"adamw": 1e-3, "sgd": 5e-2}


def scratch(session: TrainingSession, task: Task, dataset: Dataset) -> Candidate:
    """Train the network that the settings describe. Raises: SettingsError, TrainingError, StorageError."""
    with session.reporter.step("Preparing the network", 1) as advance:
        prepared = _prepare(session.run.settings, task, len(dataset.classes))
        advance(1)
    trained = train_network(session, task, dataset, prepared)
    if isinstance(trained, TooShort):
        raise _too_short(session.run.settings.budget, trained)
    return trained


def _prepare(settings: TrainSettings, task: Task, class_count: int) -> Prepared:
    built = task.build(settings, class_count)
    size = built.preprocessing.size
    return Prepared(
        strategy="scratch",
        network=built.network,
        name=built.name,
        source=built.source,
        license=built.license,
        preprocessing=built.preprocessing,
        augment=build_augmentation(resolve(**settings.augment.model_dump()), size=size),
        learning_rate=LEARNING_RATES[settings.loop.optimizer],
        epochs=EPOCHS,
        most_epochs=_MOST_EPOCHS,
        shape=(size, size, 3),
        planned={"size": size},
        title=f"Training {built.name}",
    )


def _too_short(budget: str | None, found: TooShort) -> SettingsError:
    if not found.seconds:
        return SettingsError(
            f"--budget {budget} ended before the first epoch did, so there is nothing to test. Give a longer one."
        )
    return SettingsError(
        f"--budget {budget} is too short: one epoch would take about {found.seconds:.1f} s, and "
        f"{max(0.0, found.left - found.reserve):.1f} s are left between preparing and testing. Give a longer budget, a "
        "smaller network or smaller pictures."
    )
