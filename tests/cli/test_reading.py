"""Flags that say how a data set is read. In: command lines. Out: the same options for check, train, evaluate and a recipe."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from tellapart.cli import augment, check, evaluate, train
from tellapart.cli.reading import NAMES, read_options, reading_options, told_arguments
from tellapart.data.examples import ReadOptions
from tellapart.runs.recipe import recipe_text
from tellapart.runs.run import with_absolute_inputs
from tellapart.settings.data_parts import ReadingSettings
from tellapart.settings.reading import make_settings, read_recipe

TOLD: dict[str, Any] = {
    "encoding": "cp1252",
    "path_column": "1",
    "text_column": "e",
    "label_column": "b",
    "split_column": "c",
    "group_column": "d",
    "root": "r",
    "extension": ".jpg",
    "label_from": "(?P<label>.)",
    "classes": "background,crack",
    "ignore_label": "255",
    "train_split": "dev",
    "merge_names": True,
}


def flag_of(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def test_every_way_to_read_has_a_flag_and_a_setting() -> None:
    options = {field.name for field in dataclasses.fields(ReadOptions)} - {"task", "separator", "task_of_model", "span"}
    options -= {"limit", "seed"}  # of the split, which is a table of its own
    assert options == set(ReadingSettings.model_fields)
    # Folds are only for a training, which has their flag beside --kfold.
    assert options - {"fold_column"} == set(NAMES) == set(TOLD)


@pytest.mark.parametrize("command", [check.command, train.command, evaluate.command, augment.command])
def test_every_command_that_reads_has_the_flags(command: click.Command) -> None:
    flags = {option for parameter in command.params for option in parameter.opts}
    assert {flag_of(name) for name in (*NAMES, "label_separator")} <= flags


def test_flags_become_options() -> None:
    said: list[ReadOptions] = []
    repeated: list[list[str]] = []

    @click.command()
    @reading_options
    def command(**flags: Any) -> None:
        repeated.append(told_arguments({**flags, "value_range": "0:4095"}, "multilabel"))
        said.append(read_options(flags))
        assert not flags

    line = [part for name, value in TOLD.items() for part in (flag_of(name), *([] if value is True else [value]))]
    assert CliRunner().invoke(command, [*line, "--label-separator", ";"]).exit_code == 0
    assert CliRunner().invoke(command, []).exit_code == 0
    assert said == [ReadOptions(separator=";", **TOLD), ReadOptions()]
    assert repeated == [
        ["--task", "multilabel", "--label-separator", ";", *line, "--range", "0:4095"],
        ["--task", "multilabel", "--range", "0:4095"],
    ]
    assert told_arguments({}, None) == []


def test_flags_of_train_become_a_recipe_that_reads_the_same(tmp_path: Path) -> None:
    given = train.told_settings({**TOLD, "data": "x.csv", "task": None, "label_separator": ";"}, ())
    settings = with_absolute_inputs(make_settings(given))
    (tmp_path / "recipe.toml").write_text(recipe_text(settings), encoding="utf-8")
    again = make_settings(read_recipe(tmp_path / "recipe.toml"))
    assert again.read_options == ReadOptions(separator=";", **{**TOLD, "root": str(Path("r").absolute())})


def test_a_column_s_number_needs_no_quotes_in_a_recipe() -> None:
    assert make_settings({"data": "x", "reading": {"path_column": 2}}).read_options.path_column == "2"
