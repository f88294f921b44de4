"""How far a heatmap can be believed. In: a picture, a heatmap. Out: Faithfulness. Next: runs/neighbourhood.py.

Where a heatmap is right, taking its hottest pixels away makes the class fall at once, and putting them alone back
makes it rise at once. Shapes: N pictures, S side of the picture, K classes, h w a heatmap's height and width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from tellapart.explanation.overlay import enlarge
from tellapart.runtime import BATCH

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]  # uint8 [N, S, S, 3] -> probabilities [N, K]

STEPS = 16  # parts in which the pixels go and come; the paper takes one part for every row of the picture
_BLUR = 1 / 10  # of the side, the standard deviation of the Gaussian: nothing of the picture may be told by its blur
_CHANCE = 2  # random heatmaps that are averaged
_TELLING = 0.02  # what both areas, shown to a hundredth, may differ by where nothing is told
_COARSE = 7  # their side, that of most networks' last map


@dataclass(frozen=True, slots=True, kw_only=True)
class Faithfulness:
    """Areas under the class's probability while pixels go or come, hottest first; both in [0, 1]."""

    deletion: float  # pixels turn to the background; the lower, the more faithful
    insertion: float  # pixels come back over a blurred picture; the higher, the more faithful

    @property
    def score(self) -> float:
        """Insertion less deletion, in [-1, 1]: one number to compare methods by, on one picture."""
        return self.insertion - self.deletion

    def beats(self, chance: Faithfulness) -> bool:
        """Whether it is better than `chance` by more than chance itself varies: where hiding does nothing, no method is good."""
        return self.score > chance.score + _TELLING


def faithfulness(
    image: NDArray[np.uint8],
    heatmap: NDArray[np.floating],
    target: int,
    *,
    predict: Predict,
    background: NDArray[np.uint8],
    steps: int = STEPS,
    seed: int = 0,
) -> Faithfulness:
    """Deletion and insertion areas of a heatmap [h, w] for class `target` on a picture uint8 [S, S, 3].

    `background` is a colour uint8 [3]: the mean that the network was normalised with, as in the authors' programme.
    Pixels of equal heat go in an order drawn with `seed`. Source: Petsiuk et al. 2018, arXiv 1806.07421, section 4.1.
    """
    order = _hottest_first(heatmap, len(image), seed)
    plain = np.broadcast_to(background, image.shape)
    deletion = _area(image, plain, order, target, predict, steps)
    insertion = _area(blurred(image), image, order, target, predict, steps)
    return Faithfulness(deletion=deletion, insertion=insertion)


def chance(
    image: NDArray[np.uint8],
    target: int,
    *,
    predict: Predict,
    background: NDArray[np.uint8],
    steps: int = STEPS,
    seed: int = 0,
) -> Faithfulness:
    """What random heatmaps reach on a picture uint8 [S, S, 3]: a method that does no better tells nothing here."""
    random = np.random.default_rng(seed)
    found = [
        faithfulness(
            image,
            random.random((_COARSE, _COARSE)),
            target,
            predict=predict,
            background=background,
            steps=steps,
            seed=seed,
        )
        for _ in range(_CHANCE)
    ]
    return Faithfulness(
        deletion=float(np.mean([one.deletion for one in found])),
        insertion=float(np.mean([one.insertion for one in found])),
    )


def blurred(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture uint8 [S, S, 3] of which only the coarsest light and dark is left."""
    found: NDArray[np.uint8] = np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(_BLUR * len(image))))
    return found


def _hottest_first(heatmap: NDArray[np.floating], side: int, seed: int) -> NDArray[np.int64]:
    heat = enlarge(heatmap, side, side).ravel()
    found: NDArray[np.int64] = np.lexsort((np.random.default_rng(seed).random(len(heat)), -heat))
    return found


def _area(
    start: NDArray[np.uint8],
    end: NDArray[np.uint8],
    order: NDArray[np.int64],
    target: int,
    predict: Predict,
    steps: int,
) -> float:
    """The mean probability, by the trapezoidal rule, while `start` becomes `end` pixel by pixel."""
    counts = np.rint(np.linspace(0, len(order), steps + 1)).astype(np.int64)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    rank = rank.reshape(*start.shape[:2], 1)
    curve: list[float] = []
    for first in range(0, len(counts), 4 * BATCH):  # four batches at a time: memory stays flat, and all cores work
        images = np.stack([np.where(rank < count, end, start) for count in counts[first : first + 4 * BATCH]])
        curve += predict(images)[:, target].tolist()
    heights = (np.array(curve[1:]) + curve[:-1]) / 2
    return float(heights @ np.diff(counts)) / len(order)
