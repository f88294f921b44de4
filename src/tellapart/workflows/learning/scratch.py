"""A network that begins at random. In: settings. Out: Prepared. Next: gradient.py."""

from __future__ import annotations

from tellapart.data.augment import build_augmentation
from tellapart.data.augmentation import resolve
from tellapart.errors import SettingsError
from tellapart.models.trainable import Trainable
from tellapart.preprocessing import fitted
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.prepared import Prepared
from tellapart.tasks.task import Task
from tellapart.training.planning import TooShort
from tellapart.workflows.learning.session import TrainingSession

EPOCHS = 30  # where neither epochs nor a budget are given
_MOST_EPOCHS = 1000
LEARNING_RATES = {"adamw": 1e-3, "adam": 1e-3, "sgd": 5e-2, "rmsprop": 1e-3, "adagrad": 1e-2, "adadelta": 1.0}


def prepare_scratch(session: TrainingSession, task: Task, class_count: int) -> Prepared:
    """The network that the settings describe. Raises: SettingsError."""
    settings = session.run.settings
    with session.reporter.step("Preparing the network", 1) as advance:
        built = task.build(settings, class_count)
        _put_up(built.network, settings, class_count)
        advance(1)
    size = built.preprocessing.size
    side = built.crop or size
    told = settings.network
    preprocessing = fitted(
        built.preprocessing, told.fit or "crop", session.span, overlap=told.overlap or 0, scale=told.scale or 1.0
    )
    return Prepared(
        strategy="scratch",
        network=built.network,
        name=built.name,
        source=built.source,
        license=built.license,
        preprocessing=preprocessing,
        augment=build_augmentation(resolve(**settings.augment.model_dump()), size=side),
        learning_rate=LEARNING_RATES[settings.loop.optimizer],
        epochs=EPOCHS,
        most_epochs=_MOST_EPOCHS,
        shape=(side, side, 3),
        planned={"size": size},
        title=f"Training {built.name}",
    )


def _put_up(network: Trainable, settings: TrainSettings, class_count: int) -> None:
    """What the network has only while it trains. Raises: SettingsError."""
    if settings.network.output != "sigmoid" and not settings.network.auxiliary:
        return
    from tellapart.models.scaffold import add_auxiliary, give_single_output
    from tellapart.models.staged import StagedNetwork

    if isinstance(network, StagedNetwork):
        if settings.network.output == "sigmoid":
            give_single_output(network)
        if settings.network.auxiliary:
            add_auxiliary(network, class_count=class_count, seed=settings.seed + 1)


def too_short(budget: str | None, found: TooShort) -> SettingsError:
    """What to say of a budget that allows no epoch: there is nothing else to fall back on."""
    if not found.seconds:
        return SettingsError(
            f"--budget {budget} ended before the first epoch did, so there is nothing to test. Give a longer one."
        )
    return SettingsError(
        f"--budget {budget} is too short: one epoch would take about {found.seconds:.1f} s, and "
        f"{max(0.0, found.left - found.reserve):.1f} s are left between preparing and testing. Give a longer budget, a "
        "smaller network or smaller pictures."
    )
