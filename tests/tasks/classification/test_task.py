"""What one class a picture does not look at is refused. In: settings. Out: nothing, or a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from tellapart.errors import SettingsError
from tellapart.settings.reading import make_settings
from tellapart.tasks.table import TASKS


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"precision": 0.9}, "--precision is 0.9, and these pictures have one class each"),
        (
            {"strategy": "finetune", "loop": {"loss": "asymmetric"}},
            "loop.loss is asymmetric, which is for several classes",
        ),
    ],
)
def test_settings_of_several_classes_are_refused_for_one(given: dict[str, Any], said: str) -> None:
    settings = make_settings({"data": "pictures", **given})
    with pytest.raises(SettingsError) as caught:
        TASKS["classification"].check(settings)
    assert str(caught.value).startswith(said)
    TASKS["multilabel"].check(settings)
    TASKS["classification"].check(make_settings({"data": "pictures"}))
