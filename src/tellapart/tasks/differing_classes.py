"""How the answers of two files differ, one class a picture. In: answers. Out: Difference, Resampling. Next: probable.py."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.classification import ClassAnswer
from tellapart.bundle import Manifest
from tellapart.data.targets import Target, class_numbers
from tellapart.evaluation.differences import Difference, Resampling, share_of_groups
from tellapart.tasks.probable import largest_of, probabilities_of


def differ(before: ClassAnswer, after: ClassAnswer) -> Difference:
    """Flipped where another class is the most probable one; both could be read."""
    first, second = probabilities_of([before, after])[0]
    return Difference(flipped=int(first.argmax() != second.argmax()), of=1, largest=largest_of(first, second))


def resampled(
    manifest: Manifest, answers: Sequence[ClassAnswer], targets: Sequence[Target], numbers: NDArray[np.int64]
) -> Resampling:
    """Accuracy, over groups with these `numbers` [N]."""
    right = probabilities_of(answers)[0].argmax(axis=1) == class_numbers(targets, manifest.classes)
    return share_of_groups(right.astype(np.float64), numbers)
