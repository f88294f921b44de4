"""Settings are searched, the best is trained and tested. In: settings, SearchPlan. Out: SearchResult. Next: searching/bench.py.

Trials see train and validation alone. What wins there is trained once more as any run is, and tested once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from tellapart.data.readers import READERS
from tellapart.errors import SettingsError
from tellapart.evaluation.optimism import Optimism
from tellapart.features.cache import Cache
from tellapart.features.caching import open_cache
from tellapart.models.weights import check_name
from tellapart.reporter import Reporter, WithinStep, figure
from tellapart.runs.places import check_writable
from tellapart.runs.result import TrainResult
from tellapart.runs.run import (
    MARKER,
    SEARCH,
    Run,
    keep_settings,
    resume_run,
    start_run,
    with_absolute_inputs,
)
from tellapart.runs.search_record import SearchRecord, read_search, write_search
from tellapart.settings.reading import make_settings
from tellapart.settings.space import Space, TriedRange, TriedValues, combinations
from tellapart.settings.space_checking import all_combinations, checked_space, not_given, strategy_for
from tellapart.settings.tree import TrainSettings
from tellapart.threads import let_waiting_threads_sleep
from tellapart.workflows.learning.processes import world_size
from tellapart.workflows.searching.bench import Bench, set_up, set_up_in_time
from tellapart.workflows.searching.concluded import NothingFound
from tellapart.workflows.searching.crew import Alone, Hire
from tellapart.workflows.searching.finding import USUAL, Finder
from tellapart.workflows.searching.outcome import MOST_TRIALS, SearchPlan, SearchResult
from tellapart.workflows.searching.pace import BudgetTooShort, SearchClock, finish_seconds
from tellapart.workflows.searching.study import Study
from tellapart.workflows.searching.winner import BEST, choose_winner, winning_settings, write_best
from tellapart.workflows.train import train

_QUICK_TRIALS, _TRIALS = 100, 20  # without --trials or --budget, of classifiers on features and of trained networks
_ENDS = "ends"  # what the study remembers of when its budget is used up, in seconds since 1970


def search(
    given: Mapping[str, Any],
    plan: SearchPlan,
    *,
    reporter: Reporter,
    told: Callable[[TrainResult], None] | None = None,
    hire: Hire | None = None,
) -> SearchResult:
    """Search settings around `given`, tables of a recipe. `told` is as for `workflows.train.train`; who is hired does the trials.

    Raises: SettingsError for a space that cannot be searched, TrainingError where every trial fails; else as
    `workflows.train.train`.
    """
    started = time.monotonic()
    seconds = plan.seconds()
    _check_alone()
    with open_cache(reporter) as cache:
        given, settings = _settled(given, plan)
        check_writable(Path(settings.out))
        bench = set_up_in_time(settings, cache, reporter, seconds, started)
        space = plan.space or not_given(bench.task.space(settings.strategy), plan.said)
        space = checked_space(space, given, accept=bench.suited)
        facts = _facts(given, plan, space, bench, settings, seconds)
        clock = SearchClock(seconds, started=started, finish=_finish(bench, settings, started))
        clock.check("looking at the pictures")
        run = start_run(settings)
        with _kept(run, reporter), closing(Study(run.folder / SEARCH, new=facts)) as study:
            if study.told["how"] == "grid":
                study.plan(all_combinations(space))
            return _find(run, study, bench, clock, started, reporter, told, hire)


def resume_search(
    folder: Path,
    *,
    reporter: Reporter,
    told: Callable[[TrainResult], None] | None = None,
    hire: Hire | None = None,
) -> SearchResult:
    """Go on with a search that was stopped. Raises: SettingsError where there is none, or its pictures are others by now."""
    started = time.monotonic()
    _check_alone()
    run = resume_run(folder, searching=True)
    with _kept(run, reporter, resumed=True), open_cache(reporter) as cache, closing(Study(folder / SEARCH)) as study:
        record = read_search(folder)
        if record is not None:  # it was stopped while the winner was trained
            study.close()
            return _train_winner(run, record, reporter, told)
        bench = _same_bench(folder, study, cache, reporter)
        budget = study.told["seconds"]
        usual = (study.remembered(USUAL) or {}).get("seconds", 0.0)
        left = None if budget is None else max(0.0, budget - usual - sum(one.seconds for one in study.trials()))
        clock = SearchClock(left, started=started, finish=_finish(bench, run.settings, started))
        return _find(run, study, bench, clock, started, reporter, told, hire)


def join_search(folder: Path, *, reporter: Reporter) -> int:
    """Take part in a search that another process has begun, until nothing is left to try; how many trials this one did.

    Raises: SettingsError where there is none, or it is finished, or the pictures are others here.
    """
    started = time.monotonic()
    _check_alone()
    if (folder / SEARCH).is_dir() and not (folder / MARKER).exists():
        raise SettingsError(f"the search {folder} is finished. Begin another: tellapart search PICTURES.")
    let_waiting_threads_sleep()
    with open_cache(reporter) as cache, closing(Study(folder / SEARCH)) as study:
        bench = _same_bench(folder, study, cache, reporter)
        before = len(study.trials())
        ends = study.remembered(_ENDS)
        left = None if ends is None else max(0.0, ends - time.time()) + time.monotonic() - started
        settings = make_settings(dict(study.told["given"]))
        clock = SearchClock(left, started=started, finish=_finish(bench, settings, started))
        crew = Alone(bench, folder)
        Finder(study=study, bench=bench, folder=folder, clock=clock, reporter=reporter, crew=crew).run(waits=False)
        return len(study.trials()) - before


def _settled(given: Mapping[str, Any], plan: SearchPlan) -> tuple[dict[str, Any], TrainSettings]:
    """The settings that stay, with whole paths and a strategy. Raises: SettingsError."""
    given = {key: value for key, value in given.items() if key != "budget"}
    if "strategy" not in given:
        given["strategy"] = strategy_for(plan.space or {})
    settings = with_absolute_inputs(make_settings(given))
    if settings.folded:
        raise SettingsError(
            "K folds were asked for, and a search compares its trials on one validation split. Leave --kfold out, or train K folds "
            "by the best.toml that the search gives."
        )
    if settings.compares_backbones:
        raise SettingsError(
            f"backbone is {settings.backbone}, and a search tries what is named. Give --try backbone=a,b,c, or one --backbone."
        )
    tried = (plan.space or {}).get("backbone")
    for name in tried.values if isinstance(tried, TriedValues) else (settings.backbone,):
        check_name(str(name))  # before any picture is looked at
    told = settings.model_dump(mode="json", exclude_unset=True)
    whole = {name: told[name] for name in ("data", "labels", "weights", "reading") if told.get(name) is not None}
    return {**given, **whole}, settings


def _facts(
    given: Mapping[str, Any],
    plan: SearchPlan,
    space: Space,
    bench: Bench,
    settings: TrainSettings,
    seconds: float | None,
) -> dict[str, Any]:
    """What the study keeps. Raises: SettingsError for a grid that cannot be."""
    how, count = plan.how, combinations(space)
    quick = settings.strategy == "probe" and bench.task.quick is not None
    trials = plan.trials or (MOST_TRIALS if seconds is not None else _QUICK_TRIALS if quick else _TRIALS)
    if how != "grid" and count is not None and count <= trials:
        how = "grid"  # all of them are tried, each once
    if how == "grid":
        count = len(all_combinations(space))
        trials = min(plan.trials or count, count)
    return {
        "given": dict(given),
        "space": {key: one.written() for key, one in space.items()},
        "whole": [key for key, one in space.items() if isinstance(one, TriedRange) and one.whole],
        "how": how,
        "pruner": plan.pruner,
        "seed": settings.seed,
        "trials": trials,
        "seconds": seconds,
        "fingerprint": bench.fingerprint,
    }


def _same_bench(folder: Path, study: Study, cache: Cache, reporter: Reporter) -> Bench:
    """The bench of a search that was begun. Raises: SettingsError where the pictures are others."""
    bench = set_up(make_settings(dict(study.told["given"])), cache, reporter)
    item = READERS[bench.task.name].words.item
    if bench.fingerprint != study.told["fingerprint"]:
        raise SettingsError(
            f"the search {folder} was begun with other {item}s, labels or splits than {study.told['given']['data']} has now, and "
            f"figures of different {item}s cannot be compared. Put them back as they were, or begin another search."
        )
    return bench


def _find(
    run: Run,
    study: Study,
    bench: Bench,
    clock: SearchClock,
    started: float,
    reporter: Reporter,
    told: Callable[[TrainResult], None] | None,
    hire: Hire | None,
) -> SearchResult:
    if clock.left is not None:
        study.remember(_ENDS, time.time() + clock.left)
    with nullcontext(Alone(bench, run.folder)) if hire is None else hire(study) as crew:
        finder = Finder(study=study, bench=bench, folder=run.folder, clock=clock, reporter=reporter, crew=crew)
        finder.compute_features()
        finder.try_usual()
        bench.reporter = WithinStep(reporter)
        finder.run()
    record = choose_winner(study, bench, seconds=time.monotonic() - started)
    settings = bench.suited(winning_settings(study.told["given"], record))
    study.close()
    run = _settle(run, settings, record, clock, item=READERS[bench.task.name].words.item)
    return _train_winner(run, record, reporter, told)


def _settle(run: Run, settings: TrainSettings, record: SearchRecord, clock: SearchClock, *, item: str) -> Run:
    """The run with the winner's settings in its recipe; what is written last says that nothing is left to search."""
    settings = with_absolute_inputs(settings.model_copy(update={"out": run.settings.out}))
    write_best(run.folder, settings, record, item=item)
    if clock.left is not None and settings.strategy != "probe":
        settings = settings.model_copy(update={"budget": f"{max(1, round(clock.left))}s"})
    run = keep_settings(run, settings)
    write_search(run.folder, record)
    return run


