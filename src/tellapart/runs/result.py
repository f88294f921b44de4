"""What a training hands back. In: what was written. Out: TrainResult. Next: writing.py."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tellapart.bundle import Score, TaskName


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """What `tellapart.train` returns and `tellapart train --json` prints."""

    run: Path  # the run's folder
    model: Path  # model.onnx
    task: TaskName
    headline: str  # the name of the figure that a person is told first
    scores: Mapping[str, Score]  # on the test split, calibrated model, with 95 % intervals
    scores_without_leaked: Mapping[str, Score] | None  # where part of the test leaked
    n_train: int
    n_validation: int
    n_test: int
    classes: tuple[str, ...]
    unreadable: int
    duplicates: int  # exact copies beyond the first
    leaked: int  # test pictures with a copy or group mate in another of the user's own splits
    seconds: float
    computed: int  # pictures that went through the network in this run
    reused: int  # pictures whose embedding was in the cache
    strategy: str  # that was kept: probe, finetune or scratch
    choice: str  # why, in a sentence; empty where there was nothing to choose
    metrics: dict[str, Any] = field(repr=False)  # metrics.json
    warnings: tuple[str, ...] = ()  # what the audit and the validation found that should not be missed
    # The figure of the kept network on the validation split, by which settings are to be compared; None: of K folds there is none.
    validation: float | None = None
    validation_name: str = ""
    left_out: int = 0  # by the corrections of --labels
    augmented: int = 0  # copies of what is tested on, set aside
    backbones: Mapping[str, Any] | None = None  # which were compared, where the backbone was chosen among several
    report: Path | None = None  # report.html; None where none was asked for, or it could not be written

    @property
    def score(self) -> Score:
        """The headline figure."""
        return self.scores[self.headline]

    @property
    def folds(self) -> tuple[Mapping[str, Any], ...]:
        """Of K folds each one's figure: fold, repeat, n, name, value, low, high, run; empty of a run without folds."""
        return tuple(self.metrics.get("kfold", {}).get("folds", ()))

    @property
    def score_without_leaked(self) -> Score | None:
        """The headline figure of the test pictures that did not leak; None where none or all did."""
        return None if self.scores_without_leaked is None else self.scores_without_leaked.get(self.headline)

    @property
    def accuracy(self) -> Score:
        """Of tasks that give one class. Raises: AttributeError for the others, whose figure is `score`."""
        if self.headline != "accuracy":
            raise AttributeError(f"a {self.task} run has no accuracy; its figure is {self.headline}, in `score`.")
        return self.scores["accuracy"]

    @property
    def accuracy_without_leaked(self) -> Score | None:
        """The same where part of the test leaked."""
        return None if self.scores_without_leaked is None else self.scores_without_leaked.get("accuracy")

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        honest = self.score_without_leaked
        accuracy = {
            "accuracy": self.score.model_dump(),
            "accuracy_without_leaked": None if honest is None else honest.model_dump(),
        }
        return {
            "run": str(self.run),
            "model": str(self.model),
            "task": self.task,
            "score": {"name": self.headline, **self.score.model_dump()},
            **({"folds": list(self.folds)} if self.folds else {}),
            "validation": {"name": self.validation_name, "value": self.validation, "n": self.n_validation},
            "score_without_leaked": None if honest is None else {"name": self.headline, **honest.model_dump()},
            **(accuracy if self.headline == "accuracy" else {}),
            "n_train": self.n_train,
            "n_validation": self.n_validation,
            "n_test": self.n_test,
            "classes": list(self.classes),
            "unreadable": self.unreadable,
            "duplicates": self.duplicates,
            "left_out": self.left_out,
            "augmented": self.augmented,
            "leaked": self.leaked,
            "seconds": round(self.seconds, 3),
            "computed": self.computed,
            "reused": self.reused,
            "strategy": self.strategy,
            "choice": self.choice,
            "warnings": list(self.warnings),
            **({} if self.backbones is None else {"backbones": dict(self.backbones)}),
            "report": None if self.report is None else str(self.report),
        }


@contextlib.contextmanager
def told_first(told: Callable[[TrainResult], None] | None, result: TrainResult) -> Iterator[None]:
    """Tell, and then do what follows even where nobody listens any more: a pipe that is closed takes nothing from the run.

    Raises: OSError, afterwards, which `told` met.
    """
    failed: OSError | None = None
    try:
        if told is not None:
            told(result)
    except OSError as error:
        failed = error
    yield
    if failed is not None:
        raise failed
