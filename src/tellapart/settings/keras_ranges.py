"""Ranges as Keras writes them, as ours. In: a number or two. Out: settings. Next: keras_layers.py.

Keras' zoom factor says how much of the picture is sampled: 0.8 shows it 1.25 times as large.
"""

from __future__ import annotations

from typing import Any

from tellapart.errors import SettingsError


def numbers(name: str, value: Any) -> list[float]:
    """One number, or two. Raises: SettingsError for anything else."""
    values = value if isinstance(value, list) else [value]
    if not 1 <= len(values) <= 2 or any(isinstance(one, bool) or not isinstance(one, int | float) for one in values):
        raise SettingsError(f"{name} is {value!r}; it is one number, or two in brackets. Write it so.")
    return [float(one) for one in values]


def either(name: str, value: Any) -> float:
    """The most of a range that goes either way. Raises: SettingsError."""
    return max(abs(one) for one in numbers(name, value))


def shares(name: str, value: Any, size: int | None) -> float:
    """A share of the side; from 1 on, and of whole numbers, Keras means pixels. Raises: SettingsError without the side."""
    most = either(name, value)
    if most < 1 and not isinstance(value, int):
        return most
    if size is None:
        raise SettingsError(
            f"{name} is {value!r}, which Keras takes as pixels. Say of how many with --size 224, or write a share such as 0.1."
        )
    return round(most / size, 4)


def higher_and_lower(name: str, value: Any, *, up: str, down: str, inverted: bool = False) -> dict[str, float]:
    """A range of factors as how far it goes above 1 and below; of one number from 1 - value to 1 + value. Raises: SettingsError."""
    given = numbers(name, value)
    low, high = (1 - given[0], 1 + given[0]) if len(given) == 1 else (given[0], given[1])
    if not 0 <= low <= high or (inverted and low == 0):
        raise SettingsError(
            f"{name} is {value!r}; its factors must be above 0, the lower first. Write [0.8, 1.2], for example."
        )
    if inverted:
        low, high = 1 / high, 1 / low
    found = {up: round(max(0.0, high - 1), 4), down: round(max(0.0, 1 - low), 4)}
    return {key: number for key, number in found.items() if number}


def told_around(name: str, value: Any, middle: float) -> str:
    """What is done otherwise of a range of two numbers, "" for nothing.

    Ours go as far either way of 0; of factors, whose `middle` is 1, each side has its own length, and 1 is always in it.
    """
    given = value if isinstance(value, list) else [value]
    if len(given) != 2:
        return ""
    low, high = min(given), max(given)
    if middle:
        ours = (min(low, middle), max(high, middle))
        why = f"its range holds {middle:g} here, which leaves a picture as it is"
    else:
        ours = (-max(abs(low), abs(high)), max(abs(low), abs(high)))
        why = "it goes as far either way here"
    if ours == (low, high):
        return ""
    return f"{name} is from {low:g} to {high:g} in Keras; {why}: from {ours[0]:g} to {ours[1]:g}."
