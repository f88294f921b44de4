"""One picture's mask against the truth, as numbers and two small files. In: MaskAnswer, mask. Out: JudgedMask. Next: scoring.py.

So a test needs no more memory than its pictures have classes, however large they are. K classes, H rows, W columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.mask_answer import MaskAnswer
from tellapart.answers.mask_files import IGNORED, mask_png
from tellapart.answers.mask_parts import find_parts
from tellapart.errors import DataError
from tellapart.tasks.segmentation.borders import match_borders
from tellapart.tasks.segmentation.region_doubts import RegionDoubt, doubt_regions, label_quality, own_probabilities

LEVELS = 256  # of a certainty
SIZES = 12  # ranges of the size of a thing: up to 1 pixel, up to 4, up to 16 and so on, the last without an end
_FOUND = 0.5  # of a thing's pixels, that must have its class for it to be found

Numbers = NDArray[np.int64]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JudgedMask:
    """What is known of one picture's answer once its masks are let go."""

    path: str
    width: int
    height: int
    confusion: Numbers  # [K, K], pixels that count: true class, told class
    borders: (
        Numbers  # [K, 4], pixels of the told border, right ones among them, of the true border, found ones among them
    )
    distances: Doubles  # [K], Hausdorff's of 95 %, in pixels; NaN where one of the masks has no border of the class
    certain: Numbers  # [2, 256], pixels by certainty: all that count, and those whose class is right
    true_parts: Numbers  # [K], connected parts
    told_parts: Numbers  # [K]
    things: Numbers  # [2, K, SIZES], true parts by size: all, and those of which half the pixels are found
    confidence: float  # mean probability of what is told
    unknown: bool | None
    novelty: float | None
    quality: float  # of the labels, as the model sees them, in [0, 1]; 1 where no pixel counts
    doubts: list[RegionDoubt]
    truth: bytes  # PNG files with palettes, numbers of classes, 255 for what does not count
    answer: bytes
    warning: str = ""  # what to know of how the picture was read

    @property
    def counted(self) -> int:
        """Pixels that count."""
        return int(self.confusion.sum())


def judge(answer: MaskAnswer, truth: NDArray[np.uint8], *, path: str) -> JudgedMask:
    """Compare an answer with the true mask [H, W] of the same upright picture; 255 counts nowhere.

    Raises: ValueError for an unread picture, DataError for a mask of another size or with a class that the model does not have.
    """
    mask, certainty = answer.mask, answer.certainty
    if mask is None or certainty is None:
        raise ValueError(f"{path} could not be read: {answer.error}")
    classes = len(answer.classes)
    _check(truth, mask, classes, path)
    counts = truth != IGNORED
    told = np.where(counts, mask, IGNORED).astype(np.uint8)
    own = own_probabilities(truth, mask, certainty, answer.probabilities)
    true_parts, told_parts = find_parts(truth), find_parts(told)
    borders, distances = _borders(truth, told, classes)
    return JudgedMask(
        path=path,
        width=mask.shape[1],
        height=mask.shape[0],
        confusion=_confusion(truth[counts], mask[counts], classes),
        borders=borders,
        distances=distances,
        certain=_certain(certainty[counts], (truth == mask)[counts]),
        true_parts=np.bincount(true_parts.labels, minlength=LEVELS)[:classes],
        told_parts=np.bincount(told_parts.labels, minlength=LEVELS)[:classes],
        things=_things(truth, mask, classes),
        confidence=float(answer.confidence or 0.0),
        unknown=answer.unknown,
        novelty=answer.novelty,
        quality=label_quality(own[counts] / 255) if counts.any() else 1.0,
        doubts=doubt_regions(truth, mask, certainty, background=answer.background),
        truth=mask_png(truth, answer.colours),
        answer=mask_png(mask, answer.colours),
        warning=answer.warning,
    )


def _check(truth: NDArray[np.uint8], mask: NDArray[np.uint8], classes: int, path: str) -> None:
    if truth.shape != mask.shape:
        raise DataError(
            f"{path} has {mask.shape[1]} x {mask.shape[0]} pixels, and its mask {truth.shape[1]} x {truth.shape[0]}; they must "
            "be the same. Make the mask anew."
        )
    highest = int(truth[truth != IGNORED].max(initial=0))
    if highest >= classes:
        raise DataError(
            f"the mask of {path} has the class {highest}, and the model's {classes} are counted from 0. Name the classes as the "
            "model does."
        )


def _confusion(truth: NDArray[np.uint8], told: NDArray[np.uint8], classes: int) -> Numbers:
    """Pixels [K, K] by true and told class, of n that count."""
    pairs = truth.astype(np.int64) * classes + told
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def _borders(truth: NDArray[np.uint8], told: NDArray[np.uint8], classes: int) -> tuple[Numbers, Doubles]:
    borders, distances = np.zeros((classes, 4), dtype=np.int64), np.full(classes, np.nan)
    shown = set(np.unique(truth).tolist()) | set(np.unique(told).tolist())
    for label in sorted(shown - {IGNORED}):
        one = match_borders(truth, told, label)
        borders[label], distances[label] = (one.told, one.right, one.true, one.found), one.distance
    return borders, distances


def _certain(certainty: NDArray[np.uint8], right: NDArray[np.bool_]) -> Numbers:
    return np.stack([np.bincount(values, minlength=LEVELS) for values in (certainty, certainty[right])])


def _things(truth: NDArray[np.uint8], mask: NDArray[np.uint8], classes: int) -> Numbers:
    """True parts by class and size: all, and those that are found."""
    parts = find_parts(truth)
    right = np.bincount(parts.numbered(*truth.shape)[truth == mask], minlength=len(parts.labels))
    found = right >= _FOUND * parts.sizes
    size = np.minimum(np.ceil(np.log2(parts.sizes) / 2), SIZES - 1).astype(np.int64)
    counts = np.zeros((2, LEVELS, SIZES), dtype=np.int64)
    np.add.at(counts[0], (parts.labels, size), 1)
    np.add.at(counts[1], (parts.labels[found], size[found]), 1)
    return counts[:, :classes]
