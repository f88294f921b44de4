"""Which classifiers a run trains. In: TrainingSession, Dataset. Out: Trained, with the one that is kept. Next: finetune.py.

The probe always comes first, unless the network begins at random. Whether fine-tuning follows depends on the strategy,
the time that is left and on whether the probe makes mistakes at all.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tellapart.data.dataset import Dataset
from tellapart.data.survey import Examined
from tellapart.errors import BackboneError, TrainingError
from tellapart.evaluation.choosing import Choice, choose, only, validate, with_class_biases
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.cache import Cache
from tellapart.reporter import Reporter
from tellapart.runs.run import Run
from tellapart.runtime import cores
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.classification.probing import Probed, probe
from tellapart.training.planning import Clock, default_budget, report_seconds, worth_trying
from tellapart.workflows.learning.processes import join, send, world_size

if TYPE_CHECKING:
    from tellapart.training.devices import Devices

_MOST_RIGHT = 0.9995  # of the validation split; above it nothing is left that fine-tuning could show


@dataclass(slots=True, kw_only=True, eq=False)
class TrainingSession:
    """What every step of one training needs."""

    run: Run
    examined: Examined
    device: str
    cache: Cache
    clock: Clock
    reporter: Reporter
    started: float
    devices: Devices | None = None  # joined when something is trained with gradients
    seconds: dict[str, float] = field(default_factory=dict)

    def join(self) -> Devices:
        """The devices that train; under a launcher this waits for the other processes."""
        if self.devices is None:
            self.devices = join(self.run.settings, self.device)
        return self.devices

    def leave(self) -> None:
        """Let the other processes go. After an error their launcher stops them."""
        if world_size() > 1:
            from tellapart.training.devices import leave

            send(None, self.join())
            leave(self.join())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """What was kept, and what it was trained on."""

    dataset: Dataset  # without the pictures that turned out to be unusable
    choice: Choice
    computed: int  # pictures that went through the frozen network
    reused: int  # pictures whose embedding was in the cache


def make_clock(settings: TrainSettings, device: str, started: float, *, pictures: int) -> Clock:
    """The budget; a run that is free to choose and was given none keeps to its device's default."""
    report = report_seconds(pictures) if settings.report else 0.0
    seconds = settings.budget_seconds
    if seconds is None and settings.strategy == "auto" and settings.loop.epochs is None:
        seconds = default_budget(device)
    return Clock(seconds, started=started, report=report)


def learn(session: TrainingSession, dataset: Dataset, backbone: ReadyBackbone | None) -> Trained:
    """Train what the settings ask for; `backbone` is None for a network from scratch.

    Raises: DataError, SettingsError, TrainingError, StorageError.
    """
    if backbone is None:
        choice = _corrected(session, dataset, _from_scratch(session, dataset))
        return Trained(dataset=dataset, choice=choice, computed=0, reused=0)
    began = time.monotonic()
    probed = probe(session.run.settings, dataset, backbone, session.device, session.cache, session.reporter)
    session.seconds["embeddings"] = probed.seconds_embedding
    session.seconds["classifier"] = time.monotonic() - began - probed.seconds_embedding
    choice = _corrected(session, probed.dataset, _improve(session, probed.dataset, probed))
    return Trained(dataset=probed.dataset, choice=choice, computed=probed.computed, reused=probed.reused)


def _from_scratch(session: TrainingSession, dataset: Dataset) -> Choice:
    from tellapart.workflows.learning.scratch import scratch

    began = time.monotonic()
    session.run, candidate = scratch(session.run, dataset, session.join(), session.clock, session.reporter)
    session.seconds["training"] = time.monotonic() - began
    rows = dataset.rows("validation")
    return only(validate(candidate, rows, dataset.targets[rows]))


def _improve(session: TrainingSession, dataset: Dataset, probed: Probed) -> Choice:
    """Fine-tune where that was asked for, or may help and fits; keep what wins on validation."""
    settings = session.run.settings
    rows = dataset.rows("validation")
    first = validate(probed.candidate, rows, dataset.targets[rows])
    if settings.strategy == "probe":
        return only(first)
    why_not = _why_not(session, dataset, probed, first.accuracy) if settings.strategy == "auto" else ""
    if why_not:
        return only(first, why_not)
    from tellapart.workflows.learning.finetune import Skipped, finetune

    began = time.monotonic()
    try:
        session.run, tuned = finetune(session.run, dataset, probed, session.join(), session.clock, session.reporter)
    except (TrainingError, BackboneError) as error:
        if settings.strategy != "auto":
            raise
        return only(first, f"Kept the classifier on the frozen network: fine-tuning failed, since {error}")
    session.seconds["fine-tuning"] = time.monotonic() - began
    if isinstance(tuned, Skipped):
        return only(first, tuned.reason)
    second = validate(tuned, rows, dataset.targets[rows])
    return choose(first, second) if settings.strategy == "auto" else only(second)


def _corrected(session: TrainingSession, dataset: Dataset, choice: Choice) -> Choice:
    """The biases of a trained network's classes set on validation, unless it was asked to favour rare classes.

    The probe's need it not: its maximum likelihood on the training pictures names each class as often as it occurs.
    """
    settings = session.run.settings
    favoured = (settings.class_weights, settings.loop.sampling, settings.loop.loss) != (
        "none",
        "natural",
        "cross_entropy",
    )
    if choice.winner.candidate.strategy == "probe" or favoured:
        return choice
    rows = dataset.rows("validation")
    return with_class_biases(choice, rows, dataset.targets[rows])


def _why_not(session: TrainingSession, dataset: Dataset, probed: Probed, accuracy: float) -> str:
    """Why `auto` does not even begin to fine-tune; empty where it does. Nothing heavy is imported to find out."""
    if accuracy > _MOST_RIGHT:
        return "Not fine-tuned: the classifier on the frozen network already gets every validation picture right."
    left = session.clock.left
    if left is None or session.run.settings.loop.epochs is not None:
        return ""  # no end, or planned already: a resumed run must not change its mind
    pace = probed.seconds_embedding / probed.computed if probed.computed else 0.013 / cores()
    worth, needed = worth_trying(train=len(dataset.rows("train")), seconds_picture=pace, seconds=left)
    if worth:
        return ""
    budget = session.run.settings.budget
    given = f"the budget of {budget}" if budget else f"{session.clock.budget:.0f} s, the default without --budget"
    minutes = max(1, round(2 * needed / 60 + 0.5))
    return (
        f"Not fine-tuned: that takes at least {needed:.0f} s here, and {max(0.0, left):.0f} s are left of {given}. "
        f"It may do better: try --budget {minutes}m."
    )
