"""What a search is asked, and what it gives. In: nothing. Out: SearchPlan, SearchResult. Next: bench.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tellapart.bundle import Score
from tellapart.errors import SettingsError
from tellapart.evaluation.optimism import Optimism
from tellapart.runs.result import TrainResult
from tellapart.runs.search_record import SearchRecord, SearchTrial
from tellapart.settings.space import Space
from tellapart.settings.tree import parse_seconds

How = Literal["grid", "random", "tpe"]
Pruner = Literal["median", "halving", "none"]


MOST_TRIALS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPlan:
    """What is searched, and how."""

    space: Space | None = None  # None: what is usual for the strategy, without what was said
    said: Mapping[str, Any] = field(default_factory=dict)  # tables of what stays as it is, beside a recipe
    how: How = "tpe"
    pruner: Pruner = "median"
    trials: int | None = None
    budget: str | None = None  # of the whole search: 90s, 10m, 1.5h

    def seconds(self) -> float | None:
        """The budget in seconds. Raises: SettingsError for what is none, and for fewer than one trial."""
        if self.trials is not None and not 1 <= self.trials <= MOST_TRIALS:
            raise SettingsError(f"--trials is {self.trials:,}; it is a number from 1 to {MOST_TRIALS:,}. Give another.")
        if self.budget is None:
            return None
        seconds = parse_seconds(self.budget)
        if not 0 < seconds < 1e8:
            raise SettingsError(
                f"--budget is {self.budget!r}; a time is a number above 0 and s, m or h, such as 90s, 10m or 1.5h. Correct it."
            )
        return seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What `tellapart.search` returns and `tellapart search --json` prints."""

    record: SearchRecord  # trials, the winner
    result: TrainResult  # the winner, trained once more and tested
    recipe: Path  # best.toml
    optimism: Optimism | None  # None where the test has no figure of that name

    @property
    def best(self) -> Mapping[str, Any]:
        """The settings that won, by whole key; none where the usual ones did."""
        return self.record.winner.settings

    @property
    def score(self) -> Score:
        """The task's first figure of the winner on the test split, with `value`, `low` and `high`."""
        return self.result.score

    @property
    def validation(self) -> float | None:
        """The figure of the winner's trial on the validation split, by which it was chosen: the higher, the better."""
        return self.record.winner.validation

    @property
    def trials(self) -> Sequence[SearchTrial]:
        """What was tried, in order."""
        return self.record.trials

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        record, trained = self.record, self.result.as_json()
        winner, usual = record.winner, record.usual
        return {
            **{name: trained[name] for name in ("run", "model", "task", "report")},
            "recipe": str(self.recipe),
            "best": dict(self.best),
            "best_trial": record.best,
            "validation": {"name": record.figure, "value": winner.validation, "n": record.n_validation},
            "usual": None
            if usual is None
            else {"name": record.figure, "value": usual.validation, "log_loss": usual.loss},
            "score": trained["score"],
            "optimism": None if self.optimism is None else self.optimism.as_json(),
            "importance": dict(record.importance),
            "trials": [
                {
                    "number": one.number,
                    "state": one.state,
                    "settings": dict(one.settings),
                    "validation": one.validation,
                    "log_loss": one.loss,
                    "epochs": one.epochs,
                    "seconds": one.seconds,
                    "reason": one.reason,
                }
                for one in record.trials
            ],
            "seconds": round(record.seconds + self.result.seconds, 3),
        }
