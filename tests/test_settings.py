"""Settings are checked before any work. In: values. Out: TrainSettings, or a sentence that names the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.errors import SettingsError
from tellapart.settings import TrainSettings, make_settings, read_recipe
from tellapart.workflows.runs import recipe_text


def test_a_recipe_comes_back_as_the_settings_it_was_made_from(tmp_path: Path) -> None:
    settings = make_settings({"pictures": '图 "片"', "seed": 7, "class_weights": "balanced"})
    (tmp_path / "recipe.toml").write_text(recipe_text(settings), encoding="utf-8")
    assert make_settings(read_recipe(tmp_path / "recipe.toml")) == settings


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"pictures": "x", "sead": 1}, "there is no setting 'sead'. The settings are: pictures, out"),
        ({}, "pictures is {}; Field required"),
        ({"pictures": ""}, "pictures is ''; String should have at least 1 character"),
        ({"pictures": "x", "folds": 1}, "folds is 1; Input should be greater than or equal to 2"),
        ({"pictures": "x", "device": "tpu"}, "device is 'tpu'"),
    ],
)
def test_wrong_values_are_named(values: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        make_settings(values)
    assert words in str(caught.value)


def test_the_defaults_are_the_documented_ones() -> None:
    settings = TrainSettings(pictures="x")
    assert (settings.out, settings.seed, settings.device, settings.folds) == ("runs", 0, "auto", 5)
