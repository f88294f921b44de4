"""Operators that move numbers and change none, in torch. In: tensors, attributes. Out: tensors. Next: torch_layers.py."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from torch import Tensor

Attributes: TypeAlias = Mapping[str, Any]
Given: TypeAlias = Sequence[Any]  # a tensor each; None for an input that is left out
Known: TypeAlias = Sequence[list[Any] | None]  # the values of those that are constants, flattened; None for others
Operator: TypeAlias = Callable[[Given, Known, Attributes], Any]


def slice_of(given: Given, known: Known, attributes: Attributes) -> Tensor:
    """Slice between places that are known."""
    found: Tensor = given[0]
    starts, ends, axes, steps = (known[place] if len(known) > place else None for place in (1, 2, 3, 4))
    if starts is None or ends is None:
        raise NotImplementedError("Slice between places that are worked out for each input")
    axes, steps = axes or list(range(len(starts))), steps or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step > 0:
            index = [slice(None)] * (axis % found.ndim) + [slice(start, min(end, 2**31 - 1), step)]
            found = found[tuple(index)]
        elif step == -1 and start == -1 and end < -(2**31):
            found = found.flip(axis)
        else:
            raise NotImplementedError(f"Slice backwards from {start} to {end} by {step}")
    return found


def reshape(given: Given, known: Known, attributes: Attributes) -> Tensor:
    """Reshape to a shape that is known."""
    shape = known[1]
    if shape is None:
        raise NotImplementedError("Reshape to a shape that is worked out for each picture")
    data: Tensor = given[0]
    return data.reshape([data.shape[number] if length == 0 else length for number, length in enumerate(shape)])


def flatten(given: Given, known: Known, attributes: Attributes) -> Tensor:
    """Flatten."""
    axis, data = attributes.get("axis", 1), given[0]
    length = math.prod(data.shape[axis:])
    found: Tensor = data.flatten(1) if axis == 1 else data.reshape([-1, length])
    return found


def split(given: Given, known: Known, attributes: Attributes) -> Any:
    """Split into parts whose lengths are known."""
    axis = attributes.get("axis", 0)
    parts = known[1] if len(known) > 1 and known[1] is not None else attributes.get("split")
    if parts is None:
        length, count = given[0].shape[axis], attributes["num_outputs"]
        return given[0].split(-(-length // count), axis)
    return given[0].split([int(part) for part in parts], axis)


def gather(given: Given, known: Known, attributes: Attributes) -> Tensor:
    """Gather along one axis."""
    axis, numbers, data = attributes.get("axis", 0), given[1], given[0]
    places = known[1]
    if places is not None and numbers.ndim == 0:
        found: Tensor = data.select(axis, int(places[0]))
        return found
    found = data.index_select(axis, numbers.flatten())
    return found.reshape([*data.shape[:axis], *numbers.shape, *data.shape[axis + 1 :]])


def squeeze(given: Given, known: Known, attributes: Attributes) -> Tensor:
    """Squeeze."""
    axes = known[1] if len(known) > 1 else attributes.get("axes")
    found: Tensor = given[0]
    for axis in sorted((int(one) % found.ndim for one in axes or ()), reverse=True):
        found = found.squeeze(axis)
    return found


def unsqueeze(given: Given, known: Known, attributes: Attributes) -> Tensor:
    """Unsqueeze."""
    axes = known[1] if len(known) > 1 else attributes.get("axes")
    found: Tensor = given[0]
    for axis in sorted(int(one) for one in axes or ()):
        found = found.unsqueeze(axis)
    return found
