"""Which rule a setting breaks, in words. In: what pydantic found. Out: a sentence's end. Next: reading.py."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

_RULES: Mapping[str, str] = {
    "greater_than_equal": "it must be at least {ge}",
    "greater_than": "it must be above {gt}",
    "less_than_equal": "it must be at most {le}",
    "less_than": "it must be below {lt}",
    "finite_number": "it must be a finite number",
    "int_type": "it must be a whole number",
    "int_parsing": "it must be a whole number",
    "int_from_float": "it must be a whole number",
    "float_type": "it must be a number",
    "float_parsing": "it must be a number",
    "bool_type": "it must be true or false",
    "bool_parsing": "it must be true or false",
    "string_type": "it must be text",
    "string_too_short": "it must not be empty",
    "model_type": "it must be a table of settings, such as network.size=96",
    "dict_type": "it must be a table of settings, such as network.size=96",
    "tuple_type": "it must be a list, such as [{{filters = 32}}, {{filters = 64}}]",
}
# As Keras calls them, in small letters without lines.
_KERAS: Mapping[str, str] = {
    "mse": "mean_squared_error",
    "meansquarederror": "mean_squared_error",
    "categoricalcrossentropy": "cross_entropy",
    "sparsecategoricalcrossentropy": "cross_entropy",
    "binarycrossentropy": "binary_cross_entropy",
    "categoricalhinge": "hinge",
    "categoricalfocalcrossentropy": "focal",
    "reducelronplateau": "plateau",
    "piecewiseconstantdecay": "piecewise",
    "exponentialdecay": "exponential",
    "cosinedecay": "cosine",
}


def rule(found: Mapping[str, Any]) -> str:
    """One of pydantic's findings as a rule, without a full stop: a range, a kind, or the words that may be."""
    context = {key: _shown(value) for key, value in found.get("ctx", {}).items()}
    if found["type"] == "literal_error":
        words = re.findall(r"'([^']*)'|(\b\d+\b)", context["expected"])
        names = [name or number for name, number in words]
        near = _near(str(found.get("input")), names)
        quoted = [repr(name) if not name.strip(" |;,") else name for name in names]
        listed = f"{', '.join(quoted[:-1])} or {quoted[-1]}" if len(quoted) > 1 else quoted[0]
        return f"it must be {listed}" + (f". Did you mean {near[0]!r}?" if near else "")
    if found["type"] in _RULES:
        return _RULES[found["type"]].format(**context)
    return str(found["msg"]).removeprefix("Value error, ")


def _near(told: str, names: Sequence[str]) -> list[str]:
    """The name that was meant, as far as letters or Keras tell."""
    keras = _KERAS.get(re.sub(r"[^a-z]", "", told.lower()))
    return [keras] if keras is not None and keras in names else difflib.get_close_matches(told.lower(), names, n=1)


def _shown(value: Any) -> str:
    return f"{value:,.10g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
