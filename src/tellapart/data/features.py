"""Numbers of classes as their names, where a table's features say them. In: a schema, values. Out: values. Next: locating.py.

Hugging Face's tables describe their columns, also what stands within a column of objects.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def described(schema: Any) -> Mapping[str, Any]:
    """What is said of each column; nothing where nothing is said, or it cannot be understood."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def named(value: Any, feature: Any) -> Any:
    """A value with the names of classes for their numbers, however deep; a number without a name stays."""
    inner = feature[0] if isinstance(feature, list) and feature else feature
    if not isinstance(inner, dict):
        return value
    names = inner.get("names") if inner.get("_type") == "ClassLabel" else None
    within = inner if isinstance(names, list) else inner.get("feature", inner)
    if isinstance(value, list):
        return [named(one, within) for one in value]
    if isinstance(value, dict):
        return {key: named(one, within.get(key) if isinstance(within, dict) else None) for key, one in value.items()}
    if isinstance(names, list) and isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names):
        return str(names[value])
    return value
