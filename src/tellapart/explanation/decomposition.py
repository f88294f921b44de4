"""A class's score as an exact sum over a network's stages. In: a model, a picture, a class. Out: Decomposition. Next: laying.py.

An embedding of means (models/joint.py) and a linear classifier on it make the score a sum over places: what each stage's map,
weighted by the classifier, says there. No gradient and nothing tried: Zhou et al. 2016, Learning Deep Features for Discriminative
Localization, arXiv 1512.04150, eq. 1-2, which has the last map alone; here every map counts whose mean the classifier sees.

Shapes: N pictures, S side of the picture, C H W channels, height and width of a map, D embedding, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.errors import ModelFileError
from tellapart.explanation.activation import find_last_map, is_mean, scaled
from tellapart.explanation.graph import IMAGE, Graph, sample_picture
from tellapart.models.symmetry import mean_of_views

LAST = "last layer"
_MEANS = ("GlobalAveragePool", "ReduceMean")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StagePart:
    """What one stage says for a class."""

    name: str  # "stage 1", in the order in which they run, to "last layer"
    score: float  # its part of the logit
    map: NDArray[np.float32] | None  # [H, W], whose mean is `score`; None where the numbers are no map's means


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decomposition:
    """A class's logit, before calibration: `bias` and the scores of all parts."""

    bias: float
    parts: tuple[StagePart, ...]

    @property
    def logit(self) -> float:
        """The sum."""
        return self.bias + sum(part.score for part in self.parts)

    def scores(self) -> dict[str, float]:
        """What the logit is the sum of, by name."""
        return {"bias": self.bias, **{part.name: part.score for part in self.parts}}

    def in_words(self) -> str:
        """The sum, such as "logit 1.13 = bias -1.56, stages 1 +0.00, 2 +0.03, last layer +2.66"."""
        terms = [f"{part.name.removeprefix('stage ')} {part.score:+.2f}" for part in self.parts]
        several = "stages " if len(terms) > 1 else ""
        without = [part.name for part in self.parts if part.map is None]
        remark = f"; the {without[0]} has no map" if without else ""
        return f"logit {self.logit:.2f} = bias {self.bias:+.2f}, {several}{', '.join(terms)}{remark}"

    def heatmap(self) -> NDArray[np.float32]:
        """All maps at the largest one's size and summed, above 0, in [0, 1]: float32 [H, W].

        What has no place (the bias, a part without a map) is spread evenly: each place counts as far as it speaks for the
        class, and the mean over all places, before what is below 0 is cut off, is the logit.
        """
        maps = [part.map for part in self.parts if part.map is not None]
        height, width = max((one.shape for one in maps), key=lambda shape: shape[0] * shape[1])
        nowhere = self.bias + sum(part.score for part in self.parts if part.map is None)
        return scaled(np.sum([_resized(one, height, width) for one in maps], axis=0) + nowhere)


@dataclass(frozen=True, slots=True, kw_only=True)
class _StageSource:
    """Where in the graph a part comes from."""

    name: str
    tensor: str  # a map, or numbers [N, D] that are no map's means
    is_map: bool
    channels_last: bool  # the graph holds the map as [N, H, W, C]
    columns: slice  # of the embedding


class StageMaps:
    """The decomposition of any class's score, by ONNX Runtime from model.onnx alone."""

    def __init__(self, model: bytes | Path | Graph) -> None:
        """Open a model.onnx, or one that is open as a graph.

        Raises: ModelFileError when no number that the classifier sees is the mean of a map.
        """
        graph = model if isinstance(model, Graph) else Graph(model)
        self._weight: NDArray[np.float32] = graph.classifier("weight")  # [K, D]
        self._bias: NDArray[np.float32] = graph.classifier("bias")  # [K]
        found = _sources(graph, self._weight.shape[1])
        # A probe may leave the stages out; what counts for no class is no part of the sum.
        self._sources = [one for one in found if one.name == LAST or self._weight[:, one.columns].any()]
        if not any(one.is_map for one in self._sources):
            raise ModelFileError(
                f"{graph.source} has no exact maps of its score: its classes are told from no map's mean (dense layers or "
                "attention come between). Take gradcam or occlusion."
            )
        self._tensors = [one.tensor for one in self._sources]
        self._session = graph.open(list(dict.fromkeys(self._tensors)))

    def __call__(self, image: NDArray[np.uint8], target: int) -> Decomposition:
        """The parts of class `target`'s logit for a picture uint8 [S, S, 3]."""
        arrays = self._session.run(image[None], self._tensors)
        parts = [
            _part(source, found, self._weight[target, source.columns])
            for source, found in zip(self._sources, arrays, strict=True)
        ]
        return Decomposition(bias=float(self._bias[target]), parts=tuple(parts))


def _part(source: _StageSource, found: NDArray[np.float32], weight: NDArray[np.float32]) -> StagePart:
    if not source.is_map:
        return StagePart(name=source.name, score=float(found[0] @ weight), map=None)
    maps = np.moveaxis(found, -1, 1) if source.channels_last else found
    (one,) = maps if len(maps) == 1 else mean_of_views(maps, 1)  # as the answer is the views' mean
    weighted = np.tensordot(weight, one, axes=1)
    return StagePart(name=source.name, score=float(weighted.mean(dtype=np.float64)), map=weighted)


def _sources(graph: Graph, length: int) -> list[_StageSource]:
    """Every stage whose means the embedding [N, `length`] begins with, and the last layer. Raises: ModelFileError."""
    found, first = [], 0
    maps = [_map_before(graph, name) for name in graph.joined]
    session = graph.open([*graph.joined, *maps]) if maps else None
    for number, (means, one) in enumerate(zip(graph.joined, maps, strict=True), 1):
        assert session is not None
        of_means, of_map = session.run(sample_picture(session.inputs[IMAGE]), [means, one])
        axes = [axes for axes in ((2, 3), (1, 2)) if of_map.ndim == 4 and is_mean(of_map, axes, of_means)]
        if not axes:
            raise ModelFileError(
                f"{graph.source} has no exact maps of its score: {means} is not the mean of {one}. Take gradcam."
            )
        columns = slice(first, first + of_means.shape[1])
        first = columns.stop
        last_axes = axes[0] == (1, 2)
        found.append(
            _StageSource(name=f"stage {number}", tensor=one, is_map=True, channels_last=last_axes, columns=columns)
        )
    return [*found, _last(graph, slice(first, length))]


def _map_before(graph: Graph, name: str) -> str:
    """The tensor that `name` is the mean of: what the nearest mean on the way to it was given."""
    while name in graph.position:
        node = graph.nodes[graph.position[name]]
        name = str(node.input[0])
        if node.op_type in _MEANS:
            break
    return name


def _last(graph: Graph, columns: slice) -> _StageSource:
    """The last layer, with its map where it is the mean of one. Raises: ModelFileError when there is none, nor a stage."""
    try:
        last = find_last_map(graph)
    except ModelFileError:
        if not graph.joined:
            raise
        last = None
    if last is None or not last.averaged:
        return _StageSource(name=LAST, tensor=graph.last, is_map=False, channels_last=False, columns=columns)
    return _StageSource(name=LAST, tensor=last.tensor, is_map=True, channels_last=last.channels_last, columns=columns)


def _resized(one: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """A map at another size, even between its places, with the mean that it had."""
    if one.shape == (height, width):
        return one
    large = np.asarray(Image.fromarray(one).resize((width, height), Image.Resampling.BILINEAR))
    return large + np.float32(one.mean() - large.mean())
