"""What a search has tried and found, as its run keeps it. In: search.json. Out: SearchRecord. Next: searched.py."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from tellapart.answers.predictions import write_table
from tellapart.errors import DataError
from tellapart.runs.run import SEARCH
from tellapart.settings.space import value_text
from tellapart.storage import storage_errors, write_json

_FILE, _TABLE = "search.json", "trials.csv"
TrialState = Literal["done", "stopped", "failed", "running"]  # stopped: early, since it promised less than others


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchTrial:
    """One trial. A figure is the higher the better, in [0, 1]."""

    number: int  # from 0
    state: TrialState
    settings: Mapping[str, Any]  # whole key -> the value that was tried
    validation: float | None = None  # the task's figure on the validation split; None where it did not come so far
    loss: float | None = None  # mean log loss there, where the task has one
    epochs: int | None = None  # that were trained; None of a classifier that has none
    seconds: float = 0.0
    reason: str = ""  # why it failed or was stopped
    planned: Mapping[str, Any] = field(default_factory=dict)  # what the training chose for itself, whole keys

    @property
    def rank(self) -> tuple[float, float]:
        """The higher, the better: the figure, and of equal ones the lower loss."""
        return (-1.0 if self.validation is None else self.validation, -(self.loss or 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRecord:
    """A whole search."""

    figure: str  # what trials are compared by, such as accuracy
    strategy: str
    how: str  # grid, random or tpe
    space: Mapping[str, Any]  # as a space file says it
    trials: Sequence[SearchTrial]
    usual: SearchTrial | None  # the settings as they would be without a search
    best: int | None  # number of the winner; None: the usual settings
    n_validation: int
    importance: Mapping[
        str, float
    ]  # whole key -> share of what the settings make of the figure; empty where too few were tried
    seconds: float
    score: Mapping[str, Any] | None = None  # of the winner on the test split, once it is known
    optimism: str = ""  # the same in words

    @property
    def winner(self) -> SearchTrial:
        """The trial that is retrained."""
        found = self.usual if self.best is None else next(one for one in self.trials if one.number == self.best)
        assert found is not None
        return found

    @property
    def done(self) -> list[SearchTrial]:
        """Trials with a figure, in order."""
        return [one for one in self.trials if one.state == "done" and one.validation is not None]

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


def write_search(folder: Path, record: SearchRecord) -> None:
    """Write search/search.json and search/trials.csv of a run's folder. Raises: StorageError."""
    inside = folder / SEARCH
    with storage_errors(inside):
        inside.mkdir(exist_ok=True)
    write_json(inside / _FILE, record.as_json())
    keys = list(record.space)
    columns = ["trial", "state", *keys, f"validation_{record.figure}", "log_loss", "epochs", "seconds", "reason"]
    write_table(inside / _TABLE, columns, _rows(record, keys))


def read_search(folder: Path) -> SearchRecord | None:
    """The record of a run's folder; None of a run without a search. Raises: DataError where it is damaged; StorageError."""
    path = folder / SEARCH / _FILE
    if not path.is_file():
        return None
    with storage_errors(path):
        data = path.read_bytes()
    try:
        told = json.loads(data)
        trials = tuple(SearchTrial(**one) for one in told.pop("trials"))
        usual = told.pop("usual")
        return SearchRecord(**told, trials=trials, usual=None if usual is None else SearchTrial(**usual))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise DataError(
            f"{path} is damaged. Without it the report tells nothing of the search: move it away."
        ) from None


def _rows(record: SearchRecord, keys: Sequence[str]) -> Iterable[Sequence[object]]:
    """The usual settings first, where they were tried."""
    for one in [*([] if record.usual is None else [record.usual]), *record.trials]:
        tried = [value_text(one.settings[key]) if key in one.settings else "" for key in keys]
        name = "usual" if one is record.usual else one.number
        yield [name, one.state, *tried, one.validation, one.loss, one.epochs, round(one.seconds, 2), one.reason]
