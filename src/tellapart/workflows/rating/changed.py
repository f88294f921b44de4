"""What changed from one file of a network to another. In: two Rated. Out: Change. Next: timing.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tellapart.bundle import Manifest
from tellapart.evaluation.differences import paired_change
from tellapart.evaluation.intervals import group_numbers
from tellapart.record_parts import Score
from tellapart.tasks.table import task_of
from tellapart.workflows.rating.asking import AskedSplit
from tellapart.workflows.rating.rated import Rated

_PROBABILITIES = "probabilities"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """From the first file to the second, on the same pictures.

    An answer is a picture's where it has one class or a set of them; of boxes each that is told, one without a partner of its
    class that it overlaps by half being flipped; of masks each pixel.
    """

    flipped: int  # answers that are not what they were
    of: int  # answers
    largest: float | None  # difference of a probability, in [0, 1]; None where none can be compared
    score: Score  # of the headline figure, the second less the first, with its paired 95 % interval

    @property
    def share(self) -> float:
        """Of answers that flipped, in [0, 1]."""
        return self.flipped / max(1, self.of)

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        return {
            "flipped": self.flipped,
            "answers": self.of,
            "flipped_share": self.share,
            "largest_difference": self.largest,
            "change": {"value": self.score.value, "low": self.score.low, "high": self.score.high},
        }


def changed(
    before: Rated,
    after: Rated,
    asked: AskedSplit,
    manifest: Manifest,
    *,
    manifest_after: Manifest | None = None,
    seed: int = 0,
) -> Change:
    """Both were asked `asked`; `manifest_after` where the second file's is another. Its classes must be the same."""
    task = task_of(manifest.task)
    pairs = [task.differ(one, other) for one, other in zip(before.answers, after.answers, strict=True)]
    largest = [pair.largest for pair in pairs if pair.largest is not None]
    numbers = group_numbers(asked.groups, len(asked.pictures))
    figures = [
        task.resampled(told, rated.answers, asked.targets, numbers)
        for told, rated in ((manifest, before), (manifest_after or manifest, after))
    ]
    return Change(
        flipped=sum(pair.flipped for pair in pairs),
        of=sum(pair.of for pair in pairs),
        largest=max(largest) if largest else largest_difference(before, after),
        score=paired_change(*figures, group_count=int(numbers.max()) + 1, seed=seed),
    )


def largest_difference(before: Rated, after: Rated) -> float | None:
    """Of the probabilities that both kept, at the same places; None where there are none."""
    first, second = before.outputs.get(_PROBABILITIES), after.outputs.get(_PROBABILITIES)
    if first is None or second is None or first.shape != second.shape or not first.size:
        return None
    return float(np.abs(first.astype(np.float64) - second).max())
