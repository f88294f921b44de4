"""What a search may try. In: KEY=a,b,c, space.toml. Out: a value or range for each key. Next: space_checking.py.

A space is keys of a recipe, each with values to choose among, or with a range: {low = 1e-4, high = 1e-1, log = true}.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.errors import SettingsError
from tellapart.settings.placing import annotation_of
from tellapart.storage import storage_errors

_NUMBER = r"[-+]?[0-9_]*\.?[0-9_]+(?:[eE][-+]?[0-9]+)?"
_RANGE = re.compile(rf"({_NUMBER}):({_NUMBER})(:log)?")
_MOST_BYTES = 2**20  # of a space file
_EXAMPLE = "loop.learning_rate=1e-3,1e-2 or loop.learning_rate=1e-4:1e-1:log"


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedValues:
    """Values to choose among, as a recipe would have them."""

    values: tuple[Any, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """The values as text, all different."""
        return tuple(value_text(value) for value in self.values)

    def of(self, text: str) -> Any:
        """The value of that text."""
        return self.values[self.texts.index(text)]

    def written(self) -> Any:
        """As a space file says it."""
        return list(self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedRange:
    """All numbers from `low` to `high`, both among them."""

    low: float
    high: float
    logarithmic: bool = False
    whole: bool = False  # whole numbers alone
    step: float | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """Its ends."""
        return value_text(self.low), value_text(self.high)

    def of(self, number: float) -> float:
        """The number as a recipe has it."""
        return int(number) if self.whole else float(number)

    def written(self) -> Any:
        """As a space file says it."""
        told: dict[str, Any] = {"low": self.of(self.low), "high": self.of(self.high)}
        told |= {"log": True} if self.logarithmic else {}
        return told | ({"step": self.of(self.step)} if self.step else {})


Tried = TriedValues | TriedRange
Space = Mapping[str, Tried]


def value_text(value: Any) -> str:
    """A value of a recipe in a table or on an axis: words as they are, numbers short, lists as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.6g}"
    return json.dumps(value, ensure_ascii=False)


def parse_try(text: str) -> tuple[str, Tried]:
    """`KEY=a,b,c` or `KEY=LOW:HIGH[:log]`. Raises: SettingsError."""
    key, sign, told = text.partition("=")
    key, told = key.strip(), told.strip()
    if not sign or not key or not told:
        raise SettingsError(
            f"--try {text!r} is not KEY=VALUES. Give a setting and what to try of it, such as {_EXAMPLE}."
        )
    annotation_of(key)  # an unknown one is told before what is wrong with its values
    found = _RANGE.fullmatch(told)
    if found:
        return key, _range(key, {"low": _number(found[1]), "high": _number(found[2]), "log": bool(found[3])})
    try:
        values = tomllib.loads(f"values = [{told}]")["values"]
    except ValueError:
        values = [_value(part.strip()) for part in told.split(",")]
    return key, _values(key, values)


def read_space(path: Path) -> dict[str, Tried]:
    """The space of a space.toml. Raises: SettingsError where it is not there, no TOML, or has no [space]; StorageError."""
    if not path.is_file():
        raise SettingsError(f"there is no space at {path}. Give a TOML file with a [space] table.")
    with storage_errors(path):
        if path.stat().st_size > _MOST_BYTES:
            raise SettingsError(
                f"{path} has more than {_MOST_BYTES // 2**20} MB, too much for a space. Give a smaller file."
            )
        data = path.read_bytes()
    try:
        table = tomllib.loads(data.decode("utf-8")).get("space")
    except ValueError as error:
        raise SettingsError(f"{path} is not TOML: {error}. Correct that line.") from None
    if not isinstance(table, dict) or not table:
        raise SettingsError(
            f"{path} has no [space] table with something to try. Give lines such as "
            '"loop.learning_rate" = {low = 1e-4, high = 1e-1, log = true} under [space].'
        )
    return space_of(table)


