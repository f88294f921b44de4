"""Settings that are the fields of a part of the program. In: a dataclass, limits. Out: a pydantic model. Next: parts.py.

So a field, its type and its default are written once, beside what uses it; only the limits that a recipe has are said here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model, field_validator


class Part(BaseModel):
    """A table of a recipe. Unknown keys stop the run."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def mirror(
    part: type,
    limits: Mapping[str, Mapping[str, Any]],
    *,
    name: str,
    left_open: bool = False,
    defaults: Mapping[str, Any] | None = None,
    checks: Mapping[str, Callable[[Any], Any]] | None = None,
) -> type[Part]:
    """The fields of the dataclass `part` that `limits` names, as settings called `name`, in the part's order.

    `limits` are those of pydantic's Field: ge, gt, le, lt. `defaults` are those that differ from the part's; where `left_open`, the
    other fields may be None, and are unless told. A check gives the value back, or raises ValueError.
    """
    hints, own = get_type_hints(part), defaults or {}
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(part):
        if field.name not in limits:
            continue
        kind, default = hints[field.name], own.get(field.name, field.default)
        if left_open and field.name not in own:
            kind, default = kind | None, None
        fields[field.name] = (kind, Field(default, **limits[field.name]))
    validators: dict[str, Any] = {f"check_{key}": field_validator(key)(check) for key, check in (checks or {}).items()}
    return create_model(name, __base__=Part, __validators__=validators, **fields)
