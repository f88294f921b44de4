"""A training or search that Python code asked for. In: what it named, by flag. Out: TrainResult, SearchResult. Next: train.py.

Processes that read pictures import the script that asked, from its first line. One without a guard would train again in each
of them; that is found before any work, and told.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tellapart.errors import SettingsError
from tellapart.reporter import Reporter
from tellapart.runs.base import told_with_base
from tellapart.runs.result import TrainResult
from tellapart.runs.run import Run, resume_run
from tellapart.settings.flags import tables
from tellapart.settings.idle import refuse_idle
from tellapart.settings.reading import assigned, check_resumed, make_settings, merge, read_recipe
from tellapart.settings.tree import TrainSettings
from tellapart.workflows.searching.outcome import SearchPlan, SearchResult
from tellapart.workflows.train import train

_SECONDS = 120.0  # for a process to import a script


def train_as_told(
    flags: Mapping[str, Any],
    settings: Mapping[str, Any],
    recipe: Path | None,
    resume: Path | None,
    moved: Path | None,
    *,
    reporter: Reporter,
    small: str | None = None,
) -> TrainResult:
    """Train with flags, those that are None left out, a recipe or a stopped run; `small`: the best within that bound.

    Raises: as `workflows.train.train`, and `workflows.small.train_small`.
    """
    given = _given(flags, settings)
    if None not in (resume, small):
        raise SettingsError(
            f"small={small!r} begins anew, and resume={str(resume)!r} goes on with a run. Leave one of them out."
        )
    if resume is not None:
        check_resumed(resume, given, recipe)
        run = _without_more_processes(resume_run(resume, pictures=moved, changes=given))
        _check_guard(run.settings.loop.workers, remedy=f"or go on with it by: tellapart train --resume {resume}")
        return train(run.settings, reporter=reporter, run=run)
    if moved is not None:
        raise SettingsError(f"moved={str(moved)!r} is for resume. Name the pictures alone.")
    # More processes only for those who ask for them here and now: a recipe may come from the command line.
    named = merge(read_recipe(recipe) if recipe else {}, given)
    told = told_with_base(named)
    workers = given.get("loop", {}).get("workers", 0)
    chosen = make_settings(merge(told, {"loop": {"workers": workers}}))
    refuse_idle(named, chosen)
    _check_guard(chosen.loop.workers)
    return train(chosen, reporter=reporter) if small is None else _within(chosen, small, reporter)


def _within(settings: TrainSettings, small: str, reporter: Reporter) -> TrainResult:
    from tellapart.workflows.bounded import parse_bound
    from tellapart.workflows.small import train_small

    return train_small(settings, parse_bound(small), reporter).result


def search_as_told(
    flags: Mapping[str, Any],
    settings: Mapping[str, Any],
    recipe: Path | None,
    resume: Path | None,
    plan: SearchPlan,
    *,
    reporter: Reporter,
) -> SearchResult:
    """Search with flags, those that are None left out, around a recipe, or go on with a search. Raises: as `workflows.search`."""
    from tellapart.workflows.search import resume_search, search

    given = _given(flags, settings)
    if resume is not None:
        if given or recipe is not None or plan != SearchPlan():
            raise SettingsError(
                f"resume={str(resume)!r} goes on with a search as it was begun. Leave out all else but progress."
            )
        return resume_search(resume, reporter=reporter)
    plan = replace(plan, said=given)
    given = merge(merge(read_recipe(recipe) if recipe else {}, {"loop": {"workers": 0}}), given)
    _check_guard(given["loop"]["workers"])
    return search(given, plan, reporter=reporter)


def _given(flags: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """What was named, as tables of a recipe."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(1)  # a process of ours, which imports a script without a guard; who started it says so
    plain = {name: os.fspath(value) if isinstance(value, os.PathLike) else value for name, value in flags.items()}
    told: dict[str, Any] = {}
    for name, value in settings.items():
        told = merge(told, assigned(name, value))
    return tables(plain, told)


def _without_more_processes(run: Run) -> Run:
    """The run with no process but this one to read pictures, where nobody asked for a number; nothing else depends on it."""
    if run.settings.loop.workers is not None:
        return run
    loop = run.settings.loop.model_copy(update={"workers": 0})
    return replace(run, settings=run.settings.model_copy(update={"loop": loop}))


def _check_guard(workers: int | None, *, remedy: str = "or set loop.workers to 0") -> None:
    """Raises: SettingsError where a process of ours could not begin."""
    if workers == 0:
        return
    from tellapart.data.loading import start_method

    context: Any = multiprocessing.get_context(start_method())
    process = context.Process(target=_nothing)
    process.start()
    process.join(_SECONDS)
    if process.exitcode != 0:
        process.kill()
        raise SettingsError(
            f"loop.workers is {workers}, and a process that is to read pictures cannot begin: it imports your script, which "
            'must not train then. Put its main part under if __name__ == "__main__":, '
            f"{remedy}."
        )


def _nothing() -> None:
    """What a process does that only shows that it can begin."""
