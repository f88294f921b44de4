"""Settings that another one leaves without effect. In: what was told, TrainSettings. Out: a sentence. Next: workflows/train.py.

Only what is told anew is looked at: what a finished run's recipe holds does no harm, and a search tries one beside the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tellapart.errors import SettingsError
from tellapart.settings.tree import TrainSettings

# A setting, the one that decides whether it is looked at, and the values of that by which it is.
_USED = (
    ("loop", "focal_gamma", "loss", ("focal",)),
    ("loop", "decay_rate", "schedule", ("step", "exponential", "piecewise", "plateau")),
    ("loop", "decay_epochs", "schedule", ("step", "exponential")),
    ("loop", "momentum", "optimizer", ("sgd", "rmsprop")),
    ("loop", "nesterov", "optimizer", ("sgd",)),
    ("augment", "fill_value", "fill", ("constant",)),
)


def refuse_idle(told: Mapping[str, Any], settings: TrainSettings) -> None:
    """Raises: SettingsError for a setting among the tables `told` that `settings` never look at; one left as it is may stay."""
    for table, name, by, values in _USED:
        part = getattr(settings, table)
        given = told.get(table)
        value, usual = getattr(part, name), type(part).model_fields[name].default
        if not isinstance(given, Mapping) or name not in given or value == usual or getattr(part, by) in values:
            continue
        raise SettingsError(
            f"{table}.{name} is {value}, which is looked at only where {table}.{by} is {' or '.join(values)}. Leave it out, or "
            f"give --set {table}.{by}={values[0]}."
        )
