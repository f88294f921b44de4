"""Several processes of a Ray cluster train one run. In: TrainSettings, TogetherPlan. Out: TrainResult. Next: train.py.

Each process does what it would under torchrun: process 0 audits, plans, tests and writes, the others help with the gradient. So the
result is the same to the last bit. Here they are begun, listened to, and begun again where one is lost.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tellapart.errors import MachineError, SettingsError, StorageError, TellapartError
from tellapart.features.caching import open_cache
from tellapart.features.engine import choose_device
from tellapart.reporter import Reporter
from tellapart.runs.places import RunAtWork
from tellapart.runs.result import TrainResult
from tellapart.runs.run import MARKER, Run, resume_run, with_absolute_inputs
from tellapart.settings.reading import make_settings, read_recipe
from tellapart.settings.tree import TrainSettings
from tellapart.storage import cache_folder
from tellapart.training.checkpoint_version import PATTERN
from tellapart.workflows.learning.processes import follow, is_helper, join, send, world_size
from tellapart.workflows.scaling.connection import connected
from tellapart.workflows.scaling.launch import TOLD, Launch, begin_launch
from tellapart.workflows.scaling.telling import Retelling, Telling
from tellapart.workflows.scaling.together import Share, Together, share_out
from tellapart.workflows.train import train, written_report

_LISTEN_SECONDS = 0.3
_LET_GO_SECONDS = 60.0  # until a process that is being ended has let go of its run


@dataclass(frozen=True, slots=True, kw_only=True)
class TogetherPlan:
    """By whom a run is trained."""

    address: str  # of a Ray cluster
    workers: int
    cpus: int | None = None  # of each; None: as many as there are


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What each process is told."""

    launch: Launch
    settings: TrainSettings
    run: Path | None  # which is gone on with
    changes: Mapping[str, Any]  # of its settings, on which nothing learned depends
    seen: tuple[str, ...]  # paths that it must see
    cache: str
    on_cpu: bool


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
    run: Path,
    plan: TogetherPlan,
    *,
    reporter: Reporter,
    moved: Path | None = None,
    changes: Mapping[str, Any] | None = None,
    told: Callable[[TrainResult], None] | None = None,
) -> TrainResult:
    """Go on with a run that was stopped, which any process or machines may have begun. Raises: as `train_together`."""
    run = run.absolute()
    opened = resume_run(run, pictures=moved, changes=changes)  # refused here, before Ray is asked for anything
    opened.release()
    return _train(opened.settings, plan, reporter, told, run=run, changes=dict(changes or {}))


