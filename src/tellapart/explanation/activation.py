"""Grad-CAM from model.onnx alone, without torch. In: a model, pictures, classes. Out: heatmaps. Next: overlay.py.

Shapes: N pictures, S side of the picture, C H W channels, height and width of the last map, D embedding, K classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ModelFileError
from tellapart.explanation.graph import IMAGE, LOGITS, Graph, sample_picture
from tellapart.models.symmetry import mean_of_views
from tellapart.runtime import BATCH, Session

_LOOKED_AT = 40  # tensors before the embedding among which the last map must be
_CLOSE = 1e-4  # relative; the embedding is the map's mean
_STEP = 0.02  # of the map's standard deviation, by which a channel is raised and lowered
_AT_ONCE = 64  # changed maps
MOST_WORK = 20_000_000_000  # multiplications for one picture's gradients: about a second
_INSTEAD = "Occlusion works with every network"

Maps = NDArray[np.float32]  # [N, C, H, W]


@dataclass(frozen=True, slots=True, kw_only=True)
class LastMap:
    """Where in the graph the last map is, and how the embedding comes from it."""

    tensor: str
    length: int  # D, of the last layer
    channels: int  # C
    height: int
    width: int
    channels_last: bool  # the graph holds it as [N, H, W, C]
    averaged: bool  # the embedding is its mean over all positions, nothing else


class ClassActivation:
    """Heatmaps of classes for pictures: Grad-CAM at the last map, computed by ONNX Runtime.

    Source: Selvaraju et al. 2017, arXiv 1610.02391, eq. 1-2. Where the embedding is the map's mean, the gradient of
    class c's logit has a closed form, the classifier's weight w_kc / (H W). Where a few layers come between (LeNet,
    MobileNetV3), the sum of the gradient over a channel is measured: the channel is raised and lowered a little.
    """

    def __init__(self, model: bytes | Path | Graph, *, most_work: int = MOST_WORK) -> None:
        """Open a model.onnx, or one that is open as a graph.

        `most_work` bounds the multiplications that measuring the gradients for one picture may take.

        Raises: ModelFileError when the network has no map of positions before its embedding, or that is too much.
        """
        graph = model if isinstance(model, Graph) else Graph(model)
        weight = graph.classifier("weight")
        self.last = find_last_map(graph)
        self.source = graph.source
        # Of the last layer, which is all that the last map has to do with.
        self._weight = weight[:, -self.last.length :]  # [K, D]
        self._session = graph.open([self.last.tensor, LOGITS, "probabilities"])
        self._tail: Session | None = None
        if not self.last.averaged:
            self._tail = graph.open_tail(self.last.tensor, LOGITS)
            self._check_work(graph, most_work)

    def __call__(self, images: NDArray[np.uint8], classes: NDArray[np.int64]) -> NDArray[np.float32]:
        """Grad-CAM of uint8 [N, S, S, 3] for one class each, int64 [N]: float32 [N, H, W] in [0, 1].

        Each heatmap's largest value is 1; it is all 0 where nothing speaks for the class.
        """
        heatmaps = np.empty((len(images), self.last.height, self.last.width), dtype=np.float32)
        for start in range(0, len(images), BATCH):
            maps, _ = self.maps(images[start : start + BATCH])
            for row, one in enumerate(maps, start):
                heatmaps[row] = class_activation(one, self.channel_weights(one, int(classes[row])))
        return heatmaps

    def maps(self, images: NDArray[np.uint8]) -> tuple[Maps, NDArray[np.float32]]:
        """The last map [N, C, H, W] and the probabilities [N, K] of uint8 pictures [N, S, S, 3]."""
        maps, probabilities = self._session.run(images, [self.last.tensor, "probabilities"])
        maps = np.moveaxis(maps, -1, 1) if self.last.channels_last else maps
        # Averaged over views of the picture, the answer rests on each view's map alike.
        return (maps if len(maps) == len(images) else mean_of_views(maps, len(images))), probabilities

    def channel_weights(self, one: NDArray[np.float32], target: int) -> NDArray[np.float32]:
        """The mean gradient of class `target`'s logit in each channel of a picture's map [C, H, W]: float32 [C] (eq. 1)."""
        positions = self.last.height * self.last.width
        if self._tail is None:
            weights: NDArray[np.float32] = self._weight[target] / positions
            return weights
        # Raising a whole channel by h changes the logit by h times the sum of the gradient over its positions.
        step = np.float32(_STEP * max(float(one.std()), 1e-6))
        slopes = np.empty(len(one), dtype=np.float32)
        for start in range(0, len(one), _AT_ONCE):
            channels = np.arange(start, min(start + _AT_ONCE, len(one)))
            raised, lowered = (np.repeat(one[None], len(channels), axis=0) for _ in range(2))
            raised[np.arange(len(channels)), channels] += step
            lowered[np.arange(len(channels)), channels] -= step
            above, below = (self._logits(maps)[:, target] for maps in (raised, lowered))
            slopes[channels] = (above - below) / (2 * step)
        return slopes / np.float32(positions)

    def _logits(self, maps: Maps) -> NDArray[np.float32]:
        tail: Any = self._tail  # its type speaks of pictures
        (logits,) = tail.run(np.moveaxis(maps, 1, -1) if self.last.channels_last else maps, [LOGITS])
        found: NDArray[np.float32] = logits
        return found

    def _check_work(self, graph: Graph, most: int) -> None:
        nodes = graph.between(self.last.tensor, LOGITS)
        numbers = sum(
            math.prod(graph.weights[name].dims) for node in nodes for name in node.input if name in graph.weights
        )
        if 2 * self.last.channels * numbers > most:
            raise ModelFileError(
                f"{self.source} has {numbers:,} weights between its last map and its classes, too many to measure "
                f"gradients without torch. Give the run's folder instead of its model.onnx. {_INSTEAD}."
            )


def class_activation(maps: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Maps [C, H, W] summed with weights [C], what is negative cut off, scaled to [0, 1]: float32 [H, W] (eq. 2)."""
    return scaled(np.tensordot(weights, maps, axes=1))


