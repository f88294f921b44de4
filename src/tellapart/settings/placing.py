"""A key of a recipe and where its value belongs. In: loop.learning_rate, network.dense.units. Out: tables. Next: space.py."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from tellapart.errors import SettingsError
from tellapart.settings.reading import near_key
from tellapart.settings.tree import TrainSettings


def placed(values: Mapping[str, Any], key: str, value: Any) -> dict[str, Any]:
    """`values` with `value` under its whole key; what leads through a list is said of all its parts, or of a first one.

    network.dense.units=64 is of every dense layer, or makes one where there is none; network.dense.0.units is of the first.
    Raises: SettingsError for a key that no recipe has.
    """
    annotation_of(key)
    return _in_table(dict(values), TrainSettings, key.split("."), value)


def annotation_of(key: str) -> Any:
    """The type of the setting of that whole key. Raises: SettingsError for one that is not there, or is a table of settings."""
    model: Any = TrainSettings
    parts = [part for part in key.split(".") if not part.isdigit()]
    for place, part in enumerate(parts):
        fields = model.model_fields
        if part not in fields:
            raise SettingsError(f"there is no setting {key!r}.{near_key(part, list(fields))}")
        annotation = fields[part].annotation
        inner = _model_of(annotation)
        last = place == len(parts) - 1
        if last and isinstance(annotation, type) and inner is not None and not _is_list(annotation):
            raise SettingsError(
                f"{key} is a table of settings, and one of them is to be named, such as {key}.{next(iter(inner.model_fields))}."
            )
        if not last and inner is None:
            raise SettingsError(f"there is no setting {key!r}: {'.'.join(parts[: place + 1])} has no settings in it.")
        if last:
            return annotation
        model = inner
    raise SettingsError("a setting without a name was given. Name one, such as loop.learning_rate.")


def kinds_of(key: str) -> set[type]:
    """The plain types that the setting of that key may have, int and float among them; of words str."""
    found: set[type] = set()

    def look(annotation: Any) -> None:
        if typing.get_origin(annotation) is typing.Literal:
            found.update(type(word) for word in typing.get_args(annotation))
        elif isinstance(annotation, types.UnionType) or typing.get_origin(annotation) in (
            typing.Union,
            typing.Annotated,
        ):
            for part in typing.get_args(annotation):
                look(part)
        elif isinstance(annotation, type):
            found.add(annotation)

    look(annotation_of(key))
    return found - {types.NoneType}


def _in_table(values: dict[str, Any], model: Any, parts: list[str], value: Any) -> dict[str, Any]:
    name, rest = parts[0], parts[1:]
    if not rest:
        return {**values, name: value}
    annotation = model.model_fields[name].annotation
    inner, old = _model_of(annotation), values.get(name)
    if not _is_list(annotation):
        return {**values, name: _in_table(dict(old) if isinstance(old, Mapping) else {}, inner, rest, value)}
    items = [dict(one) for one in old] if isinstance(old, (list, tuple)) and old else [{}]
    chosen = range(len(items))
    if rest[0].isdigit():
        place, rest = int(rest[0]), rest[1:]
        if place > len(items) or not rest:
            raise SettingsError(
                f"{name} has {len(items)} parts, and part {place} (counted from 0) was named. Name one of them."
            )
        items += [{}] * (place == len(items))
        chosen = range(place, place + 1)
    for place in chosen:
        items[place] = _in_table(items[place], inner, rest, value)
    return {**values, name: items}


def _is_list(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (tuple, list)


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """The table of settings that a field holds, alone or in a list; None where it holds none."""
    if isinstance(annotation, type) and typing.get_origin(annotation) is None:
        return annotation if issubclass(annotation, BaseModel) else None
    return next((found for part in typing.get_args(annotation) if (found := _model_of(part)) is not None), None)
