"""Several processes of a Ray cluster train one run. In: TrainSettings, TogetherPlan. Out: TrainResult. Next: train.py.

Each process does what it would under torchrun: process 0 audits, plans, tests and writes, the others help with the gradient. So the
result is the same to the last bit. Here they are begun, listened to, and begun again where one is lost.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.errors import MachineError, SettingsError
from tellapart.reporter import Reporter
from tellapart.runs.result import TrainResult
from tellapart.runs.run import Run, with_absolute_inputs
from tellapart.settings.tree import TrainSettings
from tellapart.storage import cache_folder
from tellapart.workflows.scaling.connection import connected
from tellapart.workflows.scaling.launch import TOLD, Launch, launching
from tellapart.workflows.scaling.telling import Retelling
from tellapart.workflows.scaling.together import Together, WorkerShare, share_out
from tellapart.workflows.take_part import TrainingOrder, begun_run, take_part

_LISTEN_SECONDS = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class TogetherPlan:
    """By whom a run is trained."""

    address: str  # of a Ray cluster
    workers: int | None = None  # None: one for each GPU, without any one for each machine
    cpus: int | None = None  # of each; None: as many as there are


def train_together(
    settings: TrainSettings,
    plan: TogetherPlan,
    *,
    reporter: Reporter,
    told: Callable[[TrainResult], None] | None = None,
) -> TrainResult:
    """Train a new run on a Ray cluster; `told` is as for `workflows.train.train`.

    Raises: SettingsError for what cannot be trained so, or where a process does not see what it must; MachineError where processes
    are lost again and again; else as `workflows.train.train`.
    """
    settings = with_absolute_inputs(settings).model_copy(update={"out": os.path.abspath(settings.out)})
    return _train(settings, plan, reporter, told)


def resume_together(
    opened: Run,
    plan: TogetherPlan,
    *,
    reporter: Reporter,
    changes: Mapping[str, Any] | None = None,
    told: Callable[[TrainResult], None] | None = None,
) -> TrainResult:
    """Go on with a run that was stopped, and opened and let go of again; any processes may have begun it.

    `changes` are settings that nothing learned depends on. Raises: as `train_together`.
    """
    folder = opened.folder.absolute()
    return _train(opened.settings, plan, reporter, told, run=folder, changes=dict(changes or {}))


def check_together(settings: TrainSettings, plan: TogetherPlan) -> None:
    """Raises: SettingsError for what several processes have no use for."""
    if plan.workers is not None and plan.workers < 1:
        raise SettingsError(
            f"--workers is {plan.workers}; it is how many processes train together, 1 or more. Give another number."
        )
    if plan.cpus is not None and plan.cpus < 1:
        raise SettingsError(
            f"--cpus is {plan.cpus}; it is how many CPUs of the Ray cluster each process gets, 1 or more. Give another number."
        )
    if settings.strategy == "probe" and (plan.workers, plan.cpus) != (None, None):
        flag = "--workers" if plan.workers is not None else "--cpus"
        raise SettingsError(
            f"{flag} is for several processes that train with gradients, and the strategy is probe, which one process fits while "
            "the cluster opens the pictures for it. Leave it out, or give --strategy finetune or scratch."
        )


def _train(
    settings: TrainSettings,
    plan: TogetherPlan,
    reporter: Reporter,
    told: Callable[[TrainResult], None] | None,
    *,
    run: Path | None = None,
    changes: Mapping[str, Any] | None = None,
) -> TrainResult:
    check_together(settings, plan)
    with contextlib.ExitStack() as last, connected(plan.address, reporter):
        import ray

        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        share = share_out(nodes, workers=plan.workers, cpus=plan.cpus, device=settings.device)
        out = Path(settings.out) if run is None else run.parent
        launch = last.enter_context(launching(out, cache_folder()))  # which goes when all processes have ended
        order = TrainingOrder(
            launch=launch,
            given=settings.model_dump(mode="json", exclude_unset=True),
            run=run,
            changes=changes or {},
            seen=_seen(settings, launch),
            cache=str(cache_folder()),
            on_cpu=not share.gpus,
        )
        with _going_on_told(order, plan.address, share.workers, reporter):
            return _listen(order, share, reporter, told)


def _listen(
    order: TrainingOrder, share: WorkerShare, reporter: Reporter, told: Callable[[TrainResult], None] | None
) -> TrainResult:
    """Until they have ended. Raises: what ended them."""
    launch = order.launch

    def whole() -> None:
        result = launch.result()
        if told is not None and result is not None:
            told(result)

    telling = Retelling(launch.folder / TOLD, reporter, whole=whole)
    together = Together(take_part, order, share, launch.folder)
    try:
        while not together.wait(_LISTEN_SECONDS):
            telling.poll()
        telling.poll()
    finally:
        telling.close()
    error = launch.outcome()
    if error is not None:
        raise error
    refused = together.given()
    if refused:
        raise SettingsError(refused)
    result = launch.result()
    if result is None:
        raise MachineError(
            "Ray ended the training without a result and without a reason. Go on with --resume, as below."
        )
    return result


@contextlib.contextmanager
def _going_on_told(order: TrainingOrder, address: str, workers: int, reporter: Reporter) -> Iterator[None]:
    """Whatever stops it, who began it is told how to go on."""
    try:
        yield
    except BaseException:
        run = begun_run(order)
        if run is not None and order.launch.outcome() is None:
            reporter.warn(
                f"Stopped. Nothing is lost; go on with: tellapart train --resume {run} --ray {address} --workers {workers}"
            )
        raise


def _seen(settings: TrainSettings, launch: Launch) -> tuple[str, ...]:
    """What all processes must see, of what is seen here."""
    given = (settings.data, settings.labels, settings.weights, settings.base, settings.reading.root)
    return (*map(str, launch.tokens), *(path for path in given if path is not None and os.path.exists(path)))
