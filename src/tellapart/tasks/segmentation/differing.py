"""How the masks of two files differ. In: JudgedMasks. Out: Difference, Resampling. Next: telling.py."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.mask_files import read_png
from tellapart.bundle import Manifest
from tellapart.data.targets import Target
from tellapart.evaluation.differences import Difference, Resampling
from tellapart.evaluation.intervals import Counts
from tellapart.tasks.segmentation.judging import JudgedMask
from tellapart.tasks.segmentation.scoring import mean_overlap, picture_figures


def differ(before: JudgedMask, after: JudgedMask) -> Difference:
    """Flipped is a pixel that has another class; of its probabilities nothing is kept."""
    first, second = read_png(before.answer), read_png(after.answer)
    return Difference(flipped=int((first != second).sum()), of=int(first.size), largest=None)


def resampled(
    manifest: Manifest, answers: Sequence[JudgedMask], targets: Sequence[Target], numbers: NDArray[np.int64]
) -> Resampling:
    """Mean IoU of all pixels together, over groups with these `numbers` [N]."""
    confusion = np.array([one.confusion for one in answers])

    def overlap(counts: Counts) -> NDArray[np.floating]:
        return mean_overlap(counts.astype(np.float64)[:, numbers], confusion)

    return Resampling(values=overlap)


def picture_overlap(manifest: Manifest, answer: JudgedMask, target: Target) -> float:
    """Mean IoU of the classes that occur in the picture's truth or answer; 1 where no pixel counts."""
    overlap = picture_figures(answer)["iou"]
    return 1.0 if overlap is None else overlap
