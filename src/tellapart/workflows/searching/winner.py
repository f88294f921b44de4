"""The best of the trials, chosen by validation alone. In: Study, Bench. Out: SearchRecord, best.toml. Next: workflows/search.py."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tellapart.reporter import counted, percent
from tellapart.runs.recipe import recipe_text
from tellapart.runs.search_record import SearchRecord, SearchTrial
from tellapart.settings.space import TriedRange, space_of
from tellapart.settings.space_checking import settings_with
from tellapart.settings.tree import TrainSettings
from tellapart.storage import write_bytes
from tellapart.workflows.searching.bench import Bench
from tellapart.workflows.searching.concluded import all_failed
from tellapart.workflows.searching.finding import FIGURE, USUAL
from tellapart.workflows.searching.study import Study

BEST = "best.toml"
_EDGE = 0.02  # of a range


def choose_winner(study: Study, bench: Bench, *, seconds: float) -> SearchRecord:
    """The record of all trials with its winner; of equal ones the first, and the usual settings before all.

    Raises: TrainingError where every trial failed, or none was done in time.
    """
    trials = study.trials()
    done = [one for one in trials if one.state == "done" and one.validation is not None]
    told = study.remembered(USUAL)
    usual = None if told is None or told["state"] != "done" else SearchTrial(**told)
    if not done and usual is None:
        raise all_failed([one for one in trials if one.state == "failed"])
    best = max(done, key=lambda one: (one.rank, -one.number), default=None)
    return SearchRecord(
        figure=study.remembered(FIGURE),
        strategy=settings_with(study.told["given"], {} if best is None else best.settings).strategy,
        how=study.told["how"],
        space={key: one.written() for key, one in study.space.items()},
        trials=trials,
        usual=usual,
        best=None if best is None or (usual is not None and usual.rank >= best.rank) else best.number,
        n_validation=len(bench.dataset.rows["validation"]),
        importance=study.importance(),
        seconds=round(seconds, 3),
    )


def winning_settings(given: Mapping[str, Any], record: SearchRecord) -> TrainSettings:
    """The settings that train the winner as its trial was trained."""
    winner = record.winner
    return settings_with(given, {**winner.planned, **winner.settings})


def at_the_end(record: SearchRecord) -> list[str]:
    """Settings of the winner that lie at the end of their range, beyond which a better one may be."""
    found = []
    for key, tried in space_of(record.space).items():
        value = record.winner.settings.get(key)
        if isinstance(tried, TriedRange) and isinstance(value, (int, float)):
            place = math.log if tried.logarithmic else float
            low, high, here = place(tried.low), place(tried.high), place(value)
            if not _EDGE < (here - low) / (high - low) < 1 - _EDGE:
                found.append(key)
    return found


def write_best(
    folder: Path, settings: TrainSettings, record: SearchRecord, score: str = "", *, item: str = "picture"
) -> Path:
    """Write best.toml, a recipe with its evidence in its first lines. Raises: StorageError."""
    winner, path = record.winner, folder / BEST
    figure = record.figure.replace("_", " ")
    tried = counted(len(record.done), "setting")
    chosen = f"The best of {tried} that a search has tried"
    if not record.done:
        chosen = "The usual settings: the time of a search allowed no other trial"
    elif record.best is None:
        chosen = f"The usual settings: none of {tried} that a search has tried was better"
    lines = [f"# {chosen}: {figure} {percent(winner.validation or 0.0)} on {record.n_validation:,} validation {item}s."]
    if score:
        lines.append(f"# On the test split, which chose nothing: {score}.")
    head = "\n".join([*lines, "# Train by it: tellapart train --recipe best.toml"])
    plain = recipe_text(settings.model_copy(update={"budget": None})).partition("\n")[2]  # without its own first line
    write_bytes(path, f"{head}\n{plain}".encode())
    return path
