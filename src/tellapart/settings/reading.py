"""Settings from flags or a recipe. In: tables. Out: TrainSettings, or what is wrong. Next: workflows/train.py."""

from __future__ import annotations

import difflib
import os
import tomllib
import types
import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from tellapart.data.examples import ReadOptions
from tellapart.errors import SettingsError
from tellapart.settings.rules import rule
from tellapart.settings.tree import TrainSettings
from tellapart.sources.remote.addresses import tell
from tellapart.storage import storage_errors

_RANGE = "data.range"  # in words; `data` itself is the name of what is learned from


def make_settings(values: dict[str, Any]) -> TrainSettings:
    """Check values from flags or a file. Raises: SettingsError naming the key, the rule and the known keys."""
    try:
        return TrainSettings.model_validate(renamed(values))
    except ValidationError as error:
        first = error.errors()[0]
        where = [str(part) for part in first["loc"]]
        if first["type"] == "extra_forbidden":
            known = known_keys(where[:-1])
            raise SettingsError(f"there is no setting {'.'.join(where)!r}.{near_key(where[-1], known)}") from None
        if first["type"] == "string_unicode":
            raise SettingsError(
                f"{'.'.join(where)} is {first.get('input')!r}, a name that is not UTF-8, which a recipe cannot hold. "
                "Rename the folder."
            ) from None
        if first["type"] == "missing":
            raise SettingsError(
                f"no {'.'.join(where)} was given. Name a folder with one folder of pictures a class, or a CSV."
            ) from None
        reason = rule(first)
        where = [_RANGE] if where == ["value_range"] else where
        if not where:
            raise SettingsError(f"{reason}.") from None
        if first["type"] == "value_error" and _is_table(where):
            raise SettingsError(f"{'.'.join(where)}: {reason}.") from None
        if isinstance(first.get("input"), dict) and first["input"] and first["type"] != "model_type":
            raise _below_a_value(where, next(iter(first["input"]))) from None
        raise SettingsError(
            f"{'.'.join(where)} is {first.get('input')!r}; {reason}{'' if reason.endswith('?') else '.'} Correct it and run again."
        ) from None


def _is_table(where: list[str]) -> bool:
    """Whether a whole table of settings stands there, such as network."""
    model: Any = TrainSettings
    for part in where:
        field = getattr(model, "model_fields", {}).get(part)
        model = None if field is None else field.annotation
    return isinstance(model, type) and issubclass(model, BaseModel)


def _below_a_value(where: list[str], key: str) -> SettingsError:
    """Of `data.rnage=0:1` or `seed.x=1`: what stands before the point is one value, and no table."""
    name = ".".join(where)
    if where == ["data"]:
        return SettingsError(f"there is no setting '{name}.{key}'.{near_key(f'{name}.{key}', [_RANGE])}")
    return SettingsError(f"there is no setting '{name}.{key}': {name} has no settings in it. Give {name}=VALUE.")


def read_recipe(path: Path) -> dict[str, Any]:
    """The settings of a recipe.toml, unchecked, under today's names.

    Raises: SettingsError when it cannot be read or is not TOML, or names what is learned from twice.
    """
    if not path.is_file():
        raise SettingsError(f"there is no recipe at {path}. Give the recipe.toml of a run.")
    with storage_errors(path):
        data = path.read_bytes()
    try:
        values = tomllib.loads(data.decode("utf-8"))
    except ValueError as error:
        raise SettingsError(f"{path} is not TOML: {error}. Correct that line.") from None
    settings = values.get("settings")
    if not isinstance(settings, dict):
        raise SettingsError(f"{path} has no [settings] table. Give the recipe.toml of a run.")
    found = renamed(settings)
    if isinstance(found.get("data"), str):
        found["data"] = tell(found["data"])
    return found


def read_options(data: str | os.PathLike[str], **told: Any) -> ReadOptions:
    """How a data set is read, of `task`, `label_separator` and `reading`, as a recipe has them. Raises: SettingsError."""
    given = {name: value for name, value in told.items() if value is not None}
    return make_settings({"data": os.fspath(data), **given}).read_options


AFTERWARDS = ("report", "language")  # what a resumed run may be told anew: nothing that is learned depends on it


def check_resumed(folder: Path, given: dict[str, Any], recipe: Path | None) -> None:
    """Raises: SettingsError for settings that a resumed run cannot be given."""
    others = [name for name in given if name not in AFTERWARDS]
    if others or recipe is not None:
        named = ", ".join("--from" if name == "base" else name for name in others) if others else "a recipe"
        raise SettingsError(
            f"--resume {folder} repeats the run's own settings, and {named} was given. Leave out PICTURES and all other flags but "
            "--no-report, --lang and --pictures."
        )


def renamed(values: dict[str, Any]) -> dict[str, Any]:
    """The values with `data` instead of `pictures`, its name in older recipes. Raises: SettingsError where both are given."""
    if "pictures" not in values:
        return values
    if "data" in values:
        raise SettingsError(
            f"data is {values['data']!r} and pictures is {values['pictures']!r}; both name what is learned from, pictures "
            "being the older name. Give data alone."
        )
    return {"data" if key == "pictures" else key: value for key, value in values.items()}


def merge(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`values` with `changes` laid over them, table by table."""
    merged = dict(values)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def parse_assignment(text: str) -> dict[str, Any]:
    """`loop.epochs=5` as a table of tables; the value is TOML, or else a plain word. Raises: SettingsError."""
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise SettingsError(
            f"--set {text!r} is not KEY=VALUE. Give a setting such as loop.epochs=5 or augment.rotation=15."
        )
    try:
        parsed: Any = tomllib.loads(f"value = {value}")["value"]
    except ValueError:
        parsed = value.strip()
    if key.strip() == _RANGE and not isinstance(parsed, str):
        parsed = value.strip()
    return assigned(key.strip(), parsed)


def assigned(key: str, value: Any) -> dict[str, Any]:
    """A value under its whole name, such as loop.epochs, as a table of tables."""
    if key == _RANGE:
        return {"value_range": value}
    for part in reversed(key.split(".")):
        value = {part: value}
    table: dict[str, Any] = value
    return table


def known_keys(where: list[str]) -> list[str]:
    """The keys of the table at `where`, the numbers of a list left out."""
    model: Any = TrainSettings
    for part in where:
        if part.isdigit():
            continue
        model = _model_in(model.model_fields[part].annotation)
    return list(model.model_fields)


def _model_in(annotation: Any) -> Any:
    if (
        isinstance(annotation, type)
        and issubclass(annotation, BaseModel)
        and not isinstance(annotation, types.GenericAlias)
    ):
        return annotation
    return next(_model_in(part) for part in typing.get_args(annotation))


def near_key(key: str, known: list[str]) -> str:
    for part in ("blocks", "dense"):  # of the network
        if part in known and key in known_keys(["network", part]):
            return f" It is a key of each of network.{part}, as recipes/two_classes_cnn.toml has them."
    close = difflib.get_close_matches(key, known, n=1)
    return (f" Did you mean {close[0]!r}?" if close else "") + f" The settings there are: {', '.join(known)}."
