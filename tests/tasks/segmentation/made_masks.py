"""Masks and answers by hand. In: nothing. Out: MaskAnswers, true masks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.mask_answer import MaskAnswer
from tellapart.answers.mask_files import class_colours

CLASSES = ("background", "cell", "裂 crack")


def answer_of(
    mask: NDArray[np.uint8],
    *,
    certainty: NDArray[np.uint8] | int = 230,
    classes: tuple[str, ...] = CLASSES,
    path: str = "a.png",
    probabilities: NDArray[np.uint8] | None = None,
) -> MaskAnswer:
    known = np.full(mask.shape, certainty, dtype=np.uint8) if isinstance(certainty, int) else certainty
    return MaskAnswer(
        path=path,
        classes=classes,
        mask=mask,
        certainty=known,
        probabilities=probabilities,
        confidence=float(known.mean() / 255),
        colours=class_colours(len(classes), background=0),
        background=0,
    )


def discs(seed: int, *, size: int = 48, count: int = 3, classes: int = 3) -> NDArray[np.uint8]:
    """Discs of the classes but the background, here and there."""
    chance = np.random.default_rng(seed)
    ys, xs = np.mgrid[:size, :size]
    mask = np.zeros((size, size), dtype=np.uint8)
    for _ in range(count):
        x, y = chance.integers(8, size - 8, 2)
        mask[(xs - x) ** 2 + (ys - y) ** 2 <= chance.integers(9, 50)] = chance.integers(1, classes)
    return mask


def spoiled(mask: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """The mask, moved by a pixel or two, with a few wrong pixels."""
    chance = np.random.default_rng(seed)
    wrong = np.roll(mask, chance.integers(-2, 3, 2), axis=(0, 1))
    noisy = chance.random(mask.shape) < 0.01
    wrong[noisy] = chance.integers(0, 3, int(noisy.sum()))
    return wrong
