"""Flags, as the command line and Python name them, become the tables of a recipe. In: flags. Out: tables. Next: reading.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tellapart.settings.parts import ReadingSettings
from tellapart.settings.reading import merge, renamed

# Flags that are not named as the recipe names them.
_TABLES: Mapping[str, tuple[str, str]] = {
    "unfreeze": ("finetune", "unfreeze"),
    "views": ("finetune", "views"),
    "network": ("network", "name"),
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
