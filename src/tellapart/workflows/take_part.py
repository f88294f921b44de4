"""What each process of a training on Ray does. In: TrainingOrder. Out: a run, or a refusal in words. Next: train_together.py.

Process 0 trains as ever, and tells files how that goes; the others help. Begun again, it finds what those before it left.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tellapart.errors import MachineError, StorageError, TellapartError
from tellapart.features.caching import open_cache
from tellapart.features.engine import choose_device
from tellapart.runs.places import RunAtWork
from tellapart.runs.result import TrainResult
from tellapart.runs.run import MARKER, Run, resume_run
from tellapart.settings.reading import make_settings, read_recipe
from tellapart.settings.tree import TrainSettings
from tellapart.training.checkpoint_version import PATTERN
from tellapart.workflows.learning.processes import follow, is_helper, join, send, world_size
from tellapart.workflows.scaling.launch import TOLD, Launch
from tellapart.workflows.scaling.telling import WritingReporter
from tellapart.workflows.train import train, written_report

_LET_GO_SECONDS = 60.0  # until a process that is being ended has let go of its run


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOrder:
    """What each process is told."""

    launch: Launch
    given: Mapping[str, Any]  # the settings, as tables of a recipe
    run: Path | None  # which is gone on with
    changes: Mapping[str, Any]  # of its settings, on which nothing learned depends
    seen: tuple[str, ...]  # paths that it must see
    cache: str
    on_cpu: bool

    @property
    def settings(self) -> TrainSettings:
        """As values; their classes, some of which are made as the program runs, do not travel."""
        return make_settings(dict(self.given))


def take_part(order: TrainingOrder) -> str | None:
    """What each process does; a refusal in words where one does not see what it must, which all give alike."""
    os.environ["TELLAPART_CACHE"] = order.cache
    if order.on_cpu:
        os.environ.update(
            CUDA_VISIBLE_DEVICES="", ACCELERATE_USE_CPU="true"
        )  # a GPU that Ray has not given is not ours
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


def _lead(order: TrainingOrder) -> None:
    """Process 0's part, from wherever those before it were lost."""
    launch = order.launch
    if launch.outcome() is not None:
        return
    telling = WritingReporter(launch.folder / TOLD)

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
            telling.began("report")
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
        if not another_is_lost(error):
            launch.end(error)
        raise  # Ray begins all again


def another_is_lost(error: Exception) -> bool:
    """Whether a step failed since another process was gone before its end: what torch says of that, by gloo and by NCCL."""
    import torch

    if world_size() == 1 or not isinstance(error, RuntimeError):
        return False
    said = str(error).lower()
    return isinstance(error, torch.distributed.DistError) or any(
        words in said for words in ("gloo", "nccl", "connection reset by peer", "connection closed by peer")
    )


def _let_go(order: TrainingOrder) -> None:
    """Tell the others that there is nothing to help with."""
    import torch

    if world_size() > 1 and torch.distributed.is_initialized():
        send(None, join(order.settings, choose_device(order.settings.device)))


def _opened(order: TrainingOrder) -> Run | None:
    """The run that was begun, as soon as who was at work on it has let go; None where there is none yet."""
    folder = begun_run(order)
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


def begun_run(order: TrainingOrder) -> Path | None:
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
