"""Whether a space can be searched, before any trial. In: Space, other settings. Out: Space, or what is wrong. Next: tree.py."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from tellapart.errors import SettingsError, TellapartError
from tellapart.settings.placing import kinds_of, placed
from tellapart.settings.reading import make_settings
from tellapart.settings.space import Space, Tried, TriedRange, TriedValues, combinations, values_of
from tellapart.settings.tree import Strategy, TrainSettings

MOST_COMBINATIONS = 10_000  # of a grid
# What decides which pictures there are and how they are split, what is only told, and what the machine does with it.
_FIXED = frozenset(
    [
        "data",
        "task",
        "label_separator",
        "labels",
        "out",
        "budget",
        "seed",
        "precision",
        "coverage",
        "strict",
        "device",
        "engine",
        "report",
        "language",
        "reading",
        "value_range",
        "fallback_backbone",
        "kfold",
        "loop.workers",
    ]
)
_MOST_CONTEXTS = 200  # in which a value is tried that alone would not do


def strategy_for(space: Space) -> Strategy:
    """The strategy that looks at all keys of a space, where none was told; probe where it does."""
    keys = list(space)
    if "strategy" in space or any(
        key.startswith(("network.name", "network.blocks", "network.channels", "network.text.")) for key in keys
    ):
        return "scratch" if "strategy" not in space else "auto"
    trained = ("loop.", "finetune.", "augment.", "network.dense", "network.dropout", "network.drop_path")
    return "finetune" if any(key.startswith(trained) for key in keys) else "probe"


def checked_space(
    space: Space, given: Mapping[str, Any], *, accept: Callable[[TrainSettings], object]
) -> dict[str, Tried]:
    """The same space, numbers of whole settings being whole, once every value is one that a recipe may have.

    `given` is the tables of the settings that stay, `accept` refuses settings that the task has no use for. A value that does only
    beside other searched ones is tried with these, too. Raises: SettingsError for the first that cannot be.
    """
    if not space:
        raise SettingsError("there is nothing to search. Name settings to try with --try KEY=a,b,c or a --space file.")
    found: dict[str, Tried] = {}
    for key, tried in space.items():
        first = key.partition(".")[0]
        if key in _FIXED or first in _FIXED:
            raise SettingsError(
                f"{key} cannot be searched: it says what is compared or where, not how it is learned. Give it once, for all trials."
            )
        found[key] = _typed(key, tried)
    for key, tried in found.items():
        for value in _tested(tried):
            _check(key, value, found, given, accept)
    return found


def not_given(space: Space, given: Mapping[str, Any]) -> Space:
    """A usual space without the keys that the tables `given` have: what was said stays as it was said."""

    def said(key: str) -> bool:
        found: Any = given
        for name in key.split("."):
            if not isinstance(found, Mapping) or name not in found:
                return False
            found = found[name]
        return True

    return {key: tried for key, tried in space.items() if not said(key)}


def settings_with(given: Mapping[str, Any], chosen: Mapping[str, Any]) -> TrainSettings:
    """The settings `given` with a value for each searched key. Raises: SettingsError."""
    values: dict[str, Any] = dict(given)
    for key, value in chosen.items():
        values = placed(values, key, value)
    return make_settings(values)


def all_combinations(space: Space) -> list[dict[str, Any]]:
    """Every combination of a space of values, the last key moving first. Raises: SettingsError for a range, or far too many."""
    count = combinations(space)
    if count is None:
        key = next(key for key, one in space.items() if values_of(one) is None)
        raise SettingsError(
            f"{key} is a range, which a grid cannot try to its end. Name its values, or leave --grid out for a search that draws."
        )
    if count > MOST_COMBINATIONS:
        raise SettingsError(
            f"the grid has {count:,} combinations; at most {MOST_COMBINATIONS:,} are tried. Name fewer values, or leave --grid out."
        )
    lists = [values_of(one) or () for one in space.values()]
    return [dict(zip(space, values, strict=True)) for values in itertools.product(*lists)]


def _typed(key: str, tried: Tried) -> Tried:
    """A range of whole numbers where the setting is one. Raises: SettingsError for a range of words."""
    kinds = kinds_of(key)
    if not isinstance(tried, TriedRange):
        return tried
    if not kinds & {int, float}:
        raise SettingsError(f"{key} is no number, and a range was given. Name its values, such as --try {key}=a,b.")
    if float in kinds:
        return tried
    ends = [tried.low, tried.high, tried.step or 1]
    if any(end != int(end) for end in ends):
        raise SettingsError(
            f"{key} is a whole number, and its range goes from {tried.low:g} to {tried.high:g}. Give whole ends."
        )
    return replace(tried, whole=True)


def _tested(tried: Tried) -> Iterable[Any]:
    return tried.values if isinstance(tried, TriedValues) else (tried.of(tried.low), tried.of(tried.high))


def _check(
    key: str, value: Any, space: Space, given: Mapping[str, Any], accept: Callable[[TrainSettings], object]
) -> None:
    """Raises: SettingsError where neither alone nor beside any values of the others this one may be."""
    try:
        accept(settings_with(given, {key: value}))
        return
    except TellapartError as error:
        failed = error
    others = [[(name, one) for one in _tested(tried)] for name, tried in space.items() if name != key]
    for context in itertools.islice(itertools.product(*others), _MOST_CONTEXTS):
        try:
            accept(settings_with(given, {**dict(context), key: value}))
            return
        except TellapartError:
            continue
    raise failed
