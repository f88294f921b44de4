"""`tellapart search PICTURES`. In: flags, a space. Out: trials, the winner's run. Next: workflows/search.py."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tellapart.cli.ray_option import RayCommand
from tellapart.cli.reading import range_option, reading_options
from tellapart.cli.tasks import READ_TASKS, TASK_HELP
from tellapart.cli.together import plan_trials, resume_search_by, search_by, trials_options

if TYPE_CHECKING:
    from tellapart.workflows.searching.outcome import SearchResult

_SHOWN = 8  # trials of the table; trials.csv has all


@click.command(
    "search",
    cls=RayCommand,
    epilog="""\b
Examples:
  tellapart search cells/                                   100 settings of the classifier on the frozen network, in seconds
  tellapart search cells/ --grid --try loop.learning_rate=1e-3,1e-2 --try network.dense.units=32,64,128
  tellapart search cells/ --strategy finetune --budget 2h   as many settings as two hours allow
  tellapart search cells/ --try probe.strength=1e-5:10:log --trials 30
  tellapart search cells/ --space space.toml --random --trials 40
  tellapart search cells/ --strategy finetune --ray --gpus 0.5    trials by a Ray cluster, two on each GPU; see docs/scale.md
  tellapart search --resume runs/cells-20260101-120000      go on with one that was stopped
  tellapart search --join runs/cells-20260101-120000        help with one that another process has begun

Any key of a recipe can be tried: KEY=a,b,c names values, KEY=LOW:HIGH or LOW:HIGH:log a range. A space file says the same as TOML:

\b
  [space]
  "loop.optimizer" = ["adamw", "sgd"]
  "loop.learning_rate" = {low = 1e-4, high = 1e-2, log = true}

