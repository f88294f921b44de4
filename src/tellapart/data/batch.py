"""One batch of a training, whatever its task. In: tensors, perhaps nested. Out: Batch, moved and cut. Next: mixing.py.

Inputs and targets are tensors whose first axis is the batch, or hold such tensors: the values of a dict or a tuple are
columns, each as long as the batch; a list has one entry for each item, of any shape (boxes, pictures of many sizes).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from tellapart.errors import kind_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """What one step of training sees of B items, or this process's part of it."""

    inputs: Any  # uint8 [B, S, S, 3], float16 [B, C, H, W] from the frozen stages, or nested as this file says
    targets: Any  # as the task's learner takes them: int64 [B] classes, float32 [B, K] ...
    rows: Tensor  # int64 [B], of the source

    def __len__(self) -> int:
        return len(self.rows)

    def to(self, device: torch.device) -> Batch:
        """The same with inputs and targets on `device`; `rows` stay where they are."""

        def move(tensor: Tensor) -> Tensor:
            return tensor.to(device, non_blocking=True)

        return replace(self, inputs=map_tensors(self.inputs, move), targets=map_tensors(self.targets, move))

    def split(self, count: int) -> tuple[Batch, ...]:
        """`count` parts (1 to B) of as equal a size as can be, in order, the larger first; nothing is copied.

        Raises: ValueError for another `count`, or where inputs or targets are not as long as the batch.
        """
        if not 1 <= count <= len(self):
            raise ValueError(
                f"a batch of {len(self)} items cannot be split into {count} parts; 1 to {len(self)} can be"
            )
        columns = (_split(part, count, len(self)) for part in (self.inputs, self.targets, self.rows))
        return tuple(
            Batch(inputs=inputs, targets=targets, rows=rows) for inputs, targets, rows in zip(*columns, strict=True)
        )


def map_tensors(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """`value` with every tensor [B, ...] in its dicts, tuples and lists changed; whatever else it holds stays."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {name: map_tensors(part, change) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map_tensors(part, change) for part in value)
    return value


def _split(value: Any, count: int, length: int) -> list[Any]:
    if isinstance(value, (Tensor, list)) and len(value) != length:
        raise ValueError(f"{kind_of(value)} of length {len(value)} in a batch of {length} items; give one an item")
    if isinstance(value, Tensor):
        return list(value.tensor_split(count))
    if isinstance(value, list):
        ends = [part * (length // count) + min(part, length % count) for part in range(count + 1)]
        return [value[start:end] for start, end in itertools.pairwise(ends)]
    if isinstance(value, dict):
        parts = {name: _split(column, count, length) for name, column in value.items()}
        return [{name: parts[name][number] for name in parts} for number in range(count)]
    if isinstance(value, tuple):
        return list(zip(*(_split(column, count, length) for column in value), strict=True))
    raise ValueError(f"a batch cannot hold {type(value).__name__}; give tensors, or dicts, tuples and lists of them")
