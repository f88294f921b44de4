"""What every step of one training needs. In: a run, the clock. Out: TrainingSession. Next: strategies.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tellapart.data.survey import Examined
from tellapart.deep_values import Span
from tellapart.features.afar import Afar
from tellapart.features.cache import Cache
from tellapart.features.engine import EngineChoice
from tellapart.reporter import Reporter
from tellapart.runs.run import Run
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.task import LearnedHead
from tellapart.training.planning import Clock, default_budget, report_seconds
from tellapart.workflows.learning.early import Early
from tellapart.workflows.learning.processes import join, send, world_size

if TYPE_CHECKING:
    from tellapart.training.devices import Devices


@dataclass(slots=True, kw_only=True, eq=False)
class TrainingSession:
    """What every step of one training needs."""

    run: Run
    examined: Examined
    device: str
    engine: EngineChoice  # what embeds training pictures where the device is a CPU
    cache: Cache
    clock: Clock
    reporter: Reporter
    started: float
    early: Early | None = None  # what was begun while the audit was at work
    afar: Afar | None = None  # machines that embed what this one need not
    span: Span | None = None  # what is black and white in pictures of more than 8 bits
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


def make_clock(
    settings: TrainSettings, device: str, started: float, *, pictures: int, head: LearnedHead | None
) -> Clock:
    """The budget; a run that is free to choose and was given none keeps to its device's default."""
    report = report_seconds(pictures) if settings.report else 0.0
    seconds = settings.budget_seconds
    if seconds is None and settings.strategy == "auto" and settings.loop.epochs is None:
        seconds = default_budget(device) if head is None else max(head.budget, default_budget(device))
    return Clock(seconds, started=started, report=report)