def _train_winner(
    run: Run, record: SearchRecord, reporter: Reporter, told: Callable[[TrainResult], None] | None
) -> SearchResult:
    """Train the winner once more in the run's folder, and test it."""
    reporter.say(_chosen(record))
    result = train(run.settings, reporter=reporter, run=run, told=told)
    score, recipe, optimism = result.scores.get(record.figure), result.run / BEST, None
    if score is not None and record.winner.validation is not None and record.done:
        optimism = Optimism(
            validation=record.winner.validation,
            test=score,
            tries=len(record.done),
            n_validation=record.n_validation,
            item=READERS[result.task].words.item,
        )
        told_score = figure(record.figure, score.value, score.low, score.high)
        write_best(result.run, run.settings, record, score=told_score, item=READERS[result.task].words.item)
        record = replace(record, score={"name": record.figure, **score.model_dump()}, optimism=optimism.sentence())
        write_search(result.run, record)
    return SearchResult(record=record, result=result, recipe=recipe, optimism=optimism)


def _chosen(record: SearchRecord) -> str:
    if record.best is None:
        return "No trial was better than the usual settings, which are trained and tested now."
    return f"Trial {record.best} was best on validation; it is trained once more and tested now."


@contextmanager
def _kept(run: Run, reporter: Reporter, *, resumed: bool = False) -> Iterator[None]:
    """Whatever stops a search, its trials stay; it says how to go on."""
    try:
        yield
    except BudgetTooShort:
        if not resumed:  # nothing was learned
            run.discard()
        raise
    except NothingFound:
        raise
    except BaseException:
        if (run.folder / SEARCH).exists() and not (run.folder / BEST).exists():
            reporter.warn(f"Stopped. Nothing is lost; go on with: tellapart search --resume {run.folder}")
        raise
    finally:
        run.release()


def _finish(bench: Bench, settings: TrainSettings, started: float) -> float:
    return finish_seconds(time.monotonic() - started, pictures=len(bench.examined.inspections), report=settings.report)


def _check_alone() -> None:
    """Raises: SettingsError under a launcher of several processes, whose trials could not be stopped one by one."""
    if world_size() > 1:
        raise SettingsError(
            "a search was begun under a launcher of several processes. Start `tellapart search` alone, and on each further GPU or "
            "machine `tellapart search --join RUN`."
        )