def space_of(told: Mapping[str, Any]) -> dict[str, Tried]:
    """A space out of tables of a recipe whose values are lists of values, or ranges. Raises: SettingsError."""
    found: dict[str, Tried] = {}

    def look(table: Mapping[str, Any], before: str) -> None:
        for name, value in table.items():
            key = f"{before}{name}"
            if not isinstance(value, Mapping) or {"low", "high"} & set(value):
                annotation_of(key)
            if isinstance(value, (TriedValues, TriedRange)):
                found[key] = value
            elif isinstance(value, Mapping) and not {"low", "high"} & set(value):
                look(value, f"{key}.")
            elif isinstance(value, Mapping):
                found[key] = _range(key, value)
            elif isinstance(value, (list, tuple)):
                found[key] = _values(key, value)
            else:
                raise _single(key, value)

    look(told, "")
    return found


def combinations(space: Space) -> int | None:
    """How many there are; None where a range has no end of them."""
    counts = [_count(one) for one in space.values()]
    return None if None in counts else math.prod(count for count in counts if count is not None)


def values_of(tried: Tried) -> Sequence[Any] | None:
    """All values, in order; None of a range without steps."""
    if isinstance(tried, TriedValues):
        return tried.values
    step = tried.step or (1 if tried.whole and not tried.logarithmic else None)
    if step is None:
        return None
    count = math.floor((tried.high - tried.low) / step + 1e-9) + 1
    return [tried.of(tried.low + number * step) for number in range(count)]


def _count(tried: Tried) -> int | None:
    values = values_of(tried)
    return None if values is None else len(values)


def _values(key: str, values: Sequence[Any]) -> TriedValues:
    if len(values) == 1:
        raise _single(key, values[0])
    tried = TriedValues(values=tuple(values))
    twice = [text for text in tried.texts if tried.texts.count(text) > 1]
    if twice:
        raise SettingsError(f"{key} is to be tried with {twice[0]} twice. Name each value once.")
    if not values:
        raise SettingsError(f"{key} has no values to try. Name two or more, such as {_EXAMPLE}.")
    return tried


def _single(key: str, value: Any) -> SettingsError:
    text = value_text(value)
    return SettingsError(
        f"{key} has one value to try, {text}, which leaves nothing to choose. Give --set {key}={text}, or more values."
    )


def _range(key: str, told: Mapping[str, Any]) -> TriedRange:
    known = {"low", "high", "log", "step"}
    unknown = sorted(set(told) - known)
    if unknown or not {"low", "high"} <= set(told):
        what = f"has {unknown[0]!r}" if unknown else f"has no {'high' if 'low' in told else 'low'}"
        raise SettingsError(
            f"the range of {key} {what}; a range is low, high and, where wanted, log = true or step. Correct it."
        )
    numbers = [told["low"], told["high"], *([told["step"]] if told.get("step") is not None else [])]
    if not all(isinstance(one, (int, float)) and not isinstance(one, bool) and math.isfinite(one) for one in numbers):
        raise SettingsError(
            f"the range of {key} goes from {told['low']!r} to {told['high']!r}; its ends are numbers. Correct it."
        )
    low, high, logarithmic = told["low"], told["high"], bool(told.get("log", False))
    shown = f"the range of {key} goes from {value_text(low)} to {value_text(high)}"
    if low == high:
        raise _single(key, low)
    if low > high:
        raise SettingsError(f"{shown}; its lower end comes first. Turn them round.")
    if logarithmic and low <= 0:
        raise SettingsError(f"{shown} in logarithms, which begin above 0. Give a lower end above 0, or leave log out.")
    if told.get("step") is not None and (logarithmic or told["step"] <= 0):
        raise SettingsError(
            f"{shown} in steps of {told['step']}; steps are above 0, and not for logarithms. Correct it."
        )
    return TriedRange(low=low, high=high, logarithmic=logarithmic, step=told.get("step"))


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except ValueError:
        return text


def _number(text: str) -> float:
    value = _value(text)
    return value if isinstance(value, (int, float)) else float(text)
