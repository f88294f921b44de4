"""Score-CAM: each channel of a map is tried as a mask. In: a map, a predict function. Out: a heatmap. Next: occlusion.py.

No gradients. Shapes: N pictures, S side of the picture, C H W channels, height and width of the map, K classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.explanation.activation import class_activation
from tellapart.explanation.faithfulness import Predict
from tellapart.explanation.overlay import enlarge
from tellapart.runtime import BATCH

MOST_CHANNELS = 128  # that are tried; one pass of the network each


def score_cam(
    image: NDArray[np.uint8],
    maps: NDArray[np.float32],
    target: int,
    *,
    predict: Predict,
    background: NDArray[np.uint8],
    most_channels: int = MOST_CHANNELS,
) -> NDArray[np.float32]:
    """Maps [C, H, W] of a picture uint8 [S, S, 3], weighted by how much class `target` gains under each as a mask.

    Returns float32 [H, W] in [0, 1]. Each channel, stretched to [0, 1], uncovers the picture on a plain `background`;
    its weight is the softmax, over the channels, of the class's probability above that of the background alone. Only
    the `most_channels` that vary most are tried: the others uncover everything alike.
    Source: Wang et al. 2020, arXiv 1910.01279, eq. 4-6 and algorithm 1.
    """
    spread = maps.max((1, 2)) - maps.min((1, 2))
    chosen = np.argsort(-spread, kind="stable")[:most_channels]
    chosen = chosen[spread[chosen] > 0]
    if not len(chosen):
        return np.zeros(maps.shape[1:], dtype=np.float32)
    plain = np.broadcast_to(background, image.shape).astype(np.uint8)
    base = float(predict(plain[None])[0, target])
    scores = np.empty(len(chosen), dtype=np.float64)
    for first in range(0, len(chosen), 4 * BATCH):
        part = chosen[first : first + 4 * BATCH]
        masked = np.stack([_uncover(image, plain, maps[channel]) for channel in part])
        scores[first : first + len(part)] = predict(masked)[:, target] - base
    weights = np.exp(scores - scores.max())
    return class_activation(maps[chosen], (weights / weights.sum()).astype(np.float32))


def _uncover(image: NDArray[np.uint8], plain: NDArray[np.uint8], one: NDArray[np.float32]) -> NDArray[np.uint8]:
    stretched = (one - one.min()) / (one.max() - one.min())
    mask = enlarge(stretched, *image.shape[:2])[..., None]
    uncovered: NDArray[np.uint8] = np.rint(plain + mask * (image.astype(np.float32) - plain)).astype(np.uint8)
    return uncovered
