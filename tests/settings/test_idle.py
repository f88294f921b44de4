"""What nothing looks at is refused. In: what is told. Out: a sentence, or nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tellapart.errors import SettingsError
from tellapart.settings.idle import refuse_idle
from tellapart.settings.reading import make_settings


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            {"loop": {"focal_gamma": 3}},
            "loop.focal_gamma is 3.0, which is looked at only where loop.loss is focal. Leave",
        ),
        (
            {"loop": {"decay_rate": 0.5}},
            "only where loop.schedule is step or exponential or piecewise or plateau. Leave",
        ),
        ({"loop": {"decay_epochs": 2, "schedule": "plateau"}}, "or give --set loop.schedule=step."),
        (
            {"loop": {"momentum": 0.5, "optimizer": "adam"}},
            "only where loop.optimizer is sgd or rmsprop. Leave it out, or",
        ),
        (
            {"loop": {"nesterov": False, "optimizer": "rmsprop"}},
            "loop.nesterov is False, which is looked at only where",
        ),
        (
            {"augment": {"fill_value": 9}},
            "augment.fill_value is 9.0, which is looked at only where augment.fill is const",
        ),
    ],
)
def test_what_another_setting_leaves_without_effect_is_refused(told: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        refuse_idle(told, make_settings({"data": "x", **told}))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "told",
    [
        {"loop": {"focal_gamma": 3, "loss": "focal"}},
        {"loop": {"decay_rate": 0.5, "decay_epochs": 2, "schedule": "step"}},
        {"loop": {"momentum": 0.5, "nesterov": False, "optimizer": "sgd"}},
        {"augment": {"fill_value": 9, "fill": "constant"}},
        {"loop": make_settings({"data": "x"}).loop.model_dump()},
    ],
)
def test_what_is_looked_at_or_as_ever_may_be_told(told: dict[str, Any]) -> None:
    refuse_idle(told, make_settings({"data": "x", **told}))


def test_what_comes_from_a_run_is_not_asked_about() -> None:
    refuse_idle({"loop": {"optimizer": "adam"}}, make_settings({"data": "x", "loop": {"momentum": 0.5}}))