def scaled(heat: NDArray[Any]) -> NDArray[np.float32]:
    """What is above 0, divided by the largest value: float32 in [0, 1]; all 0 where nothing is above 0."""
    positive: NDArray[np.float32] = np.maximum(heat, 0).astype(np.float32)
    largest = float(positive.max(initial=0.0))
    return positive / np.float32(largest) if largest > 0 else positive


def find_last_map(graph: Graph) -> LastMap:
    """The last tensor of positions that the whole network goes through before its embedding.

    Raises: ModelFileError when there is none: without convolutions, or when a transformer's tokens come last.
    """
    if not any(node.op_type == "Conv" for node in graph.nodes):
        raise ModelFileError(f"{graph.source} has no convolutions, so no map that shows places. {_INSTEAD}.")
    names = [name for name in graph.bottlenecks(graph.last)[:_LOOKED_AT] if name != IMAGE]
    session = graph.open(list(dict.fromkeys([*names, graph.last])))
    wanted = [*names, graph.last]
    arrays = dict(zip(wanted, session.run(sample_picture(session.inputs[IMAGE]), wanted), strict=True))
    for name in names:
        found = arrays[name]
        if found.ndim == 4 and found[0].size > max(found.shape[1], found.shape[3]):
            return _describe(name, found, arrays[graph.last])
        if found.ndim == 3 and found.shape[1] > 1:
            break
    raise ModelFileError(
        f"{graph.source} has no map of positions before its embedding (a transformer's tokens, for example). {_INSTEAD}."
    )


def _describe(name: str, found: NDArray[np.float32], embedding: NDArray[np.float32]) -> LastMap:
    # Told by values, not by operators: exporters write the mean in half a dozen ways.
    averaged = {axes: is_mean(found, axes, embedding) for axes in ((2, 3), (1, 2))}
    views, first, second, third = found.shape
    if views > 1 and not any(averaged.values()):
        raise ModelFileError(
            f"the model answers for {views} views of a picture and computes further layers on each. {_INSTEAD}."
        )
    channels_last = averaged[1, 2] or (first == second != third and not averaged[2, 3])
    channels, height, width = (third, first, second) if channels_last else (first, second, third)
    return LastMap(
        tensor=name,
        length=embedding.shape[1],
        channels=channels,
        height=height,
        width=width,
        channels_last=channels_last,
        averaged=any(averaged.values()),
    )


def is_mean(found: NDArray[np.float32], axes: tuple[int, int], embedding: NDArray[np.float32]) -> bool:
    """Whether an embedding [1, D] is the mean of a map over two axes, and over the views of its first."""
    means = found.mean(axes).mean(0, keepdims=True)  # of one picture, of all its views
    scale = float(np.abs(means).max())
    return means.shape == embedding.shape and scale > 0 and bool(np.abs(means - embedding).max() < _CLOSE * scale)