def check_together(settings: TrainSettings, plan: TogetherPlan) -> None:
    """Raises: SettingsError for what several processes have no use for."""
    if plan.workers < 1:
        raise SettingsError(
            f"--workers is {plan.workers}; it is how many processes train together, 1 or more. Give another number."
        )
    if plan.cpus is not None and plan.cpus < 1:
        raise SettingsError(
            f"--cpus is {plan.cpus}; it is how many CPUs of the Ray cluster each process gets, 1 or more. Give another number."
        )
    if settings.strategy == "probe":
        raise SettingsError(
            "--ray trains with gradients on several machines, and the strategy is probe, which one process fits in seconds. Leave "
            "out --ray, or give --strategy finetune or scratch."
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
    with connected(plan.address, reporter):
        import ray

        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        share = share_out(nodes, workers=plan.workers, cpus=plan.cpus, device=settings.device)
        launch = begin_launch(Path(settings.out) if run is None else run.parent, cache_folder())
        order = _Order(
            launch=launch,
            settings=settings,
            run=run,
            changes=changes or {},
            seen=_seen(settings, launch),
            cache=str(cache_folder()),
            on_cpu=not share.gpus,
        )
        with _going_on_told(order, plan, reporter):
            return _listen(order, share, reporter, told)


def _listen(order: _Order, share: Share, reporter: Reporter, told: Callable[[TrainResult], None] | None) -> TrainResult:
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
def _going_on_told(order: _Order, plan: TogetherPlan, reporter: Reporter) -> Iterator[None]:
    """Whatever stops it, who began it is told how to go on; the launch's own files go."""
    try:
        yield
    except BaseException:
        run = _begun(order)
        if run is not None and order.launch.outcome() is None:
            reporter.warn(
                f"Stopped. Nothing is lost; go on with: tellapart train --resume {run} --ray {plan.address} "
                f"--workers {plan.workers}"
            )
        raise
    finally:
        order.launch.remove()


def _seen(settings: TrainSettings, launch: Launch) -> tuple[str, ...]:
    """What all processes must see, of what is seen here."""
    given = (settings.data, settings.labels, settings.weights, settings.base, settings.reading.root)
    return (*map(str, launch.tokens), *(path for path in given if path is not None and os.path.exists(path)))


def take_part(order: _Order) -> str | None:
    """What each process does; a refusal in words where one does not see what it must, which all give alike."""
    os.environ["TELLAPART_CACHE"] = order.cache
    if order.on_cpu:
        os.environ["ACCELERATE_USE_CPU"] = "true"  # a GPU that Ray has not given is not ours
    unseen = next((path for path in order.seen if not os.path.exists(path)), None)
    launch = order.launch
    over = unseen is None and (launch.outcome() is not None or launch.result() is not None)
    told = _of_all((socket.gethostname(), unseen, over))
    blind = next(((host, path) for host, path, _ in told if path is not None), None)
    if blind is not None:
        return (
            f"{blind[0]}, a machine of the Ray cluster, does not see {blind[1]}. Each must see pictures, --out and the "
            "cache under the same path: put them into a folder that all share, the cache by TELLAPART_CACHE."
        )
    if is_helper():
        if not told[0][2]:
            follow(order.settings)
        return None
    _lead(order)
    return None


def _of_all(mine: tuple[str, str | None, bool]) -> list[tuple[str, str | None, bool]]:
    """The same of each process, by rank."""
    if world_size() == 1:
        return [mine]
    import torch

    told: list[Any] = [None] * world_size()
    torch.distributed.all_gather_object(told, mine)
    return told


def _lead(order: _Order) -> None:
    """Process 0's part, from wherever those before it were lost."""
    launch = order.launch
    if launch.outcome() is not None:
        return
    telling = Telling(launch.folder / TOLD)

    def whole(result: TrainResult) -> None:
        launch.keep(result)
        telling.tell("whole")

    try:
        result = launch.result()
        if result is None:
            run = _opened(order)
            place = "" if run is None else _newest(run.folder)
            launch.check_gets_on(place)
            telling.began(place)
            result = train(order.settings if run is None else run.settings, reporter=telling, run=run, told=whole)
        elif order.settings.report and result.report is None:
            telling.began("the report")
            with open_cache(telling) as cache:
                settings = make_settings(read_recipe(result.run / "recipe.toml"))
                result = replace(result, report=written_report(settings, result.run, cache, telling))
        launch.keep(result)
    except TellapartError as error:
        launch.end(error)
        if isinstance(error, (MachineError, StorageError)):
            raise  # the others may be in the midst of a step: Ray ends them, and all that are begun again see why
        _let_go(order)
    except Exception as error:
        launch.end(error)
        raise


def _let_go(order: _Order) -> None:
    """Tell the others that there is nothing to help with."""
    import torch

    if world_size() > 1 and torch.distributed.is_initialized():
        send(None, join(order.settings, choose_device(order.settings.device)))


def _opened(order: _Order) -> Run | None:
    """The run that was begun, as soon as who was at work on it has let go; None where there is none yet."""
    folder = _begun(order)
    if folder is None:
        return None
    until = time.monotonic() + _LET_GO_SECONDS
    while True:
        try:
            return resume_run(folder, changes=order.changes)
        except RunAtWork:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)


def _begun(order: _Order) -> Path | None:
    """The run's folder; of a new one that which a process of this launch has made."""
    if order.run is not None:
        return order.run
    ours = {(one["host"], one["process"]) for one in order.launch.began()}
    since = order.launch.tokens[0].stat().st_mtime
    for marker in sorted(Path(order.settings.out).glob(f"*/{MARKER}")):
        with contextlib.suppress(OSError, ValueError, KeyError):
            made = json.loads(marker.read_bytes())
            if (made["host"], made["process"]) in ours and marker.stat().st_mtime >= since:
                return marker.parent
    return None


def _newest(run: Path) -> str:
    return max((path.name for path in (run / "checkpoints").glob(PATTERN)), default="")
