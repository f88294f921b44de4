"""What one class a picture does not look at is refused. In: settings. Out: nothing, or a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart.data.dataset import Dataset
from tellapart.data.examples import Example
from tellapart.data.targets import ClassNames
from tellapart.errors import DataError, SettingsError
from tellapart.settings.reading import make_settings
from tellapart.tasks.table import TASKS


def sets(rows: list[list[float]]) -> Dataset:
    """Training pictures of two classes."""
    count = len(rows)
    examples = [
        Example(
            path=Path(f"{row}.png"),
            target=ClassNames(),
            split="train",
            group=str(row),
            content_hash=f"{row:032x}",
            width=8,
            height=8,
        )
        for row in range(count)
    ]
    return Dataset(
        classes=("cat", "dog"),
        examples=examples,
        indices=np.arange(count),
        targets=np.array(rows, dtype=np.float32),
        groups=np.arange(count),
        splits=np.array(["train"] * count),
        leaked=np.zeros(count, dtype=np.bool_),
        pictures=(),
    )


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
        TASKS["classification"].check(settings, sets([[0, 1], [1, 0]]))
    assert str(caught.value).startswith(said)
    TASKS["multilabel"].check(settings, sets([[0, 1], [1, 0]]))
    TASKS["classification"].check(make_settings({"data": "pictures"}), sets([[0, 1], [1, 0]]))


@pytest.mark.parametrize("rows", [[[1, 0], [1, 1]], [[1, 0], [np.nan, 1]]])
def test_a_class_that_every_training_picture_shows_is_refused_before_anything_is_computed(
    rows: list[list[float]],
) -> None:
    with pytest.raises(DataError, match="'cat'"):
        TASKS["multilabel"].check(make_settings({"data": "pictures"}), sets(rows))
