"""What came of a trial, in words. In: Attempt. Out: what a SearchTrial says of it, or that none gave anything. Next: winner.py."""

from __future__ import annotations

from typing import Any

from tellapart.errors import TrainingError
from tellapart.reporter import counted
from tellapart.runs.search_record import SearchTrial
from tellapart.settings.space import value_text
from tellapart.workflows.searching.attempt import Attempt

LOSSES = 3  # workers that may be lost with one trial, before it has failed
TOO_LONG = "it takes longer than the budget leaves for it"


class NothingFound(TrainingError):
    """No trial of a search has given anything, and going on with it would not either."""


def facts_of(found: Attempt) -> dict[str, Any]:
    """Of a SearchTrial, what came of an attempt."""
    if found.tried is not None:
        tried = found.tried
        told = {"validation": tried.figure, "loss": tried.loss, "epochs": tried.epochs, "planned": tried.planned}
        return {"state": "done", **told}
    if found.state == "stopped":
        reason = "others were better after as many epochs"
        return {"state": "stopped", "epochs": found.epochs, "reason": reason}
    reasons = {
        "late": TOO_LONG,
        "lost": f"its worker was lost {LOSSES} times, at last: {found.reason}",
    }
    return {"state": "failed", "reason": reasons.get(found.state, found.reason)}


def begun_again(number: int, reason: str) -> str:
    """What to say where a trial, -1 of the usual settings, lost its worker and is given to another."""
    if number < 0:
        return f"The worker that tried the usual settings was lost ({reason}); they are tried again."
    return f"The worker of trial {number} was lost ({reason}); the trial is begun again."


def all_failed(trials: list[SearchTrial]) -> NothingFound:
    """What to say where no trial has given anything; `trials` are those that failed."""
    if not trials:
        return NothingFound(
            "no trial was done in time, so there is nothing to choose from. Give the search a longer --budget."
        )
    first = trials[0]
    said = ", ".join(f"{key}={value_text(value)}" for key, value in first.settings.items())
    return NothingFound(
        f"all {counted(len(trials), 'trial')} failed, so there is nothing to choose from. The first one ({said}): {first.reason}"
    )