Trials are compared on the validation split. The winner is trained once more and tested once; RUN/best.toml repeats it.""",
)
@click.argument("data", metavar="[PICTURES]", nargs=-1)
@click.option(
    "--try", "tries", multiple=True, metavar="KEY=VALUES", help="A setting and what to try of it; may be repeated."
)
@click.option("--space", "space_file", type=click.Path(path_type=Path), help="A TOML file with more of these.")
@click.option("--grid", "how", flag_value="grid", help="Try every combination, each once.")
@click.option(
    "--random", "how", flag_value="random", help="Draw settings at random.  [default: TPE, which learns from trials]"
)
@click.option(
    "--pruner",
    type=click.Choice(["median", "halving", "none"]),
    default="median",
    help="Which trainings are stopped early: those below the median of the others after as many epochs, all but the best part of "
    "them at a few stages (successive halving), or none.  [default: median]",
)
@click.option("--trials", type=int, help="How many.  [default: what the budget allows; 100 of the probe, 20 of others]")
@click.option("--budget", help="Of the whole search, training and testing the winner included: 90s, 10m, 1h30m.")
@click.option("--out", help="The folder that run folders are made in.  [default: runs]")
@click.option(
    "--labels", type=click.Path(), help="A CSV with path,label that corrects labels, as for `tellapart train`."
)
@click.option("--task", type=click.Choice(READ_TASKS), help=TASK_HELP)
@reading_options
@range_option
@click.option(
    "--strategy",
    type=click.Choice(["auto", "probe", "finetune", "scratch"]),
    help="As for `tellapart train`.  [default: the one that looks at all that is tried, probe where that does]",
)
@click.option("--backbone", help="A timm name; `tellapart models` lists some.  [default: tf_efficientnet_lite0]")
@click.option("--weights", type=click.Path(), help="A .safetensors file for the backbone.")
@click.option("--epochs", type=int, help="Of each trial.  [default: as for `tellapart train` without a budget]")
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="A line of a recipe that stays the same in all trials.",
)
@click.option("--seed", type=int, help="Of everything that is drawn at random.  [default: 0]")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), help="Where the network runs.")
@click.option("--no-report", "report", flag_value=False, default=None, help="Write no report.html.")
@click.option("--lang", "language", type=click.Choice(["en", "zh"]), help="Of the report.  [default: the system's]")
@click.option("--recipe", type=click.Path(path_type=Path), help="Search around the settings of this recipe.toml.")
@click.option("--resume", type=click.Path(path_type=Path), help="Go on with the stopped search in this folder.")
@click.option(
    "--join", type=click.Path(path_type=Path), help="Do trials of the search in this folder, beside its own process."
)
@trials_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
@click.option("--quiet", is_flag=True, help="No progress and no warnings.")
def command(
    data: tuple[str, ...],
    tries: tuple[str, ...],
    space_file: Path | None,
    how: Any,
    pruner: Any,
    trials: int | None,
    budget: str | None,
    assignments: tuple[str, ...],
    recipe: Path | None,
    resume: Path | None,
    join: Path | None,
    ray: str | None,
    parallel: int | None,
    cpus: float | None,
    gpus: float | None,
    as_json: bool,
    quiet: bool,
    **flags: Any,
) -> None:
    """Search for the best settings of a training on PICTURES, and test the winner.

    Every trial trains on the training pictures and is scored on the validation pictures; none looks at the test split.
    """
    from tellapart.cli.console import make_reporter
    from tellapart.cli.extras import require
    from tellapart.cli.train import one_data, told_settings

    require("search", "train", "search")
    from tellapart.settings.reading import merge, read_recipe
    from tellapart.workflows.search import join_search
    from tellapart.workflows.searching.outcome import SearchPlan

    reporter = make_reporter(quiet=quiet)
    given = told_settings({"data": one_data(data), **flags}, assignments)
    if join is not None or resume is not None:
        _check_alone(join, resume, given, bool(tries or space_file or how or trials or budget or recipe))
    trials_plan = plan_trials(ray, parallel, cpus, gpus, join=join)
    if join is not None:
        done = join_search(join, reporter=reporter)
        click.echo(
            json.dumps({"trials": done}) if as_json else f"{done:,} trials were done meanwhile, by all processes."
        )
        return
    if resume is not None:
        found = resume_search_by(trials_plan, resume, reporter=reporter)
    else:
        plan = SearchPlan(
            said=given,
            space=_space(tries, space_file),
            how=how or "tpe",
            pruner=pruner,
            trials=trials,
            budget=budget,
        )
        found = search_by(trials_plan, merge(read_recipe(recipe) if recipe else {}, given), plan, reporter=reporter)
    click.echo(json.dumps(found.as_json(), ensure_ascii=False) if as_json else "\n".join(_lines(found)))


def _space(tries: tuple[str, ...], file: Path | None) -> Any:
    """What is to be tried by file and flags, of which the flags win; None where nothing was named. Raises: SettingsError."""
    from tellapart.errors import SettingsError
    from tellapart.settings.space import parse_try, read_space

    found = {} if file is None else read_space(file)
    named = [parse_try(text) for text in tries]
    twice = next((key for key, count in Counter(key for key, _ in named).items() if count > 1), None)
    if twice is not None:
        raise SettingsError(
            f"--try names {twice} twice. Say all that is to be tried of it at once: --try {twice}=a,b,c"
        )
    return {**found, **dict(named)} or None


def _check_alone(join: Path | None, resume: Path | None, given: dict[str, Any], more: bool) -> None:
    """Raises: SettingsError where a search that is there already is told something new."""
    from tellapart.errors import SettingsError

    flag, folder = ("--join", join) if join is not None else ("--resume", resume)
    if given or more or (join is not None and resume is not None):
        raise SettingsError(
            f"{flag} {folder} goes on with a search as it was begun, and more was given. Leave out PICTURES and all other flags "
            "but --json and --quiet."
        )


def _lines(found: SearchResult) -> list[str]:
    """Trials, what won, what it is worth."""
    from tellapart.data.readers import READERS
    from tellapart.reporter import duration, figure, percent
    from tellapart.workflows.searching.winner import at_the_end

    item = READERS[found.result.task].words.item
    record, name = found.record, found.record.figure.replace("_", " ")
    score = found.result.score
    told = figure(found.result.headline, score.value, score.low, score.high)
    winner = ", ".join(f"{key} = {_text(value)}" for key, value in record.winner.settings.items())
    lines = ["", *_table(found), ""]
    lines += [f"best        {winner or 'the usual settings'}"]
    lines += [
        f"validation  {name} {percent(record.winner.validation or 0.0)} on {record.n_validation:,} {item}s, by which it was chosen"
    ]
    if record.usual is not None and record.usual.validation is not None:
        lines.append(
            f"usual       {name} {percent(record.usual.validation)} there with the settings as they are without a search"
        )
    lines += [
        f"test        {found.result.headline.replace('_', ' ')} {told} on {found.result.n_test:,} {item}s, looked at once"
    ]
    if edges := at_the_end(record):
        lines += ["", f"! At the end of its range: {', '.join(edges)}. A wider range may hold something better."]
    lines += ["", found.optimism.sentence()] if found.optimism is not None else []
    lines += [] if record.done else ["", "! No trial was done in time: a longer --budget tries something."]
    lines += ["", f"time        {duration(record.seconds + found.result.seconds)}"]
    lines += [f"recipe      {found.recipe}", f"trials      {found.result.run}/search/trials.csv"]
    lines += [f"model       {found.result.model}"]
    lines += [f"report      {found.result.report}"] if found.result.report else []
    return [*lines, f"again       tellapart train --recipe {shlex.quote(str(found.recipe))}"]


def _table(found: SearchResult) -> list[str]:
    from tellapart.reporter import counted, percent

    record = found.record
    ranked = sorted(record.done, key=lambda one: one.rank, reverse=True)
    head = f"{'trial':>6}{record.figure.replace('_', ' '):>24}{'log loss':>10}{'seconds':>9}  settings"
    lines = [head]
    for one in ranked[:_SHOWN]:
        said = ", ".join(f"{key}={_text(value)}" for key, value in one.settings.items())
        loss = "-" if one.loss is None else f"{one.loss:.4f}"
        lines.append(f"{one.number:>6}{percent(one.validation or 0.0):>24}{loss:>10}{one.seconds:>9.1f}  {said}")
    states = [sum(one.state == state for one in record.trials) for state in ("done", "stopped", "failed")]
    counts = (
        f"{counted(len(record.trials), 'trial')}: {states[0]:,} done, {states[1]:,} stopped early, {states[2]:,} failed"
    )
    return [*lines, counts]


def _text(value: Any) -> str:
    from tellapart.settings.space import value_text

    return value_text(value)
