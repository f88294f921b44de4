"""By whom a Ray cluster trains a run or tries settings. In: flags. Out: plans. Next: workflows/train_together.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tellapart.cli.by_ray import looked_at_by
from tellapart.cli.ray_option import ray_option

if TYPE_CHECKING:
    from pathlib import Path

    from tellapart.reporter import Reporter
    from tellapart.runs.result import TrainResult
    from tellapart.settings.tree import TrainSettings
    from tellapart.workflows.searching.outcome import SearchPlan, SearchResult
    from tellapart.workflows.train_together import TogetherPlan
    from tellapart.workflows.trials_together import TrialsPlan

_Command = TypeVar("_Command", bound=Callable[..., Any])


def together_options(command: _Command) -> _Command:
    """The flags --ray, --workers and --cpus of a training whose class is RayCommand."""
    flags = (
        ray_option(
            "Let several processes of a Ray cluster train the network: auto, HOST:PORT, or none for this machine alone. All must "
            "see the pictures, --out and the cache. Of --strategy probe: open and embed the pictures."
        ),
        click.option(
            "--workers",
            type=int,
            metavar="N",
            help="Of --ray: how many processes train together.  [default: one for each GPU, without any one for each machine]",
        ),
        click.option(
            "--cpus",
            type=int,
            metavar="N",
            help="Of --ray: CPUs of each process.  [default: all that are there; 1 beside a GPU]",
        ),
    )
    for flag in reversed(flags):
        command = flag(command)
    return command


def plan_together(ray: str | None, workers: int | None, cpus: int | None, *, small: str | None) -> TogetherPlan | None:
    """By whom it is trained; None where no --ray was given. Raises: SettingsError, MissingExtra."""
    from tellapart.cli.extras import require
    from tellapart.errors import SettingsError
    from tellapart.workflows.learning.processes import world_size

    if ray is None:
        flag, value = ("--workers", workers) if workers is not None else ("--cpus", cpus)
        if value is not None:
            raise SettingsError(
                f"{flag} {value} says how a Ray cluster trains, and there is no --ray. Add --ray, or leave it out; without Ray "
                "several processes train under torchrun."
            )
        return None
    require("train", "ray")
    if small is not None:
        raise SettingsError(
            f"--small {small} compares many small trainings, which one process does. Leave out --ray, or --small."
        )
    if world_size() > 1:
        raise SettingsError(
            "--ray was given under a launcher of several processes, and begins its own. Start `tellapart train --ray` alone."
        )
    from tellapart.workflows.train_together import TogetherPlan

    return TogetherPlan(address=ray, workers=workers, cpus=cpus)


def trials_options(command: _Command) -> _Command:
    """The flags --ray, --parallel, --cpus and --gpus of a search whose class is RayCommand."""
    flags = (
        ray_option(
            "Let workers of a Ray cluster do the trials: auto, HOST:PORT, or none for this machine alone. All see the pictures."
        ),
        click.option(
            "--parallel", type=int, metavar="N", help="Of --ray: trials at once.  [default: as many as find room]"
        ),
        click.option(
            "--cpus", type=float, metavar="N", help="Of --ray: CPUs of each trial, such as 0.5 or 4.  [default: 1]"
        ),
        click.option(
            "--gpus",
            type=float,
            metavar="N",
            help="Of --ray: GPUs of each trial; 0.5 lets two share one.  [default: 1 where there are some]",
        ),
    )
    for flag in reversed(flags):
        command = flag(command)
    return command


def plan_trials(
    ray: str | None, parallel: int | None, cpus: float | None, gpus: float | None, *, join: Path | None
) -> TrialsPlan | None:
    """By whom trials are done; None where no --ray was given. Raises: SettingsError, MissingExtra."""
    from tellapart.cli.extras import require
    from tellapart.errors import SettingsError

    if ray is None:
        for flag, value in (("--parallel", parallel), ("--cpus", cpus), ("--gpus", gpus)):
            if value is not None:
                raise SettingsError(
                    f"{flag} {value:g} says how a Ray cluster does trials, and there is no --ray. Add --ray, or leave it out; "
                    "without Ray other processes help by --join."
                )
        return None
    if join is not None:
        raise SettingsError(
            f"--join {join} helps with this process alone, and --ray hires others. Begin or resume the search with --ray instead."
        )
    require("search", "search", "ray")
    from tellapart.workflows.trials_together import TrialsPlan

    return TrialsPlan(address=ray, parallel=parallel, cpus=1.0 if cpus is None else cpus, gpus=gpus)


def train_by(
    plan: TogetherPlan | None,
    settings: TrainSettings,
    *,
    reporter: Reporter,
    told: Callable[[TrainResult], None] | None,
) -> TrainResult:
    """Train a new run by this process, or as it is planned; for a probe the cluster opens and embeds the pictures."""
    if plan is not None and not _is_probe(plan, settings):
        from tellapart.workflows.train_together import train_together

        return train_together(settings, plan, reporter=reporter, told=told)
    from tellapart.workflows.train import train

    with looked_at_by(None if plan is None else plan.address, reporter) as afar:
        return train(settings, reporter=reporter, told=told, afar=afar)


def resume_by(
    plan: TogetherPlan | None,
    run: Path,
    *,
    moved: Path | None,
    changes: dict[str, Any],
    reporter: Reporter,
    told: Callable[[TrainResult], None] | None,
) -> TrainResult:
    """Go on with a run that was stopped, likewise."""
    from tellapart.runs.run import resume_run
    from tellapart.workflows.train import train

    opened = resume_run(run, pictures=moved, changes=changes)  # refused before Ray is asked for anything
    if plan is not None and not _is_probe(plan, opened.settings):
        from tellapart.workflows.train_together import resume_together

        opened.release()
        return resume_together(opened, plan, reporter=reporter, changes=changes, told=told)
    with looked_at_by(None if plan is None else plan.address, reporter) as afar:
        return train(opened.settings, reporter=reporter, run=opened, told=told, afar=afar)


def _is_probe(plan: TogetherPlan, settings: TrainSettings) -> bool:
    """Whether one process trains it. Raises: SettingsError for what several processes have no use for."""
    from tellapart.workflows.train_together import check_together

    check_together(settings, plan)
    return settings.strategy == "probe"


def search_by(by: TrialsPlan | None, given: dict[str, Any], plan: SearchPlan, *, reporter: Reporter) -> SearchResult:
    """Search with this process's trials, or as it is planned."""
    from tellapart.workflows.search import search

    if by is None:
        return search(given, plan, reporter=reporter)
    from tellapart.workflows.trials_together import hiring

    with hiring(by, device=given.get("device", "auto"), reporter=reporter) as hire:
        return search(given, plan, reporter=reporter, hire=hire)


def resume_search_by(by: TrialsPlan | None, run: Path, *, reporter: Reporter) -> SearchResult:
    """Go on with a search that was stopped, likewise."""
    from tellapart.workflows.search import resume_search

    if by is None:
        return resume_search(run, reporter=reporter)
    from tellapart.settings.reading import read_recipe
    from tellapart.workflows.trials_together import hiring

    recipe = run / "recipe.toml"
    device = read_recipe(recipe).get("device", "auto") if recipe.is_file() else "auto"
    with hiring(by, device=device, reporter=reporter) as hire:
        return resume_search(run, reporter=reporter, hire=hire)
