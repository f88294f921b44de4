"""Flags, as the command line and Python name them, become the tables of a recipe. In: flags. Out: tables. Next: reading.py.

What is said of flags to who typed them is said of arguments to who called.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from tellapart.settings.data_parts import ReadingSettings
from tellapart.settings.reading import merge, renamed
from tellapart.settings.tree import TrainSettings

# Flags that are not named as the recipe names them.
_TABLES: Mapping[str, tuple[str, str]] = {
    "unfreeze": ("finetune", "unfreeze"),
    "views": ("finetune", "views"),
    "network": ("network", "name"),
    "split": ("split", "shares"),
    "validation": ("split", "validation"),
    "test_from": ("split", "test_from"),
    "limit": ("split", "limit"),
    "tiles": ("network", "fit"),
    "kfold": ("kfold", "folds"),
    "repeats": ("kfold", "repeats"),
    "kfold_keep": ("kfold", "keep"),
    "epochs": ("loop", "epochs"),
    "batch_size": ("loop", "batch_size"),
    "learning_rate": ("loop", "learning_rate"),
    "augment": ("augment", "preset"),
    **{name: ("reading", name) for name in ReadingSettings.model_fields},
}

# A flag in a message, with what could be no word of the sentence: a choice, a number, a line of a recipe.
_FLAG = re.compile(
    r"--(?P<name>[a-z]+(?:-[a-z]+)*)"
    r"(?: (?P<value>auto|probe|finetune|scratch|cpu|cuda|mps|none|balanced|[A-Za-z_.]+=[\w.]+|\d+(?:\.\d+)?\w*)\b)?"
)


def tables(flags: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """Flags, those that are None left out, with the lines of a recipe laid over them: `--set`, or `settings` in Python.

    Raises: SettingsError where what is learned from is named twice.
    """
    given: dict[str, Any] = {}
    for name, value in flags.items():
        if name == "tiles":
            value = "tile" if value is True else None if value is False else value
        if value is not None:
            table, key = _TABLES.get(name, (None, name))
            given = merge(given, {table: {key: value}} if table else {key: value})
    return merge(given, renamed(dict(told)))


def as_arguments(message: str, *, parameters: Collection[str], given: Collection[str]) -> str:
    """What a message says of flags, said of the arguments of a Python call.

    `parameters` are its arguments' names, `given` those that were used: of them a recipe's key is told by the argument. Other lines
    of a recipe are given by the argument `settings`.
    """

    def argument(found: re.Match[str]) -> str:
        name, value = found["name"].replace("-", "_"), found["value"]
        if name == "set":
            key, _, value = (value or "").partition("=")
            return f"settings={{{key!r}: {_quoted(value)}}}" if key else "settings"
        name = {"backbones": "backbone"}.get(name, name)
        if name in parameters:
            return f"{name}={_quoted(value)}" if value else name
        if name == "tiles":
            return "settings={'network.fit': 'tile'}"
        if name not in _TABLES and name not in TrainSettings.model_fields:
            return found[0]
        key = ".".join(_TABLES.get(name, (name,)))
        return f"settings={{{key!r}: {_quoted(value)}}}" if value else f"settings[{key!r}]"

    for name in given:
        if name in _TABLES:
            message = re.sub(rf"\b{re.escape('.'.join(_TABLES[name]))}\b", name, message)
    return _FLAG.sub(argument, message)


def _quoted(value: str) -> str:
    return value if value.isdecimal() else repr(value)
