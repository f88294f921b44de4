"""Thresholds that somebody asks for instead of the model's. In: a record, numbers. Out: a TaskRecord. Next: items.py.

From a threshold on, a class is named or a box is told; which tasks have them, their records say.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from tellapart.errors import SettingsError
from tellapart.reporter import percent

if TYPE_CHECKING:
    from tellapart.bundle import TaskRecord

ASKED = "request"  # the rule of thresholds that somebody asked for
_NAMED = 10  # classes that a message lists

Thresholds = float | Mapping[str, float]  # one for all classes, or those of some


def read_thresholds(texts: Iterable[str]) -> Thresholds | None:
    """What `--threshold 0.4` or `--threshold CLASS=0.3`, any number of times, says; None for none.

    Raises: SettingsError for what is no number, both kinds at once, or a class named twice.
    """
    alone: list[float] = []
    named: dict[str, float] = {}
    for text in texts:
        name, equals, number = text.rpartition("=")
        value = _number(number, text)
        if not equals:
            alone.append(value)
        elif name in named:
            raise SettingsError(f"--threshold is given twice for {name!r}. Give one for each class.")
        else:
            named[name] = value
    if len(alone) > 1 or (alone and named):
        raise SettingsError(
            "--threshold is given for all classes, and once more. Give one number for all, or CLASS=NUMBER for some."
        )
    return alone[0] if alone else named or None


def with_thresholds(record: TaskRecord, classes: tuple[str, ...], asked: Thresholds) -> TaskRecord:
    """The record with other thresholds; classes that are not named keep the model's.

    Raises: SettingsError for a task without thresholds, a class that the model does not have, or a number outside [0, 1].
    """
    if "thresholds" not in type(record).model_fields:
        raise SettingsError(
            f"the model is of the task {record.kind!r}, which decides without thresholds. Leave the threshold out."
        )
    own = dict(zip(classes, record.model_dump()["thresholds"], strict=True))
    wanted = dict(asked) if isinstance(asked, Mapping) else dict.fromkeys(classes, asked)
    for name, value in wanted.items():
        if name not in own:
            more = f" and {len(classes) - _NAMED:,} more" if len(classes) > _NAMED else ""
            raise SettingsError(
                f"the threshold is for {name!r}, which is none of the model's classes ({', '.join(classes[:_NAMED])}{more}). "
                "Name one of them."
            )
        if not 0 <= value <= 1:
            raise SettingsError(f"the threshold is {value:g}; it must be from 0 to 1. Give one such as 0.5.")
    changed = {"thresholds": tuple({**own, **wanted}.values()), "threshold_rule": ASKED}
    return record.model_copy(update=changed)


def told_thresholds(own: TaskRecord, used: TaskRecord, classes: tuple[str, ...]) -> str:
    """Which thresholds of a record are not the model's own, in a sentence or two; "" where all are."""
    before, now = own.model_dump(), used.model_dump()
    if before.get("thresholds") == now.get("thresholds"):
        return ""
    changed = [
        f"{name} {percent(asked)} (its own {percent(model)})"
        for name, model, asked in zip(classes, before["thresholds"], now["thresholds"], strict=True)
        if asked != model
    ]
    more = f" and {len(changed) - _NAMED:,} more" if len(changed) > _NAMED else ""
    least = now.get("least_score", 0.0)
    low = f" The file gives nothing under {percent(least)}." if min(now["thresholds"]) < least else ""
    return f"Thresholds as asked, not the model's: {', '.join(changed[:_NAMED])}{more}.{low}"


def _number(text: str, given: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise SettingsError(f"--threshold is {given!r}; it must be a number, or CLASS=NUMBER. Give one such as 0.5.")
    return value
