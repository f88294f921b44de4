"""What comes of a first answer. In: trainings that fail. Out: the answer that is kept, or an error. Next: test_fitting.py."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tellapart.errors import BackboneError, ForeignCheckpoint, SettingsError, TellapartError, TrainingError
from tellapart.evaluation.choosing import Validated
from tellapart.settings.reading import make_settings
from tellapart.training.planning import TooShort
from tellapart.workflows.learning import strategies
from tellapart.workflows.learning.start import Start

FIRST: Validated[Any] = Validated(
    candidate=SimpleNamespace(strategy="probe"),
    losses=np.array([0.5]),
    figure_name="accuracy",
    figure=0.5,
    calibration=None,
)


@dataclass
class Failing:
    """A network that cannot be prepared."""

    error: TellapartError

    def __call__(self) -> Any:
        raise self.error


def gone_on(strategy: str, first: Validated[Any] | None, error: TellapartError) -> Any:
    settings = make_settings({"data": "x", "strategy": strategy})
    session: Any = SimpleNamespace(run=SimpleNamespace(settings=settings), clock=SimpleNamespace(left=None))
    nothing: Any = None
    task: Any = SimpleNamespace(direct=None, own=None)
    return strategies._go_on(
        session, task, nothing, Start(prepare=Failing(error), first=first, called="the first answer")
    )


@pytest.mark.parametrize("error", [TrainingError("the loss is nan."), BackboneError("no such stage.")])
def test_where_fine_tuning_fails_the_first_answer_is_kept_and_that_is_said(error: TellapartError) -> None:
    choice = gone_on("auto", FIRST, error)
    assert choice.winner is FIRST
    assert choice.reason == f"Kept the first answer: fine-tuning failed, since {error}"


@pytest.mark.parametrize(
    ("strategy", "first", "error"),
    [
        (
            "auto",
            FIRST,
            ForeignCheckpoint("of another training."),
        ),  # with its pictures back the run can be gone on with
        ("auto", FIRST, SettingsError("wrong.")),
        ("finetune", FIRST, TrainingError("the loss is nan.")),
        ("scratch", None, TrainingError("the loss is nan.")),
    ],
)
def test_what_was_asked_for_and_fails_is_an_error(
    strategy: str, first: Validated[Any] | None, error: TellapartError
) -> None:
    with pytest.raises(type(error)) as found:
        gone_on(strategy, first, error)
    assert found.value is error


def test_nothing_is_prepared_for_a_probe() -> None:
    choice = gone_on("probe", FIRST, TrainingError("never asked for"))
    assert (choice.winner, choice.reason) == (FIRST, "")


def test_no_epoch_in_the_budget_leaves_the_first_answer_or_nothing() -> None:
    found = TooShort(seconds=0.0, left=0.0)
    choice = strategies._without(FIRST, "3s", found)
    assert choice.winner is FIRST
    assert choice.reason == "Not fine-tuned: the budget ended before the first epoch did. Give a longer --budget."
    with pytest.raises(
        SettingsError, match="^--budget 3s ended before the first epoch did, so there is nothing to test"
    ):
        strategies._without(None, "3s", found)
