"""What several tests of one data set say together. In: their answers. Out: Pooled. Next: task.py.

Each is by a network of its own, on pictures that this one has not seen, and decided as that one decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import Score, TaskRecord
from tellapart.data.targets import Target
from tellapart.evaluation.unlike import pool_known


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoldAnswers:
    """What one network said of the n pictures of its fold."""

    record: TaskRecord  # how it decides
    arrays: Mapping[str, NDArray[Any]]  # as `Tested.arrays` gave them

    def array(self, name: str) -> NDArray[Any]:
        """One of them."""
        return self.arrays[name]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pooled:
    """The figures of all folds together."""

    metrics: dict[str, Any]  # as of one test
    beside: Mapping[str, Any]  # entries of metrics.json that the task has beside it
    record: TaskRecord  # of the network that is kept, with what was measured


class AverageFolds(Protocol):
    """How a task decides by the mean of several networks."""

    def __call__(
        self,
        parts: Sequence[FoldAnswers],
        targets: Sequence[Target],
        *,
        classes: tuple[str, ...],
        coverage: float,
        precision: float | None,
    ) -> TaskRecord:
        """Its record, with thresholds from what each network said of the N pictures that it had not seen; `targets` [N].

        `coverage` and `precision` are wanted, as of one network.
        """
        ...


class PoolFolds(Protocol):
    """How a task pools them."""

    def __call__(
        self,
        parts: Sequence[FoldAnswers],
        targets: Sequence[Target],
        *,
        classes: tuple[str, ...],
        groups: NDArray[np.int64],
        record: TaskRecord,
        beside: Mapping[str, Any],
        seed: int,
    ) -> Pooled:
        """Of N answers in the order of `parts`: `targets` and `groups` [N]. `record` and `beside` are those of what is kept."""
        ...


def joined(parts: Sequence[FoldAnswers], name: str) -> NDArray[Any]:
    """An array of all parts, [N, ...]."""
    return np.concatenate([part.array(name) for part in parts])


def with_known(
    parts: Sequence[FoldAnswers],
    thresholds: Sequence[float | None],
    record: TaskRecord,
    *,
    metrics: dict[str, Any],
    beside: Mapping[str, Any],
    groups: NDArray[np.int64],
    seed: int,
) -> Pooled:
    """The figures with the share of pictures that are not called unknown, each by its own network's threshold of novelty."""
    novelty = [(part.array("novelty"), own) for own, part in zip(thresholds, parts, strict=True)]
    measured = pool_known(novelty, beside["abstention"], groups=groups, seed=seed)
    known = None if measured["known"] is None else Score.of(measured["known"])
    return Pooled(metrics=metrics, beside={"abstention": measured}, record=record.model_copy(update={"known": known}))
